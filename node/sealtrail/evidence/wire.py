"""The package as JSON has it: flat, every size bounded, hashes and addresses as ``0x`` hex, longer bytes as base64.

Encoding is deterministic: sorted names, no white space, absent instead of null or empty. With these member types
(ASCII names, integers below 2**53, strings) that is RFC 8785's form, which the tests compare.

Source: docs/protocol.md section 9; RFC 8785.
"""

from __future__ import annotations

import re
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta

from sealtrail.errors import InputError
from sealtrail.log.checkpoint import NOTE_CHARACTERS_MAX

FORMAT = "sealtrail/package/1"
INTEGER_MAX = 2**53 - 1  # what every JSON reader keeps exact

Address = Annotated[str, Meta(pattern=r"^0x[0-9a-f]{40}\Z")]
Digest = Annotated[str, Meta(pattern=r"^0x[0-9a-f]{64}\Z")]
Count = Annotated[int, Meta(ge=0, le=INTEGER_MAX)]
Purpose = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_-]{0,63}\Z")]
MediaType = Annotated[str, Meta(pattern=r"^[!-~]+(?: [!-~]+)*\Z", max_length=128)]


class _Wire(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """Strict both ways."""


class WireNetwork(_Wire, frozen=True, kw_only=True):
    """``network``."""

    chain_id: Count
    genesis_hash: Digest
    registry: Address
    anchors: Address


class WireLog(_Wire, frozen=True, kw_only=True):
    """One of ``logs``: a log's item salt, shown to whoever is to check items."""

    member: Address
    item_salt: Digest


class WireAnchor(_Wire, frozen=True, kw_only=True):
    """``anchor`` of a checkpoint: where it is said to be."""

    sequence: Count
    block_number: Count
    transaction_hash: Digest


class WireCheckpoint(_Wire, frozen=True, kw_only=True):
    """One of ``checkpoints``: the signed note."""

    note: Annotated[str, Meta(max_length=NOTE_CHARACTERS_MAX)]
    anchor: WireAnchor | None = None


class WireProof(_Wire, frozen=True, kw_only=True):
    """``proof`` of an entry; ``checkpoint`` counts in ``checkpoints`` from 0, ``hashes`` are joined."""

    checkpoint: Count
    leaf_index: Count
    hashes: bytes = b""


class WireEntry(_Wire, frozen=True, kw_only=True):
    """One of ``entries``; ``references`` (33 bytes each) and ``item_keys`` (32 bytes each) are joined."""

    leaf: bytes
    media_type: MediaType
    content: bytes | None = None
    seed: Digest | None = None
    references: bytes = b""
    item_keys: bytes = b""
    proof: WireProof | None = None


class WireSignature(_Wire, frozen=True, kw_only=True):
    """``signature``: Ed25519, by one of the issuer's peer keys, over everything else."""

    public_key: Digest
    value: bytes


class WirePackage(_Wire, frozen=True, kw_only=True):
    """The whole document."""

    format: str
    network: WireNetwork
    issuer: Address
    recipient: Address
    purpose: Purpose
    created_ms: Count
    subjects: list[Digest]
    entries: list[WireEntry]
    logs: list[WireLog] = []
    checkpoints: list[WireCheckpoint] = []
    signature: WireSignature | None = None


_T = TypeVar("_T")
_encoder = msgspec.json.Encoder(order="sorted")
_decoder = msgspec.json.Decoder(WirePackage)
_PLACE = re.compile(r" - at `\$(?P<path>[^`]*)`$")


def encode_wire(package: WirePackage) -> bytes:
    """Return the document's bytes."""
    return _encoder.encode(package)


def decode_wire(data: bytes) -> WirePackage:
    """Read a document's shape; whether it is in its one byte form is for the caller to compare.

    Raises:
        InputError: ``package_malformed``, with a pointer to the member at fault.
    """
    try:
        return _decoder.decode(data)
    except msgspec.ValidationError as e:
        message, pointer = split_place(str(e))
        raise InputError("package_malformed", message, pointer=pointer) from e
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
        raise InputError("package_malformed", f"not JSON: {e}") from e


def to_hex(data: bytes) -> str:
    """Return ``0x`` hex."""
    return "0x" + data.hex()


def from_hex(text: str) -> bytes:
    """Return the bytes of ``0x`` hex whose form the decoder has checked."""
    return bytes.fromhex(text[2:])


def split_place(message: str) -> tuple[str, str]:
    """Part what msgspec says of a value from where it stands, given as a JSON pointer."""
    found = _PLACE.search(message)
    if found is None:
        return message, ""
    pointer = re.sub(r"\[(\d+|\.\.\.)\]", r"/\1", found["path"]).replace(".", "/")
    return message[: found.start()], pointer
