"""Proofs from an endpoint that shows what real networks showed; and from one that lies, leaves out or is old."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fakes.endpoint import FakeEndpoint, refusal
from sealed_chains import CliqueChain, plain_header, shown
from sealtrail.chainproof.clique import block_hash
from sealtrail.chainproof.headers import genesis_from_json
from sealtrail.chainproof.receipts import parse_receipt
from sealtrail.chainproof.validators import block_hash as block_hash_of
from sealtrail.chainproof.validators import verify_final
from sealtrail.errors import InputError, UnavailableError
from sealtrail.ledger.proofs import SLOTS_MAX, RpcChainProofs
from sealtrail.ports import Head
from sealtrail.services.chain.validators import ValidatorFollower, load_pinned
from sealtrail.store.database import Database


class Real:
    """One of the recorded chains behind an endpoint."""

    def __init__(self, recorded: dict[str, Any], *, whole_blocks: bool) -> None:
        self.recorded = recorded
        self.receipts = {int(n): r for n, r in recorded["receipts"].items()}
        self.by_hash = {r["transactionHash"]: r for rs in self.receipts.values() for r in rs}
        self.proof = recorded["proofs"][0]
        self.endpoint: Any = FakeEndpoint(
            eth_getBlockByNumber=self._block,
            eth_getTransactionReceipt=self.by_hash.get,
            eth_getProof=lambda *_: self.proof["proof"],
        )
        if whole_blocks:
            self.endpoint.answers["eth_getBlockReceipts"] = lambda n: self.receipts.get(int(n, 16))
        self.proofs = RpcChainProofs(self.endpoint)

    def _block(self, number: str, _full: bool) -> Any:
        headers = self.recorded["headers"]
        return headers[int(number, 16)] if int(number, 16) < len(headers) else None


@pytest.fixture(params=["clique", "qbft"])
def recorded(request: pytest.FixtureRequest, shared: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(
        (shared / "vectors/chain" / f"{request.param}.json").read_text()
    )
    return loaded


async def refused(act: Any) -> str:
    with pytest.raises(UnavailableError) as caught:
        await act
    return caught.value.code


@pytest.mark.parametrize("whole_blocks", [True, False])
async def test_a_real_networks_receipts_are_fetched(
    recorded: dict[str, Any], whole_blocks: bool
) -> None:
    real = Real(recorded, whole_blocks=whole_blocks)
    for number, receipts in real.receipts.items():
        header = (await real.proofs.headers(number, number))[0]
        fetched = [parse_receipt(r) for r in await real.proofs.receipts(header)]
        assert len(fetched) == len(receipts)
        assert all(r.succeeded for r in fetched)
    empty = (await real.proofs.headers(1, 1))[0]
    assert await real.proofs.receipts(empty) == ()


async def test_a_real_networks_headers_are_fetched_in_portions(recorded: dict[str, Any]) -> None:
    real = Real(recorded, whole_blocks=True)
    last = len(recorded["headers"]) - 1
    headers = await real.proofs.headers(0, last)
    assert [h.number for h in headers] == list(range(last + 1))
    assert await refused(real.proofs.headers(last, last + 1)) == "chain_behind"


async def test_a_real_networks_slots_are_fetched(recorded: dict[str, Any]) -> None:
    real = Real(recorded, whole_blocks=True)
    header = (await real.proofs.headers(real.proof["block"], real.proof["block"]))[0]
    contract = bytes.fromhex(recorded["contract"][2:])
    proof = await real.proofs.state(header, contract, [0, 1])
    assert [s.value for s in proof.slots] == [7, 0]
    asked = real.endpoint.asked[-1]
    assert asked[1] == (
        recorded["contract"],
        ["0x" + "00" * 32, "0x" + "00" * 31 + "01"],
        hex(header.number),
    )


async def test_a_state_that_is_another_blocks_is_refused(recorded: dict[str, Any]) -> None:
    real = Real(recorded, whole_blocks=True)
    header = (await real.proofs.headers(1, 1))[0]
    contract = bytes.fromhex(recorded["contract"][2:])
    assert await refused(real.proofs.state(header, contract, [0, 1])) == "rpc_proof_invalid"


def _without_a_node(proof: dict[str, Any]) -> None:
    proof["accountProof"].pop()


def _flipped(proof: dict[str, Any]) -> None:
    node = proof["storageProof"][0]["proof"][0]
    proof["storageProof"][0]["proof"][0] = node[:-1] + ("0" if node[-1] != "0" else "1")


def _of_another_slot(proof: dict[str, Any]) -> None:
    proof["storageProof"][0]["proof"] = []


@pytest.mark.parametrize("lie", [_without_a_node, _flipped, _of_another_slot])
async def test_a_proof_that_does_not_hold_is_refused(
    recorded: dict[str, Any], lie: Callable[[Any], None]
) -> None:
    real = Real(recorded, whole_blocks=True)
    header = (await real.proofs.headers(real.proof["block"], real.proof["block"]))[0]
    lie(real.proof["proof"])
    contract = bytes.fromhex(recorded["contract"][2:])
    assert await refused(real.proofs.state(header, contract, [0, 1])) == "rpc_proof_invalid"


@pytest.mark.parametrize(
    "answer",
    [
        None,
        [],
        {},
        {"accountProof": [], "storageProof": None},
        {"accountProof": ["0x"] * 66, "storageProof": []},
        {"accountProof": ["0xzz"], "storageProof": []},
        {"accountProof": [], "storageProof": []},
        {"accountProof": [], "storageProof": [None]},
    ],
)
async def test_what_is_no_proof_is_garbage(recorded: dict[str, Any], answer: Any) -> None:
    real = Real(recorded, whole_blocks=True)
    header = (await real.proofs.headers(1, 1))[0]
    real.endpoint.answers["eth_getProof"] = lambda *_: answer
    assert await refused(real.proofs.state(header, bytes(20), [0])) == "rpc_garbage"


async def test_a_state_that_is_no_longer_kept_could_not_be_asked(recorded: dict[str, Any]) -> None:
    real = Real(recorded, whole_blocks=True)
    header = (await real.proofs.headers(1, 1))[0]
    real.endpoint.answers["eth_getProof"] = refusal("missing trie node")
    assert await refused(real.proofs.state(header, bytes(20), [0])) == "rpc_refused"


async def test_more_slots_than_an_endpoint_answers_are_not_asked_for(
    recorded: dict[str, Any],
) -> None:
    real = Real(recorded, whole_blocks=True)
    header = (await real.proofs.headers(1, 1))[0]
    with pytest.raises(InputError) as caught:
        await real.proofs.state(header, bytes(20), range(SLOTS_MAX + 1))
    assert caught.value.code == "slots_too_many"


@pytest.mark.parametrize("whole_blocks", [True, False])
async def test_receipts_left_out_or_changed_are_garbage(
    recorded: dict[str, Any], whole_blocks: bool
) -> None:
    number = max(int(n) for n in recorded["receipts"])
    for lie in (
        lambda receipts: receipts[0].update(cumulativeGasUsed="0x1"),
        lambda receipts: receipts[0].update(status="0x0"),
        lambda receipts: receipts[0]["logs"].clear(),
        lambda receipts: receipts[0].update(logsBloom="0x00"),
        lambda receipts: receipts[0].update(type="0x7f"),
    ):
        real = Real(json.loads(json.dumps(recorded)), whole_blocks=whole_blocks)
        header = (await real.proofs.headers(number, number))[0]
        lie(real.receipts[number])
        assert await refused(real.proofs.receipts(header)) == "rpc_garbage"
    real = Real(recorded, whole_blocks=True)
    header = (await real.proofs.headers(number, number))[0]
    real.receipts[number] = real.receipts[number][:-1]
    assert await refused(real.proofs.receipts(header)) == "rpc_garbage"


async def test_a_transaction_without_a_receipt_is_garbage(recorded: dict[str, Any]) -> None:
    real = Real(recorded, whole_blocks=False)
    number = next(iter(real.receipts))
    header = (await real.proofs.headers(number, number))[0]
    real.endpoint.answers["eth_getTransactionReceipt"] = None
    assert await refused(real.proofs.receipts(header)) == "rpc_garbage"


class Own:
    """A chain of a test's own behind an endpoint."""

    def __init__(self) -> None:
        self.chain = CliqueChain([0])
        for _ in range(3):
            self.chain.seal(0)
        self.blocks = self.chain.blocks()
        endpoint: Any = FakeEndpoint(
            eth_getBlockByNumber=lambda n, _full: self.blocks[int(n, 16)],
        )
        self.proofs = RpcChainProofs(endpoint, epoch_blocks=100)


