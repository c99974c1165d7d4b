"""``sealtrail hash``: event hash and content hash of the events in files. Needs no node and no configuration.

A file holds one EPCIS document (or event, or list of events) in JSON or XML, or one a line (JSON lines). Lines are
read one by one, so that a file of any size can be hashed. Folders and archives are read as ``sealtrail capture`` does.
"""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import click
import msgspec
import orjson

from sealtrail.cli.capture_archives import is_archive, read_members
from sealtrail.cli.document_files import find_files
from sealtrail.epcis import (
    HashedEvent,
    Limits,
    detect_media_type,
    event_hash_uri,
    hash_document,
    pre_hash,
)
from sealtrail.epcis.strict_json import parse_json
from sealtrail.errors import InputError, NotFoundError, SealtrailError

# One's own machine and one's own files: only to keep a mistake from taking all memory.
_LIMITS = Limits(
    document_bytes_max=1024 * 1024 * 1024,
    document_values_max=100_000_000,
    events_count_max=10_000_000,
    contexts_bytes_max=1024 * 1024 * 1024,
    event_values_max=100_000_000,
    content_bytes_max=1024 * 1024 * 1024,
    items_count_max=10_000_000,
)
T = TypeVar("T")
_LINE_SUFFIXES = (".jsonl", ".ndjson")
_is_vector_line = re.compile(rb'\s*\{\s*"document"\s*:').match


@click.command("hash")
@click.argument("files", nargs=-1, required=True, metavar="FILE…")
@click.option("--json", "as_json", is_flag=True, help="Print an object a line, for programs.")
@click.option(
    "--pre-hash", "with_pre_hash", is_flag=True, help="Show the text that is hashed, too."
)
@click.option("--debug", is_flag=True, expose_value=False, help="Show a traceback on failure.")
@click.pass_context
def hash_command(
    ctx: click.Context, files: tuple[str, ...], as_json: bool, with_pre_hash: bool
) -> None:
    """Print event hash, content hash and place of every event in FILE… ("-": standard input).

    A FILE is an EPCIS document in JSON or in XML, or has one in JSON a line, or is an archive of documents (.zip, .tar,
    .tar.gz, .gz), or a folder of all these. What is refused is told on stderr, the rest is still hashed, and the exit
    code is then 2. Documents and events are counted from 0.
    """
    refused = False
    faults: list[str] = []
    for given in files:
        for name in _guarded(_files(given), given, faults, as_json):
            for place, document in _guarded(_documents(name), name, faults, as_json):
                refused = not _hash(place, document, as_json, with_pre_hash) or refused
    sys.stdout.flush()
    if refused or faults:
        ctx.exit(InputError.exit_code)


def _guarded(items: Iterator[T], name: str, faults: list[str], as_json: bool) -> Iterator[T]:
    """Yield items up to one that can't be read; tell why not."""
    try:
        yield from items
    except SealtrailError as error:
        faults.append(error.code)
        _complain(error, {"file": name}, as_json)


def _hash(place: dict[str, Any], document: bytes, as_json: bool, with_pre_hash: bool) -> bool:
    """Print what one document holds; tell whether all of it was accepted."""
    try:
        document = _unwrapped(document)
        events = hash_document(document, media_type=detect_media_type(document), limits=_LIMITS)
    except SealtrailError as error:
        _complain(error, place, as_json)
        return False
    accepted = True
    for index, event in enumerate(events):
        place["index"] = index
        if isinstance(event, InputError):
            _complain(event, place, as_json)
            accepted = False
        else:
            sys.stdout.write(_line(event, place, as_json, with_pre_hash))
    return accepted


def _line(event: HashedEvent, place: dict[str, Any], as_json: bool, with_pre_hash: bool) -> str:
    uri = event_hash_uri(event.event_hash)
    text = pre_hash(event.content) if with_pre_hash else None
    if as_json:
        found = place | {
            "event_hash": uri,
            "content_hash": event.content_hash.hex(),
            "hash_ambiguous": event.hash_ambiguous,
        }
        if text is not None:
            found["pre_hash"] = text
        return orjson.dumps(found).decode() + "\n"
    line = f"{uri}  {event.content_hash.hex()}  {_where(place, event.pointer)}"
    if event.hash_ambiguous:
        line += f"  (event hash ambiguous: {event.hash_ambiguous})"
    return line + "\n" + (f"    {text}\n" if text is not None else "")


