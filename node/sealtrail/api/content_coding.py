"""Content codings: bodies that come compressed are decoded piece by piece, and answers compressed for who takes that.

What a small body grows to is noticed before it is there.

aiohttp would decode by itself: it takes a coding that it does not know for none, and logs a broken body as a
fault of its own.

Source: RFC 9110, sections 8.4 and 12.5.3.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator

from aiohttp import web

from sealtrail.errors import InputError, UnsupportedMediaError

CODINGS = ("gzip", "deflate", "identity")
"""What a body may be encoded with; ``identity`` is none."""
_ALIASES = {"": "identity", "x-gzip": "gzip"}
_PIECE_BYTES = 256 * 1024
# What is worth compressing here is mostly hashes and signatures: a higher level finds no more.
_LEVEL = 1
_REFUSED = re.compile(r"q=0(\.0{0,3})?")
# zlib's names for a format: of gzip, of zlib, and of deflate without a header
_GZIP, _ZLIB, _BARE = 16 + zlib.MAX_WBITS, zlib.MAX_WBITS, -zlib.MAX_WBITS


class Decoder:
    """Decodes one body; give it what arrives, then call :meth:`finish`."""

    def __init__(self, coding: str) -> None:
        self._coding = coding
        self._format = _GZIP if coding == "gzip" else _ZLIB
        self._stream = zlib.decompressobj(self._format)
        self._begun = False

    def pieces(self, chunk: bytes) -> Iterator[bytes]:
        """Give what a chunk decodes to, each piece of at most 256 KiB.

        Raises:
            InputError: it isn't what the header says (``body_broken_off``).
        """
        if chunk and not self._begun:
            self._begin(chunk[0])
        try:
            while chunk:
                if self._stream.eof:  # RFC 1952 section 2.2: a further member
                    self._stream = zlib.decompressobj(self._format)
                yield self._stream.decompress(chunk, _PIECE_BYTES)
                chunk = self._stream.unconsumed_tail or self._stream.unused_data
        except zlib.error as error:
            raise self._broken(str(error)) from error

    def finish(self) -> bytes:
        """Return what was held back, some kilobytes at most, now that all has arrived.

        Raises:
            InputError: something is missing (``body_broken_off``).
        """
        try:
            rest = self._stream.flush()
        except zlib.error as error:
            raise self._broken(str(error)) from error
        if not self._stream.eof:
            raise self._broken("it ends early")
        return rest

    def _begin(self, first: int) -> None:
        self._begun = True
        if self._coding == "deflate" and first & 0x0F != 8:  # RFC 1950 section 2.2; widely left out
            self._format = _BARE
            self._stream = zlib.decompressobj(_BARE)

    def _broken(self, why: str) -> InputError:
        return InputError("body_broken_off", f"the body can't be decoded as {self._coding}: {why}")


def decoder_of(request: web.Request) -> Decoder | None:
    """Return what decodes a request's body; None if it is as it is.

    Raises:
        UnsupportedMediaError: it is encoded otherwise (``content_coding_unsupported``).
    """
    given = ", ".join(request.headers.getall("Content-Encoding", [])).strip().lower()
    coding = _ALIASES.get(given, given)
    if coding not in CODINGS:
        raise UnsupportedMediaError(
            "content_coding_unsupported",
            f"the body's Content-Encoding is {given[:40]!r}, expected one of {', '.join(CODINGS)}",
            advice="send the body as it is, or with gzip",
        )
    return None if coding == "identity" else Decoder(coding)


def accepts_gzip(request: web.Request) -> bool:
    """Tell whether a request's answer may come with gzip; without a header it may not."""
    weights = {}
    for each in ",".join(request.headers.getall("Accept-Encoding", [])).lower().split(","):
        name, _, weight = each.replace(" ", "").partition(";")
        weights[name] = weight
    weight = weights.get("gzip", weights.get("x-gzip", weights.get("*", "q=0")))
    return _REFUSED.fullmatch(weight) is None


def encode_gzip(body: bytes) -> bytes:
    """Return a body as gzip has it; the same body always gives the same bytes."""
    return gzip.compress(body, _LEVEL, mtime=0)
