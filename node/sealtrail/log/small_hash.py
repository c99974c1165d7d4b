"""SHA-256 of a few dozen bytes, of which an entry takes some twenty.

``hashlib`` has OpenSSL look its algorithm up at each call, which takes longer than the hash of so little. The
interpreter's own implementation, which it falls back on where OpenSSL is missing, takes half the time; it is asked for
by the names it has had, and where it has none of them ``hashlib`` does. For contents, which are longer, ``hashlib`` is
no slower.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hashlib import _Hash

_BUILT_IN = ("_sha2", "_sha256")  # since Python 3.12, and before


def _find() -> Callable[[bytes], _Hash]:
    for name in _BUILT_IN:
        try:
            found: Callable[[bytes], _Hash] = import_module(name).sha256
        except (ImportError, AttributeError):
            continue
        return found
    return hashlib.sha256


sha256 = _find()
