"""This member's record in the registry, read and changed as commands need it; changes are signed by its operator key.

The contract alone decides what may be changed: its refusals are given names and advice here, nothing is decided twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import msgspec

from sealtrail.cli.chain import fee_mode, open_rpc, require_registry
from sealtrail.cli.keyring import open_keys
from sealtrail.cli.network import fetch_anchors_address
from sealtrail.config import ChainSettings, Config
from sealtrail.errors import NotFoundError, SealtrailError, UnavailableError, VerificationError
from sealtrail.ledger.anchor_calls import Log, parse_recorded
from sealtrail.ledger.chain import ChainLedger, Contracts
from sealtrail.ledger.contracts import event_topic
from sealtrail.ledger.envelope import OperatorKey
from sealtrail.ledger.finality import parse_finality
from sealtrail.ledger.logs import fetch_logs
from sealtrail.ledger.reverts import errors_by_selector
from sealtrail.ledger.rpc import Rpc
from sealtrail.ledger.transactions import Receipt, send_and_wait
from sealtrail.ledger.wire import encode_bytes
from sealtrail.membership.encoding import parse_record
from sealtrail.membership.records import MemberRecord, Purpose
from sealtrail.ports import Head
from sealtrail_contracts import artifact

FINAL_SECONDS_MAX = 300.0
_POLL_SECONDS = 0.2
# The running node sends with the same account: now and then both take the same nonce, and one of them is refused.
_SENDS_MAX = 5
_SAME_NONCE = ("nonce_used", "fee_too_low")

_REFUSALS = {
    "KeyRepeated": (
        "key_already_registered",
        "`sealtrail keys list --registry` shows it; a key that ended is never valid again: make a new one",
    ),
    "OperatorTaken": (
        "operator_key_taken",
        "an address is one member's operator for good: make a new one with `sealtrail keys new operator FILE`",
    ),
    "TooMany": (
        "keys_limit",
        "a record holds 256 keys, ended ones included; ask the network's stewards",
    ),
    "KeyAlreadyEnded": (
        "key_already_ended",
        "see `sealtrail keys list --registry`; an end that is still to come can be brought forward, never put off",
    ),
    "LastOperatorKey": (
        "last_operator_key",
        "register another operator key first: without one the member could change nothing any more",
    ),
    "WrongCompromiseBlock": (
        "compromise_block_wrong",
        "no block to come; and a report is repeated with an earlier block only, see `sealtrail keys list --registry`",
    ),
    "NotOperatorOf": (
        "not_an_operator",
        "keys.operator must name a key file that the registry has as this member's operator, valid now",
    ),
    "TooLong": ("node_url_refused", "at most 300 bytes"),
    "UrlNotPrintable": ("node_url_refused", "printable ASCII without spaces"),
}


class OwnRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The member's record as of ``head``, the chain's newest block when it was read."""

    record: MemberRecord
    head: Head


class RecordChange(msgspec.Struct, frozen=True, kw_only=True):
    """A change that a final block holds: the record since then, the block, and the transaction."""

    record: MemberRecord
    block: int
    transaction_hash: bytes

    def as_json(self, **changed: Any) -> dict[str, Any]:
        """Return the change for ``--json``; ``changed`` is what of the record it was about."""
        return {
            "member": "0x" + self.record.member.hex(),
            **changed,
            "block": self.block,
            "transaction_hash": "0x" + self.transaction_hash.hex(),
        }


def open_operator(config: Config) -> OperatorKey:
    """Return the configured operator key, which signs changes. Raises: as :func:`open_keys`."""
    return OperatorKey(open_keys(config, Purpose.OPERATOR)[Purpose.OPERATOR])


async def open_ledger(rpc: Rpc, chain: ChainSettings) -> ChainLedger:
    """Return the configured network's chain, to read from.

    Raises:
        InputError: no network is configured. UnavailableError: the chain could not be asked.
    """
    registry = require_registry(chain)
    return ChainLedger(
        rpc,
        contracts=Contracts(registry=registry, anchors=await fetch_anchors_address(rpc, registry)),
        finality=parse_finality(chain.finality),
        fees=fee_mode(chain),
        chain_id=chain.chain_id,
    )


async def fetch_own_record(config: Config) -> OwnRecord:
    """Read this member's record as the chain has it now.

    Raises:
        NotFoundError: ``member_not_admitted``.
        InputError: no network is configured. UnavailableError: the chain could not be asked.
    """
    async with open_rpc(config.chain) as rpc:
        return await _fetch(rpc, await open_ledger(rpc, config.chain), config)


