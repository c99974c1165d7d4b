"""The chain's part of a bundle: which blocks prove what is asked of them, and the headers that make them final.

What stands where is found in receipts that the header vouches for; nothing that an endpoint says is taken otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from sealtrail.chainproof.consensus import Form, majority_of
from sealtrail.chainproof.headers import Header, encode_header
from sealtrail.chainproof.receipts import Log, parse_receipt
from sealtrail.chainproof.trie import ordered_trie_proof
from sealtrail.chainproof.validators import ValidatorHistory, block_hash, verify_final
from sealtrail.errors import UnavailableError, VerificationError
from sealtrail.evidence.bundle.chain import RUN_BLOCKS_MAX
from sealtrail.evidence.bundle.contracts import (
    Anchored,
    MemberRecorded,
    parse_anchored,
    parse_member_recorded,
)
from sealtrail.evidence.bundle.lines import (
    AccountProof,
    BlockLine,
    LogPlace,
    ReceiptProof,
    SlotProof,
)
from sealtrail.evidence.wire import to_hex
from sealtrail.ports import ChainProofs, Head

_LOOKED_BACK_MAX = 256  # blocks below the head, for one that enough signers have sealed on top of


class _Block(msgspec.Struct, frozen=True):
    receipts: tuple[bytes, ...]
    logs: tuple[tuple[Log, ...], ...]


class BlockGatherer:
    """Gathers blocks for one bundle, each fetched once.

    Args:
        history: who may seal which block, as this node followed it.
    """

    def __init__(self, proofs: ChainProofs, history: ValidatorHistory) -> None:
        self._proofs = proofs
        self._history = history
        self._form: Form = history.form
        self._blocks: dict[int, _Block] = {}
        self._headers: dict[int, Header] = {}

    async def proof_block(self, head: int, final: int) -> int:
        """Return the newest block that a bundle can prove: final here, and by the seals on top of it.

        Raises:
            UnavailableError: too few blocks lie on top of what is final (``block_not_sealed``).
        """
        number = min(final, head - self._on_top(final))
        for back in range(min(_LOOKED_BACK_MAX, number + 1)):
            try:
                await self._run(number - back, head)
            except UnavailableError as error:
                if error.code != "block_not_sealed":
                    raise
            else:
                return number - back
        raise UnavailableError(
            "block_not_sealed",
            f"too few signers have sealed on top of block {number}",
            advice="wait for the chain's next blocks and ask again",
        )

    async def block(self, number: int) -> Head:
        """Return a block's hash and time."""
        (header,) = await self._fetched(number, number)
        return Head(
            number=number,
            hash=block_hash(header, self._form),
            parent_hash=header.parent_hash,
            time=header.time,
        )

    async def find_anchor(self, block: int, wanted: Anchored, anchors: bytes) -> LogPlace:
        """Return where that event stands in the block.

        Raises:
            UnavailableError: nowhere (``anchor_event_missing``).
        """
        return await self._find(
            block,
            wanted,
            lambda log: parse_anchored(log, anchors),
            code="anchor_event_missing",
            what=f"anchor {wanted.sequence} of 0x{wanted.member.hex()}",
        )

    async def find_record(self, block: int, wanted: MemberRecorded, registry: bytes) -> LogPlace:
        """Return where that event stands in the block.

        Raises:
            UnavailableError: nowhere (``record_event_missing``).
        """
        return await self._find(
            block,
            wanted,
            lambda log: parse_member_recorded(log, registry),
            code="record_event_missing",
            what=f"version {wanted.version} of the record of 0x{wanted.member.hex()}",
        )

    async def _find(
        self,
        block: int,
        wanted: Anchored | MemberRecorded,
        parse: Callable[[Log], Anchored | MemberRecorded],
        *,
        code: str,
        what: str,
    ) -> LogPlace:
        for place, log in await self._logs(block):
            try:
                found = parse(log)
            except VerificationError:  # another event
                continue
            if found == wanted:
                return place
        raise UnavailableError(
            code,
            f"block {block} does not hold {what}",
            advice="the chain's endpoint may be behind; ask again",
        )

    async def lines(
        self,
        places: Iterable[LogPlace],
        proof_block: int,
        slots: Mapping[bytes, Iterable[bytes]],
        head: int,
    ) -> list[BlockLine]:
        """Return the block lines that prove what stands in those places, and those slots at the proof block."""
        receipts: dict[int, set[int]] = {proof_block: set()}
        for place in places:
            receipts.setdefault(place.block, set()).add(place.receipt)
        needed: dict[int, Header] = {}
        for number in receipts:
            needed.update((h.number, h) for h in await self._run(number, head))
        if self._form.name == "none":
            first = min(receipts)
            headers = await self._proofs.headers(first, proof_block)
            needed = {h.number: h for h in headers}
        accounts = await self._accounts(needed[proof_block], slots)
        return [
            BlockLine(
                header=encode_header(needed[number]),
                receipts=[
                    await self._receipt(number, index) for index in sorted(receipts.get(number, ()))
                ],
                accounts=accounts if number == proof_block else [],
            )
            for number in sorted(needed)
        ]

    async def _receipt(self, number: int, index: int) -> ReceiptProof:
        block = await self._block(number)
        return ReceiptProof(index=index, proof=list(ordered_trie_proof(block.receipts, index)))

    async def _accounts(
        self, header: Header, slots: Mapping[bytes, Iterable[bytes]]
    ) -> list[AccountProof]:
        found = []
        for address in sorted(slots):
            wanted = sorted(int.from_bytes(slot, "big") for slot in set(slots[address]))
            proof = await self._proofs.state(header, address, wanted)
            found.append(
                AccountProof(
                    address=to_hex(address),
                    proof=list(proof.nodes),
                    slots=[
                        SlotProof(slot=to_hex(s.slot.to_bytes(32, "big")), proof=list(s.nodes))
                        for s in proof.slots
                    ],
                )
            )
        return found

    async def _run(self, number: int, head: int) -> Sequence[Header]:
        """Return the header of a block and as many on top as make it final.

        Raises:
            UnavailableError: there are not enough (``block_not_sealed``).
        """
        count = self._on_top(number)
        while True:
            last = number + count
            headers = await self._fetched(number, min(last, head))
            if self._form.name == "none":
                return headers
            try:
                verify_final(headers, self._history)
            except VerificationError as error:
                if error.code != "seals_too_few" or last >= head or count > RUN_BLOCKS_MAX:
                    raise UnavailableError(
                        "block_not_sealed", f"block {number}: {error.message}"
                    ) from error
                count += 1
            else:
                return headers

    async def _fetched(self, first: int, last: int) -> list[Header]:
        missing = [n for n in range(first, last + 1) if n not in self._headers]
        if missing:
            for header in await self._proofs.headers(missing[0], last):
                self._headers[header.number] = header
        return [self._headers[n] for n in range(first, last + 1)]

    def _on_top(self, number: int) -> int:
        if self._form.name != "clique":
            return 0
        return majority_of(len(self._history.members_for(number + 1)))

    async def _logs(self, number: int) -> list[tuple[LogPlace, Log]]:
        block = await self._block(number)
        return [
            (LogPlace(block=number, receipt=i, log=j), log)
            for i, logs in enumerate(block.logs)
            for j, log in enumerate(logs)
        ]

    async def _block(self, number: int) -> _Block:
        known = self._blocks.get(number)
        if known is None:
            (header,) = await self._fetched(number, number)
            receipts = tuple(await self._proofs.receipts(header))
            logs = tuple(parse_receipt(each).logs for each in receipts)
            known = self._blocks[number] = _Block(receipts, logs)
        return known
