"""Capture over a real store: receipts, same and other events, rollback and proceed, concurrency."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path

import pytest

from capture_events import bare, declaration, document, event, pack
from capture_node import ANCHOR_DELAY_MS, DOMAIN, ITEM_SALT, SIGNER, services
from sealtrail.epcis import XML_MEDIA_TYPE, Limits, json_form
from sealtrail.epcis.views import write_event
from sealtrail.errors import ConflictError, InputError, TooLargeError, UnavailableError
from sealtrail.gs1 import canonical
from sealtrail.log.tree import leaf_hash, verify_inclusion
from sealtrail.services.answers.queries import QueryService
from sealtrail.services.receipts import Receipt, rfc3339
from sealtrail.services.recording.capture import PART_EVENTS_MAX, CaptureService
from sealtrail.signing import (
    Kind,
    Reference,
    Relation,
    entry_id,
    event_disclosure_root,
    item_key,
    items_root,
    parse_leaf,
    parse_references,
    recover,
    references_root,
)
from sealtrail.store.database import Database
from sealtrail.store.events import (
    load_by_entries,
    load_by_event_hash,
    load_by_event_id,
    load_by_item,
)
from sealtrail.store.log import LogStore, StoredEntry, load_entry


class World:
    def __init__(
        self, database: Database, log: LogStore, capture: CaptureService, queries: QueryService
    ) -> None:
        self.database = database
        self.log = log
        self.capture = capture
        self.queries = queries

    def entry(self, receipt: Receipt) -> StoredEntry:
        stored = self.database.read_sync(
            lambda c: load_entry(c, bytes.fromhex(receipt.entry_id[2:]))
        )
        assert stored is not None
        return stored


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with services(tmp_path / "node.db") as parts:
        yield World(*parts)


def as_xml(event: bytes) -> bytes:
    return write_event(json_form(event), form="xml-2.0")


async def test_a_receipt_is_what_stands_in_the_log(world: World) -> None:
    receipt, duplicate = await world.capture.capture_event(bare(event(1)))

    assert not duplicate
    stored = world.entry(receipt)
    signed = parse_leaf(stored.leaf)
    assert receipt.leaf_index == stored.leaf_index == 1  # 0 is genesis
    assert receipt.signature == "0x" + signed.signature.hex()
    assert entry_id(signed.entry, DOMAIN) == stored.entry_id
    assert recover(stored.entry_id, signed.signature) == SIGNER.address == signed.entry.member
    assert receipt.record_time == rfc3339(signed.entry.record_time_ms)
    assert receipt.anchor_by == rfc3339(signed.entry.record_time_ms + ANCHOR_DELAY_MS)
    assert signed.entry.kind == Kind.EVENT
    assert receipt.event_id == receipt.event_hash


async def test_the_entry_commits_to_content_items_and_references(world: World) -> None:
    receipt, _ = await world.capture.capture_event(bare(event(1)))
    stored = world.entry(receipt)
    entry = parse_leaf(stored.leaf).entry
    kept = world.database.read_sync(lambda c: load_by_entries(c, [stored.entry_id]))
    kept_event = kept[stored.entry_id]

    assert stored.seed is not None
    assert kept_event.content is not None
    assert sha256(kept_event.content).digest() == kept_event.content_hash
    assert entry.disclosure_root == event_disclosure_root(
        stored.seed,
        kept_event.content,
        content_hash=kept_event.content_hash,
        event_hash=kept_event.event_hash,
    )
    key = item_key(ITEM_SALT, canonical(pack(1)))
    assert key in {stored.item_keys[at : at + 32] for at in range(0, len(stored.item_keys), 32)}
    keys = [stored.item_keys[at : at + 32] for at in range(0, len(stored.item_keys), 32)]
    assert keys == sorted(keys)
    assert entry.items_root == items_root(keys)
    assert entry.references_root == references_root(())


async def test_every_acknowledged_entry_is_in_the_tree(world: World) -> None:
    captured = await world.capture.capture(document(*(event(n) for n in range(300))))
    assert len(captured.receipts) == 300
    head = world.log.head()
    assert head.size == 301
    for receipt in captured.receipts[::29]:
        stored = world.entry(receipt)
        proof = world.database.read_sync(
            lambda c, i=stored.leaf_index: world.log.inclusion_proof(c, i, head.size)
        )
        verify_inclusion(head, stored.leaf_index, leaf_hash(stored.leaf), proof)


async def test_a_duplicate_gets_the_first_receipt_again(world: World) -> None:
    first, _ = await world.capture.capture_event(bare(event(1)))
    again, duplicate = await world.capture.capture_event(bare(event(1)))
    in_document = await world.capture.capture(document(event(1), event(2)))

    assert duplicate
    assert again == first
    assert in_document.receipts[0] == first
    assert in_document.duplicates == 1
    assert world.log.size == 3


async def test_a_duplicate_within_one_document_is_recorded_once(world: World) -> None:
    captured = await world.capture.capture(document(event(1), event(2), event(1)))
    assert captured.job.success
    assert captured.receipts[0] == captured.receipts[2] != captured.receipts[1]
    assert world.log.size == 3


async def test_a_record_time_of_the_sender_makes_no_other_event(world: World) -> None:
    first, _ = await world.capture.capture_event(bare(event(1)))
    again, duplicate = await world.capture.capture_event(
        bare(event(1, recordTime="2026-03-01T11:00:00Z"))
    )
    assert duplicate
    assert again == first


async def test_the_same_id_with_other_content_is_a_conflict(world: World) -> None:
    first, _ = await world.capture.capture_event(bare(event(1, eventID="urn:uuid:1")))
    with pytest.raises(ConflictError) as caught:
        await world.capture.capture_event(bare(event(2, eventID="urn:uuid:1")))
    assert caught.value.code == "event_id_conflict"
    assert caught.value.context["recorded_entry_id"] == first.entry_id
    assert world.log.size == 2


async def test_a_twin_in_xml_under_the_same_id_is_kept_and_found_with_the_first(
    world: World,
) -> None:
    given = bare(event(1, eventID="urn:uuid:1"))
    first, _ = await world.capture.capture_event(given)
    twin, duplicate = await world.capture.capture_event(as_xml(given), media_type=XML_MEDIA_TYPE)
    assert not duplicate
    assert twin.event_hash == first.event_hash
    assert twin.content_hash != first.content_hash
    again, duplicate = await world.capture.capture_event(as_xml(given), media_type=XML_MEDIA_TYPE)
    assert (again, duplicate) == (twin, True)


async def test_another_event_in_xml_under_the_same_id_is_a_conflict(world: World) -> None:
    await world.capture.capture_event(bare(event(1, eventID="urn:uuid:1")))
    other = as_xml(bare(event(2, eventID="urn:uuid:1")))
    with pytest.raises(ConflictError) as caught:
        await world.capture.capture_event(other, media_type=XML_MEDIA_TYPE)
    assert caught.value.code == "event_id_conflict"
    assert world.log.size == 2


async def test_an_error_declaration_is_a_new_entry_that_refers_to_the_declared_one(
    world: World,
) -> None:
    wrong = event(1, eventID="urn:uuid:1")
    first, _ = await world.capture.capture_event(bare(wrong))
    receipt, duplicate = await world.capture.capture_event(bare(declaration(wrong)))

    assert not duplicate
    assert receipt.event_id == first.event_id
    stored = world.entry(receipt)
    declared = bytes.fromhex(first.entry_id[2:])
    assert parse_references(stored.refs) == (Reference(Relation.CORRECTS, declared),)
    assert parse_leaf(stored.leaf).entry.references_root == references_root(
        [Reference(Relation.CORRECTS, declared)]
    )
    assert recover(stored.entry_id, parse_leaf(stored.leaf).signature) == SIGNER.address


async def test_an_error_declaration_of_an_event_without_an_id_refers_to_it_by_its_hash(
    world: World,
) -> None:
    first, _ = await world.capture.capture_event(bare(event(1)))
    wrong = declaration(event(1, eventID=first.event_id))
    receipt, _ = await world.capture.capture_event(bare(wrong))
    assert parse_references(world.entry(receipt).refs) == (
        Reference(Relation.CORRECTS, bytes.fromhex(first.entry_id[2:])),
    )


async def test_an_error_declaration_without_an_id_refers_to_its_event(world: World) -> None:
    first, _ = await world.capture.capture_event(bare(event(1)))
    receipt, duplicate = await world.capture.capture_event(bare(declaration(event(1))))
    assert not duplicate
    assert receipt.event_id == first.event_id
    assert parse_references(world.entry(receipt).refs) == (
        Reference(Relation.CORRECTS, bytes.fromhex(first.entry_id[2:])),
    )


async def test_an_error_declaration_in_the_same_document_refers_to_its_event(world: World) -> None:
    wrong = event(1, eventID="urn:uuid:1")
    captured = await world.capture.capture(document(wrong, declaration(wrong)))
    assert parse_references(world.entry(captured.receipts[1]).refs) == (
        Reference(Relation.CORRECTS, bytes.fromhex(captured.receipts[0].entry_id[2:])),
    )


async def test_an_error_declaration_of_an_unknown_event_refers_to_nothing(world: World) -> None:
    receipt, _ = await world.capture.capture_event(
        bare(declaration(event(1, eventID="urn:uuid:1")))
    )
    assert world.entry(receipt).refs == b""


async def test_two_other_declarations_of_one_event_conflict(world: World) -> None:
    wrong = event(1, eventID="urn:uuid:1")
    await world.capture.capture_event(bare(wrong))
    await world.capture.capture_event(bare(declaration(wrong)))
    other = declaration(wrong, bizStep="shipping")
    with pytest.raises(ConflictError, match="error declaration"):
        await world.capture.capture_event(bare(other))


async def test_an_equal_event_hash_with_other_content_is_kept(world: World) -> None:
    # The hash takes both spellings of a business step for one; the content doesn't.
    first, _ = await world.capture.capture_event(bare(event(1)))
    second, duplicate = await world.capture.capture_event(
        bare(event(1, bizStep="https://ref.gs1.org/cbv/BizStep-commissioning"))
    )
    assert not duplicate
    assert first.event_hash == second.event_hash
    assert first.content_hash != second.content_hash
    digest = bytes.fromhex(first.event_hash.removeprefix("ni:///sha-256;").partition("?")[0])
    assert len(world.database.read_sync(lambda c: load_by_event_hash(c, digest))) == 2


async def test_rollback_records_nothing_but_the_job(world: World) -> None:
    bad = event(2, action="INVENTED")
    captured = await world.capture.capture(document(event(1), bad), behaviour="rollback")

    assert not captured.job.success
    assert captured.receipts == ()
    assert captured.errors[0].pointer is not None
    assert captured.errors[0].pointer.startswith("/epcisBody/eventList/1")
    assert world.log.size == 1
    job, receipts = await world.queries.job(captured.job.job_id)
    assert job == captured.job
    assert receipts == []
    assert job.errors[0]["code"] == captured.errors[0].code


async def test_rollback_on_a_conflict_records_nothing(world: World) -> None:
    await world.capture.capture_event(bare(event(1, eventID="urn:uuid:1")))
    captured = await world.capture.capture(
        document(event(3), event(2, eventID="urn:uuid:1")), behaviour="rollback"
    )
    assert [e.code for e in captured.errors] == ["event_id_conflict"]
    assert world.log.size == 2
    assert world.log.head().size == 2


async def test_proceed_records_the_others_in_their_order(world: World) -> None:
    captured = await world.capture.capture(
        document(event(1), event(2, eventTime="yesterday"), event(3)), behaviour="proceed"
    )
    assert not captured.job.success
    kinds = [type(result).__name__ for result in captured.results]
    assert kinds == ["Placed", "InputError", "Placed"]
    assert world.log.size == 3
    job, receipts = await world.queries.job(captured.job.job_id)
    assert receipts == list(captured.receipts)
    assert len(job.errors) == 1


async def test_a_document_that_conflicts_with_itself_is_found_out(world: World) -> None:
    captured = await world.capture.capture(
        document(event(1, eventID="urn:uuid:1"), event(2, eventID="urn:uuid:1")),
        behaviour="proceed",
    )
    assert [type(r).__name__ for r in captured.results] == ["Placed", "ConflictError"]


async def test_racing_duplicates_get_one_entry_and_one_receipt(world: World) -> None:
    bodies = [bare(event(n % 5)) for n in range(100)]
    documents = [document(event(0), event(n % 5)) for n in range(20)]
    singles, jobs = await asyncio.gather(
        asyncio.gather(*(world.capture.capture_event(b) for b in bodies)),
        asyncio.gather(*(world.capture.capture(d) for d in documents)),
    )
    receipts = {r.entry_id for r, _ in singles} | {r.entry_id for j in jobs for r in j.receipts}
    assert len(receipts) == 5
    assert world.log.size == 6
    assert (
        sum(not duplicate for _, duplicate in singles)
        + sum(len(j.results) - j.duplicates for j in jobs)
        == 5
    )


async def test_racing_conflicts_have_one_winner(world: World) -> None:
    outcomes = await asyncio.gather(
        *(world.capture.capture_event(bare(event(n, eventID="urn:uuid:1"))) for n in range(30)),
        return_exceptions=True,
    )
    assert sum(isinstance(o, tuple) for o in outcomes) == 1
    assert sum(isinstance(o, ConflictError) for o in outcomes) == 29
    assert world.log.size == 2


async def test_imported_history_is_marked_in_the_entry(world: World) -> None:
    captured = await world.capture.capture(document(event(1)), kind=Kind.IMPORTED)
    assert parse_leaf(world.entry(captured.receipts[0]).leaf).entry.kind == Kind.IMPORTED


async def test_one_event_with_forty_thousand_epcs_fits(world: World) -> None:
    big = event(1, epcList=[pack(n) for n in range(40_000)])
    captured = await world.capture.capture(document(big))
    assert captured.job.success
    found = world.database.read_sync(lambda c: load_by_item(c, canonical(pack(39_999))))
    assert [place for _, place in found] == ["epc"]
    assert len(world.entry(captured.receipts[0]).item_keys) >= 40_000 * 32


async def test_an_empty_document_is_a_finished_job(world: World) -> None:
    captured = await world.capture.capture(document())
    assert captured.job.success
    assert captured.results == ()
    assert world.log.size == 1


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"type": "EPCISDocument"}', b"[" * 100_000, b"<a/>"],
)
async def test_what_is_no_document_is_refused_whole(world: World, data: bytes) -> None:
    with pytest.raises(InputError):
        await world.capture.capture_event(data)
    assert world.log.size == 1


async def test_several_events_are_refused_where_one_is_expected(world: World) -> None:
    with pytest.raises(InputError, match="one_event_expected"):
        await world.capture.capture_event(document(event(1), event(2)))


async def test_too_many_events_are_refused(tmp_path: Path) -> None:
    async with services(tmp_path / "node.db", limits=Limits(events_count_max=2)) as parts:
        with pytest.raises(TooLargeError):
            await parts[2].capture(document(event(1), event(2), event(3)))


async def test_what_was_recorded_is_there_after_reopening(tmp_path: Path) -> None:
    async with services(tmp_path / "node.db") as parts:
        captured = await parts[2].capture(document(*(event(n) for n in range(10))))
        head = parts[1].head()
    async with services(tmp_path / "node.db") as parts:
        assert parts[1].head() == head
        again = await parts[2].capture(document(*(event(n) for n in range(10))))
        assert again.receipts == captured.receipts
        assert (
            len(parts[0].read_sync(lambda c: load_by_event_id(c, again.receipts[0].event_id))) == 1
        )


LARGE = [event(f"L{n}") for n in range(5 * PART_EVENTS_MAX)]


async def first_part(world: World) -> None:
    """Wait until the log holds more than its genesis entry."""
    async with asyncio.timeout(60):
        while world.log.size == 1:  # noqa: ASYNC110 - nobody tells of a part
            await asyncio.sleep(0)


async def test_a_single_event_gets_in_between_the_parts_of_a_large_document(world: World) -> None:
    body = document(*LARGE)
    large = asyncio.ensure_future(world.capture.capture(body, behaviour="proceed"))
    await first_part(world)
    receipt, _ = await world.capture.capture_event(bare(event("single")))
    captured = await large
    places = [r.leaf_index for r in captured.receipts]
    assert places == [n for n in range(1, len(LARGE) + 2) if n != receipt.leaf_index]
    assert places[0] < receipt.leaf_index < places[-1]
    assert captured.job.success
    assert len(captured.job.entry_ids) == len(LARGE)
    job, receipts = await world.queries.job(captured.job.job_id)
    assert job == captured.job
    assert [r.leaf_index for r in receipts] == places


async def test_a_document_that_is_rolled_back_for_one_event_stays_whole(world: World) -> None:
    body = document(*LARGE, event("bad", eventTime="yesterday"))
    captured = await world.capture.capture(body)
    assert [e.code for e in captured.errors] == ["time_malformed"]
    assert world.log.size == 1


async def test_parts_know_what_the_parts_before_them_recorded(world: World) -> None:
    taken = event("id", eventID="urn:uuid:1")
    body = document(
        taken,
        *LARGE[:PART_EVENTS_MAX],
        LARGE[0],
        event("other", eventID="urn:uuid:1"),
        declaration(taken),
        event("bad", eventTime="yesterday"),
    )
    captured = await world.capture.capture(body, behaviour="proceed")
    assert captured.duplicates == 1
    assert [e.code for e in captured.errors] == ["event_id_conflict", "time_malformed"]
    assert captured.errors[0].pointer == f"/epcisBody/eventList/{PART_EVENTS_MAX + 2}/eventID"
    assert captured.receipts[PART_EVENTS_MAX + 1] == captured.receipts[1]
    (corrected,) = parse_references(world.entry(captured.receipts[-1]).refs)
    assert "0x" + corrected.entry_id.hex() == captured.receipts[0].entry_id
    assert len(captured.job.entry_ids) == len(captured.receipts) == PART_EVENTS_MAX + 3
    statistics = world.capture.statistics
    assert (statistics.documents, statistics.events) == (1, PART_EVENTS_MAX + 2)
    assert (statistics.duplicates, statistics.refused) == (1, 2)


async def test_a_node_that_stops_between_parts_gives_the_first_receipts_again(
    tmp_path: Path,
) -> None:
    body = document(*LARGE)
    async with services(tmp_path / "node.db") as parts:
        world = World(*parts)
        large = asyncio.ensure_future(world.capture.capture(body, behaviour="proceed"))
        await first_part(world)
        await asyncio.to_thread(world.database.close)
        with pytest.raises(UnavailableError) as caught:
            await large
        assert caught.value.code == "store_closed"
    async with services(tmp_path / "node.db") as parts:
        world = World(*parts)
        recorded = world.log.size - 1
        assert recorded
        assert recorded % PART_EVENTS_MAX == 0
        jobs, _ = await world.queries.jobs(before=None, limit=10)
        assert jobs == []
        captured = await world.capture.capture(body, behaviour="proceed")
        assert captured.duplicates == recorded
        assert [r.leaf_index for r in captured.receipts] == list(range(1, len(LARGE) + 1))
