"""The import layers of pyproject.toml hold, and what the layers cannot say about files does too."""

from __future__ import annotations

import ast
import os
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


# Where everything that was not foreseen ends up: told to the caller, and logged; or handed to who waits for it.
OUTERMOST = {
    "node/sealtrail/api/gate.py",
    "node/sealtrail/cli/main.py",
    "node/sealtrail/services/recording/drafting_process.py",
    "node/sealtrail/store/writer.py",
    "local-chain/sealtrail_localchain/database.py",
    "local-chain/sealtrail_localchain/rpc/dispatch.py",
}


def catches_everything(handler: ast.ExceptHandler) -> bool:
    """Tell whether a handler takes any exception."""
    return handler.type is None or (
        isinstance(handler.type, ast.Name) and handler.type.id in ("Exception", "BaseException")
    )


def test_whatever_catches_everything_raises_again_but_for_the_outermost_places() -> None:
    swallowing = {
        str(path.relative_to(ROOT))
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ExceptHandler)
        and catches_everything(node)
        and not any(isinstance(inner, ast.Raise) for inner in ast.walk(node))
    }
    assert swallowing <= OUTERMOST