async def test_the_epoch_is_the_configurations() -> None:
    form = await Own().proofs.form()
    assert (form.name, form.epoch) == ("clique", 100)


async def test_a_development_chains_odd_block_0_has_no_seals() -> None:
    own = Own()
    block = shown(plain_header(base_fee=7), bytes(32)) | {"blobGasUsed": "0x0"}
    block["hash"] = "0x" + genesis_from_json(block)[1].hex()
    own.blocks[0] = block
    assert (await own.proofs.form()).name == "none"
    own = Own()
    own.blocks[0] = block | {"gasUsed": "0x1"}
    assert await refused(own.proofs.form()) == "rpc_garbage"
    # where there are seals, block 0 must be a header
    own = Own()
    own.blocks[0] = own.blocks[0] | {"blobGasUsed": "0x0"}
    assert await refused(own.proofs.form()) == "rpc_garbage"


async def test_a_header_with_another_hash_than_it_claims_is_garbage() -> None:
    own = Own()
    own.blocks[2]["gasUsed"] = "0x1"
    assert await refused(own.proofs.headers(1, 3)) == "rpc_garbage"


async def test_another_block_than_the_one_asked_for_is_garbage() -> None:
    own = Own()
    own.blocks[2] = own.blocks[1]
    assert await refused(own.proofs.headers(1, 3)) == "rpc_garbage"


