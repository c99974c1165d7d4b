"""The label of a pack or a logistic unit, drawn: GS1 Data Matrix, or QR code with a Digital Link.

zxing-cpp makes the symbol's modules; the picture is written here, PNG (RFC 2083) or SVG, since both need little and
no picture library is wanted for them. What the label says is checked first as whoever scans it would.

Source: GS1 General Specifications, sections 4 (elements), 5.6 (GS1 Data Matrix), 5.11 (Digital Link in QR).
"""

from __future__ import annotations

import html
import struct
import zlib
from typing import Any, Literal

import msgspec
import zxingcpp

from sealtrail.errors import InputError
from sealtrail.gs1 import read_scan, to_digital_link
from sealtrail.gs1.application_identifiers import predefined_length
from sealtrail.gs1.elements import (
    Elements,
    check_associations,
    encode_bracketed,
    parse_bracketed,
)
from sealtrail.gs1.link_elements import PRIMARY_KEYS, encode_link, parse_link

Symbology = Literal["datamatrix", "qr"]

SCALE_MAX = 40
"""Pixels a module."""
_LINE_MODULES = 4
"""Height of a line of text below the symbol, in modules."""
_CHARACTER_MODULES = 1.7
_ADVICE = "Say what the label is for with item=, expiry=YYMMDD, lot= and serial=."


class Label(msgspec.Struct, frozen=True, kw_only=True):
    """A symbol: its modules by rows (True is dark), quiet zone included, what it holds, and that for people."""

    rows: tuple[tuple[bool, ...], ...]
    content: str
    text: tuple[str, ...]


def label_elements(item: str, *, lot: str = "", expiry: str = "", serial: str = "") -> Elements:
    """Return what a label of ``item`` says, which may be given in any spelling, and what is stated beside it.

    Args:
        expiry: YYMMDD or YYYY-MM-DD.

    Raises:
        InputError: ``label_unavailable`` (nothing that GS1 numbers), ``label_contradictory``; as
            :func:`read_scan`, :func:`parse_link`, :func:`check_associations`.
    """
    scan = read_scan(item)
    elements = scan.elements
    if scan.identifier is not None:
        link = to_digital_link(scan.identifier)
        if scan.kind == "uri" or not link.startswith("http"):
            raise InputError(
                "label_unavailable",
                f"{item[:100]!r} has no GS1 key to put on a label.",
                advice=_ADVICE,
            )
        elements = parse_link(link)
    stated = {"10": lot, "17": _yymmdd(expiry), "21": serial}
    for ai, value in stated.items():
        if value and elements.get(ai, value) != value:
            raise InputError(
                "label_contradictory",
                f"({ai}) is {elements[ai]!r} in the item and {value[:40]!r} beside it.",
            )
    return _checked({**elements, **{ai: value for ai, value in stated.items() if value}})


def draw(elements: Elements, symbology: Symbology, stem: str) -> Label:
    """Draw a label.

    Args:
        stem: what stands before the key in a QR code's Digital Link.

    Raises:
        InputError: ``label_too_long``; as :func:`encode_link`.
    """
    try:
        if symbology == "qr":
            content = encode_link(elements, stem)
            barcode = zxingcpp.create_barcode(content, zxingcpp.BarcodeFormat.QRCode)
        else:
            content = encode_bracketed(elements)
            escaped = "".join(f"({ai}){_escaped(value)}" for ai, value in elements.items())
            barcode = zxingcpp.create_barcode(escaped, zxingcpp.BarcodeFormat.DataMatrix, gs1=True)
    except ValueError as error:
        raise InputError("label_too_long", f"{symbology} can't hold this: {error}") from error
    image: Any = memoryview(barcode.to_image(scale=1, add_quiet_zones=True))
    return Label(
        rows=tuple(tuple(grey < 128 for grey in row) for row in image.tolist()),
        content=content,
        text=tuple(f"({ai}) {value}" for ai, value in elements.items()),
    )


def png(label: Label, scale: int) -> bytes:
    """Return the symbol as a picture in greys of one bit."""
    width = len(label.rows[0]) * scale
    lines = []
    for row in label.rows:
        bits = "".join(("0" if dark else "1") * scale for dark in row)
        packed = int(bits.ljust(-(-width // 8) * 8, "0"), 2).to_bytes(-(-width // 8), "big")
        lines.append((b"\0" + packed) * scale)
    header = struct.pack(">IIBBBBB", width, len(label.rows) * scale, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        _chunk(kind, body)
        for kind, body in (
            (b"IHDR", header),
            (b"IDAT", zlib.compress(b"".join(lines))),
            (b"IEND", b""),
        )
    )


def svg(label: Label, scale: int, *, with_text: bool) -> bytes:
    """Return the symbol as vectors, on request with its elements in clear text below."""
    lines = label.text if with_text else ()
    size = len(label.rows[0])
    width = max([size, *(_CHARACTER_MODULES * len(line) + 2 for line in lines)])
    height = len(label.rows) + _LINE_MODULES * len(lines)
    path = "".join(_runs(label))
    texts = "".join(
        f'<text x="1" y="{len(label.rows) + _LINE_MODULES * (number + 0.75):g}" font-size="3"'
        f' font-family="monospace">{html.escape(line)}</text>'
        for number, line in enumerate(lines)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width * scale:g}" height="{height * scale}"'
        f' viewBox="0 0 {width:g} {height}"><title>{html.escape(label.content)}</title>'
        f'<rect width="100%" height="100%" fill="#fff"/>'
        f'<path shape-rendering="crispEdges" d="{path}"/>{texts}</svg>'
    ).encode()


def _runs(label: Label) -> list[str]:
    """The dark modules as rectangles, one a run of a row."""
    found = []
    for y, row in enumerate(label.rows):
        x = 0
        while x < len(row):
            end = x
            while end < len(row) and row[end]:
                end += 1
            if end > x:
                found.append(f"M{x} {y}h{end - x}v1H{x}z")
            x = end + 1
    return found


def _chunk(kind: bytes, body: bytes) -> bytes:
    check = zlib.crc32(kind + body)
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", check)


def _escaped(value: str) -> str:
    # in the drawing library's bracketed form every bracket of a value is escaped
    return value.replace("(", r"\(")


def _yymmdd(text: str) -> str:
    if len(text) == 10 and text[4] == text[7] == "-":
        return text[2:4] + text[5:7] + text[8:]
    return text


def _checked(elements: Elements) -> Elements:
    """Return elements that a symbol may hold, those of predefined length first, so that few need FNC1."""
    read_back = parse_bracketed(encode_bracketed(elements))
    check_associations(read_back)
    return dict(sorted(read_back.items(), key=lambda pair: _place(pair[0])))


def _place(ai: str) -> tuple[bool, bool, str]:
    return predefined_length(ai) is None, ai not in PRIMARY_KEYS, ai
