"""Events with every part, and entries of them of which only some is shown."""

from __future__ import annotations

from typing import Any

import msgspec
import rfc8785

from evidence_world import CONTEXT, JSON, Party
from sealtrail.epcis import RecordedEvent, read_content
from sealtrail.evidence import EntryRecord
from sealtrail.signing import disclose

PACK = "https://id.gs1.org/01/09521234543213/21/{}"
LOT = "https://id.gs1.org/01/09521234543213/10/LOT-1"
SSCC = "https://id.gs1.org/00/095212345432100013"
ORDER = "urn:epcglobal:cbv:bt:9521234543206:ORDER-4711"


def full_event(packs: int = 20, **changes: Any) -> bytes:
    """Content of a commissioning that names packs and has something in every part; None takes a member out."""
    event = {
        "@context": [CONTEXT, {"ex": "https://example.com/"}],
        "type": "ObjectEvent",
        "eventTime": "2026-03-01T10:00:00.000Z",
        "eventTimeZoneOffset": "+01:00",
        "action": "ADD",
        "bizStep": "commissioning",
        "disposition": "active",
        "readPoint": {"id": "https://id.gs1.org/414/9521234543206"},
        "epcList": [PACK.format(1000 + n) for n in range(packs)],
        "quantityList": [{"epcClass": LOT, "quantity": packs}],
        "sourceList": [{"type": "owning_party", "source": "urn:epc:id:pgln:9521234.00001"}],
        "bizTransactionList": [{"type": "po", "bizTransaction": ORDER}],
        "ilmd": {"cbvmda:lotNumber": "LOT-1", "cbvmda:itemExpirationDate": "2029-12-31"},
        "ex:note": "for our eyes only",
    } | changes
    return rfc8785.dumps({name: value for name, value in event.items() if value is not None})


def shipping(packs: int = 20) -> bytes:
    """Content of a transaction that ties a pallet and packs to documents."""
    return full_event(
        packs,
        type="TransactionEvent",
        action="OBSERVE",
        bizStep="shipping",
        disposition="in_transit",
        parentID=SSCC,
        ilmd=None,
    )


def recorded(content: bytes) -> RecordedEvent:
    return read_content(content, JSON)


def in_parts(record: EntryRecord, *items: str, keys: bool = True, **how: Any) -> EntryRecord:
    """The record with its content in parts: of the items only these. ``keys``: with proofs of their keys."""
    assert record.content is not None
    assert record.seed is not None
    partial = disclose(
        recorded(record.content),
        record.seed,
        items,
        item_salt=record.item_salt if keys else None,
        **how,
    )
    return msgspec.structs.replace(record, content=None, seed=None, partial=partial)


def anchored(maker: Party, index: int) -> EntryRecord:
    return maker.proven(index, len(maker.records))
