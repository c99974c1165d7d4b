"""anvil behind the same command."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import pytest

from localchain_client import RECORDER, Client, word
from localchain_process import running_chain

pytestmark = pytest.mark.full


@pytest.fixture(autouse=True)
def _anvil_is_named(anvil: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEALTRAIL_ANVIL", anvil)


def test_anvil_has_the_same_accounts_and_goes_on_after_a_clean_stop(tmp_path: Path) -> None:
    with running_chain(tmp_path, "--backend", "anvil") as chain:
        client = Client(chain)
        recorder = client.deploy(RECORDER, gasPrice=2_000_000_000)
        client.run(to=recorder, data=word(7), gasPrice=2_000_000_000)
        genesis_hash = chain.genesis_hash
        assert chain.stop() == 0
    with running_chain(tmp_path, "--backend", "anvil") as chain:
        client = Client(chain)
        assert chain.genesis_hash == genesis_hash
        assert int.from_bytes(client.w3.eth.get_storage_at(recorder, 0), "big") == 7
        assert chain.stop() == 0


def test_anvil_is_the_same_chain_at_every_start_and_keeps_time(tmp_path: Path) -> None:
    hashes = set()
    for _ in range(3):  # from the third on it could take another block 0 for its own
        with running_chain(tmp_path, "--backend", "anvil") as chain:
            hashes.add(chain.genesis_hash)
            w3 = Client(chain).w3
            height = w3.eth.block_number
            while (newest := w3.eth.get_block("latest"))["number"] <= height + 1:
                pass
            assert abs(newest["timestamp"] - time.time()) < 30
            assert chain.stop() == 0
    assert len(hashes) == 1


def test_anvil_ends_with_the_process_that_was_killed(tmp_path: Path) -> None:
    with running_chain(tmp_path, "--backend", "anvil") as chain:
        port = chain.port
        chain.kill()
    with running_chain(tmp_path, "--backend", "anvil") as chain:
        assert chain.port != port
        assert Client(chain).chain_id == 31_337
    wait_until_free(port)


def wait_until_free(port: int) -> None:
    """Return when nobody listens there any more."""
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return
