"""EPCIS documents in files, cut into parts that a node takes at once.

Events stay the bytes that stood in the file: what is wrong in one (a duplicate key, say) is the
node's to find, and must not be mended on the way.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import msgspec

from sealtrail.cli.output import spelt
from sealtrail.cli.xml_documents import XmlPart, split_xml
from sealtrail.epcis import MEDIA_TYPE, XML_MEDIA_TYPE, detect_media_type
from sealtrail.errors import InputError, NotFoundError, TooLargeError

LIST_POINTER = "/epcisBody/eventList"
FILE_BYTES_MAX = 1 << 30  # a file is held in memory whole
_LINE_SUFFIXES = (".jsonl", ".ndjson")

Opener: TypeAlias = Callable[[Path], BinaryIO]


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A document to send. ``first``: index of its first event in the file; ``line``: of the file, 0 if whole.

    ``xml``: where it stood in a larger document, if it is XML.
    """

    document: bytes
    events: int
    first: int = 0
    line: int = 0
    file_bytes: int = 0
    list_pointer: str = LIST_POINTER
    media_type: str = MEDIA_TYPE
    xml: XmlPart | None = None

    @property
    def digest(self) -> str:
        """SHA-256 of the document as sent."""
        return hashlib.sha256(self.document).hexdigest()


def open_any(path: Path) -> BinaryIO:
    """Open whatever is there: who names a file may mean a link or a pipe."""
    return path.open("rb")


def open_regular(path: Path) -> BinaryIO:
    """Open a file of somebody else's making, and nothing but a file.

    It is the opened one that is looked at: what stands at the path may be another a moment later. A link is not
    followed, and a pipe without a writer not waited for.

    Raises:
        OSError: it is a link, a pipe, a folder or a device; or can't be opened.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise OSError(errno.ELOOP, "it is a link", str(path)) from error
        raise
    file = open(descriptor, "rb")  # noqa: SIM115 - the caller closes it
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "it is no regular file", str(path))
    return file


def split_documents(path: Path, events_max: int, opener: Opener = open_any) -> Iterator[Part]:
    """Yield the documents of a file, none with more than ``events_max`` events.

    Raises:
        NotFoundError: ``file_missing``.
        InputError: ``file_unreadable``, ``json_malformed``, ``json_key_repeated``, ``xml_malformed`` and other
            codes of :func:`~sealtrail.cli.xml_documents.split_xml`.
        TooLargeError: ``file_too_large``.
    """
    yield from split_content(read_file(path, opener), spelt(path), events_max)


def split_content(content: bytes, name: str, events_max: int) -> Iterator[Part]:
    """Yield the documents in the content of a file of that name, none with more than ``events_max`` events.

    Raises:
        InputError: as :func:`split_documents`.
    """
    if detect_media_type(content) == XML_MEDIA_TYPE:
        yield from _split_xml(content, events_max)
        return
    if not name.endswith(_LINE_SUFFIXES):
        try:
            yield from _split(content, events_max, line=0)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
            if not _many_lines(content):
                raise InputError("json_malformed", f"{name}: {e}", pointer=name) from e
        else:
            return
    for number, line in enumerate(content.splitlines(keepends=True), 1):
        if line.strip():
            try:
                yield from _split(line, events_max, line=number)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
                raise InputError(
                    "json_malformed", f"{name} line {number}: {e}", pointer=f"{name}:{number}"
                ) from e


def _split_xml(content: bytes, events_max: int) -> Iterator[Part]:
    for part in split_xml(content, events_max):
        yield Part(
            document=part.document,
            events=part.events,
            first=part.first,
            file_bytes=len(part.document),
            media_type=XML_MEDIA_TYPE,
            xml=part,
        )


def read_file(path: Path, opener: Opener = open_any) -> bytes:
    """Return the content of a file; of standard input, if it is called ``-``.

    Raises:
        NotFoundError: ``file_missing``.
        InputError: ``file_unreadable``.
        TooLargeError: ``file_too_large``.
    """
    name = spelt(path)
    try:
        if name == "-":
            content = sys.stdin.buffer.read(FILE_BYTES_MAX + 1)
        else:
            with opener(path) as file:
                content = file.read(FILE_BYTES_MAX + 1)
    except FileNotFoundError as e:
        raise NotFoundError("file_missing", f"no file {name}", pointer=name) from e
    except OSError as e:
        raise InputError("file_unreadable", f"{name}: {e.strerror}", pointer=name) from e
    require_size(content, name)
    return content


def require_size(content: bytes, name: str) -> None:
    """Refuse what is too long to be held in memory.

    Raises:
        TooLargeError: ``file_too_large``.
    """
    if len(content) > FILE_BYTES_MAX:
        raise TooLargeError(
            "file_too_large",
            f"{name} has over {FILE_BYTES_MAX} bytes",
            pointer=name,
            advice="cut it into several files",
        )


def _many_lines(content: bytes) -> bool:
    """Tell whether the first line is a whole JSON value, as in a file of one document a line."""
    first, _, rest = content.lstrip().partition(b"\n")
    if not rest.strip():
        return False
    try:
        msgspec.json.decode(first, type=msgspec.Raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def _split(content: bytes, events_max: int, *, line: int) -> Iterator[Part]:
    found = _event_list(content)
    if found is None or len(found[2]) <= events_max:
        count = 1 if found is None else len(found[2])
        yield Part(document=content, events=count, line=line, file_bytes=len(content))
        return
    document, body, events = found
    _refuse_duplicate_keys(content)
    for first in range(0, len(events), events_max):
        chunk = events[first : first + events_max]
        cut: dict[str, Any] = {**document, "epcisBody": {**body, "eventList": chunk}}
        encoded = msgspec.json.encode(cut)
        yield Part(
            document=encoded, events=len(chunk), first=first, line=line, file_bytes=len(encoded)
        )


def _event_list(
    content: bytes,
) -> tuple[dict[str, msgspec.Raw], dict[str, msgspec.Raw], list[msgspec.Raw]] | None:
    """Return document, body and events, their insides unread; None if it is no document of events."""
    msgspec.json.decode(content, type=msgspec.Raw)  # is it JSON at all? raises DecodeError
    try:
        document = msgspec.json.decode(content, type=dict[str, msgspec.Raw])
        body = msgspec.json.decode(document["epcisBody"], type=dict[str, msgspec.Raw])
        events = msgspec.json.decode(body["eventList"], type=list[msgspec.Raw])
    except (KeyError, msgspec.ValidationError):
        return None
    return document, body, events


def _refuse_duplicate_keys(content: bytes) -> None:
    """Refuse what cutting would hide: of two equal keys, only the last would be sent."""

    def checked(pairs: list[tuple[str, Any]]) -> None:
        names = [name for name, _ in pairs]
        if len(set(names)) != len(names):
            repeated = next(n for n in names if names.count(n) > 1)
            raise InputError(
                "json_key_repeated",
                f"the key {repeated!r} stands twice in one object",
                advice="a document of this size is cut before it is sent; mend it first",
            )

    try:
        json.loads(content, object_pairs_hook=checked)
    except (ValueError, RecursionError) as e:
        raise InputError("json_malformed", str(e)) from e
