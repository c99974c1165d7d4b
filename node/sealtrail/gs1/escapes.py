"""Percent-escapes in the values of Digital Links: one spelling for one value.

Source: GS1 Digital Link URI Syntax, section 4; RFC 3986, section 2.
"""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

# Stand for themselves in canonical identifiers; everything else is escaped, in upper-case hex.
_PLAIN = re.compile(r"[A-Za-z0-9'\-.;=_]*").fullmatch
_SAFE = "'-.;=_"


def encode_value(text: str) -> str:
    """Return a value, escaped or not, in its one canonical spelling."""
    if (text.isalnum() and text.isascii()) or _PLAIN(text):
        return text
    # quote() lets "~" stand, which is no letter of GS1 keys
    return quote(unquote(text), safe=_SAFE).replace("~", "%7E")


def decode_value(text: str) -> str:
    """Return the characters behind a value's escapes."""
    return unquote(text) if "%" in text else text
