"""Collects figures and prints them: a table for people, JSON for programs."""

from __future__ import annotations

import json
import os
import platform
import sys
from dataclasses import asdict, dataclass, field
from statistics import quantiles


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value, its unit, and what it was measured on."""

    name: str
    value: float
    unit: str
    note: str = ""


@dataclass(slots=True)
class Figures:
    """All figures of a run."""

    as_json: bool
    found: list[Figure] = field(default_factory=list)

    def heading(self, text: str) -> None:
        """Say what is measured next."""
        print(f"\n{text}" if not self.as_json else text, file=sys.stderr, flush=True)

    def add(self, name: str, value: float, unit: str, note: str = "") -> None:
        """Take a figure in, and show it at once."""
        self.found.append(Figure(name, value, unit, note))
        if not self.as_json:
            print(f"  {name:<58} {_number(value):>12} {unit:<12} {note}", flush=True)

    def finish(self) -> None:
        """Print everything as JSON, if asked to."""
        if self.as_json:
            machine = {
                "python": platform.python_version(),
                "cores": os.cpu_count(),
                "system": platform.platform(),
            }
            print(
                json.dumps(
                    {"machine": machine, "figures": [asdict(f) for f in self.found]}, indent=2
                )
            )


def percentile(values: list[float], percent: int) -> float:
    """Return that percentile of at least two values."""
    return quantiles(values, n=100, method="inclusive")[percent - 1]


def _number(value: float) -> str:
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value < 10 else f"{value:.1f}"
