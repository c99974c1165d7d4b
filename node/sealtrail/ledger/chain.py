"""The Ledger port over JSON-RPC."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from sealtrail.chainproof.consensus import EPOCH_BLOCKS
from sealtrail.errors import UnavailableError, VerificationError
from sealtrail.ledger import registry_calls
from sealtrail.ledger.anchor_calls import Log, decode_latest, parse_anchored, parse_recorded
from sealtrail.ledger.contracts import event_topic
from sealtrail.ledger.envelope import Call, OperatorKey, fees_of
from sealtrail.ledger.fees import FeeMode, fetch_fees, raise_fees
from sealtrail.ledger.finality import CliqueFinality, FinalityRule
from sealtrail.ledger.headers import parse_head
from sealtrail.ledger.logs import fetch_logs
from sealtrail.ledger.reverts import errors_by_selector, reason_of
from sealtrail.ledger.rpc import Rpc, RpcRefusalError, gather
from sealtrail.ledger.send import send_raw
from sealtrail.ledger.wire import (
    encode_bytes,
    garbage,
    parse_bytes,
    parse_object,
    parse_quantity,
)
from sealtrail.membership.records import Anchor
from sealtrail.ports import ChainRecord, Head, Inclusion, Sent
from sealtrail_contracts import artifact

# An anchor takes under 60,000; the rest is for a member's first one, whose slots are empty.
ANCHOR_GAS = 150_000

_ASKED_AT_ONCE = 64


class Contracts(msgspec.Struct, frozen=True, kw_only=True):
    """Where the network's contracts are (20-byte addresses)."""

    registry: bytes
    anchors: bytes