def _where(place: dict[str, Any], pointer: str | None) -> str:
    document = f":{place['document']}" if "document" in place else ""
    return f"{place['file']}{document}{'#' + pointer if pointer else ''}"


def _complain(error: SealtrailError, place: dict[str, Any], as_json: bool) -> None:
    sys.stdout.flush()
    if as_json:
        members = {
            "code": error.code,
            "message": error.message,
            "pointer": error.pointer,
            "line": error.context.get("line"),
            "advice": error.advice,
        }
        problem = {"error": place | {k: v for k, v in members.items() if v is not None}}
        click.echo(orjson.dumps(problem).decode(), err=True)
        return
    click.echo(f"error: {_where(place, error.pointer)}: {error.message} [{error.code}]", err=True)
    if error.advice:
        click.echo(f"  → {error.advice}", err=True)


def _files(given: str) -> Iterator[str]:
    """Yield a file as it was given; of a folder, the documents and archives in it and below it.

    Raises:
        InputError: ``folder_unreadable``.
    """
    path = Path(given)
    if given != "-" and path.is_dir():
        yield from map(str, find_files([path]))
    else:
        yield given


def _documents(name: str) -> Iterator[tuple[dict[str, Any], bytes]]:
    """Yield the documents of a file, of each in it if it is an archive, and where each stands.

    Raises:
        NotFoundError: ``file_missing``.
        InputError: ``file_unreadable``, and those of :func:`~sealtrail.cli.capture_archives.read_members`.
        TooLargeError: ``archive_too_large``, ``file_too_large``.
    """
    if name == "-":
        yield from _placed(name, sys.stdin.buffer)
        return
    try:
        with Path(name).open("rb") as file:
            if not is_archive(Path(name)):
                yield from _placed(name, file)
                return
            for member in read_members(file, name):
                yield from _placed(member.name, io.BytesIO(member.content))
    except FileNotFoundError:
        raise NotFoundError("file_missing", f"There is no file {name}.") from None
    except OSError as error:
        raise InputError("file_unreadable", f"{name} can't be read: {error.strerror}.") from None


def _placed(name: str, file: BinaryIO) -> Iterator[tuple[dict[str, Any], bytes]]:
    """Yield the documents of an opened file: its lines if the first is whole, else all of it as one."""
    for number, document in enumerate(_split(file, lines=name.endswith(_LINE_SUFFIXES))):
        yield {"file": name, "document": number}, document


def _split(file: BinaryIO, *, lines: bool) -> Iterator[bytes]:
    longest = _LIMITS.document_bytes_max + 1  # so that what is refused need not fit into memory
    first = file.readline(longest)
    while first and not first.strip():
        first = file.readline(longest)
    if not lines and not _is_whole(first):
        yield first + file.read(longest - len(first))
        return
    while first:
        if first.strip():
            yield first
        first = file.readline(longest)


def _is_whole(line: bytes) -> bool:
    try:
        orjson.loads(line)
    except orjson.JSONDecodeError:
        return False
    return True


class _VectorLine(msgspec.Struct):
    """A line of a vector file: the document, its bytes untouched, and what is known of it."""

    document: msgspec.Raw


def _unwrapped(line: bytes) -> bytes:
    """Take the document out of a line of a vector file: ``{"document": {…}, "hash": …}``.

    Raises:
        InputError: which document is meant is not certain: a key stands twice.
    """
    if not _is_vector_line(line):
        return line
    try:
        document = bytes(msgspec.json.decode(line, type=_VectorLine).document)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return line  # what is wrong with it is found where every document is read
    if line.count(b'"document"') > 1:
        parse_json(line, octets_max=_LIMITS.document_bytes_max)
    return document
