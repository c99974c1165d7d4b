"""The audit trail up to the chain: digests are anchored, exports are proven, and what is tampered with is found."""

from __future__ import annotations

import base64
import json
import sqlite3
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from provenance_world import MAKER, Node, World, commissioning, document
from scenarios import item
from sealtrail.errors import InputError, IntegrityError, NotFoundError, TooLargeError
from sealtrail.evidence import EntryRecord, Grade, verify_entry
from sealtrail.evidence.audit_check import ExportReport, verify_export
from sealtrail.evidence.audit_digest import DIGEST_MEDIA_TYPE, parse_digest, records_root
from sealtrail.evidence.audit_record import (
    Action,
    Ending,
    Meaning,
    chain_hash,
    encode_record,
    parse_record,
)
from sealtrail.gs1 import parse_item
from sealtrail.services.audit_trail import reader as audit_reader
from sealtrail.services.audit_trail.beat import AuditBeat
from sealtrail.services.audit_trail.check import TrailReport, check_trail
from sealtrail.services.audit_trail.reader import AuditReader
from sealtrail.signing import Kind, parse_leaf
from sealtrail.store import audit, audit_digests
from sealtrail.store.audit import AuditFilter
from sealtrail.store.log import load_leaf

P1, P2 = item("P1"), item("P2")


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    world = World(tmp_path)
    yield await world.node(MAKER)
    world.close()


async def worked(node: Node) -> tuple[AuditBeat, bytes, bytes]:
    """A capture of two packs, reads of both, a digest over all of it, and its anchor; and then some more."""
    beat = node.audit_beat()
    await beat.started(b"configuration")
    user = await node.trail.pseudonym("user", "alice")
    note = node.trail.note(Action.CAPTURE, "POST /capture")
    note.actor, note.reason = user, "goods in"
    body = document(commissioning(MAKER, 1, P1), commissioning(MAKER, 2, P2))
    captured = await node.capture.capture(body, note=await note.took(body))
    first, second = (bytes.fromhex(r.entry_id[2:]) for r in captured.receipts)
    for entry, name in ((first, P1), (second, P2), (first, P1)):
        await read(node, user, entry, name)
    await beat.step()
    await beat.digest()
    await node.anchor()
    await read(node, user, first, P1)
    await beat.step()
    return beat, first, second


async def read(node: Node, user: str, entry: bytes, name: str) -> None:
    note = node.trail.note(Action.PROVENANCE, "GET /v1/provenance/{item}")
    note.actor = user
    note.asked_for([parse_item(name).canonical])
    note.showed([entry])
    await node.trail.record(note.drafted(Ending.DONE)[0])


def reader(node: Node) -> AuditReader:
    return AuditReader(node.database, node.log, node.identity, clock=lambda: node.now_ms)


def verified(node: Node, data: bytes) -> ExportReport:
    return node.database.read_sync(lambda c: verify_export(data, node.networks.view(c)))


def checked(node: Node) -> TrailReport:
    return node.database.read_sync(lambda c: check_trail(c, node.identity.domain))


# -- digests -----------------------------------------------------------------------------------------------


async def test_a_digest_is_an_entry_of_the_log_that_the_chain_proves(node: Node) -> None:
    beat, _, _ = await worked(node)
    stored = await node.database.read(audit_digests.last_digest)
    assert stored is not None
    digest = parse_digest(stored.content)
    records = await node.database.read(
        lambda c: audit.load_records(c, digest.first, before=digest.end, limit=1000)
    )
    assert digest.first == 0
    assert digest.count == len(records) == 5
    assert digest.root == "0x" + records_root(r.body for r in records).hex()
    assert digest.head == "0x" + records[-1].record_hash.hex()
    record = node.database.read_sync(lambda c: reader(node)._digest_record(c, stored, 10_000))
    assert record is not None
    answer = node.database.read_sync(
        lambda c: verify_entry(record, domain=node.world.domain, network=node.networks.view(c))
    )
    assert answer.entry.kind is Kind.AUDIT_DIGEST
    assert answer.grade is Grade.CHAIN_PROVEN
    assert (await beat.status()).in_digests == 5


