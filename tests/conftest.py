"""Fixtures that every test may use: where shared files are, tools that may be missing, no sockets in unit tests."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"
TOOLS = ROOT / ".cache" / "tools"
SOCKETLESS = {"unit", "property", "vectors"}


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of third-party vectors and corpora beside the project; skips where it is absent."""
    if not (SHARED / "vectors").is_dir():
        pytest.skip(
            "../shared is absent: third-party vectors and corpora are not part of the project"
        )
    return SHARED


def find_tool(name: str) -> str | None:
    """Path of a program that some tests run against: from its variable, .cache/tools or PATH."""
    candidates = [
        os.environ.get(f"SEALTRAIL_{name.upper()}"),
        str(TOOLS / "bin" / name),
        str(TOOLS / "node_modules" / ".bin" / name),
    ]
    for candidate in candidates:
        if candidate and os.access(candidate, os.X_OK):
            return candidate
    return shutil.which(name)


@pytest.fixture(scope="session")
def geth() -> str:
    """The geth binary; skips where there is none."""
    path = find_tool("geth")
    if path is None:
        pytest.skip("geth is not at hand: scripts/tools --geth builds it")
    return path


@pytest.fixture(scope="session")
def anvil() -> str:
    """The anvil binary; skips where there is none."""
    path = find_tool("anvil")
    if path is None:
        pytest.skip("anvil is not at hand: scripts/tools fetches it by npm")
    return path


class SocketBlockedError(RuntimeError):
    """A unit test tried to use the network."""


@pytest.fixture(autouse=True)
def _no_sockets(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.path.relative_to(ROOT / "tests").parts[0] in SOCKETLESS:

        def refuse(*_: object, **__: object) -> None:
            raise SocketBlockedError("unit, property and vector tests use no network")

        monkeypatch.setattr(socket.socket, "connect", refuse)
        monkeypatch.setattr(socket.socket, "bind", refuse)
