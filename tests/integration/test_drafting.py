"""Drafting in this process and in processes of its own: one contract, and what becomes of a process that dies."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path

import pytest
import uvloop

from capture_events import bare, declaration, document, event, pack
from capture_node import (
    DOMAIN,
    EVENT_KEY,
    ITEM_SALT,
    SIGNER,
    drafting_of,
    now_ms,
    services,
)
from evidence_world import event_root
from sealtrail.epcis import Limits, parse_document
from sealtrail.errors import InputError, TooLargeError, UnavailableError
from sealtrail.services.recording.drafting import (
    DEADLY_MAX,
    ORDINARY_BYTES_MAX,
    SMALL_BYTES_MAX,
    Drafting,
    ProcessDrafting,
)
from sealtrail.services.recording.drafting_process import (
    DraftingSetup,
    DraftingTask,
    DraftingWorker,
)
from sealtrail.services.recording.drafts import Body, Draft
from sealtrail.signing import Kind, entry_id, parse_leaf, recover
from sealtrail.store.contents import parse_content

LIMITS = Limits(document_bytes_max=2_000_000, events_count_max=500)
SETUP = DraftingSetup(
    domain=DOMAIN,
    member=SIGNER.address,
    item_salt=ITEM_SALT,
    event_key=EVENT_KEY,
    limits=LIMITS,
)
SMALL = document(event(1), event(2))
LARGE = document(*(event(n) for n in range(100)))
HUGE = document(*(event(n, epcList=[pack(f"{n}-{m}") for m in range(60)]) for n in range(300)))
assert len(SMALL) <= SMALL_BYTES_MAX < len(LARGE) <= ORDINARY_BYTES_MAX < len(HUGE)

# Stands in for whatever a document may do to the process that reads it; Python imports it on start.
DEADLY = """
import os, signal
from sealtrail.services.recording.drafts import Drafter
draft_document = Drafter.draft_document
def draft_or_die(self, data, **more):
    if b"deadly" in data.data:
        with open(os.environ["DEATHS"], "a") as file:
            file.write("x")
        os.kill(os.getpid(), signal.SIGKILL)
    return draft_document(self, data, **more)
