"""Names of extension fields in queries, in their spellings, and the one form in which they are compared.

The standard writes ``namespace#field`` where the name is fully qualified; JSON has ``prefix:field``, whose prefix
stands for ``namespace/`` or ``namespace#``. So a name is compared without what joins its two parts.

Source: EPCIS 2.0 section 8.2.7.1 (``EQ_fieldname``), its REST binding and query schema.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TypeAlias

from sealtrail.epcis.context import KNOWN_PREFIXES, URI_SCHEMES

_JOINTS = "#/:"

Prefixes: TypeAlias = Mapping[str, Sequence[str]]
"""What prefixes stand for; more than one namespace where different events use a prefix differently."""


@lru_cache(maxsize=4_096)
def qualified(namespace: str, local: str) -> str:
    """Return the one form of a name."""
    return f"{namespace.rstrip(_JOINTS)}#{local}"


def read_names(text: str, prefixes: Prefixes) -> tuple[str, ...]:
    """Return the one form of a name as a query writes it, of each namespace that its prefix stands for."""
    if "#" in text:
        namespace, _, local = text.rpartition("#")
        return (qualified(namespace, local),) if ":" in namespace and local else ()
    prefix, colon, local = text.partition(":")
    if not colon or not local:
        return ()
    namespaces = prefixes.get(prefix) or filter(None, [KNOWN_PREFIXES.get(prefix)])
    found = tuple(dict.fromkeys(qualified(namespace, local) for namespace in namespaces))
    if found or prefix.lower() not in URI_SCHEMES:
        return found
    cut = max(map(text.rfind, _JOINTS)) + 1
    return (qualified(text[:cut], text[cut:]),) if text[cut:] else ()


def attribute_spellings(text: str) -> tuple[str, ...]:
    """Return how master data may have written an attribute that a query names; CBV's own may go without namespace."""
    if "#" not in text and ":" not in text:
        text = f"{KNOWN_PREFIXES['cbvmda']}#{text}"
    name = next(iter(read_names(text, {})), text)
    namespace, _, local = name.rpartition("#")
    return tuple(dict.fromkeys((text, *(f"{namespace}{joint}{local}" for joint in _JOINTS))))