async def change_own_record(
    config: Config,
    operator: OperatorKey,
    encode: Callable[[OwnRecord], bytes],
) -> RecordChange:
    """Change this member's record and wait until the change is final.

    Args:
        encode: makes the registry's call data from the record as it is now.

    Raises:
        NotFoundError: ``member_not_admitted``.
        VerificationError: the registry refuses it, by the refusal's name (``key_already_registered``, …), or the
            chain does (see :func:`sealtrail.ledger.transactions.send_and_wait`).
        UnavailableError: the chain could not be asked; ``record_changed``; ``change_not_final``.
    """
    registry = require_registry(config.chain)
    async with open_rpc(config.chain) as rpc:
        ledger = await open_ledger(rpc, config.chain)
        own = await _fetch(rpc, ledger, config)
        receipt = await _send(rpc, config.chain, operator, registry, encode(own))
        await _wait_until_final(ledger, receipt)
    recorded = event_topic("Registry", "MemberRecorded")
    logs = [x for x in receipt.logs if x.address == registry and x.topics[:1] == (recorded,)]
    return RecordChange(
        record=_parse(logs[-1]) if logs else own.record,
        block=receipt.block_number,
        transaction_hash=receipt.transaction_hash,
    )


async def _fetch(rpc: Rpc, ledger: ChainLedger, config: Config) -> OwnRecord:
    head = await ledger.head()
    topics = [event_topic("Registry", "MemberRecorded"), config.member.rjust(32, b"\0")]
    logs = await fetch_logs(
        rpc,
        [require_registry(config.chain)],
        [encode_bytes(t) for t in topics],
        config.chain.start_block,
        head.number,
    )
    if not logs:
        raise NotFoundError(
            "member_not_admitted",
            f"{config.node.member} is no member of this network",
            pointer="node.member",
            advice="`sealtrail member request` makes a file for the stewards, who admit you",
        )
    return OwnRecord(record=_parse(logs[-1]), head=head)


def _parse(log: Log) -> MemberRecord:
    _, _, record = parse_recorded(log)
    return parse_record(record, block=log.block_number)


async def _send(
    rpc: Rpc, chain: ChainSettings, operator: OperatorKey, registry: bytes, payload: bytes
) -> Receipt:
    sends = 0
    while True:
        sends += 1
        try:
            return await send_and_wait(
                rpc,
                key=operator,
                to=registry,
                payload=payload,
                fees=fee_mode(chain),
                errors=errors_by_selector(artifact("Registry").abi),
            )
        except VerificationError as refusal:
            if refusal.code not in _SAME_NONCE or sends == _SENDS_MAX:
                raise named_refusal(refusal) from refusal
        await asyncio.sleep(_POLL_SECONDS)


def named_refusal(refusal: VerificationError) -> SealtrailError:
    """Return the registry's refusal under a code of its own, with advice; others as they are."""
    reason = str(refusal.context.get("reason", ""))
    name = reason.partition("(")[0]
    if name in ("StaleRecord", "NoSuchKey"):
        return UnavailableError(
            "record_changed",
            "the member's record was changed while this command read it",
            advice="run it again",
        )
    if name not in _REFUSALS:
        return refusal
    code, advice = _REFUSALS[name]
    return VerificationError(code, f"the registry refuses: {reason}", advice=advice, reason=reason)


async def _wait_until_final(ledger: ChainLedger, receipt: Receipt) -> None:
    """Return when a final block holds the change: until then a node's verifier does not count on it."""

    async def is_final() -> bool:
        _, final = await ledger.heads()
        return final.number >= receipt.block_number

    reached = await poll(is_final, seconds_max=FINAL_SECONDS_MAX)
    block = await ledger.block(receipt.block_number) if reached else None
    if block is None or block.hash != receipt.block_hash:
        raise UnavailableError(
            "change_not_final",
            f"transaction {encode_bytes(receipt.transaction_hash)} was taken into block"
            f" {receipt.block_number}, which is not final yet",
            advice="see `sealtrail keys list --registry` later, before you go on",
        )


async def poll(ask: Callable[[], Awaitable[bool]], *, seconds_max: float) -> bool:
    """Ask until the answer is yes; False if it was not in that time."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds_max):
            while True:
                if await ask():
                    return True
                await asyncio.sleep(_POLL_SECONDS)
    return False
