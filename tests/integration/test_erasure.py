"""Erasing for law: gone from every file, and everything else still proves."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from provenance_world import (
    MAKER,
    NOW_MS,
    WHOLESALER,
    Node,
    World,
    commissioning,
    event,
    packing,
    shipping,
)
from scenarios import item
from sealtrail.cli import main
from sealtrail.config import LegalHoldSettings, RetentionPeriodSettings, RetentionSettings
from sealtrail.errors import (
    ForbiddenError,
    InputError,
    NotFoundError,
    SealtrailError,
    UnavailableError,
)
from sealtrail.gs1 import canonical
from sealtrail.services import erasure as module
from sealtrail.services.answers.queries import QueryService
from sealtrail.services.erasure import Erasure, Plan, Warrant
from sealtrail.services.retention import Order, RetentionRules
from sealtrail.store import erasure as store_module
from sealtrail.store.database import Database, open_alone
from sealtrail.store.erasure import load_tombstones
from sealtrail.store.events import load_by_entries
from sealtrail.store.log import load_entry

P1, CASE = item("P1"), item("C1")
PATIENT = "urn:epc:id:gsrn:4012345.1234567890"
SECRET = "urn:example:order:OF-MISTER-SMITH-4711"
WARRANT = Warrant(by="the data protection officer", ground="GDPR article 17")
FREE = RetentionRules(RetentionSettings())


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()


def secret_event(seconds: int = 1, **more: Any) -> dict[str, Any]:
    return commissioning(
        MAKER,
        seconds,
        P1,
        **{"bizTransactionList": [{"type": "po", "bizTransaction": SECRET}], **more},
    )


async def both(world: World) -> tuple[Node, Node, list[bytes]]:
    """The maker has recorded, anchored and handed to the wholesaler a pack's start, packing and shipping."""
    maker, wholesaler = await world.node(MAKER), await world.node(WHOLESALER)
    entries = await maker.record(
        secret_event(), packing(MAKER, 2, CASE, P1), shipping(MAKER, WHOLESALER, 3, CASE)
    )
    await maker.anchor()
    await maker.hand(wholesaler, entries)
    return maker, wholesaler, entries


def path_of(node: Node) -> Path:
    return node.world.folder / f"{node.actor.name}.db"


def erase(
    node: Node,
    *entry_ids: bytes,
    rules: RetentionRules = FREE,
    warrant: Warrant = WARRANT,
    items: tuple[str, ...] = (),
) -> Plan:
    """Stop the node and erase."""
    node.database.close()
    with open_alone(path_of(node)) as connection:
        erasure = Erasure(connection, rules, lambda: NOW_MS)
        plan = erasure.plan(entry_ids, items)
        erasure.carry_out(plan, warrant)
    return plan


async def again(node: Node) -> Node:
    """Start the node again on what is left."""
    started = Node(node.world, node.actor, None)
    node.world.nodes[node.actor.name] = started
    await started.start()
    started.now_ms = node.now_ms
    await started.follower.check_now()
    return started


def files_with(folder: Path, *needles: bytes) -> list[str]:
    return [
        f"{needle!r} in {path.name}"
        for path in folder.rglob("*")
        if path.is_file()
        for needle in needles
        if needle in path.read_bytes()
    ]


def traces(node: Node, entry_id: bytes, table: str = "entry") -> list[bytes]:
    """Return all bytes that would tell of an event or confirm a guess of it."""

    def read(c: sqlite3.Connection) -> list[bytes]:
        row = c.execute(
            f"SELECT event.content, content_hash, event_hash, seed FROM event JOIN {table}"
            " USING (entry_id) WHERE entry_id = ?",
            (entry_id,),
        ).fetchone()
        return [bytes(each) for each in row]

    return node.database.read_sync(read)


@pytest.mark.parametrize("table", ["entry", "foreign_entry"])
async def test_no_file_keeps_what_was_erased(world: World, table: str) -> None:
    maker, wholesaler, (first, *_) = await both(world)
    node = maker if table == "entry" else wholesaler
    gone = traces(node, first, table)
    (node.world.folder / "other").mkdir()
    for other in {maker, wholesaler} - {node}:
        other.database.close()
        for path in node.world.folder.glob(f"{other.actor.name}.db*"):
            path.rename(node.world.folder / "other" / path.name)
    files = [p for p in world.folder.iterdir() if p.is_file()]
    assert all(any(each in p.read_bytes() for p in files) for each in gone)
    erase(node, first)
    assert [n for p in world.folder.iterdir() if p.is_file() for n in gone if n in p.read_bytes()] == []  # fmt: skip


