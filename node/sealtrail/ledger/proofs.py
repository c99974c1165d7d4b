"""What proofs about the chain are made of, over JSON-RPC: headers, receipts, accounts and slots.

An endpoint is asked, and not believed: a header has the hash it claims, a block's receipts give the header's root,
a state proof holds against the header. What does not is the endpoint's fault, and nothing of it is returned.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from sealtrail.chainproof import trie
from sealtrail.chainproof.consensus import EPOCH_BLOCKS, Form
from sealtrail.chainproof.hashing import EMPTY_TRIE_ROOT
from sealtrail.chainproof.headers import Header, genesis_from_json, header_from_json
from sealtrail.chainproof.limits import RECEIPTS_MAX, TRIE_NODES_MAX
from sealtrail.chainproof.receipts import encode_receipt, receipt_from_json
from sealtrail.chainproof.state import account_at, storage_at
from sealtrail.chainproof.validators import block_hash, form_of_genesis
from sealtrail.errors import InputError, SealtrailError, UnavailableError, VerificationError
from sealtrail.ledger.headers import parse_header
from sealtrail.ledger.rpc import Rpc, RpcRefusalError
from sealtrail.ledger.wire import encode_bytes, garbage, parse_bytes, parse_list, parse_object
from sealtrail.ports import SlotProof, StateProof

SLOTS_MAX = 1024  # as in geth

_ASKED_AT_ONCE = 32
_EMPTY_TRIE = (b"\x80",)


class RpcChainProofs:
    """Proofs from the chain's endpoints; implements :class:`sealtrail.ports.ChainProofs`.

    Args:
        rpc: endpoints; should be given what identity to expect: block 0 tells the consensus.
        epoch_blocks: blocks after which the chain forgets votes, from its genesis document.
    """

    def __init__(self, rpc: Rpc, *, epoch_blocks: int = EPOCH_BLOCKS) -> None:
        self._rpc = rpc
        self._epoch_blocks = epoch_blocks
        self._form: Form | None = None

    async def form(self) -> Form:
        """See the port."""
        if self._form is None:
            self._form = self._form_of(await self._block(0))
        return self._form

    def _form_of(self, shown: dict[str, Any]) -> Form:
        try:
            header, own = genesis_from_json(shown)
            form = form_of_genesis(header, epoch=self._epoch_blocks)
            if form.name != "none":
                own = block_hash(header_from_json(shown), form)
        except (InputError, VerificationError) as error:
            raise garbage(f"block 0 ({error.message})", None) from error
        if own != parse_bytes(shown.get("hash"), "the hash of block 0", length=32):
            raise garbage("block 0, whose hash is another", shown.get("hash"))
        return form

    async def headers(self, first: int, last: int) -> Sequence[Header]:
        """See the port."""
        form = await self.form()
        headers: list[Header] = []
        for start in range(first, last + 1, _ASKED_AT_ONCE):
            numbers = range(start, min(start + _ASKED_AT_ONCE, last + 1))
            headers += [
                _numbered(parse_header(block, form), number)
                for number, block in zip(numbers, await self._blocks(numbers), strict=True)
            ]
        for earlier, later in pairwise(headers):
            if later.parent_hash != block_hash(earlier, form):
                raise UnavailableError(
                    "chain_moved", f"block {later.number} is another than a moment ago; read again"
                )
        return headers

    async def receipts(self, header: Header) -> Sequence[bytes]:
        """See the port."""
        if header.receipts_root == EMPTY_TRIE_ROOT:
            return ()
        shown = await self._receipts(header)
        try:
            encoded = [encode_receipt(receipt_from_json(receipt)) for receipt in shown]
        except InputError as error:
            raise garbage(f"a receipt of block {header.number} ({error.message})", None) from error
        if trie.ordered_trie_root(encoded) != header.receipts_root:
            raise garbage(
                f"the receipts of block {header.number}, which are not the ones that its header names",
                f"{len(encoded)} receipts",
            )
        return tuple(encoded)

    async def state(self, header: Header, address: bytes, slots: Sequence[int]) -> StateProof:
        """See the port."""
        if len(slots) > SLOTS_MAX:
            raise InputError("slots_too_many", f"{len(slots)} slots at once; at most {SLOTS_MAX}")
        keys = [encode_bytes(slot.to_bytes(32, "big")) for slot in slots]
        answer = await self._rpc.call(
            "eth_getProof", encode_bytes(address), keys, hex(header.number)
        )
        shown = parse_object(answer, "eth_getProof")
        nodes = _nodes(shown.get("accountProof"))
        slot_nodes = [
            _nodes(parse_object(s, "a storage proof").get("proof"))
            for s in parse_list(shown.get("storageProof"), "the storage proofs")
        ]
        if len(slot_nodes) != len(slots):
            raise garbage("the storage proofs", f"{len(slot_nodes)} for {len(slots)} slots")
        try:
            account = account_at(header, address, nodes)
            proven = tuple(
                SlotProof(slot=slot, value=storage_at(account, slot, path), nodes=path)
                for slot, path in zip(slots, slot_nodes, strict=True)
            )
        except SealtrailError as error:
            raise UnavailableError(
                "rpc_proof_invalid",
                f"the chain's endpoint proves another state than that after block {header.number}: {error.message}",
                advice="it may be behind a reorganisation, or lie; ask again or another endpoint",
            ) from error
        return StateProof(address=address, account=account, nodes=nodes, slots=proven)

    async def _receipts(self, header: Header) -> list[Any]:
        try:
            answer = await self._rpc.call("eth_getBlockReceipts", hex(header.number))
        except RpcRefusalError:
            answer = None  # GoQuorum, geth before 1.13: a method that does not exist
        if answer is None:
            return await self._receipts_one_by_one(header)
        shown = parse_list(answer, "a block's receipts")
        if len(shown) > RECEIPTS_MAX:
            raise garbage("a block's receipts", f"{len(shown)} of them")
        return shown

    async def _receipts_one_by_one(self, header: Header) -> list[Any]:
        form = await self.form()
        block = await self._block(header.number)
        if parse_header(block, form) != header:
            raise UnavailableError(
                "chain_moved", f"block {header.number} is another than a moment ago; read again"
            )
        transactions = parse_list(block.get("transactions"), "a block's transactions")
        if len(transactions) > RECEIPTS_MAX:
            raise garbage("a block's transactions", f"{len(transactions)} of them")
        hashes = [encode_bytes(parse_bytes(t, "a transaction", length=32)) for t in transactions]
        receipts: list[Any] = []
        for start in range(0, len(hashes), _ASKED_AT_ONCE):
            params = [(h,) for h in hashes[start : start + _ASKED_AT_ONCE]]
            receipts += await self._rpc.call_many("eth_getTransactionReceipt", params)
        return receipts

    async def _block(self, number: int) -> dict[str, Any]:
        return (await self._blocks([number]))[0]

    async def _blocks(self, numbers: Sequence[int]) -> list[dict[str, Any]]:
        answers = await self._rpc.call_many(
            "eth_getBlockByNumber", [(hex(number), False) for number in numbers]
        )
        for number, answer in zip(numbers, answers, strict=True):
            if answer is None:
                raise UnavailableError(
                    "chain_behind", f"the chain's endpoint has no block {number} now"
                )
        return [parse_object(answer, "a block") for answer in answers]


def _numbered(header: Header, number: int) -> Header:
    if header.number != number:
        raise garbage(f"block {number}", header.number)
    return header


def _nodes(value: Any) -> tuple[bytes, ...]:
    shown = parse_list(value, "a proof")
    if len(shown) > TRIE_NODES_MAX:
        raise garbage("a proof", f"{len(shown)} nodes")
    nodes = tuple(parse_bytes(node, "a proof's node") for node in shown)
    return (
        () if nodes == _EMPTY_TRIE else nodes
    )  # one form of what some clients show of an empty trie
