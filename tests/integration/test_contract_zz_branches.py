"""Every branch of the contracts' sources goes both ways in the tests of this folder, in the very bytes that ship.

Comes last of its folder's contract tests: the in-process EVM has then recorded every conditional jump of them.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from integration.contract_chain import jumps_seen
from sealtrail_contracts import Artifact, artifact

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
CODES = ("Registry", "Anchors", "Registry creation", "Anchors creation")


@pytest.fixture
def branches(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The branches and their jumps; skips unless all of the contract tests run in this session."""
    chosen = {item.path for item in request.session.items}
    missing = sorted(path.name for path in HERE.glob("test_contract_*.py") if path not in chosen)
    if "PYTEST_XDIST_WORKER" in os.environ:
        pytest.skip("branch coverage is of contract tests that ran in one process (without --jobs)")
    if missing or request.config.option.keyword:
        pytest.skip("branch coverage is of all contract tests together")
    found: dict[str, Any] = json.loads((ROOT / "contracts" / "branches.json").read_text())
    return found


def _is(code: bytes, name: str) -> bool:
    """Tell whether code that ran is that contract's, whatever its immutables and constructor arguments."""
    shipped = artifact(name.removesuffix(" creation"))
    if name.endswith("creation"):
        return code.startswith(shipped.bytecode)
    return len(code) == len(shipped.deployed_bytecode) and _blank(code, shipped) == _blank(
        shipped.deployed_bytecode, shipped
    )


def _blank(code: bytes, shipped: Artifact) -> bytes:
    blanked = bytearray(code)
    for start, length in shipped.immutable_ranges:
        blanked[start : start + length] = bytes(length)
    return bytes(blanked)


def _ways(name: str) -> dict[int, set[bool]]:
    ways: dict[int, set[bool]] = {}
    ours = {code for code, _ in jumps_seen if _is(code, name)}
    for (code, counter), seen in jumps_seen.items():
        if code in ours:
            ways.setdefault(counter, set()).update(seen)
    return ways


def test_every_branch_in_the_sources_is_in_the_bytes(branches: dict[str, Any]) -> None:
    found = {branch for name in CODES for branch in branches[name]}
    assert found == set(branches["branches"])


def test_every_branch_goes_both_ways(branches: dict[str, Any]) -> None:
    both: set[str] = set()
    for name in CODES:
        ways = _ways(name)
        both |= {
            branch
            for branch, jumps in branches[name].items()
            if all(ways.get(counter) == {True, False} for counter in jumps)
        }
    # a branch that constructor and contract both have (adding a steward) is shown by either
    assert sorted(set(branches["branches"]) - both) == []