class ChainLedger:
    """The chain that the members share; implements :class:`sealtrail.ports.Ledger`.

    Args:
        rpc: endpoints; should be given what identity to expect, because transactions get signed for it.
        contracts: the network's.
        finality: when a block is final.
        fees: how transactions pay.
        chain_id: the chain for which transactions are signed.
        operator: signs anchors; None for a reader.
        epoch_blocks: blocks after which a Clique chain lists its signers and forgets votes.
    """

    def __init__(
        self,
        rpc: Rpc,
        *,
        contracts: Contracts,
        finality: FinalityRule,
        fees: FeeMode,
        chain_id: int,
        operator: OperatorKey | None = None,
        epoch_blocks: int = EPOCH_BLOCKS,
    ) -> None:
        self._rpc = rpc
        self._contracts = contracts
        self._rule = finality
        self._clique = CliqueFinality(rpc, epoch=epoch_blocks)
        self._fees = fees
        self._chain_id = chain_id
        self._operator = operator
        self._errors = errors_by_selector(artifact("Anchors").abi)

    async def head(self) -> Head:
        """See the port."""
        return await self._tagged("latest")

    async def heads(self) -> tuple[Head, Head]:
        """See the port."""
        head = await self.head()
        if self._rule.name == "instant":
            return head, head
        if self._rule.name == "finalized":
            final = await self._tagged("finalized")
        else:
            final = await self._at(await self._final_number(head))
        # an endpoint between two heads, or one that lags behind the one before
        return head, final if final.number <= head.number else head

    async def block(self, number: int) -> Head | None:
        """See the port."""
        answer = await self._rpc.call("eth_getBlockByNumber", hex(number), False)
        if answer is None:
            return None
        head = parse_head(answer, f"block {number}")
        if head.number != number:
            raise garbage(f"block {number}", head.number)
        return head

    async def latest_anchor(self, member: bytes) -> tuple[int, bytes]:
        """See the port."""
        question = {
            "to": encode_bytes(self._contracts.anchors),
            "data": encode_bytes(registry_calls.latest(member)),
        }
        answer = await self._rpc.call("eth_call", question, "latest")
        return decode_latest(parse_bytes(answer, "Anchors.latest"))

    async def find_anchor(self, member: bytes, sequence: int, first_block: int) -> Anchor | None:
        """See the port."""
        head = await self.head()
        anchored = event_topic("Anchors", "Anchored")
        topics = [anchored, member.rjust(32, b"\0"), sequence.to_bytes(32, "big")]
        logs = await fetch_logs(
            self._rpc,
            [self._contracts.anchors],
            [encode_bytes(t) for t in topics],
            first_block,
            head.number,
        )
        if any(log.topics != tuple(topics) for log in logs) or len(logs) > 1:
            raise garbage("eth_getLogs", f"{len(logs)} logs for one anchor")
        anchors = await self._anchors(logs)
        return anchors[0] if anchors else None

    async def changes(
        self, first_block: int, last_block: int
    ) -> tuple[Sequence[Anchor], Sequence[ChainRecord]]:
        """See the port."""
        anchored_topic = event_topic("Anchors", "Anchored")
        recorded_topic = event_topic("Registry", "MemberRecorded")
        logs = await fetch_logs(
            self._rpc,
            [self._contracts.anchors, self._contracts.registry],
            [[encode_bytes(anchored_topic), encode_bytes(recorded_topic)]],
            first_block,
            last_block,
        )
        # Each event counts from its own contract only: anybody can emit one that looks the same.
        anchored = [
            log
            for log in logs
            if log.address == self._contracts.anchors and log.topics[:1] == (anchored_topic,)
        ]
        recorded = [
            log
            for log in logs
            if log.address == self._contracts.registry and log.topics[:1] == (recorded_topic,)
        ]
        return await self._anchors(anchored), [_record(log) for log in recorded]

    async def sign_anchor(
        self,
        sequence: int,
        previous: bytes,
        checkpoint_hash: bytes,
        *,
        replacing: Sent | None = None,
    ) -> Sent:
        """See the port."""
        if self._operator is None:
            raise VerificationError(
                "operator_missing", "this node has no operator key to anchor with"
            )
        call = Call(
            to=self._contracts.anchors,
            payload=registry_calls.anchor(sequence, previous, checkpoint_hash),
            gas=ANCHOR_GAS,
        )
        _, answer, fees = await gather(
            self._try(call, self._operator.address),
            # "pending": behind whatever this key has under way already
            self._rpc.call(
                "eth_getTransactionCount", encode_bytes(self._operator.address), "pending"
            ),
            fetch_fees(self._rpc, self._fees),
        )
        nonce = parse_quantity(answer, "the nonce")
        # A nonce below the old one is free: one in between was lost, and the old transaction waits for ever.
        if replacing is not None and nonce >= replacing.nonce:
            if self._fees is FeeMode.FREE:
                return replacing
            nonce, fees = replacing.nonce, raise_fees(fees_of(replacing.raw), fees)
        return self._operator.sign(call, chain_id=self._chain_id, nonce=nonce, fees=fees)

    async def send(self, raw: bytes) -> None:
        """See the port."""
        await send_raw(self._rpc, raw)

    async def inclusion(self, transaction_hash: bytes) -> Inclusion | None:
        """See the port."""
        answer = await self._rpc.call("eth_getTransactionReceipt", encode_bytes(transaction_hash))
        if answer is None:
            return None
        receipt = parse_object(answer, "a receipt")
        if receipt.get("blockHash") is None:  # some clients show transactions of the pool so
            return None
        named = parse_bytes(receipt.get("transactionHash"), "transaction hash", length=32)
        if named != transaction_hash:
            raise garbage("a receipt", "0x" + named.hex())
        return Inclusion(
            block_number=parse_quantity(receipt.get("blockNumber"), "receipt block"),
            block_hash=parse_bytes(receipt.get("blockHash"), "receipt block hash", length=32),
            succeeded=parse_quantity(receipt.get("status"), "receipt status", maximum=1) == 1,
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._rpc.close()

    async def _try(self, call: Call, sender: bytes) -> None:
        """Run the call without sending it, to know a refusal before it costs a transaction."""
        question = {
            "from": encode_bytes(sender),
            "to": encode_bytes(call.to or b""),
            "data": encode_bytes(call.payload),
            "gas": hex(call.gas),
        }
        try:
            await self._rpc.call("eth_call", question, "latest")
        except RpcRefusalError as refusal:
            reason = reason_of(refusal, self._errors)
            if reason is None:
                raise
            raise VerificationError(
                "anchor_refused",
                f"the Anchors contract refuses: {reason}",
                advice="is the operator key one of this member's in the registry?",
            ) from refusal

    async def _tagged(self, tag: str) -> Head:
        answer = await self._rpc.call("eth_getBlockByNumber", tag, False)
        if answer is None and tag == "finalized":  # nothing is final yet but the genesis block
            return await self._at(0)
        return parse_head(answer, f"the {tag} block")

    async def _at(self, number: int) -> Head:
        block = await self.block(number)
        if block is None:
            raise UnavailableError(
                "chain_behind", f"the chain's endpoint has no block {number} now"
            )
        return block

    async def _final_number(self, head: Head) -> int:
        if self._rule.name == "depth":
            return max(0, head.number - self._rule.depth)
        return await self._clique.final_number(head.number)

    async def _anchors(self, logs: Sequence[Log]) -> list[Anchor]:
        unknown = sorted({log.block_hash for log in logs if log.block_time is None})
        times: dict[bytes, int] = {}
        for batch in (
            unknown[i : i + _ASKED_AT_ONCE] for i in range(0, len(unknown), _ASKED_AT_ONCE)
        ):
            answers = await gather(
                *(self._rpc.call("eth_getBlockByHash", encode_bytes(h), False) for h in batch)
            )
            times |= {head.hash: head.time for head in (parse_head(a, "a block") for a in answers)}
        if set(times) != set(unknown):
            raise garbage("eth_getBlockByHash", "another block")
        return [_anchor(log, times) for log in logs]


def _anchor(log: Log, times: dict[bytes, int]) -> Anchor:
    member, sequence, checkpoint_hash, suspended = parse_anchored(log)
    return Anchor(
        member=member,
        sequence=sequence,
        checkpoint_hash=checkpoint_hash,
        suspended=suspended,
        block_number=log.block_number,
        block_hash=log.block_hash,
        block_time=times[log.block_hash] if log.block_time is None else log.block_time,
        transaction_hash=log.transaction_hash,
    )


def _record(log: Log) -> ChainRecord:
    member, version, record = parse_recorded(log)
    return ChainRecord(
        member=member,
        version=version,
        record=record,
        block_number=log.block_number,
        block_hash=log.block_hash,
    )
