"""One transaction from start to end, for the command line: deploy a contract, change the registry.

Anchors don't go this way: they have an outbox, because they must survive a crash between any two steps.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec

from sealtrail.errors import UnavailableError, VerificationError
from sealtrail.ledger.anchor_calls import Log, parse_log
from sealtrail.ledger.envelope import Call, OperatorKey
from sealtrail.ledger.fees import FeeMode, fetch_fees
from sealtrail.ledger.reverts import Errors, errors_by_selector, reason_of
from sealtrail.ledger.rpc import Rpc, RpcRefusalError, gather
from sealtrail.ledger.send import send_raw
from sealtrail.ledger.wire import (
    encode_bytes,
    parse_bytes,
    parse_list,
    parse_object,
    parse_quantity,
)
from sealtrail.ports import Sent

# on top of an estimate, which is made for the block before
_GAS_MARGIN_PERCENT = 20


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a transaction that succeeded; ``contract`` is the address of one that it deployed."""

    transaction_hash: bytes
    block_number: int
    block_hash: bytes
    gas_used: int
    contract: bytes | None
    logs: tuple[Log, ...]


async def send_and_wait(
    rpc: Rpc,
    *,
    key: OperatorKey,
    to: bytes | None,
    payload: bytes,
    fees: FeeMode,
    value: int = 0,
    errors: Errors | None = None,
    timeout_seconds: float = 60.0,
    poll_seconds: float = 0.1,
) -> Receipt:
    """Sign a transaction, send it and wait until a block holds it.

    Args:
        to: contract or account; None deploys ``payload``.
        errors: the custom errors to name a refusal by (:func:`sealtrail.ledger.reverts.errors_by_selector`).

    Raises:
        VerificationError: it would revert, and was not sent, or it did (``transaction_reverted``, with the reason);
            or the chain refuses it (see :func:`sealtrail.ledger.send.send_raw`).
        UnavailableError: the chain could not be asked, or no receipt was to be had in time (``transaction_pending``).
    """
    known = errors_by_selector(()) if errors is None else errors
    sent = await _sign(rpc, key, to, payload, fees, value, known)
    await send_raw(rpc, sent.raw)
    waiting = _Waiting(rpc, sent.hash)
    try:
        async with asyncio.timeout(timeout_seconds):
            receipt = await waiting.receipt(poll_seconds)
    except TimeoutError as error:
        raise UnavailableError(
            "transaction_pending",
            f"transaction 0x{sent.hash.hex()} is in no block after {timeout_seconds:g} seconds"
            + (f"; the chain's last answer: {waiting.failure.message}" if waiting.failure else ""),
            advice="see whether the chain makes blocks and the fee is enough; it may still be taken",
        ) from error
    if parse_quantity(receipt.get("status"), "receipt status") != 1:
        raise VerificationError(
            "transaction_reverted",
            f"transaction 0x{sent.hash.hex()} was taken into a block and reverted",
        )
    return _receipt(receipt)


async def _sign(
    rpc: Rpc,
    key: OperatorKey,
    to: bytes | None,
    payload: bytes,
    mode: FeeMode,
    value: int,
    errors: Errors,
) -> Sent:
    question = {
        "from": encode_bytes(key.address),
        "data": encode_bytes(payload),
        "value": hex(value),
    }
    if to is not None:
        question["to"] = encode_bytes(to)
    gas, nonce, chain_id, fees = await gather(
        _estimate(rpc, question, errors),
        rpc.call("eth_getTransactionCount", encode_bytes(key.address), "pending"),
        rpc.call("eth_chainId"),
        fetch_fees(rpc, mode),
    )
    return key.sign(
        Call(to=to, payload=payload, gas=gas, value=value),
        chain_id=parse_quantity(chain_id, "eth_chainId"),
        nonce=parse_quantity(nonce, "the nonce"),
        fees=fees,
    )


async def _estimate(rpc: Rpc, question: Mapping[str, str], errors: Errors) -> int:
    try:
        answer = await rpc.call("eth_estimateGas", question)
    except RpcRefusalError as refusal:
        reason = reason_of(refusal, errors)
        if reason is None:
            raise
        raise VerificationError(
            "transaction_reverted", f"the contract refuses: {reason}", reason=reason
        ) from refusal
    gas = parse_quantity(answer, "eth_estimateGas")
    return gas + gas * _GAS_MARGIN_PERCENT // 100


class _Waiting:
    """The wait for one receipt. An endpoint that can't say now is asked again: the transaction is on its way.

    geth, for one, refuses while it indexes ("transaction indexing is in progress").
    """

    def __init__(self, rpc: Rpc, transaction_hash: bytes) -> None:
        self._rpc = rpc
        self._hash = transaction_hash
        self.failure: UnavailableError | None = None

    async def receipt(self, poll_seconds: float) -> dict[str, Any]:
        while True:
            try:
                found = await self._ask()
            except UnavailableError as failure:
                self.failure = failure
            else:
                self.failure = None
                if found is not None:
                    return found
            await asyncio.sleep(poll_seconds)

    async def _ask(self) -> dict[str, Any] | None:
        answer = await self._rpc.call("eth_getTransactionReceipt", encode_bytes(self._hash))
        receipt = {} if answer is None else parse_object(answer, "a receipt")
        # some clients show transactions of the pool
        return receipt if receipt.get("blockHash") is not None else None


def _receipt(receipt: dict[str, Any]) -> Receipt:
    contract = receipt.get("contractAddress")
    return Receipt(
        transaction_hash=parse_bytes(receipt.get("transactionHash"), "transaction hash", length=32),
        block_number=parse_quantity(receipt.get("blockNumber"), "receipt block"),
        block_hash=parse_bytes(receipt.get("blockHash"), "receipt block hash", length=32),
        gas_used=parse_quantity(receipt.get("gasUsed"), "gas used"),
        contract=None if contract is None else parse_bytes(contract, "contract address", length=20),
        logs=tuple(parse_log(log) for log in parse_list(receipt.get("logs"), "receipt logs")),
    )