async def test_an_entry_over_something_else_is_no_audit_digest(node: Node) -> None:
    await worked(node)
    stored = await node.database.read(audit_digests.last_digest)
    assert stored is not None
    entry = await node.database.read(lambda c: load_leaf(c, stored.leaf_index))
    assert entry is not None
    record = EntryRecord(
        leaf=entry.leaf, content=b'{"count":1}', media_type=DIGEST_MEDIA_TYPE, seed=entry.seed
    )
    answer = node.database.read_sync(
        lambda c: verify_entry(record, domain=node.world.domain, network=node.networks.view(c))
    )
    assert {step.code for step in answer.failures()} == {
        "audit_digest_malformed",
        "disclosure_root_differs",
    }


async def test_digests_come_on_their_beat_also_when_nothing_was_recorded(node: Node) -> None:
    beat = node.audit_beat()
    await beat.started(b"")
    await beat.step()
    assert await node.database.read(audit_digests.all_digests) == []
    node.now_ms += 3_600_000
    await beat.step()
    await beat.step()
    node.now_ms += 3_600_000
    await beat.step()
    found = await node.database.read(audit_digests.all_digests)
    assert [(each.first, each.count) for each in found] == [(0, 1), (1, 0)]
    assert checked(node).fault is None


async def test_a_clock_that_is_set_back_does_not_stop_the_beat(node: Node) -> None:
    beat = node.audit_beat()
    await beat.started(b"")
    node.now_ms -= 365 * 86_400_000
    await beat.step()
    node.now_ms += 3_600_000
    await beat.step()
    assert len(await node.database.read(audit_digests.all_digests)) == 1


async def test_a_node_that_crashed_goes_on_where_the_digests_ended(node: Node) -> None:
    await worked(node)
    again = node.audit_beat()  # as after kill -9: nothing was closed
    await again.started(b"configuration")
    await again.digest()
    assert [(d.first, d.count) for d in await node.database.read(audit_digests.all_digests)] == [
        (0, 5),
        (5, 2),
    ]
    report = checked(node)
    assert (report.fault, report.records, report.in_digests) == (None, 7, 7)


async def test_a_clean_stop_is_recorded_and_digested(node: Node) -> None:
    beat, _, _ = await worked(node)
    await beat.close()
    report = checked(node)
    assert report.fault is None
    assert report.records == report.in_digests
    newest = await node.database.read(
        lambda c: audit.find_records(c, AuditFilter(), before=None, limit=1)
    )
    assert parse_record(newest[0][0].body).action is Action.STOP


async def test_a_configuration_that_was_changed_is_recorded(node: Node) -> None:
    for config in (b"a", b"a", b"b"):
        await node.audit_beat().started(config)
    rows = await node.database.read(lambda c: audit.load_records(c, 0, before=99, limit=99))
    assert [parse_record(r.body).action for r in rows] == [
        Action.START,
        Action.START,
        Action.START,
        Action.CONFIG_CHANGE,
    ]


# -- exports -----------------------------------------------------------------------------------------------


async def test_an_export_of_an_entry_has_its_capture_and_each_reading_proven_by_the_chain(
    node: Node,
) -> None:
    _, first, _ = await worked(node)
    data = await reader(node).export(AuditFilter(), entry=first)
    report = verified(node, data)
    assert report.faults == ()
    assert [r.action for r in report.records] == [
        Action.CAPTURE,
        Action.PROVENANCE,
        Action.PROVENANCE,
        Action.PROVENANCE,
    ]
    assert (report.in_digests, report.anchored) == (3, 3)
    assert [each.code for each in report.open] == ["audit_record_not_in_digest"]
    capture = report.records[0]
    assert (capture.reason, capture.meaning) == ("goods in", Meaning.AUTHOR)
    assert b"recorded as its author" in data


