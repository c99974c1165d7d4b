"""An export of the audit trail: records about one entry or item, each with its way to the log, in one file.

JSON Lines: a header, the entry itself, records in order, and the entries that hold the digests over them. Here are the
lines, and how they are read; :mod:`sealtrail.evidence.audit_check` verifies them.

Source: docs/protocol.md section 17.
"""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, TypeAlias

import msgspec
from msgspec import Meta

from sealtrail.errors import InputError, TooLargeError
from sealtrail.evidence.audit_record import Count, Hex32
from sealtrail.evidence.record import EntryRecord, LogProof

EXPORT_TYPE = "sealtrail/audit-export/1"
EXPORT_BYTES_MAX = 256 * 1024 * 1024
LINES_MAX = 20_000

_Address = Annotated[str, Meta(pattern=r"^0x[0-9a-f]{40}\Z")]


class HeaderLine(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag_field="line",
    tag="header",
    forbid_unknown_fields=True,
):
    """Whose trail it is from, on which network, and what about: an entry's id, or an item and the salt of its key."""

    type: Annotated[str, Meta(pattern=r"^sealtrail/audit-export/1\Z")]
    chain_id: Count
    genesis_hash: Hex32
    registry: _Address
    member: _Address
    created_ms: Count
    records: Count
    entry: Hex32 | None = None
    item: Annotated[str, Meta(max_length=4_096)] | None = None
    item_salt: Hex32 | None = None


class ProofLine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The way from a leaf to a signed checkpoint."""

    leaf_index: Count
    note: Annotated[str, Meta(max_length=8_192)]
    hashes: Annotated[tuple[Hex32, ...], Meta(max_length=64)]


class _Shown(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    leaf: str
    media_type: Annotated[str, Meta(max_length=128)]
    content: str | None
    seed: Hex32 | None
    references: str
    item_keys: tuple[Hex32, ...]
    proof: ProofLine | None

    def entry(self) -> EntryRecord:
        """Return the entry as the verifier takes it.

        Raises:
            InputError: ``audit_export_malformed``.
        """
        proof = self.proof
        return EntryRecord(
            leaf=_octets(self.leaf),
            content=None if self.content is None else _octets(self.content),
            media_type=self.media_type,
            seed=None if self.seed is None else _digest(self.seed),
            references=_octets(self.references),
            item_keys=tuple(map(_digest, self.item_keys)),
            proof=None
            if proof is None
            else LogProof(
                leaf_index=proof.leaf_index,
                note=proof.note,
                hashes=tuple(map(_digest, proof.hashes)),
            ),
        )


class EntryLine(
    _Shown, frozen=True, kw_only=True, tag_field="line", tag="entry", forbid_unknown_fields=True
):
    """The entry that the records are about."""


class DigestLine(
    _Shown, frozen=True, kw_only=True, tag_field="line", tag="digest", forbid_unknown_fields=True
):
    """The entry of kind 8 that holds a digest; ``leaf_index`` is what records name it by."""

    leaf_index: Count


class RecordLine(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag_field="line",
    tag="record",
    forbid_unknown_fields=True,
):
    """A record in its own bytes, in words, and its inclusion proof in a digest (None: in none yet).

    ``input``: refused input that was kept, in base64.
    """

    record: msgspec.Raw
    meaning: str
    digest: Count | None
    proof: Annotated[tuple[Hex32, ...], Meta(max_length=64)] | None
    input: str | None = None


Line: TypeAlias = HeaderLine | EntryLine | RecordLine | DigestLine

_decode = msgspec.json.Decoder(Line).decode


def encode_line(line: Line) -> bytes:
    """Return a line's bytes, with its end."""
    return msgspec.json.encode(line, order="sorted") + b"\n"


def parse_export(data: bytes) -> tuple[HeaderLine, list[Line]]:
    """Read an export; return its header, and the lines after it.

    Raises:
        TooLargeError: ``audit_export_too_large``.
        InputError: ``audit_export_malformed``; ``pointer`` is the line, counted from 1.
    """
    if len(data) > EXPORT_BYTES_MAX or data.count(b"\n") > LINES_MAX:
        raise TooLargeError(
            "audit_export_too_large",
            f"over {EXPORT_BYTES_MAX} bytes or {LINES_MAX} lines are not read",
        )
    if not data.endswith(b"\n"):
        raise InputError(
            "audit_export_malformed",
            "the last line has no end: the file was cut",
            advice="export it again",
        )
    lines = [_parse_line(text, number) for number, text in enumerate(data.split(b"\n")[:-1], 1)]
    header, *rest = lines
    if not isinstance(header, HeaderLine):
        raise _malformed(1, "the first line is no header")
    again = next((n for n, each in enumerate(rest, 2) if isinstance(each, HeaderLine)), None)
    if again is not None:
        raise _malformed(again, "a second header")
    return header, rest


def _parse_line(text: bytes, number: int) -> Line:
    try:
        line: Line = _decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _malformed(number, str(error)) from None
    if encode_line(line) != text + b"\n":
        raise _malformed(number, "it is not in the one form that it has")
    return line


def _malformed(number: int, what: str) -> InputError:
    return InputError("audit_export_malformed", f"line {number}: {what}", pointer=f"line {number}")


def _digest(text: str) -> bytes:
    return bytes.fromhex(text[2:])


def _octets(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InputError("audit_export_malformed", f"no base64: {error}") from None


decode_input = _octets