async def test_headers_of_two_forks_say_that_the_chain_moved() -> None:
    own = Own()
    other = own.chain.headers[2]
    own.chain.headers = own.chain.headers[:2]
    fork = own.chain.seal(0, time=other.time + 5)
    own.blocks[2] = shown(fork, block_hash(fork))
    assert await refused(own.proofs.headers(1, 3)) == "chain_moved"


@pytest.mark.parametrize("genesis", [{}, {"number": "0x0"}, [], "0x"])
async def test_a_block_0_that_is_none_is_garbage(genesis: Any) -> None:
    own = Own()
    own.blocks[0] = genesis
    assert await refused(own.proofs.form()) == "rpc_garbage"


async def test_receipts_of_a_block_that_was_replaced_say_that_the_chain_moved() -> None:
    own = Own()
    header = own.chain.headers[3]
    own.chain.headers = own.chain.headers[:3]
    fork = own.chain.seal(0, receipts_root=b"\1" * 32)
    own.blocks[3] = shown(header, block_hash(header))
    assert await refused(own.proofs.receipts(fork)) == "chain_moved"


async def test_a_recorded_network_is_followed_from_its_endpoint_to_the_trust_file(
    recorded: dict[str, Any], tmp_path: Path
) -> None:
    real = Real(recorded, whole_blocks=True)
    headers = await real.proofs.headers(0, len(recorded["headers"]) - 1)
    form = await real.proofs.form()
    last = headers[-1]
    database = Database.open(tmp_path / "node.db")
    follower = ValidatorFollower(
        database,
        real.proofs,
        final=lambda: None,
        genesis_hash=block_hash_of(headers[0], form),
        random=lambda: 0.0,
    )
    await follower.follow_to(
        Head(
            number=last.number,
            hash=block_hash_of(last, form),
            parent_hash=last.parent_hash,
            time=last.time,
        )
    )
    pinned = database.read_sync(load_pinned)
    database.close()
    assert pinned is not None
    assert ["0x" + m.hex() for m in pinned.validators.members] == sorted(
        recorded["validators_at_end"]
    )
    assert [len(i.members) for i in pinned.history.intervals] == [4, 5, 4]
    on_top = 6 if form.name == "clique" else 1
    for number in range(1, len(headers) - on_top):
        final = verify_final(headers[number : number + on_top], pinned.history)
        assert final.hash == block_hash_of(headers[number], form)
