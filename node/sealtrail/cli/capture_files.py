"""The files that ``sealtrail capture`` is given, and what becomes of the documents in each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from sealtrail.cli.capture_archives import is_archive, read_archive
from sealtrail.cli.capture_sender import Outcome, Sender, problems_of
from sealtrail.cli.documents import Opener, Part, open_any, split_content, split_documents
from sealtrail.cli.output import spelt
from sealtrail.errors import InputError, NotFoundError

T = TypeVar("T")


class FileCapture:
    """Captures one file after the other.

    Args:
        tell: told after each part of a file how many bytes of the file that was.
        opener: opens each file.
    """

    def __init__(
        self,
        sender: Sender,
        batch_events: int,
        tell: Callable[[int], None],
        opener: Opener = open_any,
    ) -> None:
        self._sender = sender
        self._batch_events = batch_events
        self._tell = tell
        self._opener = opener

    def capture(self, path: Path) -> list[Outcome]:
        """Send what a file holds, and return what became of it: of each document, if it is an archive.

        Raises:
            SealtrailError: as :meth:`Sender.send`. What is wrong with the file is part of the outcome instead.
        """
        if not is_archive(path):
            parts = split_documents(path, self._batch_events, self._opener)
            return [self._document(spelt(path), parts, self._tell)]
        outcomes: list[Outcome] = []
        faults: list[dict[str, Any]] = []
        for member in _readable(read_archive(path, self._opener), faults):
            parts = split_content(member.content, member.name, self._batch_events)
            outcomes.append(self._document(member.name, parts, _tell_nobody))
        if faults or not outcomes:
            outcomes.append(Outcome(file=spelt(path), errors=faults))
        self._tell(_size_of(path))
        return outcomes

    def _document(self, name: str, parts: Iterator[Part], tell: Callable[[int], None]) -> Outcome:
        outcome = Outcome(file=name)
        for part in _readable(parts, outcome.errors):
            self._sender.send(part, outcome)
            tell(part.file_bytes)
        return outcome


def _readable(items: Iterator[T], faults: list[dict[str, Any]]) -> Iterator[T]:
    """Yield items up to one that can't be read, and tell why not."""
    try:
        yield from items
    except (InputError, NotFoundError) as error:
        faults += problems_of(error)


def _size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # taken away meanwhile
        return 0


def _tell_nobody(_: int) -> None:
    """How far an archive's own bytes have come is not known before its end."""
