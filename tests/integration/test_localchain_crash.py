"""Nothing that was mined is lost: kill -9 under load, and clean stops."""

from __future__ import annotations

import itertools
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest
from web3.exceptions import TransactionNotFound, Web3RPCError

from localchain_client import RECORDER, Client, word
from localchain_process import running_chain, start_chain

KILL_AFTER_BLOCKS = (3, 8, 15)


def _load_until_gone(client: Client, recorder: str, sent: list[bytes]) -> None:
    value = 0
    try:
        while True:
            value += 1
            sent.append(client.send(to=recorder, data=word(value)))
    except (OSError, Web3RPCError):
        return


def _wait_for_block(client: Client, number: int) -> None:
    installed = client.w3.eth.filter("latest")
    while client.w3.eth.block_number < number:
        installed.get_new_entries()


@pytest.mark.parametrize("blocks", KILL_AFTER_BLOCKS)
def test_everything_mined_is_there_after_kill_9_under_load(tmp_path: Path, blocks: int) -> None:
    sent: list[bytes] = []
    with running_chain(tmp_path, "--period", "0") as chain:
        client = Client(chain)
        recorder = client.deploy(RECORDER)
        observer = Client(chain, account=1)
        load = threading.Thread(target=_load_until_gone, args=(client, recorder, sent))
        load.start()
        _wait_for_block(observer, blocks)
        seen = _everything(observer, recorder)
        chain.kill()
        load.join()
    with running_chain(tmp_path, "--period", "0") as chain:
        observer = Client(chain)
        after = _everything(observer, recorder)
        shared = len(seen["blocks"])
        assert after["blocks"][:shared] == seen["blocks"]
        assert after["logs"][: len(seen["logs"])] == seen["logs"]
        _assert_consistent(observer, recorder, after, sent)
        assert observer.run(to=recorder, data=word(1))["status"] == 1


def _everything(client: Client, recorder: str) -> dict[str, Any]:
    head = client.w3.eth.block_number
    return {
        "blocks": [client.w3.eth.get_block(number)["hash"] for number in range(head + 1)],
        "logs": client.w3.eth.get_logs({"fromBlock": 0, "toBlock": head, "address": recorder}),
    }


def _assert_consistent(
    client: Client, recorder: str, found: dict[str, Any], sent: list[bytes]
) -> None:
    """Head, nonces, receipts, storage and logs all tell of the same transactions."""
    mined = []
    for tx_hash in sent:
        try:
            mined.append(client.w3.eth.get_transaction_receipt(tx_hash))
        except TransactionNotFound:
            break  # in nonce order, so none after it is mined either
    assert len(mined) > 0
    values = [int.from_bytes(log["data"], "big") for log in found["logs"]]
    assert values == list(range(1, len(mined) + 1))
    assert [log["transactionHash"] for log in found["logs"]] == [
        receipt["transactionHash"] for receipt in mined
    ]
    assert client.w3.eth.get_transaction_count(client.address) == len(mined) + 1
    assert int.from_bytes(client.w3.eth.get_storage_at(recorder, 0), "big") == len(mined)


def test_a_clean_stop_goes_on_with_the_same_chain(tmp_path: Path) -> None:
    with running_chain(tmp_path) as chain:
        client = Client(chain)
        recorder = client.deploy(RECORDER)
        head = client.w3.eth.get_block("latest")
        genesis_hash = chain.genesis_hash
        assert chain.stop() == 0
        assert not (tmp_path / "chain.json").exists()
    with running_chain(tmp_path) as chain:
        client = Client(chain)
        assert chain.genesis_hash == genesis_hash
        assert client.w3.eth.get_block(head["number"])["hash"] == head["hash"]
        assert client.w3.eth.get_code(recorder) != b""
        assert client.nonce == 1


def test_a_stop_under_load_is_clean(tmp_path: Path) -> None:
    sent: list[bytes] = []
    with running_chain(tmp_path, "--period", "0") as chain:
        client = Client(chain)
        recorder = client.deploy(RECORDER)
        load = threading.Thread(target=_load_until_gone, args=(client, recorder, sent))
        load.start()
        _wait_for_block(Client(chain, account=1), 5)
        assert chain.stop() == 0
        load.join()
        assert chain.process.communicate()[1] == ""
    with running_chain(tmp_path, "--period", "0", "--idle-period", "0") as chain:
        client = Client(chain)
        _assert_consistent(client, recorder, _everything(client, recorder), sent)


def test_a_changed_byte_in_the_state_is_found_and_named(tmp_path: Path) -> None:
    with running_chain(tmp_path, "--idle-period", "0") as chain:
        chain.stop()
    with sqlite3.connect(tmp_path / "chain.db") as database:
        database.execute("UPDATE node SET value = CAST(value || x'00' AS BLOB)")
    database.close()
    with running_chain(tmp_path, "--idle-period", "0") as chain:
        with pytest.raises(Web3RPCError, match="internal error, see the log"):
            Client(chain)  # asks for its account's nonce
        chain.stop()
        assert "other content than its hash says" in chain.process.communicate()[1]


def test_a_changed_head_is_refused_at_the_start(tmp_path: Path) -> None:
    with running_chain(tmp_path, "--idle-period", "0") as chain:
        chain.stop()
    with sqlite3.connect(tmp_path / "chain.db") as database:
        changed = bytearray(database.execute("SELECT header FROM block").fetchone()[0])
        changed[100] ^= 1
        database.execute("UPDATE block SET header = ?", (bytes(changed),))
    database.close()
    with pytest.raises(RuntimeError, match="database_damaged"):
        start_chain(tmp_path)


def test_a_database_with_overwritten_pages_is_refused_at_the_start(tmp_path: Path) -> None:
    with running_chain(tmp_path, "--idle-period", "0") as chain:
        chain.stop()
    content = bytearray((tmp_path / "chain.db").read_bytes())
    content[4096:] = b"\xa5" * (len(content) - 4096)
    (tmp_path / "chain.db").write_bytes(content)
    with pytest.raises(RuntimeError, match=r"database_damaged|database_unreadable"):
        start_chain(tmp_path)


def test_two_chains_have_two_genesis_hashes(tmp_path: Path) -> None:
    with running_chain(tmp_path / "a") as one, running_chain(tmp_path / "b") as other:
        assert one.genesis_hash != other.genesis_hash


def test_an_idle_chain_goes_on_at_its_idle_period(tmp_path: Path) -> None:
    with running_chain(tmp_path, "--idle-period", "1") as chain:
        client = Client(chain)
        _wait_for_block(client, 2)
        assert client.w3.eth.get_block(2)["transactions"] == []


def test_a_transaction_gets_confirmations_on_an_otherwise_idle_chain(tmp_path: Path) -> None:
    with running_chain(tmp_path, "--period", "0", "--idle-period", "3600") as chain:
        client = Client(chain)
        number = client.run(to=client.address)["blockNumber"]
        _wait_for_block(client, number + 2)


def test_timestamps_keep_the_period(tmp_path: Path) -> None:
    with running_chain(tmp_path) as chain:
        client = Client(chain)
        numbers = [client.run(to=client.address, value=0)["blockNumber"] for _ in range(3)]
        stamps = [client.w3.eth.get_block(number)["timestamp"] for number in numbers]
        assert all(later >= earlier + 1 for earlier, later in itertools.pairwise(stamps))
