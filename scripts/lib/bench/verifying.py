"""Offline verification: bundles on a whole log, verified by the command line; entries a second, and memory.

The bundles are made by what the tests make theirs by, with a chain in memory; their entries by what makes a node's.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from bench.documents import batches
from bench.figures import Figures
from bundle_world import (
    ANCHORS,
    PACK,
    REGISTRY,
    Member,
    Recipe,
    World,
    bundle,
    commissioning,
    event,
    verify,
)
from sealtrail.epcis import RecordedEvent, parse_document, read_content
from sealtrail.evidence.bundle.compose import BundleSigner, SectionWriter
from sealtrail.evidence.bundle.contracts import record_digest_slot
from sealtrail.evidence.bundle.form import AnyLine
from sealtrail.evidence.bundle.lines import (
    AnswerLine,
    Completeness,
    HeaderLine,
    LogLine,
    LogQuestion,
    Program,
    Withheld,
)
from sealtrail.evidence.bundle.trust import encode_trust
from sealtrail.evidence.record import EntryRecord
from sealtrail.evidence.wire import to_hex
from sealtrail.log.checkpoint import Checkpoint
from sealtrail.log.tree import CompactRange, leaf_hash
from sealtrail.services.recording.drafts import Drafter
from sealtrail.signing import Kind, origin_of

GTIN, GLN = "09521234543213", "9521234543206"
CHECKPOINT_ENTRIES = 1_000  # from one to the next
READ_ENTRIES = 5_000  # for the ratio
LONG_ENTRIES = 50_000  # above, once is enough


def measure_verify(figures: Figures, directory: Path, entries: int) -> None:
    """Make a bundle of that many entries and verify it three times, a long one once; show the median."""
    figures.heading(f"Offline verification, a log of {entries:,} one-pack events")
    bundle, trust = directory / f"log-{entries}", directory / f"trust-{entries}.json"
    make_log_bundle(bundle, trust, entries)
    rounds = 3 if entries <= LONG_ENTRIES else 1
    cpu, wall, memory = sorted(_verify(bundle, trust) for _ in range(rounds))[rounds // 2]
    reading = _read_seconds(bundle)
    name = f"verify, {entries:,} entries"
    figures.add(f"{name}: a second of one core", entries / cpu, "entries/s")
    figures.add(f"{name}: a second by the clock", entries / wall, "entries/s")
    figures.add(f"{name}: time of a core", cpu / entries * 1e6, "µs/entry")
    figures.add(f"{name}: of reading and hashing its event alone", cpu / entries / reading, "times")
    figures.add(f"{name}: peak memory", memory / 1e6, "MB")
    figures.add(f"{name}: the file", bundle.stat().st_size / entries, "bytes/entry")


def measure_sizes(figures: Figures) -> None:
    """Show how large a bundle about one pack is, each of its events in an anchor of its own, four signers."""
    figures.heading(
        "Evidence bundles about one pack, each event with an anchor of its own, four signers"
    )
    for events in (10, 100):
        world = World(f"pack of {events}", signers=4)
        maker = Member(world, "Maker")
        maker.append(commissioning(1))
        maker.seal()
        for minute in range(2, events + 1):
            maker.append(event(minute))
            maker.seal()
        world.empty(8)
        gtin = f"https://id.gs1.org/01/{GTIN}"
        items = [(PACK, False), (gtin, False), (f"{gtin}/10/L1", False)]
        recipe = Recipe(issuer=maker, logs=[maker], items=items, shown_items=[i for i, _ in items])
        data = bundle(world, recipe)
        started = time.process_time()
        report = verify(data, world.trust(pinned=1))
        seconds = time.process_time() - started
        if report.exit_code:
            raise RuntimeError(f"the bundle does not hold: {report.steps}")
        figures.add(f"bundle of {events} events: size", len(data) / 1000, "kB")
        figures.add(f"bundle of {events} events: verified in", seconds * 1000, "ms")


def _verify(bundle: Path, trust: Path) -> tuple[float, float, int]:
    """Return seconds of a core, seconds by the clock, and the most bytes of memory."""
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "sealtrail.cli", "verify", bundle, "--trust", trust, "--json"],
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    memory, status = 0, 0
    while True:
        # not what wait4 says: that counts what the parent had at the fork
        memory = max(memory, _most_bytes(process.pid))
        pid, status, used = os.wait4(process.pid, os.WNOHANG)
        if pid:
            break
        time.sleep(0.02)
    wall = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    report = json.load(process.stdout)
    if report["outcome"] != "holds":
        raise SystemExit(f"the bundle does not hold: {report['steps']}")
    return used.ru_utime + used.ru_stime, wall, memory


def _most_bytes(pid: int) -> int:
    """Return the most memory that a process had so far."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


