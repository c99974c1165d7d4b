"""The command line of scripts/fuzz: each target in a process of its own, whose end says what was found.

A target fails on any exception but a coded one, on an answer that contradicts itself, on an input that takes longer
than ``--timeout`` seconds, and on more memory than ``--memory`` MB. The input that did it is kept, and the command
that runs it again is printed.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from fuzz.targets import TARGETS

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / ".cache" / "fuzz"


def main() -> int:
    """Fuzz the chosen targets one after the other; 1 if one of them failed."""
    arguments = _arguments()
    failed = [name for name in arguments.targets or list(TARGETS) if not _held(name, arguments)]
    if failed:
        print(f"Failed: {', '.join(failed)}.", file=sys.stderr)
    return 1 if failed else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/fuzz", description=__doc__)
    parser.add_argument(
        "targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)}; default: all"
    )
    parser.add_argument("--cases", type=int, default=100_000, help="inputs for each target")
    parser.add_argument("--seconds", type=int, default=0, help="time for each target; 0: no limit")
    parser.add_argument("--timeout", type=int, default=10, help="seconds that one input may take")
    parser.add_argument("--memory", type=int, default=1_024, help="MB that a target may take")
    parser.add_argument("--bytes", type=int, default=8_192, help="longest input")
    parser.add_argument("--seed", type=int, default=0, help="0: another one in each run")
    parser.add_argument("--input", type=Path, help="run one target with this file alone")
    arguments = parser.parse_args()
    unknown = set(arguments.targets) - set(TARGETS)
    if unknown:
        parser.error(f"no such target: {', '.join(sorted(unknown))}")
    if arguments.input and len(arguments.targets) != 1:
        parser.error("--input needs one target")
    return arguments


def _held(name: str, arguments: argparse.Namespace) -> bool:
    corpus, found = FOLDER / "corpus" / name, FOLDER / "found" / name
    corpus.mkdir(parents=True, exist_ok=True)
    found.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(TARGETS[name].seeds()):
        (corpus / f"seed-{number:03}").write_bytes(seed)
    before = set(found.iterdir())
    inputs = [arguments.input] if arguments.input else [corpus]
    print(f"== {name}: {TARGETS[name].says}", file=sys.stderr)
    ended = subprocess.run(
        [
            sys.executable, "-m", "fuzz.one", name,
            f"-runs={arguments.cases}", f"-max_total_time={arguments.seconds}",
            f"-timeout={arguments.timeout}", f"-rss_limit_mb={arguments.memory}",
            f"-max_len={arguments.bytes}", f"-seed={arguments.seed}",
            f"-artifact_prefix={found}/", "-print_final_stats=1", "-verbosity=0",
            *map(str, inputs),
        ],
        check=False,
    )  # fmt: skip
    for path in sorted(set(found.iterdir()) - before):
        print(f"Again with: scripts/fuzz {name} --input {path}", file=sys.stderr)
    return ended.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
