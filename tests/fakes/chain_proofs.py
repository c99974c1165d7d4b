"""A sealed chain in memory behind the ChainProofs port, with blocks of receipts and a contract; fails on demand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from sealed_chains import BftChain, CliqueChain
from sealtrail.chainproof import strict_rlp, trie
from sealtrail.chainproof.consensus import Form
from sealtrail.chainproof.hashing import keccak
from sealtrail.chainproof.headers import Header
from sealtrail.chainproof.receipts import Log, Receipt, encode_receipt
from sealtrail.chainproof.state import Account, account_at, storage_at
from sealtrail.chainproof.validators import block_hash, form_of_genesis
from sealtrail.errors import SealtrailError, UnavailableError
from sealtrail.ports import Head, SlotProof, StateProof

CONTRACT = b"\xc0" * 20
SLOT, VALUE = 5, 1234


def _leaf(key: bytes, value: bytes) -> tuple[bytes, bytes]:
    """A trie of one entry: its root and its only node."""
    node = strict_rlp.encode([b"\x20" + keccak(key), value])
    return keccak(node), node


_STORAGE_ROOT, _STORAGE_NODE = _leaf(
    SLOT.to_bytes(32, "big"), strict_rlp.encode(strict_rlp.encode_number(VALUE))
)
STATE_ROOT, _STATE_NODE = _leaf(
    CONTRACT, strict_rlp.encode([b"\1", b"", _STORAGE_ROOT, keccak(b"code")])
)


class FakeChainProofs:
    """Proofs from ``chain``, whose headers a test adds to, replaces or forges.

    ``fault`` is asked before each call; what it returns is raised.
    """

    def __init__(self, chain: CliqueChain | BftChain, *, form: Form | None = None) -> None:
        self.chain = chain
        self._form = form or form_of_genesis(chain.headers[0])
        self.fault: Callable[[], SealtrailError | None] = lambda: None
        self.asked: list[tuple[int, int]] = []
        self.block_receipts: dict[int, Sequence[bytes]] = {}

    async def form(self) -> Form:
        await self._enter()
        return self._form

    async def headers(self, first: int, last: int) -> Sequence[Header]:
        await self._enter()
        self.asked.append((first, last))
        if last >= len(self.chain.headers):
            raise UnavailableError("chain_behind", f"there is no block {last}")
        return self.chain.headers[first : last + 1]

    async def receipts(self, header: Header) -> Sequence[bytes]:
        await self._enter()
        encoded = self.block_receipts.get(header.number, ())
        if trie.ordered_trie_root(encoded) != header.receipts_root:
            raise UnavailableError("rpc_garbage", "other receipts")
        return encoded

    async def state(self, header: Header, address: bytes, slots: Sequence[int]) -> StateProof:
        await self._enter()
        try:
            account = account_at(header, address, (_STATE_NODE,))
            proven = tuple(self._slot(account, slot) for slot in slots)
        except SealtrailError as error:
            raise UnavailableError("rpc_proof_invalid", error.message) from error
        return StateProof(address=address, account=account, nodes=(_STATE_NODE,), slots=proven)

    def head(self) -> Head:
        """The chain's newest block."""
        return self.at(len(self.chain.headers) - 1)

    def at(self, number: int) -> Head:
        """The block at that height."""
        header = self.chain.headers[number]
        return Head(
            number=number,
            hash=block_hash(header, self._form),
            parent_hash=header.parent_hash,
            time=header.time,
        )

    def _slot(self, account: Account | None, slot: int) -> SlotProof:
        nodes = (_STORAGE_NODE,) if account else ()
        return SlotProof(slot=slot, value=storage_at(account, slot, nodes), nodes=nodes)

    async def _enter(self) -> None:
        await asyncio.sleep(0)
        error = self.fault()
        if error is not None:
            raise error


def with_a_contract() -> FakeChainProofs:
    """A chain of one signer whose block 1 has two receipts and a contract with a slot."""
    receipts = [
        encode_receipt(
            Receipt(
                kind=kind,
                succeeded=True,
                cumulative_gas_used=21_000 * (kind + 1),
                logs_bloom=bytes(256),
                logs=(Log(address=CONTRACT, topics=(b"\1" * 32,), payload=b""),),
            )
        )
        for kind in (0, 2)
    ]
    chain = CliqueChain([0])
    chain.seal(0, receipts_root=trie.ordered_trie_root(receipts), state_root=STATE_ROOT)
    chain.seal(0, state_root=STATE_ROOT)
    proofs = FakeChainProofs(chain)
    proofs.block_receipts[1] = receipts
    return proofs
