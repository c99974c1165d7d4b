"""Handing a signed transaction to the chain, and what its many clients mean when they refuse one.

There are no codes for it: geth, Besu, GoQuorum, Nethermind, Erigon and anvil each have words of their own.
"""

from __future__ import annotations

from sealtrail.errors import UnavailableError, VerificationError
from sealtrail.ledger.rpc import Rpc, RpcRefusalError
from sealtrail.ledger.wire import encode_bytes

_WAITS_ALREADY = ("already known", "known transaction", "alreadyknown", "already imported")
_FULL = ("txpool is full", "pool is full", "limit exceeded", "too many", "overloaded")
_REFUSALS = (
    # GoQuorum where nothing may be paid; chains before Berlin or London
    ("fee_mode_wrong", ("gas price not 0", "transaction type not supported")),
    ("nonce_used", ("nonce too low", "oldnonce", "nonce is too low")),
    (
        "fee_too_low",
        ("underpriced", "gas price too low", "fee too low", "less than block base fee"),
    ),
    ("balance_too_low", ("insufficient funds", "upfront cost", "insufficient balance")),
)


async def send_raw(rpc: Rpc, raw: bytes) -> None:
    """Send a signed transaction; one that waits in the pool already is no error.

    Raises:
        VerificationError: refused for good (``nonce_used``, ``fee_too_low``, ``fee_mode_wrong``,
            ``balance_too_low``, ``transaction_refused``).
        UnavailableError: nobody answered, or the pool is full (``pool_full``); it may have been taken all the same.
    """
    try:
        await rpc.call("eth_sendRawTransaction", encode_bytes(raw))
    except RpcRefusalError as refusal:
        words = refusal.reason.lower().replace("_", " ")
        if any(w in words for w in _WAITS_ALREADY):
            return
        if any(w in words for w in _FULL):
            raise UnavailableError(
                "pool_full", f"the chain takes no more now: {refusal.reason}"
            ) from refusal
        raise _refused(refusal, words) from refusal


def _refused(refusal: RpcRefusalError, words: str) -> VerificationError:
    message = f"the chain refuses: {refusal.reason}"
    code = next((c for c, phrases in _REFUSALS if any(p in words for p in phrases)), None)
    if code == "fee_mode_wrong":
        return VerificationError(
            code,
            message,
            pointer="chain.fees",
            advice="set chain.fees to free (gas price 0) or legacy, as the network runs",
        )
    return VerificationError(code or "transaction_refused", message)
