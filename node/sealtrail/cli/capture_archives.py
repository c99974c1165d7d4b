"""Documents in archives: ``.zip``, ``.tar`` (also gzipped) and ``.gz``. Nothing is unpacked to disk.

An archive is somebody else's: how many members it has, how long they are and what they unpack to is bounded here, and a
member's name is only ever shown.
"""

from __future__ import annotations

import gzip
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Protocol, cast

import msgspec

from sealtrail.cli.documents import FILE_BYTES_MAX, Opener, open_any, require_size
from sealtrail.cli.output import spelt
from sealtrail.errors import InputError, TooLargeError

MEMBERS_MAX = 100_000  # documents; of a zip, whatever is in it
ZIP_LIST_BYTES_MAX = 64 << 20  # the list of all members at a zip's end
ARCHIVE_BYTES_MAX = 8 << 30  # of its members, unpacked, all together
TAR_HEADERS_BYTES_MAX = 16 << 20  # between one member and the next
DOCUMENT_SUFFIXES = (".json", ".jsonl", ".ndjson", ".jsonld", ".xml")
_TAR_SUFFIXES = (".tar", ".tar.gz", ".tgz")
_MEMBER_LISTED = b"PK\x01\x02"  # begins each member's entry in a zip's list
ARCHIVE_SUFFIXES = (".zip", *_TAR_SUFFIXES, ".gz")
_BROKEN = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    OSError,
    ValueError,
    OverflowError,
    NotImplementedError,  # a way of packing that there is no code for
    MemoryError,  # a member names the size of the dictionary that it wants, up to 4 GiB
)


class Member(msgspec.Struct, frozen=True):
    """A document in an archive; ``name`` has the archive's own before it."""

    name: str
    content: bytes


def is_archive(path: Path) -> bool:
    """Tell whether a file is one by its name."""
    return path.name.lower().endswith(ARCHIVE_SUFFIXES)


def is_document_name(name: str) -> bool:
    """Tell whether a file of that name in a folder or archive is taken for a document; hidden ones are not."""
    return name.lower().endswith(DOCUMENT_SUFFIXES) and not name.startswith(".")


def read_archive(path: Path, opener: Opener = open_any) -> Iterator[Member]:
    """Yield the documents of an archive, one after the other.

    Raises:
        InputError: ``archive_malformed``, ``archive_encrypted``, ``archive_nested``, ``file_unreadable``.
        TooLargeError: ``archive_too_large``, ``file_too_large``.
    """
    try:
        file = opener(path)
    except OSError as error:
        raise InputError(
            "file_unreadable", f"{spelt(path)}: {error.strerror}", pointer=spelt(path)
        ) from error
    with file:
        yield from read_members(file, spelt(path))


def read_members(file: IO[bytes], archive: str) -> Iterator[Member]:
    """Yield the documents of an opened archive; its name tells what kind it is of.

    Raises:
        InputError, TooLargeError: as :func:`read_archive`.
    """
    name = archive.lower()
    read = _zip if name.endswith(".zip") else _tar if name.endswith(_TAR_SUFFIXES) else _gzip
    total = 0
    try:
        for count, member in enumerate(read(file, archive), 1):
            require_size(member.content, member.name)
            total += len(member.content)
            if count > MEMBERS_MAX or total > ARCHIVE_BYTES_MAX:
                raise _too_large(archive)
            yield member
    except _BROKEN as error:
        raise InputError(
            "archive_malformed",
            f"{archive} can't be unpacked: {error or type(error).__name__}",
            pointer=archive,
        ) from error


def _zip(file: IO[bytes], archive: str) -> Iterator[Member]:
    listed = _Listed(file, archive)
    with zipfile.ZipFile(cast(IO[bytes], listed)) as opened:
        listed.is_open = True
        for info in opened.infolist():
            # a folder's name ends so; a name may be empty, which zipfile's own test does not expect
            if info.filename.endswith("/") or not _is_taken(info.filename, archive):
                continue
            if info.flag_bits & 1:
                raise InputError("archive_encrypted", f"{archive} is encrypted", pointer=archive)
            with opened.open(info) as member:
                yield Member(f"{archive}:{info.filename}", member.read(FILE_BYTES_MAX + 1))


class _Listed:
    """A zip's file. While it is opened its list is held to limits: ``zipfile`` makes an object of each member in it,
    which takes seconds for some 100,000, and its own count of them may say anything.
    """

    def __init__(self, file: IO[bytes], archive: str) -> None:
        self._file = file
        self._archive = archive
        self.is_open = False
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable

    def read(self, size: int = -1) -> bytes:
        """Read on."""
        if self.is_open:
            return self._file.read(size)
        most = ZIP_LIST_BYTES_MAX + 1
        content = self._file.read(min(size, most) if size >= 0 else most)
        if len(content) == most or content.count(_MEMBER_LISTED) > MEMBERS_MAX:
            raise _too_large(self._archive)
        return content


def _tar(file: IO[bytes], archive: str) -> Iterator[Member]:
    packed = not archive.lower().endswith(".tar")
    bounded = _Bounded(gzip.GzipFile(fileobj=file) if packed else file, archive)
    # a stream: nothing is looked for backwards, whatever a header says
    with tarfile.open(fileobj=cast(IO[bytes], bounded), mode="r|") as opened:
        for info in opened:
            bounded.allow(max(info.size, 0))
            if info.isreg() and _is_taken(info.name, archive):
                member = opened.extractfile(info)
                if member is not None:
                    yield Member(f"{archive}:{spelt(info.name)}", member.read(FILE_BYTES_MAX + 1))


def _gzip(file: IO[bytes], archive: str) -> Iterator[Member]:
    with gzip.GzipFile(fileobj=file) as opened:
        yield Member(f"{archive}:{Path(archive).stem}", opened.read(FILE_BYTES_MAX + 1))


class _Stream(Protocol):
    def read(self, size: int, /) -> bytes:
        """Read on."""


class _Bounded:
    """Reads a tar, and refuses one that says more of a member than any member needs."""

    def __init__(self, file: _Stream, archive: str) -> None:
        self._file = file
        self._archive = archive
        self._total = 0
        self._left = TAR_HEADERS_BYTES_MAX

    def allow(self, member_bytes: int) -> None:
        """Allow for a member of that size, and for what stands before the next."""
        self._left = member_bytes + TAR_HEADERS_BYTES_MAX

    def read(self, size: int) -> bytes:
        """Read on."""
        content = self._file.read(size)
        self._total += len(content)
        self._left -= len(content)
        if self._left < 0 or self._total > ARCHIVE_BYTES_MAX:
            raise _too_large(self._archive)
        return content


def _is_taken(member: str, archive: str) -> bool:
    name = PurePosixPath(member).name
    if name.lower().endswith(ARCHIVE_SUFFIXES):
        raise InputError(
            "archive_nested",
            f"{archive} has an archive in it, {member[:200]!r}",
            pointer=archive,
            advice="unpack it first",
        )
    return is_document_name(name)


def _too_large(archive: str) -> TooLargeError:
    return TooLargeError(
        "archive_too_large",
        f"{archive} has over {MEMBERS_MAX} members, or unpacks to over {ARCHIVE_BYTES_MAX} bytes",
        pointer=archive,
        advice="unpack it, and capture the folder",
    )
