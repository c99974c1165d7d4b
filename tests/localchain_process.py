"""The embedded chain as a real process, for tests of anything that needs a chain.

    from localchain_process import local_chain  # a fixture: one chain for each test module

    def test_something(local_chain):
        local_chain.rpc_url, local_chain.accounts[0].private_key, ...

For a chain of one's own, to kill and start again: ``with running_chain(directory) as chain: ...``.
"""

from __future__ import annotations

import json
import selectors
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

READY_SECONDS_MAX = 60.0
STOP_SECONDS_MAX = 30.0


@dataclass(frozen=True, slots=True)
class DevelopmentKey:
    """A funded account: checksummed address, private key as 0x-hexadecimal."""

    address: str
    private_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalChainProcess:
    """A chain that answers."""

    process: subprocess.Popen[str]
    directory: Path
    ready: dict[str, Any]

    @property
    def rpc_url(self) -> str:
        return str(self.ready["rpc_url"])

    @property
    def port(self) -> int:
        return int(self.rpc_url.rsplit(":", 1)[1])

    @property
    def chain_id(self) -> int:
        return int(self.ready["chain_id"])

    @property
    def genesis_hash(self) -> bytes:
        return bytes.fromhex(self.ready["genesis_hash"][2:])

    @property
    def accounts(self) -> tuple[DevelopmentKey, ...]:
        listed = self.ready["development_accounts"]["accounts"]
        return tuple(DevelopmentKey(**one) for one in listed)

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()
        self.process.wait(STOP_SECONDS_MAX)

    def stop(self) -> int:
        """Ask it to stop and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_SECONDS_MAX)


def start_chain(directory: Path, *options: str, port: int = 0) -> LocalChainProcess:
    """Start a chain and return when it answers. The caller ends it."""
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "sealtrail_localchain", "--json"),
            *("--dir", str(directory), "--port", str(port), *options),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        if not selector.select(READY_SECONDS_MAX):
            process.kill()
            raise TimeoutError(f"the local chain was not ready after {READY_SECONDS_MAX} s")
    line = process.stdout.readline()
    if not line:
        _, complaint = process.communicate(timeout=STOP_SECONDS_MAX)
        raise RuntimeError(f"the local chain did not start: {complaint}")
    return LocalChainProcess(process=process, directory=directory, ready=json.loads(line))


@contextmanager
def running_chain(directory: Path, *options: str, port: int = 0) -> Iterator[LocalChainProcess]:
    """A chain that ends with the block, however it ends."""
    chain = start_chain(directory, *options, port=port)
    try:
        yield chain
    finally:
        chain.process.kill()
        chain.process.communicate(timeout=STOP_SECONDS_MAX)


@pytest.fixture(scope="module")
def local_chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalChainProcess]:
    """One chain with default settings, shared by the tests of a module."""
    with running_chain(tmp_path_factory.mktemp("chain")) as chain:
        yield chain
