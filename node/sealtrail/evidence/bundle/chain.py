"""The chain's part of a bundle: blocks that are final by the seals that the trust file knows, and what they prove.

Nothing that a block is said to hold is used unless it was proven from its header; whether the header is final is
found once all headers are there.

Source: docs/protocol.md sections 14 and 18 to 20.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from sealtrail.chainproof.consensus import check_time, majority_of
from sealtrail.chainproof.headers import Header, parse_header
from sealtrail.chainproof.receipts import Log, receipt_at
from sealtrail.chainproof.state import account_at, storage_at
from sealtrail.chainproof.validators import block_hash, verify_final
from sealtrail.errors import InputError, SealtrailError, UnavailableError, VerificationError
from sealtrail.evidence.bundle.form import BundleLimits, malformed
from sealtrail.evidence.bundle.lines import AccountProof, BlockLine, LogPlace
from sealtrail.evidence.bundle.report import BundleStepName, Notebook
from sealtrail.evidence.bundle.trust import TrustFile
from sealtrail.evidence.wire import from_hex, to_hex

_STEP = BundleStepName.CHAIN


class _Block(msgspec.Struct, frozen=True, kw_only=True):
    """A header as it came, its hash, and whether something is proven from it."""

    header: Header
    hash: bytes
    proves: bool


class Sealing(NamedTuple):
    """Who sealed the proof block for good, how many had to, of how many."""

    sealed_by: tuple[bytes, ...]
    needed: int
    validators: int


class ChainPart:
    """Reads the block lines; then answers what they prove.

    Args:
        proof_block: the block at which state is proven.
    """

    def __init__(
        self, notebook: Notebook, trust: TrustFile, proof_block: int, limits: BundleLimits
    ) -> None:
        self._notebook = notebook
        self._trust = trust
        self._form = trust.form
        self._history = trust.history
        self._proof_block = proof_block
        self._limits = limits
        self._blocks: list[_Block] = []
        self._at: dict[int, int] = {}  # by number, the place in the list
        self._bytes = 0
        self._logs: dict[tuple[int, int], tuple[Log, ...]] = {}
        self._slots: dict[tuple[bytes, bytes], bytes] = {}
        self.sealing: Sealing | None = None

    def add(self, line: BlockLine, number: int) -> None:
        """Read a block line, which stands in line ``number`` of the file.

        Raises:
            InputError: ``bundle_malformed``.
        """
        try:
            header = parse_header(line.header)
            digest = block_hash(header, self._form)
        except SealtrailError as e:
            raise malformed(number, "/header", e.message) from e
        if self._blocks and header.number <= self._blocks[-1].header.number:
            raise malformed(number, "/header", "blocks are not in ascending order")
        if line.accounts and header.number != self._proof_block:
            raise malformed(number, "/accounts", "state is proven in the proof block only")
        proves = bool(line.receipts or line.accounts) or header.number == self._proof_block
        self._at[header.number] = len(self._blocks)
        self._blocks.append(_Block(header=header, hash=digest, proves=proves))
        self._count(len(line.header), number)
        self._read_receipts(header, line, number)
        self._read_accounts(header, line.accounts, number)

    def _count(self, size: int, number: int) -> None:
        self._bytes += size
        if self._bytes > self._limits.blocks_bytes_max or (
            len(self._blocks) > self._limits.blocks_max
        ):
            raise malformed(number, "", "more blocks than a bundle may have")

    def _read_receipts(self, header: Header, line: BlockLine, number: int) -> None:
        indices = [each.index for each in line.receipts]
        if indices != sorted(set(indices)):
            raise malformed(number, "/receipts", "not in ascending order")
        for each in line.receipts:
            try:
                receipt = receipt_at(header, each.index, each.proof)
            except (VerificationError, InputError) as e:
                place = f"receipt {each.index} of block {header.number}"
                self._notebook.fails(_STEP, e.code, e.message, place=place)
            else:
                self._logs[header.number, each.index] = receipt.logs
                self._count(sum(_LOG_BYTES + len(log.payload) for log in receipt.logs), number)

    def _read_accounts(self, header: Header, accounts: Sequence[AccountProof], number: int) -> None:
        addresses = [each.address for each in accounts]
        if addresses != sorted(set(addresses)):
            raise malformed(number, "/accounts", "not in ascending order")
        for n, each in enumerate(accounts):
            slots = [slot.slot for slot in each.slots]
            if slots != sorted(set(slots)):
                raise malformed(number, f"/accounts/{n}/slots", "not in ascending order")
            self._read_account(header, each)

    def _read_account(self, header: Header, proof: AccountProof) -> None:
        address = from_hex(proof.address)
        try:
            account = account_at(header, address, proof.proof)
            for each in proof.slots:
                slot = from_hex(each.slot)
                number = storage_at(account, int.from_bytes(slot, "big"), each.proof)
                self._slots[address, slot] = number.to_bytes(32, "big")
        except (VerificationError, InputError) as e:
            place = f"account {proof.address} in block {header.number}"
            self._notebook.fails(_STEP, e.code, e.message, place=place)

    # -- once all blocks are there -------------------------------------------------------------------

    def close(self, min_block: int | None) -> None:
        """Find which blocks are final.

        Args:
            min_block: the oldest proof block that is good enough; None: the trust file's pinned block, and an older
                one is no more than unknown.
        """
        self._check_pinned()
        self._check_age(min_block)
        used = self._linked() if self._form.name == "none" else self._sealed()
        for at, block in enumerate(self._blocks):
            if at not in used:
                reason = "the block proves nothing, nor does it seal one that does"
                self._notebook.fails(_STEP, "block_unused", reason, place=_place(block))
        count = sum(block.proves for block in self._blocks)
        self._notebook.shows(_STEP, f"{count} blocks that prove something, {self._form.name}")

    def _check_pinned(self) -> None:
        pinned = self._trust.pinned
        for block in self._blocks:
            if block.header.number == pinned.block and block.hash != self._trust.pinned_hash:
                self._notebook.fails(
                    _STEP,
                    "pinned_block_differs",
                    f"block {pinned.block} is {to_hex(block.hash)}, the trust file has {pinned.hash}",
                    advice="the bundle is of another branch of this chain, or of another chain",
                )

    def _check_age(self, min_block: int | None) -> None:
        proof = self.proof_header
        if proof is None:
            self._notebook.fails(
                _STEP, "proof_block_missing", f"block {self._proof_block} is not there"
            )
        elif min_block is not None and proof.number < min_block:
            self._notebook.fails(
                _STEP,
                "chain_truncated",
                f"it ends at block {proof.number}, at least {min_block} was asked for",
                advice="what came later is left out: ask for a newer bundle",
            )
        elif min_block is None and proof.number < self._trust.pinned.block:
            self._notebook.unknown(
                _STEP,
                "older_than_trust",
                f"it ends at block {proof.number}, the trust file knows block {self._trust.pinned.block}",
                advice="what came later is not in it: ask for a newer bundle, or say --min-block",
            )

    def _sealed(self) -> set[int]:
        """Check the seals of each block that proves something; return the places of all that were needed for it."""
        used: set[int] = set()
        known = 0  # up to where places are in it
        for at, (block, end) in enumerate(zip(self._blocks, self._ends_of_runs(), strict=True)):
            if block.proves:
                until = at + self._check_sealed(at, block, end)
                used.update(range(max(at, known), until))
                known = max(known, until)
        return used

    def _check_sealed(self, at: int, block: _Block, end: int) -> int:
        """Check one block's seals; return how many headers, it and those on top, were needed for that.

        Args:
            end: the place behind the last block that follows it without a gap.
        """
        longest = min(end - at, RUN_BLOCKS_MAX)
        count = 1 if self._form.name != "clique" else self._needed_on_top(block.header.number) + 1
        while True:
            try:
                run = [each.header for each in self._blocks[at : at + min(count, longest)]]
                finality = verify_final(run, self._history)
            except (VerificationError, UnavailableError) as e:
                if e.code != "seals_too_few" or count >= longest:
                    self._not_final(block, e)
                    return longest  # one reason is enough
                count += 1  # some sealed twice
            else:
                if block.header.number == self._proof_block:
                    self.sealing = Sealing(finality.sealers, finality.needed, finality.of)
                return count

    def _needed_on_top(self, number: int) -> int:
        return majority_of(len(self._history.members_for(number + 1)))

    def _linked(self) -> set[int]:
        """Check that the blocks are one chain through the pinned one; return their places."""
        at = self._at.get(self._trust.pinned.block)
        whole = self._blocks and self._ends_of_runs()[0] == len(self._blocks)
        if at is None or not whole:
            self._notebook.unknown(
                _STEP,
                "pinned_block_missing",
                f"a chain without seals, and not linked to block {self._trust.pinned.block}",
                advice="use a trust file whose pinned block is one of the bundle's",
            )
        for block in self._blocks:
            try:
                check_time(block.header)
            except VerificationError as e:
                self._notebook.error(_STEP, e, _place(block))
        return set(range(len(self._blocks)))

    def _ends_of_runs(self) -> list[int]:
        """Return for each block the place behind the last of those that follow it without a gap."""
        blocks = self._blocks
        ends = list(range(1, len(blocks) + 1))
        for at in range(len(blocks) - 2, -1, -1):
            header, following = blocks[at].header, blocks[at + 1].header
            if following.number == header.number + 1 and following.parent_hash == blocks[at].hash:
                ends[at] = ends[at + 1]
        return ends

    def _not_final(self, block: _Block, error: SealtrailError) -> None:
        if block.header.number > self._trust.pinned.block and error.code in _OTHER_VALIDATORS:
            self._notebook.unknown(
                _STEP,
                "validators_unknown",
                f"{error.message}; who may seal is known up to block {self._trust.pinned.block}",
                place=_place(block),
                advice="if validators were voted in or out since, get a newer trust file",
            )
            return
        self._notebook.error(_STEP, error, _place(block))

    # -- what is proven ------------------------------------------------------------------------------

    @property
    def proof_header(self) -> Header | None:
        """The proof block's header."""
        at = self._at.get(self._proof_block)
        return None if at is None else self._blocks[at].header

    def hash_of(self, number: int) -> bytes:
        """Return the hash of a block that is there."""
        return self._blocks[self._at[number]].hash

    def time_of(self, number: int) -> int:
        """Return the time of a block that is there, in Unix seconds."""
        return self._blocks[self._at[number]].header.time

    def log_at(self, place: LogPlace) -> Log:
        """Return the log that stands there.

        Raises:
            VerificationError: none does, or the receipt was not proven (``log_missing``).
        """
        logs = self._logs.get((place.block, place.receipt), ())
        if place.log >= len(logs):
            raise VerificationError(
                "log_missing",
                f"log {place.log} of receipt {place.receipt} in block {place.block} is not proven",
            )
        return logs[place.log]

    def storage(self, contract: bytes, slot: bytes) -> bytes:
        """Return what a contract has in a slot at the proof block, 32 bytes.

        Raises:
            VerificationError: that was not proven (``slot_missing``).
        """
        value = self._slots.get((contract, slot))
        if value is None:
            raise VerificationError(
                "slot_missing",
                f"slot {to_hex(slot)} of {to_hex(contract)} is not proven at block {self._proof_block}",
            )
        return value


# Blocks on top that are looked at: with some of the signers away, the others seal in turn.
RUN_BLOCKS_MAX = 2_048
# A log that is kept takes so much beside what is in it.
_LOG_BYTES = 256
# What another set of validators looks like to who does not know of it: not one of them says that a seal is wrong.
_OTHER_VALIDATORS = frozenset(
    {
        "sealer_unauthorized",
        "seals_too_few",
        "difficulty_wrong",
        "sealer_too_soon",
        "epoch_signers_wrong",
        "proposer_unauthorized",
        "validators_not_voted",
    }
)


def _place(block: _Block) -> str:
    return f"block {block.header.number}"