def _read_seconds(bundle: Path) -> float:
    """Return seconds an event for reading and hashing contents, without seal, tree or signature."""

    class _Entry(msgspec.Struct):
        media_type: str = ""
        content: bytes = b""

    with bundle.open("rb") as file:
        lines = [msgspec.json.decode(line, type=_Entry) for line in itertools.islice(file, 12_000)]
    contents = [each.content for each in lines if each.media_type == "application/ld+json"]
    contents = contents[:READ_ENTRIES]
    started = time.process_time()
    for content in contents:
        read_content(content, "application/ld+json")
    return (time.process_time() - started) / len(contents)


# -- the bundle ---------------------------------------------------------------------------------------


class _LongLog(Member):
    """A member whose log is too long for memory; of its tree, the roots at checkpoints are kept."""

    roots: dict[int, bytes]

    def checkpoint(self, size: int) -> Checkpoint:
        return Checkpoint(origin_of(self.world.domain, self.member), size, self.roots[size])


def make_log_bundle(bundle: Path, trust: Path, entries: int) -> None:
    """Write a bundle that shows all of a log of about that many entries, and its trust file."""
    world = World("bench")
    member = _LongLog(world, "Bench")
    member.roots = {}
    kept = bundle.with_suffix(".entries")
    with kept.open("wb") as file:
        for record in _entries(member, entries):
            encoded = msgspec.msgpack.encode(record)
            file.write(len(encoded).to_bytes(4, "big") + encoded)
    for size in sorted(member.roots):
        world.anchor(member, size)
    world.empty(6)
    with bundle.open("wb") as file:
        signing = BundleSigner(member.peer_signer)
        file.writelines(signing.line(line) for line in _lines(world, member, kept))
        file.write(signing.end())
    trust.write_bytes(encode_trust(world.trust(pinned=1)))
    kept.unlink()


def _entries(member: _LongLog, count: int) -> Iterator[EntryRecord]:
    """Yield the log's entries, and note its root at each checkpoint."""
    drafter = Drafter(
        domain=member.world.domain,
        member=member.member,
        item_salt=member.item_salt,
        signer=member.event_signer,
        random=os.urandom,
    )
    tree = CompactRange()
    genesis = member.entries[0]
    tree.append(leaf_hash(genesis.leaf))
    yield genesis
    for document in batches(GTIN, GLN, events=count, a_document=CHECKPOINT_ENTRIES, tag="v"):
        events = [e for e in parse_document(document).events if isinstance(e, RecordedEvent)]
        drafts = drafter.draft(events, kind=Kind.EVENT, record_time_ms=member.clock_ms)
        for recorded, draft in zip(events, drafts, strict=True):
            assert draft.entry is not None
            tree.append(leaf_hash(draft.entry.leaf))
            yield EntryRecord(
                leaf=draft.entry.leaf,
                content=recorded.content,
                media_type=recorded.media_type,
                seed=draft.seed,
                references=b"",
                item_keys=(),
                item_salt=member.item_salt,
            )
        member.roots[tree.size] = tree.root()


def _lines(world: World, member: _LongLog, kept: Path) -> Iterator[AnyLine]:
    proof_block = len(world.blocks) - 3
    line = member.member_line()
    places = [r.place for r in line.records] + [c.anchor for c in member.anchored]
    slots = {REGISTRY: {record_digest_slot(member.member)}, ANCHORS: set[bytes]()}
    yield HeaderLine(
        format="sealtrail/evidence/1",
        network=world.network,
        program=Program(name="bench", version="1"),
        issuer=to_hex(member.member),
        question=LogQuestion(member=to_hex(member.member), first=0, until=member.anchored[-1].size),
        proof_block=proof_block,
    )
    yield from world.block_lines(places, proof_block, slots)
    yield line
    opening = LogLine(member=to_hex(member.member), item_salt=to_hex(member.item_salt))
    writer = SectionWriter(opening, member.anchored)
    yield writer.begin()
    for index, record in enumerate(_kept(kept)):
        yield from writer.add(index, record, member.node)
    yield from writer.end(member.node)
    yield AnswerLine(completeness=Completeness(grade="none"), withheld=Withheld())


def _kept(path: Path) -> Iterator[EntryRecord]:
    with path.open("rb") as file:
        while length := file.read(4):
            yield msgspec.msgpack.decode(file.read(int.from_bytes(length, "big")), type=EntryRecord)