async def test_an_export_of_an_item_has_who_asked_for_it(node: Node) -> None:
    _, _, second = await worked(node)
    data = await reader(node).export(AuditFilter(), item=parse_item(P2).canonical)
    report = verified(node, data)
    assert report.faults == ()
    assert [r.action for r in report.records] == [Action.PROVENANCE]
    assert report.records[0].subject is not None
    assert report.records[0].subject.entries == ("0x" + second.hex(),)


async def test_without_a_chain_nothing_is_claimed_of_anchors(node: Node) -> None:
    _, first, _ = await worked(node)
    data = await reader(node).export(AuditFilter(), entry=first)
    report = verify_export(data, None)
    assert report.faults == ()
    assert (report.in_digests, report.anchored) == (3, 0)
    assert "chain_not_at_hand" in {each.code for each in report.open}


async def test_what_cannot_be_exported_says_why(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, first, _ = await worked(node)
    for arguments, kind, code in (
        ({}, InputError, "audit_subject_missing"),
        ({"entry": first, "item": "x"}, InputError, "audit_subject_missing"),
        ({"entry": b"\x07" * 32}, NotFoundError, "audit_nothing_recorded"),
        ({"item": "https://id.gs1.org/01/09521001001014"}, NotFoundError, "audit_nothing_recorded"),
    ):
        with pytest.raises(kind) as caught:
            await reader(node).export(AuditFilter(), **arguments)  # type: ignore[arg-type]
        assert caught.value.code == code
    monkeypatch.setattr(audit_reader, "EXPORT_RECORDS_MAX", 2)
    with pytest.raises(TooLargeError) as large:
        await reader(node).export(AuditFilter(), entry=first)
    assert large.value.code == "audit_export_too_large"


async def test_pages_about_an_entry_have_captures_and_readings_once_each(node: Node) -> None:
    _, first, _ = await worked(node)
    seen: list[int] = []
    before = None
    while True:
        found, before = await reader(node).page(AuditFilter(), entry=first, before=before, limit=1)
        seen += [each["record"].n for each in found]
        if before is None:
            break
    assert seen == sorted(set(seen), reverse=True)
    assert len(seen) == 4


Change = Callable[[list[dict[str, Any]]], object]


def of_kind(lines: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    return next(line for line in lines if line["line"] == kind)


def _flip(text: str) -> str:
    return text[:-1] + ("0" if text[-1] != "0" else "1")


EXPORT_FAULTS: list[tuple[str, Change, str]] = [
    (
        "another reason",
        lambda ls: of_kind(ls, "record")["record"].update(reason="other"),
        "inclusion_root_differs",
    ),
    (
        "another actor",
        lambda ls: of_kind(ls, "record")["record"].update(actor="node"),
        "inclusion_root_differs",
    ),
    ("a record is gone", lambda ls: ls.remove(of_kind(ls, "record")), "audit_records_missing"),
    (
        "a record stands twice",
        lambda ls: ls.append(of_kind(ls, "record")),
        "audit_records_out_of_order",
    ),
    (
        "a proof of another",
        lambda ls: of_kind(ls, "record")["proof"].reverse(),
        "inclusion_root_differs",
    ),
    ("no proof", lambda ls: of_kind(ls, "record").update(proof=None), "proof_too_short"),
    ("no digest", lambda ls: ls.remove(of_kind(ls, "digest")), "audit_digest_missing"),
    (
        "another seed",
        lambda ls: of_kind(ls, "digest").update(seed="0x" + "00" * 32),
        "disclosure_root_differs",
    ),
    (
        "another leaf index",
        lambda ls: of_kind(ls, "digest").update(leaf_index=1),
        "audit_digest_misplaced",
    ),
    (
        "an entry that is no digest",
        lambda ls: ls.append({**of_kind(ls, "entry"), "line": "digest", "leaf_index": 1}),
        "audit_digest_of_another",
    ),
    (
        "another entry than asked",
        lambda ls: ls[0].update(entry=_flip(ls[0]["entry"])),
        "audit_entry_differs",
    ),
    (
        "another member",
        lambda ls: ls[0].update(member="0x" + "0f" * 20),
        "audit_digest_of_another",
    ),
    (
        "another network",
        lambda ls: ls[0].update(chain_id=1),
        "event_key_unknown",
    ),
    (
        "input that was not refused",
        lambda ls: of_kind(ls, "record").update(input=base64.b64encode(b"x").decode()),
        "audit_input_differs",
    ),
    (
        "input that is no base64",
        lambda ls: of_kind(ls, "record").update(input="%"),
        "audit_export_malformed",
    ),
    (
        "a leaf that is none",
        lambda ls: of_kind(ls, "entry").update(leaf=""),
        "leaf_length",
    ),
]


def encoded(lines: list[dict[str, Any]]) -> bytes:
    return b"".join(msgspec.json.encode(line, order="sorted") + b"\n" for line in lines)


@pytest.mark.parametrize(
    ("change", "code"),
    [each[1:] for each in EXPORT_FAULTS],
    ids=[each[0] for each in EXPORT_FAULTS],
)
async def test_an_export_that_was_changed_does_not_hold(
    node: Node, change: Change, code: str
) -> None:
    _, first, _ = await worked(node)
    data = await reader(node).export(AuditFilter(), entry=first)
    lines = [json.loads(line) for line in data.splitlines()]
    assert encoded(lines) == data
    change(lines)
    report = verified(node, encoded(lines))
    assert code in {each.code for each in report.faults}


async def test_a_record_about_something_else_does_not_belong_into_an_export(node: Node) -> None:
    _, first, second = await worked(node)
    one = await reader(node).export(AuditFilter(), entry=first)
    other = await reader(node).export(AuditFilter(), entry=second)
    foreign = next(
        line
        for line in other.splitlines()
        if line not in one.splitlines()[1:] and b'"line":"record"' in line
    )
    lines = [line for line in one.splitlines() if b'"line":"record"' not in line]
    header = json.loads(lines[0])
    header["records"] = 1
    data = b"\n".join([msgspec.json.encode(header, order="sorted"), *lines[1:], foreign]) + b"\n"
    codes = {each.code for each in verified(node, data).faults}
    assert codes == {"audit_record_of_another"}


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: b"",
        lambda data: data[:-1],
        lambda data: data[: len(data) // 2],
        lambda data: b"\n" + data,
        lambda data: data.split(b"\n", 1)[1],
        lambda data: data + data.split(b"\n", 1)[0] + b"\n",
        lambda data: data.replace(b'{"', b'{ "', 1),
        lambda data: data.replace(b"audit-export/1", b"audit-export/2"),
        lambda data: data + b"\xff\n",
        lambda data: data + b"[" * 100_000 + b"\n",
        lambda data: data + b'{"line":"other"}\n',
    ],
)
async def test_what_is_no_export_is_refused_by_its_line(
    node: Node, spoil: Callable[[bytes], bytes]
) -> None:
    _, first, _ = await worked(node)
    data = await reader(node).export(AuditFilter(), entry=first)
    with pytest.raises(InputError) as caught:
        verify_export(spoil(data), None)
    assert caught.value.code == "audit_export_malformed"


def test_an_export_with_too_many_lines_is_refused() -> None:
    with pytest.raises(TooLargeError) as caught:
        verify_export(b"\n" * 20_001, None)
    assert caught.value.code == "audit_export_too_large"


# -- the whole trail ---------------------------------------------------------------------------------------


async def test_a_whole_trail_holds(node: Node) -> None:
    await worked(node)
    assert checked(node) == TrailReport(records=6, in_digests=5, digests=1, fault=None)


async def test_an_empty_trail_holds(node: Node) -> None:
    assert checked(node) == TrailReport(records=0, in_digests=0, digests=0, fault=None)


def _other_body(connection: sqlite3.Connection, n: int) -> None:
    row = connection.execute("SELECT body FROM audit_record WHERE n = ?", (n,)).fetchone()
    record = msgspec.structs.replace(parse_record(row[0]), reason="other")
    connection.execute("UPDATE audit_record SET body = ? WHERE n = ?", (encode_record(record), n))


def _rechain(connection: sqlite3.Connection) -> None:
    """Do what a patient forger does: make all hashes anew."""
    previous = bytes(32)
    rows = connection.execute("SELECT n, body FROM audit_record ORDER BY n").fetchall()
    for n, body in rows:
        previous = chain_hash(previous, body)
        connection.execute("UPDATE audit_record SET record_hash = ? WHERE n = ?", (previous, n))
    connection.execute("UPDATE audit_head SET count = ?, record_hash = ?", (len(rows), previous))


def _swap(connection: sqlite3.Connection) -> None:
    connection.execute("UPDATE audit_record SET n = 99 WHERE n = 2")
    connection.execute("UPDATE audit_record SET n = 2 WHERE n = 3")
    connection.execute("UPDATE audit_record SET n = 3 WHERE n = 99")


def _insert(connection: sqlite3.Connection) -> None:
    connection.execute(
        "INSERT INTO audit_record SELECT 6, time_ms, body, record_hash"
        " FROM audit_record WHERE n = 5"
    )


def _forge(connection: sqlite3.Connection) -> None:
    _other_body(connection, 2)
    _rechain(connection)


def _sql(*statements: str) -> Callable[[sqlite3.Connection], None]:
    def run(connection: sqlite3.Connection) -> None:
        for statement in statements:
            connection.execute(statement)

    return run


TAMPERED: list[tuple[str, Callable[[sqlite3.Connection], None], int, str]] = [
    ("a reason", lambda c: _other_body(c, 2), 2, "audit_chain_broken"),
    ("a reason, and all hashes after it", _forge, 0, "audit_digest_differs"),
    ("a byte", _sql("UPDATE audit_record SET body = zeroblob(9) WHERE n = 3"), 3, "audit_record_malformed"),
    ("a hash", _sql("UPDATE audit_record SET record_hash = zeroblob(32) WHERE n = 1"), 1, "audit_chain_broken"),
    ("one is deleted", _sql("DELETE FROM audit_record WHERE n = 2"), 2, "audit_record_missing"),
    ("the first is deleted", _sql("DELETE FROM audit_record WHERE n = 0"), 0, "audit_record_missing"),
    ("the last is deleted", _sql("DELETE FROM audit_record WHERE n = 5"), 5, "audit_record_missing"),
    ("the end is deleted", _sql("DELETE FROM audit_record WHERE n >= 3"), 3, "audit_record_missing"),
    ("all are deleted", _sql("DELETE FROM audit_record"), 0, "audit_record_missing"),
    ("two are exchanged", _swap, 2, "audit_record_misplaced"),
    ("one is added behind", _insert, 6, "audit_record_misplaced"),
    (
        "one is added in front",
        _sql("INSERT INTO audit_record VALUES (-1, 0, x'00', x'00')"),
        0,
        "audit_record_missing",
    ),
    ("a time", _sql("UPDATE audit_record SET time_ms = 0 WHERE n = 4"), 4, "audit_columns_differ"),
    ("what it is found by", _sql("DELETE FROM audit_subject WHERE n = 3"), 3, "audit_subjects_differ"),
    (
        "what it is not found by",
        _sql("INSERT INTO audit_subject VALUES (x'07', 3)"),
        6,
        "audit_subjects_differ",
    ),
    ("the head", _sql("UPDATE audit_head SET count = 7"), 6, "audit_record_missing"),
    ("the head's hash", _sql("UPDATE audit_head SET record_hash = zeroblob(32)"), 6, "audit_chain_broken"),
    ("a digest", _sql("UPDATE audit_digest SET content = x'7b7d'"), 0, "audit_digest_malformed"),
    ("a digest is deleted", _sql("DELETE FROM audit_digest"), 0, "audit_digest_missing"),
    ("a digest's stretch", _sql("UPDATE audit_digest SET count = 4"), 0, "audit_digest_misplaced"),
    ("a digest's entry", _sql("UPDATE audit_digest SET leaf_index = 1"), 0, "audit_digest_not_in_log"),
    (
        "a digest's seed",
        _sql("UPDATE entry SET seed = zeroblob(32) WHERE substr(leaf, 2, 1) = x'08'"),
        0,
        "audit_digest_not_in_log",
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("tamper", "record", "code"),
    [each[1:] for each in TAMPERED],
    ids=[each[0] for each in TAMPERED],
)
async def test_a_trail_that_was_tampered_with_names_the_first_bad_record(
    node: Node, tamper: Callable[[sqlite3.Connection], None], record: int, code: str
) -> None:
    await worked(node)
    await node.database.write(_with_rights(tamper))
    fault = checked(node).fault
    assert fault is not None
    assert (fault.record, fault.code) == (record, code)


def _with_rights(
    tamper: Callable[[sqlite3.Connection], None],
) -> Callable[[sqlite3.Connection], None]:
    """Do it as somebody who owns the file does: without the triggers."""

    def run(connection: sqlite3.Connection) -> None:
        triggers = connection.execute(
            "SELECT name FROM sqlite_schema WHERE type = 'trigger' AND name LIKE 'audit%'"
        ).fetchall()
        for (name,) in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        tamper(connection)

    return run


async def test_a_forged_trail_and_a_forged_digest_row_are_not_what_the_log_holds(
    node: Node,
) -> None:
    await worked(node)

    def forge(connection: sqlite3.Connection) -> None:
        _forge(connection)
        rows = audit.load_records(connection, 0, before=5, limit=9)
        digest = parse_digest(connection.execute("SELECT content FROM audit_digest").fetchone()[0])
        forged = msgspec.structs.replace(
            digest,
            root="0x" + records_root(r.body for r in rows).hex(),
            head="0x" + rows[-1].record_hash.hex(),
        )
        content = msgspec.json.encode(forged, order="sorted")
        connection.execute("UPDATE audit_digest SET content = ?", (content,))

    await node.database.write(_with_rights(forge))
    fault = checked(node).fault
    assert fault is not None
    assert fault.code == "audit_digest_not_in_log"


async def test_a_page_of_a_damaged_trail_says_so(node: Node) -> None:
    _, first, _ = await worked(node)
    damage = _sql("UPDATE audit_record SET body = zeroblob(9) WHERE n = 3")
    await node.database.write(_with_rights(damage))
    with pytest.raises(IntegrityError) as caught:
        await reader(node).page(AuditFilter(), before=None, limit=10)
    assert caught.value.code == "audit_trail_damaged"
    with pytest.raises(IntegrityError):
        await reader(node).export(AuditFilter(), entry=first)


async def test_an_export_over_a_digest_whose_records_are_gone_says_so(node: Node) -> None:
    _, first, _ = await worked(node)
    await node.database.write(_with_rights(_sql("DELETE FROM audit_record WHERE n = 3")))
    with pytest.raises(IntegrityError) as caught:
        await reader(node).export(AuditFilter(), entry=first)
    assert caught.value.code == "audit_trail_damaged"


async def test_digest_entries_have_a_secret_seed(node: Node) -> None:
    await worked(node)
    entry = await node.database.read(lambda c: load_leaf(c, node.log.size - 2))  # then the index
    assert entry is not None
    assert parse_leaf(entry.leaf).entry.kind is Kind.AUDIT_DIGEST
    assert entry.seed not in (None, bytes(32))
