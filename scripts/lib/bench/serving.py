"""Capture, anchoring and provenance over HTTP, load client and chain on the same machine."""

from __future__ import annotations

import random
import time

from bench.documents import batches, commissioning, document, observing, pack, single
from bench.figures import Figures, percentile
from bench.node import MeasuredNode

CLIENTS = 32
FINAL_SECONDS_MAX = 60.0


def measure_capture(figures: Figures, node: MeasuredNode, events: int) -> None:
    """Time documents of 1, 100 and 1,000 events, and single posts; every answer is a durable receipt or job."""
    figures.heading(f"Capture over HTTP, durable, anchoring on ({events:,} events each)")
    for a_document, clients in ((1, CLIENTS), (100, 8), (1000, 4)):
        bodies = list(
            batches(
                node.gtin, node.gln, events=events, a_document=a_document, tag=f"d{a_document}x"
            )
        )
        measured = node.load("/capture", bodies, clients)
        name = f"capture, documents of {a_document:,}, {clients} clients"
        figures.add(name, events / measured["seconds"], "events/s")
        figures.add(f"{name}: p99 of a document", percentile(measured["latencies_ms"], 99), "ms")
    posts = [
        single(commissioning(node.gtin, [f"p{n:07d}"], gln=node.gln)) for n in range(events // 2)
    ]
    measured = node.load("/events", posts, CLIENTS)
    figures.add(
        f"capture, single posts, {CLIENTS} clients", len(posts) / measured["seconds"], "events/s"
    )
    figures.add("capture, single posts: p99", percentile(measured["latencies_ms"], 99), "ms")
    captured = events * 3 + len(posts)
    figures.add("memory of the node after that", node.memory_bytes() / 1e6, "MB")
    figures.add("store, an event", node.store_bytes() / captured, "bytes")


def measure_anchoring(figures: Figures, node: MeasuredNode, rounds: int) -> None:
    """Time from a receipt to the anchor being final and seen by the node."""
    figures.heading("Anchoring")
    waits = []
    for n in range(rounds):
        serial = f"a{n}t{time.time_ns()}"
        started = time.perf_counter()
        node.load("/capture", [document([commissioning(node.gtin, [serial], gln=node.gln)])], 1)
        while not _anchored(node, pack(node.gtin, serial)):
            if time.perf_counter() - started > FINAL_SECONDS_MAX:
                raise SystemExit("an event was not anchored in time")
            time.sleep(0.02)
        waits.append(time.perf_counter() - started)
    figures.add(
        "accepted to anchored and final, p50", percentile(waits, 50), "s", f"{rounds} rounds"
    )
    figures.add("accepted to anchored and final, p99", percentile(waits, 99), "s")


def _anchored(node: MeasuredNode, item: str) -> bool:
    steps = [s for s in node.provenance(item)["journey"] if s["entry_id"]]
    return bool(steps) and all(step["entry_grade"] == "chain-proven" for step in steps)


def measure_provenance(figures: Figures, node: MeasuredNode, events: int, questions: int) -> None:
    """Fill the store to ``events`` events, ten a pack, and ask for packs at random."""
    figures.heading(f"Provenance with {events:,} events in the store")
    packs = events // 10
    started = time.perf_counter()
    for first in range(0, packs, 5_000):
        node.load("/capture", _histories(node, first, min(first + 5_000, packs)), 4)
    filled = time.perf_counter() - started
    figures.add("filled at (documents of 1,000)", events / filled, "events/s")
    chosen = random.Random(7).sample(range(packs), min(questions, packs))
    waits = []
    for n in chosen:
        asked = time.perf_counter()
        answer = node.provenance(pack(node.gtin, f"f{n:07d}"))
        waits.append((time.perf_counter() - asked) * 1000)
        if len([s for s in answer["journey"] if s["entry_id"]]) < 10:
            raise SystemExit(f"pack {n} has too few steps")
    for percent in (50, 95, 99):
        figures.add(
            f"provenance of a pack with 10 events, p{percent}", percentile(waits, percent), "ms"
        )
    figures.add("memory of the node", node.memory_bytes() / 1e6, "MB")


def _histories(node: MeasuredNode, first: int, last: int) -> list[bytes]:
    serials = [f"f{n:07d}" for n in range(first, last)]
    events = [commissioning(node.gtin, [serial], gln=node.gln) for serial in serials]
    for minute in range(9):
        events += [observing(node.gtin, s, minute * 61, gln=node.gln) for s in serials]
    return [document(events[at : at + 1000]) for at in range(0, len(events), 1000)]