Drafter.draft_document = draft_or_die
"""


@pytest.fixture(params=[0, 1, 2], ids=["here", "one-process", "two-processes"])
async def drafting(request: pytest.FixtureRequest) -> AsyncIterator[Drafting]:
    async with drafting_of(SETUP, request.param) as given:
        yield given


@pytest.mark.parametrize("body", [SMALL, LARGE], ids=["small", "large"])
async def test_a_draft_says_what_the_document_says_and_is_signed(
    drafting: Drafting, body: bytes
) -> None:
    before = now_ms()
    drafts = (await drafting.draft(Body(body), Kind.IMPORTED)).events
    read = parse_document(body).events
    assert len(drafts) == len(read)
    for draft, recorded in zip(drafts, read, strict=True):
        assert isinstance(draft, Draft)
        assert not isinstance(recorded, InputError)
        assert draft.entry is not None
        assert parse_content(draft.event.content) == recorded.content
        assert draft.event.content_hash == recorded.content_hash
        assert draft.event.event_hash == recorded.event_hash
        assert draft.event.items == [(m.item, m.place) for m in recorded.items]
        assert (draft.pointer, draft.given_id) == (recorded.pointer, False)
        signed = parse_leaf(draft.entry.leaf)
        assert signed.entry.kind is Kind.IMPORTED
        assert before <= signed.entry.record_time_ms == draft.event.record_time_ms <= now_ms()
        assert entry_id(signed.entry, DOMAIN) == draft.entry.entry_id
        assert recover(draft.entry.entry_id, signed.signature) == SIGNER.address
        assert signed.entry.disclosure_root == event_root(recorded, draft.seed)
    assert len({draft.seed for draft in drafts if isinstance(draft, Draft)}) == len(drafts)


async def test_an_error_declaration_waits_for_its_references(drafting: Drafting) -> None:
    drafted = await drafting.draft(
        Body(bare(declaration(event(1, eventID="urn:uuid:1")))), Kind.EVENT
    )
    (draft,) = drafted.events
    assert isinstance(draft, Draft)
    assert draft.entry is None
    assert draft.event.is_declaration
    assert (draft.event_id, draft.given_id) == ("urn:uuid:1", True)


async def test_a_refused_event_leaves_the_others(drafting: Drafting) -> None:
    body = document(event(1), event(2, eventTime="yesterday"), event(3))
    first, refused, last = (await drafting.draft(Body(body), Kind.EVENT)).events
    assert isinstance(first, Draft)
    assert isinstance(last, Draft)
    assert isinstance(refused, InputError)
    assert (refused.code, refused.pointer) == ("time_malformed", "/epcisBody/eventList/1/eventTime")


@pytest.mark.parametrize(
    ("body", "kind", "code"),
    [
        (b"{", InputError, "json_malformed"),
        (b"\xff" * 20_000, InputError, "json_not_utf8"),
        (b" " * 2_000_001, TooLargeError, "document_too_large"),
        (document(*(event(n) for n in range(501))), TooLargeError, "too_many_events"),
        (b"[" * 5_000, InputError, "json_too_deep"),
        (b'{"a": 1, "a": 2}', InputError, "json_key_repeated"),
    ],
)
async def test_a_refused_document_is_refused_alike(
    drafting: Drafting, body: bytes, kind: type[InputError], code: str
) -> None:
    with pytest.raises(InputError) as caught:
        await drafting.draft(Body(body), Kind.EVENT)
    assert type(caught.value) is kind
    assert caught.value.code == code


async def test_what_a_refusal_says_beside_its_message_is_kept(drafting: Drafting) -> None:
    (refused,) = (await drafting.draft(Body(bare(event(1, type="NoEvent"))), Kind.EVENT)).events
    assert isinstance(refused, InputError)
    assert (refused.code, refused.pointer) == ("event_type_unknown", "/type")
    assert "ObjectEvent" in refused.context["expected"]


async def test_many_at_once_get_each_their_own(drafting: Drafting) -> None:
    bodies = [bare(event(n)) for n in range(60)]
    bodies += [document(*(event(1000 * m + n) for n in range(100))) for m in range(6)]
    drafted = await asyncio.gather(*(drafting.draft(Body(body), Kind.EVENT) for body in bodies))
    for body, drafts in zip(bodies, drafted, strict=True):
        expected = [e.content_hash for e in parse_document(body).events]  # type: ignore[union-attr]
        assert [d.event.content_hash for d in drafts.events if isinstance(d, Draft)] == expected


def _children(parent: int | None = None) -> set[int]:
    """Return the processes that draft for a process, this one unless told; ended ones have no command line."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            ppid = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            command = (folder / "cmdline").read_bytes()
            if ppid == (parent or os.getpid()) and b"drafting_process" in command:
                found.add(int(folder.name))
    return found


# What is written to a process that is gone differs between them; nodes run on the second.
LOOPS = [asyncio.new_event_loop, uvloop.new_event_loop]


