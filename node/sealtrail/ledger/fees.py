"""What a transaction offers to pay, in the three ways that Ethereum-compatible networks work.

``eip1559``: base fee and tip. ``legacy``: one gas price. ``free``: a legacy transaction with gas price 0, as most
permissioned networks run. Which one is configuration; :func:`detect_fees` is for setting that up.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from sealtrail.errors import VerificationError
from sealtrail.ledger.rpc import Rpc, RpcRefusalError, gather
from sealtrail.ledger.wire import encode_bytes, parse_object, parse_quantity

# An endpoint that lies about prices could empty the operator's account in one transaction; in wei a gas.
FEE_PER_GAS_MAX = 1_000 * 10**9

WEI_MAX = 2**256 - 1
_METHOD_UNKNOWN = -32601


class FeeMode(StrEnum):
    """How transactions pay."""

    EIP1559 = "eip1559"
    LEGACY = "legacy"
    FREE = "free"


class Fees(msgspec.Struct, frozen=True, kw_only=True):
    """An offer in wei a gas; ``tip`` is None in a legacy transaction."""

    per_gas: int
    tip: int | None = None


async def detect_fees(rpc: Rpc, payer: bytes | None = None) -> FeeMode:
    """Return the mode that the chain seems to run.

    Clients suggest a price on free networks too (geth does). An account that is to pay and has nothing can only
    work on a free one: name it as ``payer`` to have that decide.

    Raises:
        UnavailableError: it could not be asked.
    """
    latest, price = await gather(
        rpc.call("eth_getBlockByNumber", "latest", False), rpc.call("eth_gasPrice")
    )
    shown = parse_object(latest, "the latest block").get("baseFeePerGas")
    base = 0 if shown is None else parse_quantity(shown, "baseFeePerGas")
    if base == 0 and payer is not None:
        balance = await rpc.call("eth_getBalance", encode_bytes(payer), "latest")
        if parse_quantity(balance, "eth_getBalance", maximum=WEI_MAX) == 0:
            return FeeMode.FREE
    if shown is not None:
        return FeeMode.EIP1559
    return FeeMode.LEGACY if parse_quantity(price, "eth_gasPrice") else FeeMode.FREE


async def fetch_fees(rpc: Rpc, mode: FeeMode) -> Fees:
    """Return what to offer now.

    Raises:
        UnavailableError: the chain could not be asked.
        VerificationError: the price is over :data:`FEE_PER_GAS_MAX` (``fee_over_limit``).
    """
    if mode is FeeMode.FREE:
        return Fees(per_gas=0)
    if mode is FeeMode.LEGACY:
        price = parse_quantity(await rpc.call("eth_gasPrice"), "eth_gasPrice")
        return _limited(Fees(per_gas=price))
    latest, tip = await gather(rpc.call("eth_getBlockByNumber", "latest", False), _fetch_tip(rpc))
    base = parse_quantity(_base_fee(latest), "baseFeePerGas")
    # Twice the base fee outlasts six full blocks in a row (each raises it by an eighth).
    return _limited(Fees(per_gas=2 * base + tip, tip=tip))


def raise_fees(present: Fees, wanted: Fees) -> Fees:
    """Return an offer that a pool takes in the place of ``present``, and at least ``wanted``.

    Pools ask for 10 % more (geth, Besu) or 12.5 % (others), of both price and tip.

    Raises:
        VerificationError: that is over :data:`FEE_PER_GAS_MAX` (``fee_over_limit``).
    """
    tip = None
    if present.tip is not None:
        tip = max(_an_eighth_more(present.tip), wanted.tip or 0)
    per_gas = max(_an_eighth_more(present.per_gas), wanted.per_gas, tip or 0)
    return _limited(Fees(per_gas=per_gas, tip=tip))


def _an_eighth_more(wei: int) -> int:
    return wei + wei // 8 + 1


def _base_fee(block: Any) -> Any:
    base = parse_object(block, "the latest block").get("baseFeePerGas")
    if base is None:
        raise VerificationError(
            "fee_mode_wrong",
            "the chain has no base fee, so chain.fees = eip1559 cannot work on it",
            pointer="chain.fees",
            advice="set chain.fees to legacy or free",
        )
    return base


async def _fetch_tip(rpc: Rpc) -> int:
    try:
        answer = await rpc.call("eth_maxPriorityFeePerGas")
    except RpcRefusalError as refusal:
        if refusal.number != _METHOD_UNKNOWN:
            raise
        return 0
    return parse_quantity(answer, "eth_maxPriorityFeePerGas")


def _limited(fees: Fees) -> Fees:
    if fees.per_gas > FEE_PER_GAS_MAX:
        raise VerificationError(
            "fee_over_limit",
            f"the chain asks for {fees.per_gas} wei a gas; at most {FEE_PER_GAS_MAX} is paid",
            advice="check the RPC endpoint: it may be lying",
        )
    return fees
