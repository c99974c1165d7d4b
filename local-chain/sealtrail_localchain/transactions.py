"""Signed transactions of the types that London knows: legacy (EIP-155), EIP-2930, EIP-1559.

Parses strictly: one byte form, known type, this chain's id, low s. Says nothing about the sender's
account; that is the pool's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import coincurve
import rlp

from sealtrail_localchain.errors import RpcError, refused
from sealtrail_localchain.hashing import keccak

TRANSACTION_BYTES_MAX = 131_072  # geth's limit of a transaction on the wire
SECP256K1_HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
UINT256_MAX = 2**256 - 1
UINT64_MAX = 2**64 - 1

GAS_BASE = 21_000
GAS_CREATE = 32_000
GAS_ZERO_BYTE = 4
GAS_BYTE = 16
GAS_ACCESS_ADDRESS = 2_400
GAS_ACCESS_SLOT = 1_900

AccessList = tuple[tuple[bytes, tuple[int, ...]], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """A signed transaction with its recovered sender.

    For types 0 and 1 both fee fields hold the gas price (EIP-1559's normalisation).
    ``recipient`` is None for the creation of a contract.
    """

    type: int
    chain_id: int
    nonce: int
    max_priority_fee: int
    max_fee: int
    gas: int
    recipient: bytes | None
    value: int
    content: bytes
    access_list: AccessList
    v: int
    r: int
    s: int
    raw: bytes
    hash: bytes
    sender: bytes

    def effective_gas_price(self, base_fee: int) -> int:
        return min(self.max_fee, base_fee + self.max_priority_fee)

    @property
    def intrinsic_gas(self) -> int:
        return intrinsic_gas(self.content, self.recipient is None, self.access_list)

    @property
    def cost_max(self) -> int:
        """The most wei that this can take from its sender."""
        return self.gas * self.max_fee + self.value


def intrinsic_gas(content: bytes, creates: bool, access_list: AccessList) -> int:
    """Return the gas due before the first instruction runs (EIP-2028, EIP-2930)."""
    zeros = content.count(0)
    slots = sum(len(keys) for _, keys in access_list)
    return (
        GAS_BASE
        + (GAS_CREATE if creates else 0)
        + zeros * GAS_ZERO_BYTE
        + (len(content) - zeros) * GAS_BYTE
        + len(access_list) * GAS_ACCESS_ADDRESS
        + slots * GAS_ACCESS_SLOT
    )


def decode_transaction(raw: bytes, chain_id: int) -> Transaction:
    """Parse a signed transaction and recover its sender.

    Raises:
        RpcError: not one of the three types, malformed, of another chain, or badly signed.
    """
    if not raw:
        raise refused("typed transaction too short")
    if len(raw) > TRANSACTION_BYTES_MAX:
        raise refused(f"oversized data: transaction size {len(raw)}, limit {TRANSACTION_BYTES_MAX}")
    if raw[0] >= 0xC0:
        return _decode_legacy(raw, chain_id)
    if raw[0] in (1, 2):
        return _decode_typed(raw, chain_id)
    raise refused("transaction type not supported")


def _decode_legacy(raw: bytes, chain_id: int) -> Transaction:
    fields = _list_of(raw, 9)
    v, r, s = (_number(field, UINT256_MAX) for field in fields[6:9])
    if v in (27, 28):
        raise refused("only replay-protected (EIP-155) transactions allowed over RPC")
    if v not in (35 + 2 * chain_id, 36 + 2 * chain_id):
        raise _wrong_chain((v - 35) // 2, chain_id)
    unsigned = rlp.encode([*fields[:6], _minimal(chain_id), b"", b""])
    price = _number(fields[1], UINT256_MAX)
    return Transaction(
        type=0,
        chain_id=chain_id,
        nonce=_number(fields[0], UINT64_MAX - 1),
        max_priority_fee=price,
        max_fee=price,
        gas=_number(fields[2], UINT64_MAX),
        recipient=_recipient(fields[3]),
        value=_number(fields[4], UINT256_MAX),
        content=_bytes(fields[5]),
        access_list=(),
        v=v,
        r=r,
        s=s,
        raw=raw,
        hash=keccak(raw),
        sender=_recover(keccak(unsigned), v - 35 - 2 * chain_id, r, s),
    )


def _decode_typed(raw: bytes, chain_id: int) -> Transaction:
    kind = raw[0]
    fields = _list_of(raw[1:], 10 + kind)
    claimed = _number(fields[0], UINT256_MAX)
    if claimed != chain_id:
        raise _wrong_chain(claimed, chain_id)
    parity, r, s = (_number(field, UINT256_MAX) for field in fields[-3:])
    fees = [_number(field, UINT256_MAX) for field in fields[2 : 2 + kind]]
    rest = fields[2 + kind : -3]
    return Transaction(
        type=kind,
        chain_id=chain_id,
        nonce=_number(fields[1], UINT64_MAX - 1),
        max_priority_fee=fees[0],
        max_fee=fees[-1],
        gas=_number(rest[0], UINT64_MAX),
        recipient=_recipient(rest[1]),
        value=_number(rest[2], UINT256_MAX),
        content=_bytes(rest[3]),
        access_list=_access_list(rest[4]),
        v=parity,
        r=r,
        s=s,
        raw=raw,
        hash=keccak(raw),
        sender=_recover(keccak(bytes([kind]) + rlp.encode(fields[:-3])), parity, r, s),
    )


def _list_of(encoded: bytes, count: int) -> list[Any]:
    try:
        fields = rlp.decode(encoded)
    except (rlp.DecodingError, RecursionError) as error:
        raise refused(f"rlp: {error}") from error
    if not isinstance(fields, list) or len(fields) != count:
        raise refused(f"rlp: expected a list of {count} fields")
    if rlp.encode(fields) != encoded:
        raise refused("rlp: non-canonical encoding")
    return fields


def _bytes(field: Any) -> bytes:
    if not isinstance(field, bytes):
        raise refused("rlp: expected input string or byte")
    return field


def _number(field: Any, maximum: int) -> int:
    content = _bytes(field)
    if content[:1] == b"\x00":
        raise refused("rlp: non-canonical integer (leading zero bytes)")
    value = int.from_bytes(content, "big")
    if value > maximum:
        raise refused("rlp: input string too long for an integer field")
    return value


def _minimal(value: int) -> bytes:
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


def _recipient(field: Any) -> bytes | None:
    content = _bytes(field)
    if len(content) not in (0, 20):
        raise refused("rlp: input string of wrong length for an address")
    return content or None


def _access_list(field: Any) -> AccessList:
    if not isinstance(field, list):
        raise refused("rlp: expected a list for the access list")
    return tuple(_access(item) for item in field)


def _access(item: Any) -> tuple[bytes, tuple[int, ...]]:
    if not isinstance(item, list) or len(item) != 2 or not isinstance(item[1], list):
        raise refused("rlp: malformed access list")
    address, slots = _bytes(item[0]), [_bytes(slot) for slot in item[1]]
    if len(address) != 20 or any(len(slot) != 32 for slot in slots):
        raise refused("rlp: malformed access list")
    return address, tuple(int.from_bytes(slot, "big") for slot in slots)


def _wrong_chain(claimed: int, chain_id: int) -> RpcError:
    return refused(f"invalid sender: invalid chain id for signer: have {claimed} want {chain_id}")


def _recover(digest: bytes, parity: int, r: int, s: int) -> bytes:
    # EIP-2: a high s is the same signature in a second form
    if parity not in (0, 1) or not 0 < s <= SECP256K1_HALF_ORDER or r == 0:
        raise refused("invalid sender: invalid transaction v, r, s values")
    signature = r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes([parity])
    try:
        key = coincurve.PublicKey.from_signature_and_message(signature, digest, hasher=None)
    except Exception as error:  # coincurve raises no narrower one for a bad point
        raise refused("invalid sender: recovery failed") from error
    return keccak(key.format(compressed=False)[1:])[12:]
