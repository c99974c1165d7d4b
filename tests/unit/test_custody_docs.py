"""Every finding is explained to its reader."""

from __future__ import annotations

import re
from pathlib import Path

from sealtrail.custody import CATALOGUE

FINDINGS = Path(__file__).resolve().parents[2] / "docs" / "findings.md"
ROW = re.compile(r"^\| `([a-z_]+)` \| (\w+) \| (.+?) \| (.+?) \|$", re.MULTILINE)


def test_every_finding_is_documented_with_its_class_and_no_other_is() -> None:
    documented = {code: class_ for code, class_, _, _ in ROW.findall(FINDINGS.read_text())}
    assert documented == {code: str(class_) for code, (class_, _) in CATALOGUE.items()}


def test_every_finding_says_what_to_do() -> None:
    assert all(hint.endswith((".", "?")) for _, hint in CATALOGUE.values())
