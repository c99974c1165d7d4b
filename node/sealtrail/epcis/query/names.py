"""Names of extension fields in queries, in their spellings, and the one form in which they are compared.

The standard writes ``namespace#field`` where the name is fully qualified; JSON has ``prefix:field``, whose prefix
stands for ``namespace/`` or ``namespace#``. So a name is compared without what joins its two parts.

Source: EPCIS 2.0 section 8.2.7.1 (``EQ_fieldname``), its REST binding and query schema.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

# Known without a word: the context that every EPCIS 2.0 document refers to.
KNOWN_PREFIXES = {
    "gs1": "https://ref.gs1.org/voc/",
    "cbv": "https://ref.gs1.org/cbv/",
    "epcis": "https://ref.gs1.org/epcis/",
    "cbvmda": "urn:epcglobal:cbv:mda",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
    "owl": "http://www.w3.org/2002/07/owl#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
    "dcterms": "http://purl.org/dc/terms/",
}
_JOINTS = "#/:"
_SCHEMES = frozenset(("http", "https", "urn", "ni", "tag", "did"))


@lru_cache(maxsize=4_096)
def qualified(namespace: str, local: str) -> str:
    """Return the one form of a name."""
    return f"{namespace.rstrip(_JOINTS)}#{local}"


def read_name(text: str, prefixes: Mapping[str, str]) -> str | None:
    """Return the one form of a name as a query writes it; None if its prefix stands for nothing known."""
    if "#" in text:
        namespace, _, local = text.rpartition("#")
        return qualified(namespace, local) if ":" in namespace and local else None
    prefix, colon, local = text.partition(":")
    if not colon or not local:
        return None
    namespace = prefixes.get(prefix) or KNOWN_PREFIXES.get(prefix, "")
    if namespace:
        return qualified(namespace, local)
    if prefix.lower() not in _SCHEMES:
        return None
    cut = max(map(text.rfind, _JOINTS)) + 1
    return qualified(text[:cut], text[cut:]) if text[cut:] else None


def attribute_spellings(text: str) -> tuple[str, ...]:
    """Return how master data may have written an attribute that a query names; CBV's own may go without namespace."""
    if "#" not in text and ":" not in text:
        text = f"{KNOWN_PREFIXES['cbvmda']}#{text}"
    name = read_name(text, {}) or text
    namespace, _, local = name.rpartition("#")
    return tuple(dict.fromkeys((text, *(f"{namespace}{joint}{local}" for joint in _JOINTS))))