async def test_bytes_left_by_moves_within_pages_go_too(world: World) -> None:
    maker = await world.node(MAKER)
    before = [event(MAKER, "storing", 2, item(f"PB{n}")) for n in range(150)]
    after = [event(MAKER, "storing", 3, item(f"PA{n}")) for n in range(150)]
    await maker.record(*before)
    (entry_id,) = await maker.record(secret_event())
    await maker.record(*after)
    gone = traces(maker, entry_id)
    erase(maker, entry_id)
    assert files_with(world.folder, *gone) == []


async def test_everything_else_still_proves_and_the_answer_says_erased(world: World) -> None:
    maker, wholesaler, (first, *_) = await both(world)
    for node in (maker, wholesaler):
        erase(node, first)
        started = await again(node)
        await started.store_check.run(asyncio.Event())
        view = await started.view(P1)
        (withheld,) = [s for s in view["journey"] if s["kind"] == "withheld"]
        assert withheld["entry_grade"] == "chain-proven"
        assert withheld["content_hash"] is None
        codes = [f["code"] for f in view["findings"]]
        assert "content_withheld" in codes
        assert "evidence_does_not_hold" not in codes
        assert view["store"]["damaged"] == 0
        assert "chain-proven" in {s["entry_grade"] for s in view["journey"] if s is not withheld}


async def test_asked_for_the_content_a_node_says_since_when_it_is_erased(world: World) -> None:
    maker, _, (first, second, _) = await both(world)
    erase(maker, first)
    started = await again(maker)
    queries = QueryService(started.database, started.log, clock=lambda: NOW_MS, anchor_delay_ms=1)
    with pytest.raises(NotFoundError, match="content_erased") as e:
        await queries.content("0x" + first.hex())
    assert e.value.context["erased_at"].startswith("2023-11-14T")
    assert (await queries.content("0x" + second.hex())).body


async def test_the_entry_its_item_keys_and_a_tombstone_stay(world: World) -> None:
    maker, _, (first, *_) = await both(world)
    before = maker.database.read_sync(lambda c: load_entry(c, first))
    assert before is not None
    order = Order(authority="a court", reference="1 O 23/26", day=date(2023, 11, 1))
    erase(maker, first, warrant=Warrant(by="me", ground="an order", order=order))
    with open_alone(path_of(maker)) as c:
        after = load_entry(c, first)
        assert after is not None
        assert (after.leaf, after.item_keys, after.refs) == (before.leaf, before.item_keys, before.refs)  # fmt: skip
        assert after.seed is None
        stone = load_tombstones(c, [first])[first]
        assert (stone.erased_by, stone.ground, stone.erased_ms) == ("me", "an order", NOW_MS)
        assert (stone.authority, stone.reference, stone.ordered_on) == (
            "a court",
            "1 O 23/26",
            "2023-11-01",
        )


async def test_copies_of_the_content_go_with_it_and_corrections_are_named(world: World) -> None:
    maker, wholesaler = await world.node(MAKER), await world.node(WHOLESALER)
    wrong = secret_event(eventID="urn:uuid:8d9f7a5e-0000-4000-8000-000000000001")
    (first,) = await maker.record(wrong)
    declared = wrong | {"errorDeclaration": {"declarationTime": "2023-11-14T22:14:00Z"}}
    (second,) = await maker.record(declared)
    await maker.anchor()
    await maker.hand(wholesaler, [first])
    (copy,) = await wholesaler.record(wrong)
    assert copy != first
    plan = erase(wholesaler, first)
    assert {each.entry_id for each in plan.events} == {first, copy}
    plan = erase(maker, first)
    assert [each.entry_id for each in plan.events] == [first]
    assert plan.related == (second,)


async def test_members_that_were_shown_it_are_named(world: World) -> None:
    maker, wholesaler, (first, *_) = await both(world)
    maker.database.write_sync(
        lambda c: c.execute(
            "INSERT INTO disclosed SELECT event_row, ? FROM event WHERE entry_id = ?",
            (wholesaler.actor.member, first),
        )
    )
    assert erase(maker, first).shown_to == (wholesaler.actor.member,)


async def test_an_item_names_all_its_events(world: World) -> None:
    maker, _, entries = await both(world)
    plan = erase(maker, items=(canonical(P1),))
    assert {each.entry_id for each in plan.events} == set(entries[:2])


