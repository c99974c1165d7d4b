"""Every finding is explained to its reader."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args, get_type_hints

from sealtrail.custody import CATALOGUE
from sealtrail.log.contradiction import Contradiction
from sealtrail.store.log_findings import ITEM_INDEX_WRONG, OMITTED

FINDINGS = Path(__file__).resolve().parents[2] / "docs" / "findings.md"
LOGS = "\n## Logs\n"
ROW = re.compile(r"^\| `([a-z_]+)` \| (\w+) \| (.+?) \| (.+?) \|$", re.MULTILINE)


def test_every_finding_is_documented_with_its_class_and_no_other_is() -> None:
    items, _, _ = FINDINGS.read_text().partition(LOGS)
    documented = {code: class_ for code, class_, _, _ in ROW.findall(items)}
    assert documented == {code: str(class_) for code, (class_, _) in CATALOGUE.items()}


def test_every_finding_about_a_log_is_documented_and_no_other_is() -> None:
    _, _, logs = FINDINGS.read_text().partition(LOGS)
    codes = get_args(get_type_hints(Contradiction)["code"])
    assert {code for code, _, _, _ in ROW.findall(logs)} == {*codes, OMITTED, ITEM_INDEX_WRONG}


def test_every_finding_says_what_to_do() -> None:
    assert all(hint.endswith((".", "?")) for _, hint in CATALOGUE.values())
