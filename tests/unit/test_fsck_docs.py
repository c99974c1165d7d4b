"""docs/fsck.md: every code that a check gives stands in it, and no other."""

from __future__ import annotations

import re
from pathlib import Path

from sealtrail.services.fsck.checks import CHECKS

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "fsck.md").read_text()
GIVEN = re.compile(
    r'(?:(?:found|faults)\.add|self\._(?:add|name))\(\s*"([a-z_]+)"'
    r'|code="([a-z_]+)"|\(\s*"([a-z]+_(?:missing|unknown))", "'
)
# by name: what the key store and erasure raise
ELSEWHERE = {
    *("key_file_missing", "key_file_unreadable", "key_file_open_to_others", "key_file_malformed"),
    *("seed_lost", "content_lost", "job_contradicts"),
}
NO_CHECKS = {"repair.py", "fetching.py", "drill.py", "continuous.py", "processes.py"}


def given() -> set[str]:
    sources = (ROOT / "node/sealtrail/services/fsck").glob("*.py")
    texts = [path.read_text() for path in sources if path.name not in NO_CHECKS]
    return {code for text in texts for codes in GIVEN.findall(text) for code in codes if code}


def test_every_code_is_documented_and_no_other() -> None:
    section = TEXT.partition("## Codes")[2].partition("\n## ")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    documented = {code for row in rows for code in re.findall(r"`([a-z_]+)`", row)}
    assert documented == given() | ELSEWHERE


def test_every_check_is_documented() -> None:
    for name in CHECKS:
        assert re.search(rf"^\| [^|]*{re.escape(name)}[^|]* \|", TEXT, re.MULTILINE), name
