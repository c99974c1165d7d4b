"""Signed transactions as bytes: legacy with EIP-155 replay protection, and EIP-1559."""

from __future__ import annotations

import msgspec
import rlp
from eth_account import Account
from eth_account.signers.local import LocalAccount
from sha3 import keccak_256

from sealtrail.errors import IntegrityError
from sealtrail.ledger.fees import Fees
from sealtrail.ports import Sent


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """What a transaction does: call ``to`` (None: deploy ``payload``), with a limit in gas and an amount in wei."""

    to: bytes | None
    payload: bytes
    gas: int
    value: int = 0


class OperatorKey:
    """A secp256k1 key that signs transactions; knows its address, never shows itself.

    Args:
        private_key: 32 bytes.
    """

    __slots__ = ("_account", "address")

    def __init__(self, private_key: bytes) -> None:
        self._account: LocalAccount = Account.from_key(private_key)
        self.address = bytes.fromhex(self._account.address[2:])

    def __repr__(self) -> str:
        return f"OperatorKey(0x{self.address.hex()})"

    def sign(self, call: Call, *, chain_id: int, nonce: int, fees: Fees) -> Sent:
        """Return the signed transaction."""
        fields: dict[str, object] = {
            "chainId": chain_id,
            "nonce": nonce,
            "gas": call.gas,
            "value": call.value,
            "data": call.payload,
        }
        if call.to is not None:
            fields["to"] = call.to
        if fees.tip is None:
            fields["gasPrice"] = fees.per_gas
        else:
            fields |= {"maxFeePerGas": fees.per_gas, "maxPriorityFeePerGas": fees.tip, "type": 2}
        signed = self._account.sign_transaction(fields)  # type: ignore[arg-type]
        return Sent(hash=bytes(signed.hash), raw=bytes(signed.raw_transaction), nonce=nonce)


def fees_of(raw: bytes) -> Fees:
    """Return what a transaction of ours offers.

    Raises:
        IntegrityError: it is none that this program makes (``transaction_unreadable``).
    """
    try:
        if raw[:1] == b"\x02":  # EIP-1559: chain id, nonce, tip, fee cap, …
            items = rlp.decode(raw[1:])
            return Fees(tip=_number(items[2]), per_gas=_number(items[3]))
        return Fees(per_gas=_number(rlp.decode(raw)[1]))  # legacy: nonce, gas price, …
    except (rlp.DecodingError, IndexError, TypeError) as error:
        raise _unreadable(raw) from error


def parse_sent(raw: bytes) -> Sent:
    """Read a transaction of ours back: its hash and nonce follow from its bytes.

    Raises:
        IntegrityError: it is none that this program makes (``transaction_unreadable``).
    """
    try:
        # EIP-1559: chain id, nonce, …; legacy: nonce, …
        nonce = rlp.decode(raw[1:])[1] if raw[:1] == b"\x02" else rlp.decode(raw)[0]
        return Sent(hash=keccak_256(raw).digest(), raw=raw, nonce=_number(nonce))
    except (rlp.DecodingError, IndexError, TypeError) as error:
        raise _unreadable(raw) from error


def _unreadable(raw: bytes) -> IntegrityError:
    return IntegrityError(
        "transaction_unreadable", f"stored transaction 0x{raw[:16].hex()}… cannot be read"
    )


def _number(item: bytes) -> int:
    return int.from_bytes(item, "big")
