"""The embedded chain as web3.py sees it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import rlp
from trie import HexaryTrie
from web3 import Web3
from web3.exceptions import ContractLogicError, Web3RPCError

from localchain_client import (
    BURNER,
    RECORDER,
    RECURSOR,
    REVERTER,
    TELLER,
    TOPIC,
    Client,
    word,
)
from localchain_process import LocalChainProcess, running_chain


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalChainProcess]:
    with running_chain(
        tmp_path_factory.mktemp("chain"), "--period", "0", "--idle-period", "0"
    ) as chain:
        yield chain


@pytest.fixture
def client(chain: LocalChainProcess) -> Client:
    return Client(chain)


@pytest.fixture(scope="module")
def recorder(chain: LocalChainProcess) -> str:
    return Client(chain).deploy(RECORDER)


def test_a_new_chain_says_who_it_is(client: Client, chain: LocalChainProcess) -> None:
    assert client.w3.client_version.startswith("sealtrail-localchain/")
    assert client.w3.eth.chain_id == chain.chain_id == 31_337
    assert client.w3.net.version == "31337"
    assert client.w3.eth.syncing is False
    assert client.w3.eth.get_block(0)["hash"] == chain.genesis_hash


def test_ten_development_accounts_are_funded(client: Client, chain: LocalChainProcess) -> None:
    assert len(chain.accounts) == 10
    for account in chain.accounts[1:]:
        balance = client.w3.eth.get_balance(Web3.to_checksum_address(account.address))
        assert balance == 10_000 * 10**18


def test_the_ready_file_equals_the_ready_line(chain: LocalChainProcess) -> None:
    assert json.loads((chain.directory / "chain.json").read_text()) == chain.ready


@pytest.mark.parametrize(
    "fees",
    [
        {"gasPrice": 0},
        {"gasPrice": 3},
        {"gasPrice": 1, "type": 1, "accessList": []},
        {"maxFeePerGas": 0, "maxPriorityFeePerGas": 0},
        {"maxFeePerGas": 2_000_000_000, "maxPriorityFeePerGas": 1_000_000_000},
    ],
)
def test_a_transaction_of_each_type_is_mined(
    client: Client, recorder: str, fees: dict[str, Any]
) -> None:
    receipt = client.run(to=recorder, data=word(7), **fees)
    assert receipt["status"] == 1
    assert receipt["effectiveGasPrice"] == fees.get("gasPrice", fees.get("maxPriorityFeePerGas"))
    sent = client.w3.eth.get_transaction(receipt["transactionHash"])
    assert sent["from"] == client.address
    assert sent["blockHash"] == receipt["blockHash"]


def test_what_a_contract_stored_is_read_back(client: Client, recorder: str) -> None:
    receipt = client.run(to=recorder, data=word(99))
    at = client.w3.eth.get_storage_at(recorder, 0)
    before = client.w3.eth.get_storage_at(recorder, 0, receipt["blockNumber"] - 1)
    assert int.from_bytes(at, "big") == 99
    assert int.from_bytes(before, "big") != 99


def test_logs_are_found_by_address_topic_and_block(client: Client, recorder: str) -> None:
    receipt = client.run(to=recorder, data=word(123))
    number, block_hash = receipt["blockNumber"], receipt["blockHash"]
    nobody = "0x" + "11" * 20
    for query in (
        {"address": recorder, "fromBlock": number},
        {"address": [nobody, recorder], "fromBlock": number},
        {"topics": [TOPIC], "fromBlock": number},
        {"topics": [[word(1), TOPIC]], "blockHash": block_hash},
        {"blockHash": block_hash},
    ):
        found = client.w3.eth.get_logs(query)
        assert [int.from_bytes(one["data"], "big") for one in found] == [123]
    for query in (
        {"address": nobody, "fromBlock": 0},
        {"topics": [word(1)], "fromBlock": 0},
        {"topics": [None, TOPIC], "fromBlock": 0},
    ):
        assert client.w3.eth.get_logs(query) == []


def test_a_log_filter_tells_each_log_once(client: Client, recorder: str) -> None:
    installed = client.w3.eth.filter({"address": recorder})
    client.run(to=recorder, data=word(5))
    assert [int.from_bytes(one["data"], "big") for one in installed.get_new_entries()] == [5]
    assert installed.get_new_entries() == []
    assert client.w3.eth.uninstall_filter(installed.filter_id) is True
    with pytest.raises(Web3RPCError, match="filter not found"):
        installed.get_new_entries()


def test_a_block_filter_tells_each_block_once(client: Client, recorder: str) -> None:
    installed = client.w3.eth.filter("latest")
    receipt = client.run(to=recorder, data=word(5))
    assert receipt["blockHash"] in installed.get_new_entries()
    assert receipt["blockHash"] not in installed.get_new_entries()


def test_a_pending_filter_tells_what_arrived(client: Client, recorder: str) -> None:
    installed = client.w3.eth.filter("pending")
    tx_hash = client.send(to=recorder, data=word(6))
    assert tx_hash in installed.get_new_entries()
    client.receipt(tx_hash)


def test_a_revert_carries_its_reason_and_data(client: Client) -> None:
    reverter = client.deploy(REVERTER)
    reason = bytes.fromhex("08c379a0") + word(32) + word(3) + b"why".ljust(32, b"\x00")
    with pytest.raises(ContractLogicError, match="why"):
        client.w3.eth.call({"to": reverter, "data": reason})
    answer = client.w3.provider.make_request("eth_call", [{"to": reverter, "data": "0xdeadbeef"}])
    assert answer["error"] == {"code": 3, "message": "execution reverted", "data": "0xdeadbeef"}
    with pytest.raises(ContractLogicError):
        client.w3.eth.estimate_gas({"to": reverter, "data": "0x00"})


def test_a_failed_transaction_has_a_receipt_of_status_0(client: Client) -> None:
    reverter = client.deploy(REVERTER)
    receipt = client.run(to=reverter, data=b"\x01")
    assert receipt["status"] == 0
    assert receipt["logs"] == []


def test_an_endless_loop_ends_with_its_gas(client: Client) -> None:
    burner = client.deploy(BURNER)
    assert client.run(to=burner, gas=100_000)["gasUsed"] == 100_000
    with pytest.raises(Web3RPCError, match="out of gas"):
        client.w3.eth.call({"to": burner, "gas": 100_000})
    with pytest.raises(Web3RPCError, match="gas required exceeds allowance"):
        client.w3.eth.estimate_gas({"to": burner, "gas": 100_000})


def test_recursion_to_the_evm_limit_does_not_end_the_chain(client: Client) -> None:
    recursor = client.deploy(RECURSOR)
    assert client.run(to=recursor, gas=14_000_000)["status"] in (0, 1)
    client.w3.eth.call({"to": recursor, "gas": 14_000_000})


def test_a_call_sees_the_block_it_names(client: Client) -> None:
    teller = client.deploy(TELLER)
    head = client.w3.eth.get_block("latest")
    output = client.w3.eth.call({"to": teller})
    told = [int.from_bytes(output[at : at + 32], "big") for at in range(0, 128, 32)]
    assert told == [head["number"], head["timestamp"], 0, client.chain_id]


def test_an_estimate_is_enough_and_little_more(client: Client, recorder: str) -> None:
    fields = {"to": recorder, "data": word(77)}
    estimate = client.w3.eth.estimate_gas({"from": client.address, **fields})
    receipt = client.run(**fields, gas=estimate)
    assert receipt["status"] == 1
    assert receipt["gasUsed"] <= estimate <= receipt["gasUsed"] * 1.2


def test_storage_proofs_verify_against_the_header(client: Client, recorder: str) -> None:
    client.run(to=recorder, data=word(4711))
    head = client.w3.eth.get_block("latest")
    proof = client.w3.eth.get_proof(recorder, [0, 1], head["number"])
    account = rlp.encode(
        [
            _number(proof["nonce"]),
            _number(proof["balance"]),
            bytes(proof["storageHash"]),
            bytes(proof["codeHash"]),
        ]
    )
    assert account == _proven(
        bytes(head["stateRoot"]), bytes.fromhex(recorder[2:]), proof["accountProof"]
    )
    full, empty = proof["storageProof"]
    root = bytes(proof["storageHash"])
    assert rlp.encode(_number(4711)) == _proven(root, word(0), full["proof"])
    assert _proven(root, word(1), empty["proof"]) == b""
    assert (int(full["value"].hex(), 16), int(empty["value"].hex() or "0", 16)) == (4711, 0)


def test_an_absent_account_is_proven_absent(client: Client) -> None:
    head = client.w3.eth.get_block("latest")
    nobody = "0x" + "12" * 20
    proof = client.w3.eth.get_proof(nobody, [0], head["number"])
    assert (
        _proven(bytes(head["stateRoot"]), bytes.fromhex(nobody[2:]), proof["accountProof"]) == b""
    )


def test_a_block_shows_hashes_or_whole_transactions(client: Client, recorder: str) -> None:
    receipt = client.run(to=recorder, data=word(8))
    block = client.w3.eth.get_block(receipt["blockNumber"], full_transactions=True)
    plain = client.w3.eth.get_block(receipt["blockHash"])
    assert [one["hash"] for one in block["transactions"]] == list(plain["transactions"])
    assert "withdrawalsRoot" not in block
    assert client.w3.eth.get_block_receipts(receipt["blockNumber"])[0] == receipt
    by_index = client.w3.eth.get_transaction_by_block(receipt["blockHash"], 0)
    assert by_index["hash"] == receipt["transactionHash"]


def test_every_tag_of_finality_is_the_head(client: Client) -> None:
    head = client.w3.eth.get_block("latest")["number"]
    assert client.w3.eth.get_block("finalized")["number"] == head
    assert client.w3.eth.get_block("safe")["number"] == head
    assert client.w3.eth.get_block("pending")["number"] == head + 1


def test_fee_history_has_one_base_fee_more_than_blocks(client: Client) -> None:
    history = client.w3.eth.fee_history(2, "latest", [10, 90])
    assert len(history["baseFeePerGas"]) == len(history["gasUsedRatio"]) + 1
    assert set(history["baseFeePerGas"]) == {0}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"nonce": 0}, "nonce too low"),
        ({"gas": 20_000}, "intrinsic gas too low"),
        ({"value": 10**30}, "insufficient funds for gas"),
        ({"gas": 40_000_000}, "exceeds block gas limit"),
        ({"chainId": 1}, "invalid chain id"),
        ({"maxFeePerGas": 1, "maxPriorityFeePerGas": 2}, "max priority fee per gas higher"),
    ],
)
def test_a_transaction_that_cannot_be_mined_is_refused_in_geths_words(
    client: Client, recorder: str, fields: dict[str, Any], message: str
) -> None:
    client.run(to=recorder, data=word(1))
    with pytest.raises(Web3RPCError, match=message):
        client.w3.eth.send_raw_transaction(client.signed(to=recorder, **fields))


def test_a_nonce_gap_waits_until_it_is_filled(client: Client, recorder: str) -> None:
    first = client.nonce
    later = client.w3.eth.send_raw_transaction(client.signed(to=recorder, nonce=first + 1))
    assert client.w3.eth.get_transaction_count(client.address, "pending") == first
    assert client.w3.eth.get_transaction(later)["blockNumber"] is None
    with pytest.raises(Web3RPCError, match="already known"):
        client.w3.eth.send_raw_transaction(client.signed(to=recorder, nonce=first + 1))
    with pytest.raises(Web3RPCError, match="replacement transaction underpriced"):
        client.w3.eth.send_raw_transaction(client.signed(to=recorder, nonce=first + 1, gas=199_999))
    dearer = client.w3.eth.send_raw_transaction(
        client.signed(to=recorder, nonce=first + 1, gasPrice=1)
    )
    client.w3.eth.send_raw_transaction(client.signed(to=recorder, nonce=first))
    assert client.receipt(bytes(dearer))["status"] == 1
    assert client.w3.eth.get_transaction_count(client.address) == first + 2


def test_a_busy_block_leaves_gas_price_0_possible(client: Client) -> None:
    burner = client.deploy(BURNER)
    receipts = [client.receipt(client.send(to=burner, gas=5_000_000)) for _ in range(4)]
    assert all(one["gasUsed"] == 5_000_000 for one in receipts)
    assert client.w3.eth.gas_price == 0
    assert client.run(to=burner, gas=50_000, gasPrice=0)["status"] == 0


def _number(value: int) -> bytes:
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


def _proven(root: bytes, key: bytes, proof: list[Any]) -> bytes:
    nodes = [rlp.decode(bytes(node)) for node in proof]
    found = HexaryTrie.get_from_proof(root, Web3.keccak(key), nodes)
    return bytes(found)


def test_the_directory_holds_its_key_for_its_owner_only(chain: LocalChainProcess) -> None:
    key: Path = chain.directory / "signer.key"
    assert key.stat().st_mode & 0o077 == 0