async def test_items_that_name_persons_no_longer_find_it(world: World) -> None:
    maker = await world.node(MAKER)
    (entry_id,) = await maker.record(event(MAKER, "dispensing", 1, P1, PATIENT, "urn:example:x"))
    gone = canonical(PATIENT).encode()
    erase(maker, entry_id)
    assert files_with(world.folder, gone, b"urn:example:x") == []
    with open_alone(path_of(maker)) as c:
        assert c.execute("SELECT item FROM event_item").fetchall() == [(canonical(P1),)]


async def test_sent_again_it_does_not_come_back(world: World) -> None:
    maker, wholesaler, entries = await both(world)
    erase(wholesaler, entries[0])
    started = await again(wholesaler)
    await maker.hand(started, entries)
    (stored,) = load(started, entries[0])
    assert stored.erased
    seeds = started.database.read_sync(
        lambda c: c.execute("SELECT entry_id FROM foreign_entry WHERE seed IS NULL").fetchall()
    )
    assert seeds == [(entries[0],)]


def load(node: Node, *entry_ids: bytes) -> list[Any]:
    found = node.database.read_sync(lambda c: load_by_entries(c, entry_ids))
    return list(found.values())


async def test_the_seed_of_a_further_entry_over_the_same_content_goes_too(world: World) -> None:
    maker, wholesaler, (first, *_) = await both(world)
    erase(maker, first)
    maker = await again(maker)
    (second,) = await maker.record(secret_event())
    await maker.anchor()
    await maker.hand(wholesaler, [second])
    assert len(seeds(wholesaler, first, second)) == 2
    plan = erase(wholesaler, first)
    assert (len(plan.events), plan.further) == (1, (second,))
    started = await again(wholesaler)
    assert seeds(started, first, second) == []
    tombstones = started.database.read_sync(lambda c: load_tombstones(c, [first, second]))
    assert tombstones.keys() == {first, second}
    await maker.hand(started, [second])
    assert seeds(started, first, second) == []
    await started.store_check.run(asyncio.Event())
    assert (await started.view(P1))["store"]["damaged"] == 0


def seeds(node: Node, *entry_ids: bytes) -> list[bytes]:
    def read(c: sqlite3.Connection) -> list[bytes]:
        rows = c.execute("SELECT entry_id, seed FROM foreign_entry WHERE seed IS NOT NULL")
        return [seed for entry_id, seed in rows if entry_id in entry_ids]

    return node.database.read_sync(read)


async def test_erasing_twice_changes_nothing_and_scrubs_again(world: World) -> None:
    maker, _, (first, *_) = await both(world)
    erase(maker, first)
    plan = erase(maker, first, warrant=Warrant(by="another", ground="another"))
    assert plan.events == ()
    assert plan.erased_before == (first,)
    with open_alone(path_of(maker)) as c:
        assert load_tombstones(c, [first])[first].erased_by == WARRANT.by


async def test_a_crash_before_the_commit_erases_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    maker, _, entries = await both(world)
    done: list[bytes] = []
    real = store_module._erase_event

    def crash(connection: Any, stored: Any, *more: Any) -> None:
        if done:
            raise KeyboardInterrupt
        done.append(stored.entry_id)
        real(connection, stored, *more)

    monkeypatch.setattr(store_module, "_erase_event", crash)
    with pytest.raises(KeyboardInterrupt):
        erase(maker, *entries[:2])
    with open_alone(path_of(maker)) as c:
        assert not any(e.erased for e in load_by_entries(c, entries).values())
        assert load_tombstones(c, entries) == {}


async def test_a_crash_before_the_scrubbing_is_made_good_by_erasing_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    maker, _, (first, *_) = await both(world)
    gone = traces(maker, first)

    def crash(_: sqlite3.Connection) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(module, "scrub", crash)
        with pytest.raises(KeyboardInterrupt):
            erase(maker, first)
    assert erase(maker, first).erased_before == (first,)
    files = [p.read_bytes() for p in world.folder.glob(f"{MAKER.name}.db*")]
    assert [each for octets in files for each in gone if each in octets] == []


async def test_what_is_not_held_is_refused_by_name(world: World) -> None:
    maker, _, (first, *_) = await both(world)
    genesis = maker.database.read_sync(
        lambda c: c.execute("SELECT entry_id FROM entry WHERE leaf_index = 0").fetchone()[0]
    )
    for unknown in (b"\x00" * 32, genesis):
        with pytest.raises(NotFoundError, match="entry_unknown"):
            erase(maker, first, unknown)
    with pytest.raises(NotFoundError, match="item_unknown"):
        erase(maker, items=(canonical(item("P999")),))
    with open_alone(path_of(maker)) as c:
        assert load_tombstones(c, [first]) == {}


