"""The import layers of pyproject.toml hold, and what the layers cannot say about files does too."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCES = [*(ROOT / "node").rglob("*.py"), *(ROOT / "local-chain").rglob("*.py")]


def test_dependencies_point_down() -> None:
    result = subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"],
        cwd=ROOT,
        env={**os.environ, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout[-3000:]


def test_every_module_says_what_it_is() -> None:
    silent = [
        str(p.relative_to(ROOT)) for p in SOURCES if not p.read_text().lstrip().startswith('"""')
    ]
    assert silent == []


def test_no_module_is_a_drawer() -> None:
    drawers = {
        "utils.py",
        "util.py",
        "helpers.py",
        "helper.py",
        "manager.py",
        "common.py",
        "misc.py",
    }
    assert [str(p) for p in SOURCES if p.name in drawers] == []


def test_except_exception_stands_only_at_the_outermost_edge() -> None:
    broad = re.compile(r"except (Base)?Exception\b|except:")
    allowed = {
        "node/sealtrail/cli/__init__.py",
        "node/sealtrail/cli/errors.py",
        "node/sealtrail/api/problems.py",
    }
    found = {str(p.relative_to(ROOT)) for p in SOURCES if broad.search(p.read_text())}
    assert found - allowed == set()
