"""The command line of scripts/bench."""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path

from bench.checking import measure_fsck
from bench.figures import Figures
from bench.hashing import measure_hash, measure_sign
from bench.indexing import measure_index
from bench.node import one_node
from bench.querying import measure_queries
from bench.serving import measure_anchoring, measure_capture, measure_provenance

PARTS = ("hash", "sign", "index", "verify", "capture", "anchoring", "provenance", "queries", "fsck")


def main() -> None:
    """Measure the chosen parts and print figures."""
    parser = argparse.ArgumentParser(
        prog="scripts/bench", description="Print figures and ratios; nothing is asserted."
    )
    parser.add_argument(
        "parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; default: all"
    )
    parser.add_argument("--json", action="store_true", help="print JSON, with the machine")
    parser.add_argument(
        "--seconds", type=float, default=3.0, help="time for each figure of hash and sign"
    )
    parser.add_argument(
        "--capture-events", type=int, default=30_000, help="events for each capture figure"
    )
    parser.add_argument(
        "--events", type=int, default=100_000, help="events in the store for provenance"
    )
    parser.add_argument(
        "--keys", type=int, default=200_000, help="postings in the item index, up to 10,000,000"
    )
    parser.add_argument(
        "--pace", type=int, default=5_000, help="events a second, while the item index grows"
    )
    parser.add_argument(
        "--fsck-entries", type=int, default=100_000, help="entries in the store for fsck"
    )
    parser.add_argument(
        "--entries",
        type=int,
        action="append",
        help="entries of the bundle for verify; may be repeated; default: 20,000",
    )
    parser.add_argument(
        "--queried", type=int, default=100_000, help="events in the store for queries"
    )
    parser.add_argument(
        "--questions", type=int, default=500, help="packs asked for; queries of each kind"
    )
    arguments = parser.parse_args()
    unknown = set(arguments.parts) - set(PARTS)
    if unknown:
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    chosen = arguments.parts or list(PARTS)
    figures = Figures(as_json=arguments.json)
    if "hash" in chosen:
        measure_hash(figures, arguments.seconds)
    if "sign" in chosen:
        measure_sign(figures, arguments.seconds)
    if "index" in chosen:
        measure_index(figures, arguments.keys, arguments.pace)
    if "verify" in chosen:
        _measure_bundles(figures, arguments.entries or [20_000])
    if {"capture", "anchoring", "provenance"} & set(chosen):
        _measure_a_node(figures, chosen, arguments)
    if "fsck" in chosen:
        measure_fsck(figures, arguments.fsck_entries)
    if "queries" in chosen:
        with tempfile.TemporaryDirectory(prefix="sealtrail-bench-") as directory:
            measure_queries(figures, Path(directory), arguments.queried, arguments.questions)
    figures.finish()


def _measure_bundles(figures: Figures, sizes: list[int]) -> None:
    from bench.verifying import measure_sizes, measure_verify

    measure_sizes(figures)

    with tempfile.TemporaryDirectory(prefix="sealtrail-bench-") as directory:
        for entries in sizes:
            measure_verify(figures, Path(directory), entries)


def _measure_a_node(figures: Figures, chosen: list[str], arguments: argparse.Namespace) -> None:
    directory = Path(tempfile.mkdtemp(prefix="sealtrail-bench-"))
    try:
        with one_node(directory) as node:
            if "capture" in chosen:
                measure_capture(figures, node, arguments.capture_events)
            if "anchoring" in chosen:
                measure_anchoring(figures, node, 20)
            if "provenance" in chosen:
                measure_provenance(figures, node, arguments.events, arguments.questions)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