async def test_one_event_that_may_not_go_keeps_all(world: World) -> None:
    maker, _, entries = await both(world)
    hold = LegalHoldSettings(reason="a trial", entries=["0x" + entries[1].hex()])
    held = RetentionRules(RetentionSettings(holds=[hold]))
    with pytest.raises(ForbiddenError, match="legal_hold"):
        erase(maker, *entries, rules=held)
    law = RetentionPeriodSettings(jurisdiction="EU", years=5, basis="a law")
    kept = RetentionRules(RetentionSettings(periods=[law]))
    with pytest.raises(ForbiddenError, match="retention_time_runs"):
        erase(maker, *entries, rules=kept)
    with open_alone(path_of(maker)) as c:
        assert load_tombstones(c, entries) == {}


@pytest.mark.parametrize("words", [{"by": " "}, {"ground": ""}, {"ground": "x" * 2001}])
def test_a_warrant_without_words_is_refused(words: dict[str, str]) -> None:
    with pytest.raises(InputError, match="erasure_ground_missing"):
        Warrant(**{"by": "me", "ground": "an order", **words})
    blank = Order(authority="", reference="1", day=date(2023, 1, 1))
    with pytest.raises(InputError, match="erasure_ground_missing"):
        Warrant(by="me", ground="an order", order=blank)


async def test_a_running_node_and_a_missing_database_are_refused(world: World) -> None:
    maker = await world.node(MAKER)
    with pytest.raises(UnavailableError, match="store_in_use"), open_alone(path_of(maker)):
        pass
    with pytest.raises(NotFoundError, match="store_missing"), open_alone(world.folder / "no.db"):
        pass
    assert not (world.folder / "no.db").exists()


async def test_a_reader_of_another_program_keeps_the_files_from_being_scrubbed(
    world: World,
) -> None:
    maker, _, (first, *_) = await both(world)
    maker.database.close()
    reader = sqlite3.connect(path_of(maker), isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM event").fetchone()
    with pytest.raises(SealtrailError, match="store_busy"):
        erase(maker, first)
    reader.close()
    assert erase(maker, first).erased_before == (first,)


class Configured:
    """A folder with a configuration whose database is a node's."""

    def __init__(self, folder: Path, node: Node, retention: str = "") -> None:
        node.database.close()
        (folder / "data").mkdir(parents=True)
        path_of(node).rename(folder / "data" / "sealtrail.db")
        self.database = folder / "data" / "sealtrail.db"
        self.path = folder / "sealtrail.toml"
        self.path.write_text(
            f'[node]\nmember = "0x{node.actor.member.hex()}"\ndata_dir = "data"\n{retention}'
        )

    def run(self, *arguments: str) -> int:
        return main(["erase", *arguments, "--config", str(self.path)])


async def test_the_command_erases_and_says_so(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    maker, _, (first, *_) = await both(world)
    node, name = Configured(tmp_path / "node", maker), "0x" + first.hex()
    why = ("--by", "me", "--ground", "GDPR article 17")
    assert node.run(name, *why, "--dry-run", "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["planned"], shown["tombstones"]) == ([name], [])
    assert node.run(name, *why, "--yes", "--json") == 0
    (stone,) = json.loads(capsys.readouterr().out)["tombstones"]
    assert (stone["entry_id"], stone["ground"]) == (name, "GDPR article 17")
    assert node.run("--item", P1, *why, "--yes") == 0
    told = capsys.readouterr()
    assert "1 were erased before" in told.err
    assert "erased; 2 tombstones" in told.out
    database = Database.open(node.database)
    erased = database.read_sync(lambda c: load_by_entries(c, [first]))[first].erased
    database.close()
    assert erased


async def test_the_command_refuses_by_name(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    maker, _, (first, *_) = await both(world)
    law = '[[retention.periods]]\njurisdiction = "EU"\nyears = 50\nbasis = "a law"\n'
    node = Configured(tmp_path / "node", maker, law)
    why = ("--by", "me", "--ground", "GDPR", "--yes", "--json")
    order = ("--authority", "a court", "--reference", "1", "--ordered-on", "2023-01-01")
    name = "0x" + first.hex()
    for arguments, code in (
        ((name,), "retention_time_runs"),
        ((name, *order[:4]), "order_incomplete"),
        ((), "nothing_named"),
        (("12",), "entry_id_malformed"),
        (("0x" + "00" * 32,), "entry_unknown"),
        (("--item", "(01)1",), "identifier_value_malformed"),
    ):  # fmt: skip
        assert node.run(*arguments, *why) == 2, code
        assert json.loads(capsys.readouterr().err)["error"]["code"] == code
    assert node.run(name, *order, *why) == 0
