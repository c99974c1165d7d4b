"""Finality rules, and following a Clique chain's seals over an endpoint that reorganises or lies."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
import rlp
from coincurve import PrivateKey
from sha3 import keccak_256

from fakes.endpoint import FakeEndpoint
from sealtrail.chainproof.clique import follow, header_hash, sealer, signers_at_epoch
from sealtrail.errors import InputError, UnavailableError, VerificationError
from sealtrail.ledger.finality import CliqueFinality, FinalityRule, parse_finality
from sealtrail.ledger.headers import parse_header_items

KEYS = [PrivateKey(bytes([n]) * 32) for n in range(1, 5)]


def _address(key: PrivateKey) -> bytes:
    return bytes(keccak_256(key.public_key.format(compressed=False)[1:]).digest()[-20:])


class CliqueChain:
    """Headers that signers sealed, as an endpoint shows them."""

    def __init__(self, signers: int) -> None:
        self.signers = sorted(KEYS[:signers], key=_address)
        listed = b"".join(_address(k) for k in self.signers)
        self.headers = [self._header(0, bytes(32), bytes(32) + listed + bytes(65))]

    def seal(self, by: int, *, vote: bytes = bytes(20), salt: int = 0) -> None:
        number = len(self.headers)
        parent = bytes.fromhex(self.headers[-1]["hash"][2:])
        vanity = salt.to_bytes(32, "big")
        unsealed = self._header(number, parent, vanity + bytes(65), vote)
        items = list(parse_header_items(unsealed))
        items[12] = vanity
        digest = keccak_256(rlp.encode(items)).digest()
        seal = self.signers[by].sign_recoverable(digest, hasher=None)
        self.headers.append(self._header(number, parent, vanity + seal, vote))

    def endpoint(self) -> Any:
        return FakeEndpoint(eth_getBlockByNumber=lambda n, _full: self.headers[int(n, 16)])

    @property
    def height(self) -> int:
        return len(self.headers) - 1

    def _header(
        self, number: int, parent: bytes, extra: bytes, vote: bytes = bytes(20)
    ) -> dict[str, str]:
        header = {
            "parentHash": parent,
            "sha3Uncles": bytes(32),
            "miner": vote,
            "stateRoot": bytes(32),
            "transactionsRoot": bytes(32),
            "receiptsRoot": bytes(32),
            "logsBloom": bytes(256),
            "extraData": extra,
            "mixHash": bytes(32),
            "nonce": b"\xff" * 8 if any(vote) else bytes(8),
        }
        shown = {name: "0x" + value.hex() for name, value in header.items()}
        numbers = {"difficulty": 2, "number": number, "gasLimit": 1, "gasUsed": 0, "timestamp": 5}
        shown |= {name: hex(value) for name, value in numbers.items()}
        return {**shown, "hash": "0x" + header_hash(parse_header_items(shown)).hex()}


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("instant", FinalityRule("instant")),
        ("signers", FinalityRule("signers")),
        ("finalized", FinalityRule("finalized")),
        ("depth 1", FinalityRule("depth", 1)),
        ("depth 9999", FinalityRule("depth", 9999)),
    ],
)
def test_a_rule_is_read(text: str, rule: FinalityRule) -> None:
    assert parse_finality(text) == rule


@pytest.mark.parametrize(
    "text",
    [
        "",
        "depth",
        "depth 0",
        "depth -1",
        "depth ٣",
        "depth 10000",
        "depth  3",
        "Instant",
        "safe",
        "depth 3 4",
    ],
)
def test_what_is_no_rule_is_refused(text: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_finality(text)
    assert caught.value.code == "finality_unknown"


async def test_a_block_is_final_once_more_than_half_of_the_signers_sealed_it_or_above() -> None:
    chain = CliqueChain(4)
    rule = CliqueFinality(chain.endpoint())
    assert await rule.final_number(0) == 0
    finals = []
    for by in (0, 1, 2, 3, 0, 1):
        chain.seal(by)
        finals.append(await rule.final_number(chain.height))
    # three of four have sealed: the block itself and two above it
    assert finals == [0, 0, 1, 2, 3, 4]


async def test_a_single_signers_block_is_final_at_once() -> None:
    chain = CliqueChain(1)
    chain.seal(0)
    chain.seal(0)
    assert await CliqueFinality(chain.endpoint()).final_number(2) == 2


async def test_blocks_of_two_taking_turns_are_never_final_among_four() -> None:
    chain = CliqueChain(4)
    rule = CliqueFinality(chain.endpoint())
    chain.seal(0)
    chain.seal(1)
    chain.seal(0)
    with pytest.raises(UnavailableError) as caught:
        await rule.final_number(3)
    assert caught.value.code == "rpc_headers_invalid"


async def test_a_reorganisation_is_followed() -> None:
    chain = CliqueChain(4)
    rule = CliqueFinality(chain.endpoint())
    for by in (0, 1, 2, 3):
        chain.seal(by)
    assert await rule.final_number(4) == 2
    del chain.headers[3:]
    for by in (2, 3, 0):
        chain.seal(by, salt=7)
    assert await rule.final_number(5) == 3


async def test_several_who_ask_at_once_get_the_same_answer() -> None:
    chain = CliqueChain(4)
    for n in range(9):
        chain.seal(n % 4)

    class Slow(FakeEndpoint):
        async def call(self, method: str, *params: Any) -> Any:
            await asyncio.sleep(0)
            return await super().call(method, *params)

    endpoint: Any = Slow(**chain.endpoint().answers)
    rule = CliqueFinality(endpoint)
    assert await asyncio.gather(*(rule.final_number(9) for _ in range(5))) == [7] * 5


async def test_a_shorter_chain_after_a_reorganisation_is_followed() -> None:
    chain = CliqueChain(4)
    rule = CliqueFinality(chain.endpoint())
    for by in (0, 1, 2, 3):
        chain.seal(by)
    await rule.final_number(4)
    del chain.headers[2:]
    chain.seal(3, salt=7)
    assert await rule.final_number(2) == 0


async def test_a_signer_voted_in_raises_what_is_needed() -> None:
    chain = CliqueChain(2)
    new = _address(KEYS[2])
    chain.seal(0, vote=new)
    chain.seal(1, vote=new)
    rule = CliqueFinality(chain.endpoint())
    assert await rule.final_number(2) == 1
    chain.signers = sorted([*chain.signers, KEYS[2]], key=_address)
    chain.seal(chain.signers.index(KEYS[2]))
    assert await rule.final_number(3) == 2


async def test_a_header_sealed_by_a_stranger_is_not_believed() -> None:
    chain = CliqueChain(1)
    chain.signers = [KEYS[3]]
    chain.seal(0)
    with pytest.raises(UnavailableError) as caught:
        await CliqueFinality(chain.endpoint()).final_number(1)
    assert caught.value.code == "rpc_headers_invalid"


async def test_a_header_whose_hash_is_not_its_own_is_garbage() -> None:
    chain = CliqueChain(1)
    chain.seal(0)
    chain.headers[1]["timestamp"] = "0x6"
    with pytest.raises(UnavailableError) as caught:
        await CliqueFinality(chain.endpoint()).final_number(1)
    assert caught.value.code == "rpc_garbage"


async def test_a_chain_without_seals_cannot_be_followed_so() -> None:
    chain = CliqueChain(1)
    plain = {**chain.headers[0], "extraData": "0x"}
    plain["hash"] = "0x" + header_hash(parse_header_items(plain)).hex()
    endpoint = FakeEndpoint(eth_getBlockByNumber=lambda *_: plain)
    with pytest.raises(UnavailableError) as caught:
        await CliqueFinality(endpoint).final_number(0)  # type: ignore[arg-type]
    assert caught.value.code == "rpc_headers_invalid"


@pytest.mark.parametrize("extra", [b"", bytes(32), bytes(97), bytes(96) + b"\x05", b"\xff" * 97])
def test_a_seal_that_no_key_made_is_refused(extra: bytes) -> None:
    chain = CliqueChain(1)
    items = list(parse_header_items(chain.headers[0]))
    items[12] = extra
    with pytest.raises(VerificationError) as caught:
        sealer(items)
    assert caught.value.code == "seal_invalid"


async def test_a_real_network_of_four_with_votes_is_followed(shared: Path) -> None:
    real = json.loads((shared / "vectors/chain/clique.json").read_text())
    endpoint = FakeEndpoint(eth_getBlockByNumber=lambda n, _full: real["headers"][int(n, 16)])
    height = len(real["headers"]) - 1
    rule = CliqueFinality(endpoint)  # type: ignore[arg-type]
    assert [await rule.final_number(n) for n in range(height + 1)] == sorted(
        [await CliqueFinality(endpoint).final_number(n) for n in range(height + 1)]  # type: ignore[arg-type]
    )
    assert height - 4 <= await rule.final_number(height) < height
    state = signers_at_epoch(parse_header_items(real["headers"][0]))
    for header in real["headers"][1:]:
        state, _ = follow(state, parse_header_items(header))
    assert sorted("0x" + s.hex() for s in state.signers) == real["validators_at_end"]
