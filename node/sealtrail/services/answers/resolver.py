"""What a Digital Link leads to at this node: links to its own services, by GS1's link types.

The links follow from the identifier alone and say nothing of whether anything is known of it: that, the services tell
to those who may ask them.

Source: GS1-Conformant Resolver Standard 1.2; RFC 9264 (linksets).
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import msgspec

from sealtrail.gs1 import canonical
from sealtrail.gs1.link_elements import PRIMARY_KEYS, encode_link, encode_path

VOCABULARY = "https://ref.gs1.org/voc/"
DEFAULT = VOCABULARY + "defaultLink"
LINKSET_CONTEXT = "https://ref.gs1.org/standards/resolver/linkset-context"
# spellings of the vocabulary's namespace that clients use
_NAMESPACES = (
    VOCABULARY,
    "https://gs1.org/voc/",
    "http://gs1.org/voc/",
    "https://www.gs1.org/voc/",
    "http://www.gs1.org/voc/",
    "gs1:",
)
_PLACE = "414"
# keys of what no event names as an item or a place
_WITHOUT_LINKS = frozenset({"415", "417", "8013"})
SUPPORTED_KEYS = tuple(ai for ai in PRIMARY_KEYS if ai not in _WITHOUT_LINKS)


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """One link: its type in the vocabulary, target, and what a person is told of it."""

    link_type: str
    href: str
    title: str
    media_type: str = "application/json"


def link_type_of(text: str) -> str:
    """Return the link type that a client asked for, by CURIE or any spelling of its URI, as this node writes it."""
    for namespace in _NAMESPACES:
        if text.startswith(namespace):
            return VOCABULARY + text[len(namespace) :]
    return text


def levels(elements: dict[str, str]) -> list[dict[str, str]]:
    """Return key and qualifiers of a link as they are, then without the last, up to the key alone."""
    pairs = list(elements.items())
    return [dict(pairs[:size]) for size in range(len(pairs), 0, -1)]


def links_of(path: dict[str, str], base: str, asked: str = "") -> tuple[Link, ...]:
    """Return the links of an identifier, the default one first; none of what this node answers nothing about.

    Args:
        path: key and qualifiers.
        base: the node's URL.
        asked: the identifier with what its query states (lot, expiry), for services that compare it.
    """
    key = next(iter(path))
    if key in _WITHOUT_LINKS:
        return ()
    identifier = canonical(encode_link(path))
    if key == _PLACE:
        query = f"EQ_bizLocation={quote(identifier, safe='')}"
        return (_epcis(base, query, "EPCIS events at this place"),)
    item = quote(asked or encode_link(path), safe="")
    family = "MATCH_anyEPC" if _is_one_thing(path) else "MATCH_anyEPCClass"
    return (
        Link(
            link_type=VOCABULARY + "traceability",
            href=f"{base}/v1/provenance/{item}",
            title="Where this has been, with proofs",
        ),
        Link(
            link_type=VOCABULARY + "verificationService",
            href=f"{base}/v1/provenance/{item}",
            title="Is this known, its history complete, and is it fit for use",
        ),
        _epcis(base, f"{family}={quote(identifier, safe='')}", "EPCIS events that name this"),
    )


def linkset(elements: dict[str, str], base: str) -> dict[str, Any]:
    """Return the linkset of an identifier and of all levels above it.

    Args:
        elements: key and qualifiers.
    """
    contexts = []
    for level in levels(elements):
        links = links_of(level, base)
        context: dict[str, Any] = {"anchor": f"{base}{encode_path(level)}"}
        for link in links:
            target = {"href": link.href, "title": link.title, "type": link.media_type}
            context.setdefault(link.link_type, []).append(target)
        if links:
            first = links[0]
            context[DEFAULT] = [
                {"href": first.href, "title": first.title, "type": first.media_type}
            ]
            contexts.append(context)
    return {"linkset": contexts}


def description(name: str, base: str) -> dict[str, Any]:
    """Return the resolver description file."""
    return {
        "name": name,
        "resolverRoot": base,
        "supportedPrimaryKeys": list(SUPPORTED_KEYS),
        "supportedLinkType": [{"namespace": VOCABULARY, "prefix": "gs1:"}],
        "activeLinkTypes": {
            "en": ["gs1:defaultLink", "gs1:traceability", "gs1:verificationService", "gs1:epcis"]
        },
        "linkTypeDefaultCanBeLinkset": False,
        "contextFile": LINKSET_CONTEXT,
        "notSupported": ["compressed Digital Link URIs"],
    }


def _epcis(base: str, query: str, title: str) -> Link:
    return Link(link_type=VOCABULARY + "epcis", href=f"{base}/events?{query}", title=title)


def _is_one_thing(path: dict[str, str]) -> bool:
    """Whether the identifier names one thing rather than a class of them."""
    key = next(iter(path))
    if key in ("01", "8006"):
        return "21" in path or "235" in path
    return key != "8010" or "8011" in path
