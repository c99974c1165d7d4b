"""Event hash against the PyPI reference package, side by side; and signing."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable

from bench.documents import batches, commissioning, document
from bench.figures import Figures

GTIN, GLN = "09521234543213", "9521234543206"


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


def measure_hash(figures: Figures, seconds: float) -> None:
    """Time both on the same documents; ours does more: it validates, and seals the content."""
    from epcis_event_hash_generator import hash_generator, json_to_py

    from sealtrail.epcis import parse_document

    logging.disable(logging.WARNING)
    figures.heading("Event hash")
    cases = {
        "one event of 1 pack": document([commissioning(GTIN, ["1"], gln=GLN)]),
        "one event of 100 packs": document(
            [commissioning(GTIN, [str(n) for n in range(100)], gln=GLN)]
        ),
        "100 events of 1 pack": next(batches(GTIN, GLN, events=100, a_document=100, tag="h")),
    }
    for name, data in cases.items():
        count = len(json.loads(data)["epcisBody"]["eventList"])
        text = data.decode()

        def theirs(text: str = text) -> object:
            return hash_generator.epcis_hashes_from_events(
                json_to_py.event_list_from_epcis_document_str(text)
            )

        ours_s = _rate(lambda data=data: parse_document(data), seconds) / count  # type: ignore[misc]
        theirs_s = _rate(theirs, seconds) / count
        figures.add(f"hash, {name}: read, validated, hashed, sealed", ours_s * 1e6, "µs/event")
        figures.add(f"hash, {name}: PyPI package (read, hashed)", theirs_s * 1e6, "µs/event")
        figures.add(f"hash, {name}: ratio", theirs_s / ours_s, "times faster")


def measure_sign(figures: Figures, seconds: float) -> None:
    """Time entries: roots, digest, signature, leaf."""
    from sealtrail.epcis import RecordedEvent, parse_document
    from sealtrail.services.drafts import Drafter
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
