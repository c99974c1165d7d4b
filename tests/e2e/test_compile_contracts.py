"""scripts/compile_contracts: the committed artifacts are what the sources compile to."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "scripts" / "compile_contracts"


def _run(*arguments: str, path: str | None = None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **({} if path is None else {"PATH": path})}
    return subprocess.run(
        [sys.executable, str(SCRIPT), *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env=environment,
    )


@pytest.mark.full
@pytest.mark.parametrize("compiler", ["native", "npm"])
def test_the_committed_artifacts_are_what_the_sources_compile_to(compiler: str) -> None:
    done = _run("--check", "--compiler", compiler)
    if "skipped: not compiled again" in done.stderr:
        pytest.skip(done.stderr.splitlines()[0])
    assert done.returncode == 0, done.stderr
    assert "are what the sources compile to" in done.stdout


def test_without_a_compiler_the_check_compares_the_sources_and_says_so(tmp_path: Path) -> None:
    done = _run("--check", "--compiler", "npm", path=str(tmp_path))
    assert done.returncode == 0
    assert "node and npm aren't installed" in done.stderr
    assert "skipped: not compiled again" in done.stderr


def test_compiling_without_a_compiler_says_what_was_tried(tmp_path: Path) -> None:
    done = _run("--compiler", "npm", path=str(tmp_path))
    assert done.returncode == 3
    assert "no Solidity compiler 0.8.37 (npm: node and npm aren't installed)" in done.stderr


def test_help_names_every_option() -> None:
    done = _run("--help")
    assert done.returncode == 0
    assert all(option in done.stdout for option in ("--check", "--compiler"))
