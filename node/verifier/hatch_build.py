"""Puts the verifier's part of the node's source into its distribution; knows which part that is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PARTS = (
    "__init__.py",
    "errors.py",
    "gs1",
    "epcis",
    "log",
    "signing",
    "membership",
    "custody",
    "chainproof",
    "evidence",
    "cli/__init__.py",
    "cli/main.py",
    "cli/group.py",
    "cli/output.py",
    "cli/verify.py",
    "cli/verify_alone.py",
    "cli/verify_files.py",
    "cli/verify_html.py",
    "cli/verify_jobs.py",
    "cli/verify_report.py",
    "cli/verify_style.py",
    "cli/verify_text.py",
    "cli/verify_words.py",
)
"""Files and folders under ``sealtrail``."""

HERE = Path(__file__).resolve().parent


def source() -> Path:
    """Return where the package is: beside this folder in a checkout, in it where a source distribution was unpacked."""
    inside = HERE / "sealtrail"
    return inside if inside.is_dir() else HERE.parent / "sealtrail"


def version() -> str:
    """Return the node's version: the two are one program."""
    text = (source() / "__init__.py").read_text(encoding="utf-8")
    found = re.search(r'^__version__ = "([^"]+)"$', text, re.MULTILINE)
    if found is None:
        raise ValueError("sealtrail/__init__.py states no version")
    return found[1]


class VerifierParts(BuildHookInterface[Any]):
    """Has the builder take the parts in, for wheels and source distributions alike."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Name the files."""
        del version
        for part in PARTS:
            build_data["force_include"][str(source() / part)] = f"sealtrail/{part}"
