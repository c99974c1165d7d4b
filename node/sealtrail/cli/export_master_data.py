"""What a node knows of the products, places and parties that exported events name, for the header of the documents."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import msgspec

from sealtrail.cli.export_spool import Spool
from sealtrail.cli.node_client import NodeClient, follow_pages
from sealtrail.epcis.views import named_in, vocabulary_list
from sealtrail.errors import UnavailableError
from sealtrail.gs1 import described_by

PATH = "/v1/masterdata"
PER_PAGE = 1_000
_REMEMBERED = 1 << 16  # identifiers: the same places stand in event after event


class _Attribute(msgspec.Struct, frozen=True):
    id: str
    attribute: str | int | float | dict[str, Any]


class _Element(msgspec.Struct, frozen=True):
    """An element as the node lists it, as far as a header has it."""

    type: str
    id: str
    canonical: str
    attributes: list[_Attribute] = []
    children: list[str] = []
    more: dict[str, Any] = {}


class _Page(msgspec.Struct, frozen=True):
    elements: list[_Element]


def fetch_vocabularies(client: NodeClient, spool: Spool) -> list[dict[str, Any]]:
    """Return the master data that holds now of what the events name, and of what that is one of.

    All that the node has is asked for, because events name far more packs than there are products and places.

    Raises:
        SealtrailError: what the node answered as a problem; ``node_unreachable``, ``node_garbage``.
    """
    known: dict[str, list[_Element]] = {}
    for answer in follow_pages(client, PATH, {"perPage": str(PER_PAGE)}):
        for element in _elements(answer.body):
            known.setdefault(element.canonical, []).append(element)
    named = _named(spool, known) if known else frozenset()
    return vocabulary_list(
        msgspec.to_builtins(element)
        for each, elements in known.items()
        if each in named
        for element in elements
    )


def _elements(body: bytes) -> list[_Element]:
    try:
        return msgspec.json.decode(body, type=_Page).elements
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UnavailableError(
            "node_garbage", f"the node's answer is no list of master data: {error}"
        ) from error


def _named(spool: Spool, known: dict[str, list[_Element]]) -> set[str]:
    """Return which of the known elements the events name."""
    described = lru_cache(maxsize=_REMEMBERED)(described_by)
    return {
        canonical
        for event in spool.events()
        for identifier in named_in(event)
        for canonical in described(identifier)
        if canonical in known
    }
