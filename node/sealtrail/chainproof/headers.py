"""Block headers: from RLP and from what JSON-RPC shows, to one value, and back to the bytes that are hashed.

Each fork added items at the end: 15 up to Berlin, 16 with London's base fee, 17 with Shanghai's withdrawals root,
20 with Cancun's blob gas and beacon root, 21 with Prague's requests hash. No other number of items is a header.
What a header's hash is depends on the chain's consensus: see :func:`sealtrail.chainproof.validators.block_hash`.
Source: Yellow Paper section 4.3; EIP-1559, EIP-4895, EIP-4844, EIP-4788, EIP-7685.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from sealtrail.chainproof import strict_rlp
from sealtrail.chainproof.hashing import keccak
from sealtrail.chainproof.limits import HEADER_BYTES_MAX
from sealtrail.chainproof.wire import parse_data, parse_number, parse_object
from sealtrail.errors import InputError

_DIGEST, _ADDRESS, _BLOOM, _NONCE = 32, 20, 256, 8
_UINT64, _UINT256 = 8, 32


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """One block's header. What a later fork added is None in a block before it."""

    parent_hash: bytes
    uncles_hash: bytes
    beneficiary: bytes
    state_root: bytes
    transactions_root: bytes
    receipts_root: bytes
    logs_bloom: bytes
    difficulty: int
    number: int
    gas_limit: int
    gas_used: int
    time: int  # Unix seconds
    extra_data: bytes
    mix_hash: bytes
    nonce: bytes
    base_fee: int | None = None
    withdrawals_root: bytes | None = None
    blob_gas_used: int | None = None
    excess_blob_gas: int | None = None
    parent_beacon_root: bytes | None = None
    requests_hash: bytes | None = None


class _Field(NamedTuple):
    name: str
    shown: str  # what JSON-RPC calls it
    size: int | None  # bytes, exactly; None: any number of them
    is_number: bool = False  # then of up to ``size`` bytes


_FIELDS = (
    _Field("parent_hash", "parentHash", _DIGEST),
    _Field("uncles_hash", "sha3Uncles", _DIGEST),
    _Field("beneficiary", "miner", _ADDRESS),
    _Field("state_root", "stateRoot", _DIGEST),
    _Field("transactions_root", "transactionsRoot", _DIGEST),
    _Field("receipts_root", "receiptsRoot", _DIGEST),
    _Field("logs_bloom", "logsBloom", _BLOOM),
    _Field("difficulty", "difficulty", _UINT256, is_number=True),
    _Field("number", "number", _UINT64, is_number=True),
    _Field("gas_limit", "gasLimit", _UINT64, is_number=True),
    _Field("gas_used", "gasUsed", _UINT64, is_number=True),
    _Field("time", "timestamp", _UINT64, is_number=True),
    _Field("extra_data", "extraData", None),
    _Field("mix_hash", "mixHash", _DIGEST),
    _Field("nonce", "nonce", _NONCE),
    _Field("base_fee", "baseFeePerGas", _UINT256, is_number=True),
    _Field("withdrawals_root", "withdrawalsRoot", _DIGEST),
    _Field("blob_gas_used", "blobGasUsed", _UINT64, is_number=True),
    _Field("excess_blob_gas", "excessBlobGas", _UINT64, is_number=True),
    _Field("parent_beacon_root", "parentBeaconBlockRoot", _DIGEST),
    _Field("requests_hash", "requestsHash", _DIGEST),
)
_BERLIN = 15
FORMS = (_BERLIN, 16, 17, 20, 21)
"""How many items a header can have."""


def parse_header(encoded: bytes) -> Header:
    """Return the header whose RLP ``encoded`` is.

    Raises:
        InputError: it is not a header's canonical RLP, or longer than any (``header_malformed``).
    """
    if len(encoded) > HEADER_BYTES_MAX:
        raise _malformed(f"{len(encoded)} bytes; at most {HEADER_BYTES_MAX} are read")
    try:
        items = strict_rlp.decode(encoded, depth_max=1)
    except InputError as error:
        raise _malformed(error.message) from error
    if not isinstance(items, list) or len(items) not in FORMS:
        raise _malformed(
            f"{len(items) if isinstance(items, list) else 'no'} items; {_form_names()} are known"
        )
    header = Header(**{f.name: _read(f, item) for f, item in zip(_FIELDS, items, strict=False)})
    if encode_header(header) != encoded:
        raise _malformed("it does not encode to the same bytes again")
    return header


def encode_header(header: Header) -> bytes:
    """Return the header's RLP: what Keccak is taken of, unless the consensus leaves something out."""
    return strict_rlp.encode(header_items(header))


def header_items(header: Header) -> list[bytes]:
    """Return the header's items in order, as octets."""
    values = msgspec.structs.astuple(header)
    count = form_of(header)
    return [
        strict_rlp.encode_number(value) if field.is_number else value
        for field, value in zip(_FIELDS[:count], values[:count], strict=True)
    ]


def form_of(header: Header) -> int:
    """Return how many items the header has.

    Raises:
        InputError: one fork's items are there without an earlier one's (``header_malformed``).
    """
    values = msgspec.structs.astuple(header)
    count = len(values)
    while count > _BERLIN and values[count - 1] is None:
        count -= 1
    if count not in FORMS or None in values[:count]:
        raise _malformed("items of a later fork without those of an earlier one")
    return count


def header_from_json(value: Any) -> Header:
    """Return the header of a block as JSON-RPC shows it; whether it has the hash it claims is for the caller.

    Raises:
        InputError: it is none (``header_malformed``).
    """
    try:
        block = parse_object(value, "a block")
        header = Header(
            **{f.name: shown for f in _FIELDS if (shown := _shown(f, block)) is not None}
        )
        form_of(header)
    except InputError as error:
        raise _malformed(error.message) from error
    return header


def genesis_from_json(value: Any) -> tuple[Header, bytes]:
    """Return what every fork's block 0 has, and the hash of all that is shown of it.

    Some development chains (anvil before Cancun) make a block 0 with items of a later fork and without an earlier
    one's: no header that could be encoded, and yet what its hash is of. No other block is read so.

    Raises:
        InputError: it is none (``header_malformed``).
    """
    try:
        block = parse_object(value, "block 0")
        values = {f: shown for f in _FIELDS if (shown := _shown(f, block)) is not None}
    except InputError as error:
        raise _malformed(error.message) from error
    items = [strict_rlp.encode_number(v) if f.is_number else v for f, v in values.items()]
    first = Header(**{f.name: values[f] for f in _FIELDS[:_BERLIN]})
    return first, keccak(strict_rlp.encode(items))


def _shown(field: _Field, block: Mapping[str, Any]) -> Any:
    value = block.get(field.shown)
    if value is None and field in _FIELDS[_BERLIN:]:
        return None  # a block before the fork; some clients show null
    if field.is_number:
        return parse_number(value, field.shown, bytes_max=field.size or 0)
    return parse_data(value, field.shown, length=field.size)


def _read(field: _Field, item: strict_rlp.Item) -> Any:
    if not isinstance(item, bytes):
        raise _malformed(f"{field.name} is a list")
    if field.is_number:
        try:
            return strict_rlp.decode_number(item, field.size or 0, field.name)
        except InputError as error:
            raise _malformed(error.message) from error
    if field.size not in (None, len(item)):
        raise _malformed(f"{field.name} has {len(item)} bytes, not {field.size}")
    return item


def _form_names() -> str:
    return ", ".join(map(str, FORMS))


def _malformed(what: str) -> InputError:
    return InputError("header_malformed", f"this is no block header: {what}")
