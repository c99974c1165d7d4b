"""Finality rules, and following a Clique chain's seals over an endpoint that reorganises or lies."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from fakes.endpoint import FakeEndpoint
from sealed_chains import CliqueChain, plain_header, shown
from sealtrail.chainproof.clique import block_hash
from sealtrail.errors import InputError, UnavailableError
from sealtrail.ledger.finality import CliqueFinality, FinalityRule, parse_finality


class Chain(CliqueChain):
    """Headers that signers sealed, as an endpoint shows them."""

    def __init__(self, signers: int) -> None:
        super().__init__(range(signers))

    def endpoint(self) -> Any:
        return FakeEndpoint(eth_getBlockByNumber=lambda n, _full: self.blocks()[int(n, 16)])

    @property
    def height(self) -> int:
        return len(self.headers) - 1


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
    chain = Chain(4)
    rule = CliqueFinality(chain.endpoint())
    assert await rule.final_number(0) == 0
    finals = []
    for by in (0, 1, 2, 3, 0, 1):
        chain.seal(by)
        finals.append(await rule.final_number(chain.height))
    # three of four have sealed: the block itself and two above it
    assert finals == [0, 0, 1, 2, 3, 4]


async def test_a_single_signers_block_is_final_at_once() -> None:
    chain = Chain(1)
    chain.seal(0)
    chain.seal(0)
    assert await CliqueFinality(chain.endpoint()).final_number(2) == 2


async def test_blocks_of_two_taking_turns_are_never_final_among_four() -> None:
    chain = Chain(4)
    rule = CliqueFinality(chain.endpoint())
    chain.seal(0)
    chain.seal(1)
    chain.seal(0)
    with pytest.raises(UnavailableError) as caught:
        await rule.final_number(3)
    assert caught.value.code == "rpc_headers_invalid"


async def test_a_reorganisation_is_followed() -> None:
    chain = Chain(4)
    rule = CliqueFinality(chain.endpoint())
    for by in (0, 1, 2, 3):
        chain.seal(by)
    assert await rule.final_number(4) == 2
    del chain.headers[3:]
    for by in (2, 3, 0):
        chain.seal(by, extra_data=b"\7" * 32)
    assert await rule.final_number(5) == 3


async def test_several_who_ask_at_once_get_the_same_answer() -> None:
    chain = Chain(4)
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
    chain = Chain(4)
    rule = CliqueFinality(chain.endpoint())
    for by in (0, 1, 2, 3):
        chain.seal(by)
    await rule.final_number(4)
    del chain.headers[2:]
    chain.seal(3, extra_data=b"\7" * 32)
    assert await rule.final_number(2) == 0


async def test_a_signer_voted_in_raises_what_is_needed() -> None:
    chain = Chain(2)
    chain.seal(0, vote=2)
    chain.seal(1, vote=2)
    rule = CliqueFinality(chain.endpoint())
    assert await rule.final_number(2) == 1
    chain.signers.add(2)
    chain.seal(2)
    assert await rule.final_number(3) == 2


async def test_a_header_sealed_by_a_stranger_is_not_believed() -> None:
    chain = Chain(1)
    chain.seal(3)
    with pytest.raises(UnavailableError) as caught:
        await CliqueFinality(chain.endpoint()).final_number(1)
    assert caught.value.code == "rpc_headers_invalid"


async def test_a_header_whose_hash_is_not_its_own_is_garbage() -> None:
    chain = Chain(1)
    chain.seal(0)
    blocks = chain.blocks()
    blocks[1]["timestamp"] = "0x6"
    endpoint: Any = FakeEndpoint(eth_getBlockByNumber=lambda n, _full: blocks[int(n, 16)])
    with pytest.raises(UnavailableError) as caught:
        await CliqueFinality(endpoint).final_number(1)
    assert caught.value.code == "rpc_garbage"


async def test_a_chain_without_seals_cannot_be_followed_so() -> None:
    plain = plain_header()
    endpoint = FakeEndpoint(eth_getBlockByNumber=lambda *_: shown(plain, block_hash(plain)))
    with pytest.raises(UnavailableError) as caught:
        await CliqueFinality(endpoint).final_number(0)  # type: ignore[arg-type]
    assert caught.value.code == "rpc_headers_invalid"


async def test_a_real_network_of_four_with_votes_is_followed(shared: Path) -> None:
    real = json.loads((shared / "vectors/chain/clique.json").read_text())
    endpoint = FakeEndpoint(eth_getBlockByNumber=lambda n, _full: real["headers"][int(n, 16)])
    height = len(real["headers"]) - 1
    rule = CliqueFinality(endpoint)  # type: ignore[arg-type]
    assert [await rule.final_number(n) for n in range(height + 1)] == sorted(
        [await CliqueFinality(endpoint).final_number(n) for n in range(height + 1)]  # type: ignore[arg-type]
    )
    assert height - 4 <= await rule.final_number(height) < height
