"""Which block is final: the rule of the configuration, applied to what the chain shows.

``instant``: the newest (QBFT, embedded chain). ``depth N``: N blocks below it. ``finalized``: the chain's own tag.
``signers``: the newest Clique block such that more than half of the signers sealed it or a block on top of it.
"""

from __future__ import annotations

import asyncio
from typing import Literal, get_args

import msgspec

from sealtrail.chainproof.clique import follow, signers_at_epoch
from sealtrail.chainproof.consensus import EPOCH_BLOCKS, Form, Validators
from sealtrail.chainproof.headers import Header
from sealtrail.errors import InputError, UnavailableError, VerificationError
from sealtrail.ledger.headers import parse_header
from sealtrail.ledger.rpc import Rpc
from sealtrail.ledger.wire import garbage

RuleName = Literal["instant", "signers", "finalized", "depth"]
DEPTH_MAX = 9999

_FETCH_AT_ONCE = 64
_KEPT_BLOCKS = 1024


class FinalityRule(msgspec.Struct, frozen=True):
    """When a block is final; ``depth`` is the number of blocks on top for the rule of that name."""

    name: RuleName
    depth: int = 0


def parse_finality(text: str) -> FinalityRule:
    """Return the rule that the configuration names: ``instant``, ``signers``, ``finalized`` or ``depth N``.

    Raises:
        InputError: it is none of these (``finality_unknown``).
    """
    words = text.split(" ")
    if len(words) == 1 and text in get_args(RuleName) and text != "depth":
        return FinalityRule(text)  # type: ignore[arg-type]
    if len(words) == 2 and words[0] == "depth" and words[1].isascii() and words[1].isdigit():
        depth = int(words[1][:5])
        if 1 <= depth <= DEPTH_MAX:
            return FinalityRule("depth", depth)
    raise InputError(
        "finality_unknown",
        f"{text[:40]!r} is none of instant, signers, finalized, depth N (1 to {DEPTH_MAX})",
        pointer="chain.finality",
    )


class _Sealed(msgspec.Struct, frozen=True):
    state: Validators
    sealer: bytes | None


class CliqueFinality:
    """Follows a Clique chain's headers and seals from the start of the newest epoch on.

    The signers that the epoch's first block lists are taken as the endpoint gives them; everything after is checked.
    """

    def __init__(self, rpc: Rpc, *, epoch: int = EPOCH_BLOCKS) -> None:
        self._rpc = rpc
        self._form = Form(name="clique", epoch=epoch)
        self._blocks: list[_Sealed] = []
        self._one_at_a_time = asyncio.Lock()

    async def final_number(self, head_number: int) -> int:
        """Return the height of the newest final block of the chain that ends at ``head_number``.

        Raises:
            UnavailableError: an endpoint failed, or shows headers that don't hold (``rpc_headers_invalid``).
        """
        async with self._one_at_a_time:
            try:
                await self._follow_to(head_number)
            except VerificationError as error:
                self._blocks = []
                raise UnavailableError(
                    "rpc_headers_invalid",
                    f"the chain's endpoint shows a header that does not hold: {error.message}",
                    advice="is this a Clique chain? chain.finality = signers is for no other",
                ) from error
            return self._newest_final()

    async def _follow_to(self, head_number: int) -> None:
        if not self._blocks or head_number < self._blocks[0].state.number:
            first = head_number - head_number % self._form.epoch
            start = (await self._headers(first, first))[0]
            self._blocks = [_Sealed(signers_at_epoch(start, self._form), None)]
        while self._blocks and self._blocks[-1].state.number > head_number:
            self._blocks.pop()
        while (tip := self._blocks[-1].state).number < head_number:
            last = min(head_number, tip.number + _FETCH_AT_ONCE)
            headers = await self._headers(tip.number + 1, last)
            if headers[0].parent_hash != tip.hash:
                self._step_back()
                continue
            for header in headers:
                state, by = follow(self._blocks[-1].state, header)
                self._blocks.append(_Sealed(state, by))
            del self._blocks[:-_KEPT_BLOCKS]

    def _step_back(self) -> None:
        # a reorganisation: the tip that we know is no longer on the chain
        self._blocks.pop()
        if not self._blocks:
            raise UnavailableError(
                "chain_reorganised",
                f"the chain was rewritten further back than {_KEPT_BLOCKS} blocks",
            )

    def _newest_final(self) -> int:
        seen: set[bytes] = set()
        for block in reversed(self._blocks):
            if block.sealer is not None:
                seen.add(block.sealer)
            if len(seen.intersection(block.state.members)) >= block.state.majority:
                return block.state.number
        return self._blocks[0].state.number

    async def _headers(self, first: int, last: int) -> list[Header]:
        blocks = await self._rpc.call_many(
            "eth_getBlockByNumber", [(hex(number), False) for number in range(first, last + 1)]
        )
        headers = [parse_header(block, self._form) for block in blocks]
        if [header.number for header in headers] != list(range(first, last + 1)):
            raise garbage(f"blocks {first} to {last}", [header.number for header in headers])
        return headers
