"""Event hash against the PyPI reference package, side by side; and signing.

Both get the same documents in turn, a slice of them at a time, so that both meet the same machine; no serial comes
twice, so that no memory of identifiers flatters either.
"""

from __future__ import annotations

import itertools
import logging
import os
import time
from collections.abc import Callable, Iterator
from statistics import median

from bench.documents import batches, commissioning, document
from bench.figures import Figures

GTIN, GLN = "09521234543213", "9521234543206"
# packs an event, events a document
CASES = {
    "1 event of 1 pack": (1, 1),
    "1 event of 10 packs": (10, 1),
    "1 event of 100 packs": (100, 1),
    "100 events of 1 pack": (1, 100),
}
ROUNDS_MIN = 5
SLICE_SECONDS = 0.05


def measure_hash(figures: Figures, seconds: float) -> None:
    """Time the whole path, the hash alone and the PyPI package, interleaved; show medians and ratios.

    The whole path reads, validates, seals the content, hashes, and finds the items named; the hash alone
    (what ``sealtrail hash`` does) leaves out the items; the package reads and hashes, and validates nothing.
    """
    from epcis_event_hash_generator import hash_generator, json_to_py

    from sealtrail.epcis import hash_document, parse_document

    def theirs(data: bytes) -> object:
        return hash_generator.epcis_hashes_from_events(
            json_to_py.event_list_from_epcis_document_str(data.decode())
        )

    logging.disable(logging.WARNING)
    figures.heading("Event hash (medians; ratios to the PyPI package in the same rounds)")
    works: dict[str, Callable[[bytes], object]] = {
        "PyPI package": theirs,
        "whole path": parse_document,
        "hash alone": lambda data: list(hash_document(data)),
    }
    for name, (packs, events) in CASES.items():
        rounds = _interleaved(works, _documents(packs, events), events, seconds)
        for work in works:
            figures.add(
                f"hash, {name}: {work}", median(each[work] for each in rounds) * 1e6, "µs/event"
            )
        for work in ("whole path", "hash alone"):
            ratio = median(each["PyPI package"] / each[work] for each in rounds)
            figures.add(f"hash, {name}: {work}, ratio", ratio, "times faster")


def _documents(packs: int, events: int) -> Iterator[bytes]:
    serials = (f"S{n:09d}" for n in itertools.count())
    while True:
        yield document(
            [
                commissioning(GTIN, list(itertools.islice(serials, packs)), gln=GLN)
                for _ in range(events)
            ]
        )


def _interleaved(
    works: dict[str, Callable[[bytes], object]],
    documents: Iterator[bytes],
    events: int,
    seconds: float,
) -> list[dict[str, float]]:
    """Return seconds an event for each work, by rounds; each round gives each work a slice of time."""
    rounds: list[dict[str, float]] = []
    until = time.perf_counter() + seconds
    while len(rounds) < ROUNDS_MIN or time.perf_counter() < until:
        rounds.append({name: _slice(work, documents) / events for name, work in works.items()})
    return rounds[1:]  # the first warms up


def _slice(work: Callable[[bytes], object], documents: Iterator[bytes]) -> float:
    spent, calls = 0.0, 0
    while spent < SLICE_SECONDS:
        data = next(documents)
        started = time.perf_counter()
        work(data)
        spent += time.perf_counter() - started
        calls += 1
    return spent / calls


def measure_sign(figures: Figures, seconds: float) -> None:
    """Time entries: roots, digest, signature, leaf."""
    from sealtrail.epcis import RecordedEvent, parse_document
    from sealtrail.services.recording.drafts import Drafter
    from sealtrail.signing import Domain, EventSigner, Kind

    figures.heading("Entries")
    signer = EventSigner(b"\x01" * 32)
    drafter = Drafter(
        domain=Domain(chain_id=1, registry=b"\x02" * 20, genesis_hash=b"\x03" * 32),
        member=signer.address,
        item_salt=b"\x04" * 32,
        signer=signer,
        random=os.urandom,
    )
    parsed = parse_document(next(batches(GTIN, GLN, events=100, a_document=100, tag="s")))
    events = [event for event in parsed.events if isinstance(event, RecordedEvent)]
    each = _rate(lambda: drafter.draft(events, kind=Kind.EVENT, record_time_ms=1), seconds) / 100
    figures.add("entry: roots, EIP-712 digest, signature, leaf", each * 1e6, "µs/event")


def _rate(work: Callable[[], object], seconds: float) -> float:
    """Return seconds a call, the best of three rounds."""
    work()
    best = float("inf")
    for _ in range(3):
        calls, started = 0, time.perf_counter()
        while time.perf_counter() - started < seconds / 3:
            work()
            calls += 1
        best = min(best, (time.perf_counter() - started) / max(calls, 1))
    return best
