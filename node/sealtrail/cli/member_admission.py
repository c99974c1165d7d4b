"""A steward's vote for a new member, as one transaction."""

from __future__ import annotations

from typing import Any

import msgspec

from sealtrail.ledger import registry_calls
from sealtrail.ledger.contracts import event_topic
from sealtrail.ledger.envelope import OperatorKey
from sealtrail.ledger.fees import FeeMode
from sealtrail.ledger.headers import parse_head
from sealtrail.ledger.reverts import errors_by_selector
from sealtrail.ledger.rpc import Rpc
from sealtrail.ledger.transactions import send_and_wait
from sealtrail.membership.records import MemberRecord
from sealtrail_contracts import artifact

VOTING_BLOCKS = 50_000  # how long the other stewards have, if no last block is given


class Admission(msgspec.Struct, frozen=True, kw_only=True):
    """What a vote led to; ``admitted``: it was the one that was still wanting."""

    admitted: bool
    last_block: int
    block: int
    transaction_hash: bytes

    def as_json(self) -> dict[str, Any]:
        """Return it for ``--json``."""
        return {
            "admitted": self.admitted,
            "last_block": self.last_block,
            "block": self.block,
            "transaction_hash": "0x" + self.transaction_hash.hex(),
        }


async def admit_member(
    rpc: Rpc,
    key: OperatorKey,
    record: MemberRecord,
    registry: bytes,
    consent: bytes,
    *,
    fees: FeeMode,
    last_block: int | None = None,
) -> Admission:
    """Vote for admitting a member and wait until a block holds the vote.

    Raises:
        VerificationError: the registry refuses it (``transaction_reverted``, with the contract's reason).
        UnavailableError: the chain could not be asked.
    """
    if last_block is None:
        latest = parse_head(await rpc.call("eth_getBlockByNumber", "latest", False), "the head")
        last_block = latest.number + VOTING_BLOCKS
    receipt = await send_and_wait(
        rpc,
        key=key,
        to=registry,
        payload=registry_calls.admit(record, consent, last_block=last_block),
        fees=fees,
        errors=errors_by_selector(artifact("Registry").abi),
    )
    recorded_topic = event_topic("Registry", "MemberRecorded")
    recorded = any(
        log.address == registry and log.topics[:1] == (recorded_topic,) for log in receipt.logs
    )
    return Admission(
        admitted=recorded,
        last_block=last_block,
        block=receipt.block_number,
        transaction_hash=receipt.transaction_hash,
    )