@pytest.mark.parametrize("loop_factory", LOOPS, ids=["asyncio", "uvloop"])
def test_a_process_that_is_killed_costs_nothing(
    loop_factory: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    async def kill_at_work_and_idle() -> None:
        async with drafting_of(SETUP, 1) as drafting:
            await drafting.draft(Body(SMALL), Kind.EVENT)
            (pid,) = _children()
            os.kill(pid, signal.SIGSTOP)  # so that it is still at work when it dies
            under_way = asyncio.ensure_future(drafting.draft(Body(LARGE), Kind.EVENT))
            await asyncio.sleep(0)
            os.kill(pid, signal.SIGKILL)
            assert len((await under_way).events) == 100
            for _ in range(3):
                (pid,) = _children()
                os.kill(pid, signal.SIGKILL)
                assert len((await drafting.draft(Body(SMALL), Kind.EVENT)).events) == 2
        assert not _children()

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(kill_at_work_and_idle())


@pytest.mark.parametrize("loop_factory", LOOPS, ids=["asyncio", "uvloop"])
def test_a_process_that_dies_over_its_work_costs_a_refusal(
    loop_factory: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    async def without_a_key() -> None:
        broken = DraftingSetup(DOMAIN, SIGNER.address, ITEM_SALT, b"\x00" * 32, LIMITS)
        async with drafting_of(broken, 1) as drafting:
            for body in (SMALL, LARGE, SMALL):
                with pytest.raises(UnavailableError) as caught:
                    await drafting.draft(Body(body), Kind.EVENT)
                assert caught.value.code == "drafting_stopped"
        assert not _children()

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(without_a_key())


@pytest.fixture
def deaths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """Processes started from now on are killed by a document that says "deadly"; tell how many were."""
    (tmp_path / "sitecustomize.py").write_text(DEADLY)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("DEATHS", str(tmp_path / "deaths"))
    (tmp_path / "deaths").touch()
    return lambda: (tmp_path / "deaths").stat().st_size


async def _outcomes(drafting: Drafting, bodies: list[bytes]) -> list[str]:
    """Draft all at once, so that they come in one message; return each one's id or error code."""
    drafted = await asyncio.gather(
        *(drafting.draft(Body(body), Kind.EVENT) for body in bodies), return_exceptions=True
    )
    found = []
    for each in drafted:
        if isinstance(each, UnavailableError):
            found.append(each.code)
            continue
        assert not isinstance(each, BaseException), each
        assert isinstance(each.events[0], Draft)
        found.append(each.events[0].event_id)
    return found


@pytest.mark.parametrize("processes", [1, 2])
async def test_of_documents_in_one_message_only_that_which_kills_is_refused(
    deaths: Callable[[], int], processes: int
) -> None:
    ids = [f"urn:x:{n}" for n in range(20)]
    ids[7] = "urn:x:deadly"
    async with drafting_of(SETUP, processes) as drafting:
        outcomes = await _outcomes(drafting, [bare(event(1, eventID=each)) for each in ids])
        assert outcomes == [*ids[:7], "drafting_stopped", *ids[8:]]
        assert deaths() == 4  # twice in the message, twice by itself
        assert len((await drafting.draft(Body(SMALL), Kind.EVENT)).events) == 2


async def test_many_documents_that_kill_cost_a_bounded_number_of_processes(
    deaths: Callable[[], int],
) -> None:
    ids = [f"urn:x:deadly:{n}" for n in range(30)]
    ids[1], ids[-1] = "urn:x:before", "urn:x:behind"
    async with drafting_of(SETUP, 1) as drafting:
        outcomes = await _outcomes(drafting, [bare(event(1, eventID=each)) for each in ids])
        assert outcomes == ["drafting_stopped", ids[1], *["drafting_stopped"] * 28]
        assert deaths() == 2 + 2 * DEADLY_MAX
        assert await _outcomes(drafting, [bare(event(1, eventID=ids[-1]))]) == [ids[-1]]


async def test_an_ordinary_document_does_not_wait_until_huge_ones_are_read() -> None:
    async with drafting_of(SETUP, 2) as drafting:
        await drafting.draft(Body(HUGE), Kind.EVENT)
        (slow,) = _children()  # the other has had nothing to do yet
        os.kill(slow, signal.SIGSTOP)
        huge = [asyncio.ensure_future(drafting.draft(Body(HUGE), Kind.EVENT)) for _ in range(3)]
        for _ in range(3):
            drafted = await asyncio.gather(
                *(
                    drafting.draft(Body(body), Kind.EVENT)
                    for body in (LARGE, SMALL, LARGE, LARGE, SMALL)
                )
            )
            assert [len(each.events) for each in drafted] == [100, 2, 100, 100, 2]
        assert not any(each.done() for each in huge)
        os.kill(slow, signal.SIGCONT)
        assert [len(each.events) for each in await asyncio.gather(*huge)] == [300] * 3


async def test_ordinary_documents_are_read_by_all_processes() -> None:
    async with drafting_of(SETUP, 2) as drafting:
        await asyncio.gather(*(drafting.draft(Body(LARGE), Kind.EVENT) for _ in range(4)))
        assert len(_children()) == 2


@pytest.mark.parametrize("loop_factory", LOOPS, ids=["asyncio", "uvloop"])
def test_a_process_that_hangs_is_ended_and_its_work_refused(
    loop_factory: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    async def stop_at_work() -> None:
        worker = DraftingWorker(SETUP, seconds_max=10)  # it starts within, beside other work
        task = DraftingTask([(Body(SMALL), Kind.EVENT)], now_ms())
        assert len((await worker.draft(task))[0].drafted().events) == 2
        (pid,) = _children()
        os.kill(pid, signal.SIGSTOP)
        with pytest.raises(UnavailableError) as caught:
            await worker.draft(task)
        assert caught.value.code == "drafting_timeout"
        assert pid not in _children()
        assert len((await worker.draft(task))[0].drafted().events) == 2
        await worker.close()
        assert not _children()

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(stop_at_work())


@pytest.mark.parametrize("loop_factory", LOOPS, ids=["asyncio", "uvloop"])
def test_a_process_that_hangs_does_not_keep_the_node_from_ending(
    loop_factory: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    async def close_while_it_hangs() -> None:
        worker = DraftingWorker(SETUP)
        task = DraftingTask([(Body(SMALL), Kind.EVENT)], now_ms())
        await worker.draft(task)
        (pid,) = _children()
        os.kill(pid, signal.SIGSTOP)
        waiting = [asyncio.ensure_future(worker.draft(task)) for _ in range(3)]
        await asyncio.sleep(0)
        async with asyncio.timeout(60):
            await worker.close()
            ended = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(each) for each in ended] == [UnavailableError] * 3
        assert not _children()

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(close_while_it_hangs())


async def test_a_signal_to_the_group_leaves_the_process_to_its_work() -> None:
    async with drafting_of(SETUP, 1) as drafting:
        await drafting.draft(Body(SMALL), Kind.EVENT)
        (pid,) = _children()
        for number in (signal.SIGINT, signal.SIGTERM):
            os.kill(pid, number)
        assert len((await drafting.draft(Body(LARGE), Kind.EVENT)).events) == 100


async def test_whoever_goes_away_leaves_no_answer_to_the_next() -> None:
    async with drafting_of(SETUP, 1) as drafting:
        gone = asyncio.ensure_future(drafting.draft(Body(LARGE), Kind.EVENT))
        await asyncio.sleep(0)
        gone.cancel()
        (draft,) = (await drafting.draft(Body(bare(event(7))), Kind.EVENT)).events
        assert isinstance(draft, Draft)
        expected = parse_document(bare(event(7))).events[0]
        assert not isinstance(expected, InputError)
        assert draft.event.content_hash == expected.content_hash


async def test_nothing_is_drafted_after_the_end() -> None:
    drafting = ProcessDrafting(SETUP, processes=1, clock=now_ms)
    await drafting.close()
    with pytest.raises(UnavailableError) as caught:
        await drafting.draft(Body(SMALL), Kind.EVENT)
    assert caught.value.code == "node_stopping"
    assert not _children()


async def test_a_fault_of_this_program_is_told_and_leaves_the_process_at_work(
    caplog: pytest.LogCaptureFixture,
) -> None:
    # no entry can hold a time before 1970, and no document can bring one
    times = iter([-1, now_ms()])
    drafting = ProcessDrafting(SETUP, processes=1, clock=lambda: next(times))
    try:
        with pytest.raises(RuntimeError, match="could not be drafted"):
            await drafting.draft(Body(SMALL), Kind.EVENT)
        assert "OverflowError" in caplog.text
        assert len((await drafting.draft(Body(SMALL), Kind.EVENT)).events) == 2
    finally:
        await drafting.close()


def test_a_killed_parent_takes_its_processes_along(tmp_path: Path) -> None:
    script = (
        "import asyncio, sys; sys.path.insert(0, sys.argv[1])\n"
        "from pathlib import Path\n"
        "from capture_events import bare, event\n"
        "from capture_node import services\n"
        "async def main():\n"
        "    async with services(Path(sys.argv[2]), processes=2) as parts:\n"
        "        await parts[2].capture_event(bare(event(1)))\n"
        "        print('ready', flush=True)\n"
        "        await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    folder = str(Path(__file__).parent.parent)
    parent = subprocess.Popen(
        [sys.executable, "-c", script, folder, str(tmp_path / "node.db")], stdout=subprocess.PIPE
    )
    assert parent.stdout is not None
    assert parent.stdout.readline() == b"ready\n"
    found = _children(parent.pid)
    assert found
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 30
    while any(Path(f"/proc/{pid}").exists() for pid in found):
        assert time.monotonic() < deadline, "the processes outlive the node"
        time.sleep(0.05)


async def test_captures_go_on_over_processes_that_die(tmp_path: Path) -> None:
    acknowledged = set()
    async with services(tmp_path / "node.db", processes=2) as (_, log, capture, _queries):
        for n in range(60):
            if n % 20 == 10:
                for pid in _children():
                    os.kill(pid, signal.SIGKILL)
            receipt, duplicate = await capture.capture_event(bare(event(n)))
            assert not duplicate
            acknowledged.add(receipt.leaf_index)
        assert log.size == 61
    assert acknowledged == set(range(1, 61))
