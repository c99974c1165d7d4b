"""Reads a bundle's lines one after another: each in its one byte form, in the one order, and the digest over them.

A line is given out only after it was found to be in its form and its place; what it says is not believed by that.
Nothing of what was read is kept, whatever the length of the file.

Source: docs/protocol.md section 18.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import TypeAlias

import msgspec

from sealtrail.errors import InputError, TooLargeError
from sealtrail.evidence.bundle.entries import EntryLine
from sealtrail.evidence.bundle.items import ItemProofLine
from sealtrail.evidence.bundle.lines import (
    FORMAT,
    AnswerLine,
    BlockLine,
    CheckpointLine,
    HeaderLine,
    LogLine,
    MemberLine,
    SignatureLine,
)
from sealtrail.evidence.wire import split_place

AnyLine: TypeAlias = (
    HeaderLine
    | BlockLine
    | MemberLine
    | LogLine
    | EntryLine
    | CheckpointLine
    | ItemProofLine
    | AnswerLine
    | SignatureLine
)

# What may follow a line of each type; None begins, and only a signature ends.
_NEXT: dict[type | None, tuple[type, ...]] = {
    None: (HeaderLine,),
    HeaderLine: (BlockLine, MemberLine),
    BlockLine: (BlockLine, MemberLine),
    MemberLine: (MemberLine, LogLine, AnswerLine),
    LogLine: (EntryLine, CheckpointLine),
    EntryLine: (EntryLine, CheckpointLine),
    CheckpointLine: (EntryLine, CheckpointLine, ItemProofLine, LogLine, AnswerLine),
    ItemProofLine: (ItemProofLine, LogLine, AnswerLine),
    AnswerLine: (SignatureLine,),
    SignatureLine: (),
}

_encoder = msgspec.json.Encoder(order="sorted")
_decoder = msgspec.json.Decoder(AnyLine)


class BundleLimits(msgspec.Struct, frozen=True, kw_only=True):
    """The most that a bundle may have, where nothing streams: counts and bytes."""

    line_bytes_max: int = 32 * 1024 * 1024
    blocks_max: int = 200_000
    blocks_bytes_max: int = 512 * 1024 * 1024
    members_max: int = 10_000
    members_bytes_max: int = 64 * 1024 * 1024
    sections_max: int = 10_000
    judged_entries_max: int = 50_000  # of a question about an item: they are judged together
    judged_bytes_max: int = 512 * 1024 * 1024
    item_proofs_max: int = 10_000
    listed_max: int = 2_000_000  # leaf indices in all of these together


class SealedLine(msgspec.Struct, frozen=True):
    """A line in its place: its number from 1, and the digest of everything before it."""

    number: int
    line: AnyLine
    digest_before: bytes


def encode_line(line: AnyLine) -> bytes:
    """Return a line's bytes, its newline included."""
    return _encoder.encode(line) + b"\n"


def read_lines(source: Iterable[bytes], limits: BundleLimits) -> Iterator[SealedLine]:
    """Yield a bundle's lines in order.

    Args:
        source: the file's lines, each with its newline, as a binary file gives them.

    Raises:
        InputError: ``bundle_malformed``, with the line's number and a JSON pointer within it.
        TooLargeError: ``bundle_line_too_long``.
    """
    digest, number, before = sha256(), 0, None
    for number, data in enumerate(source, start=1):
        line = _read_line(data, number, limits)
        if type(line) not in _NEXT[before]:
            raise malformed(number, "", f"a line of type {_name(type(line))} {_after(before)}")
        yield SealedLine(number, line, digest.digest())
        digest.update(data)
        before = type(line)
    if before is not SignatureLine:
        raise malformed(number + 1, "", f"the file ends {_after(before)}; it is not whole")


def parse_section(source: Iterable[bytes], limits: BundleLimits | None = None) -> list[AnyLine]:
    """Return the lines of one section by itself, as nodes send them to each other.

    Raises:
        InputError: ``bundle_malformed``.
        TooLargeError: ``bundle_line_too_long``.
    """
    limits = limits or BundleLimits()
    lines: list[AnyLine] = []
    for number, data in enumerate(source, start=1):
        line = _read_line(data, number, limits)
        before = type(lines[-1]) if lines else MemberLine
        if type(line) not in _NEXT[before] or isinstance(line, LogLine) is bool(lines):
            raise malformed(number, "", f"a line of type {_name(type(line))} in a section")
        lines.append(line)
    if not lines or isinstance(lines[-1], LogLine | EntryLine):
        raise malformed(len(lines) + 1, "", "the section is not whole")
    return lines


def _read_line(data: bytes, number: int, limits: BundleLimits) -> AnyLine:
    if len(data) > limits.line_bytes_max:
        raise TooLargeError(
            "bundle_line_too_long",
            f"line {number} has more than {limits.line_bytes_max} bytes",
            pointer=f"line {number}",
        )
    try:
        line: AnyLine = _decoder.decode(data)
    except msgspec.ValidationError as e:
        message, pointer = split_place(str(e))
        raise malformed(number, pointer, message) from e
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
        raise malformed(number, "", f"not JSON: {e}") from e
    if encode_line(line) != data:
        raise malformed(number, "", "not in its one byte form (RFC 8785, nothing absent spelt out)")
    if isinstance(line, HeaderLine) and line.format != FORMAT:
        raise malformed(number, "/format", f"{line.format[:64]!r}, not {FORMAT!r}")
    return line


def malformed(number: int, pointer: str, what: str) -> InputError:
    """Return the error that refuses line ``number``."""
    return InputError(
        "bundle_malformed", f"line {number}: {what}", pointer=f"line {number}{pointer}"
    )


def _name(line: type) -> str:
    return str(line.__struct_config__.tag)  # type: ignore[attr-defined]


def _after(before: type | None) -> str:
    return "at the beginning" if before is None else f"after one of type {_name(before)}"
