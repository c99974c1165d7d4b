"""EPCIS documents of exported events: one file, or several in a folder. Each is written beside first, then renamed."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from itertools import chain, islice
from pathlib import Path
from typing import Any

import msgspec

from sealtrail.cli.export_spool import Spool
from sealtrail.epcis.views import (
    STANDARD_CONTEXT,
    Form,
    Frame,
    Header,
    capture_frame,
    encode_view,
)
from sealtrail.errors import InputError, NotAcceptableError

LEFT_OUT_LISTED_MAX = 1_000
_DRAFT = ".draft"


class Written(msgspec.Struct, kw_only=True):
    """One file of an export."""

    file: str
    events: int
    bytes: int
    sha256: str


class LeftOut(msgspec.Struct, frozen=True, kw_only=True):
    """An event that the form has no words for, and the place that it has none for."""

    event_id: str | None
    code: str
    pointer: str | None


class Outcome(msgspec.Struct, kw_only=True):
    """What became of an export; of the events left out, the first 1,000 are listed.

    ``elements`` are those of master data in the header of each file.
    """

    events: int = 0
    elements: int = 0
    left_out: int = 0
    files: list[Written] = []
    left_out_events: list[LeftOut] = []


class Parties(msgspec.Struct, frozen=True, kw_only=True):
    """Who sends the documents to whom."""

    sender: str
    receiver: str


class Exporter:
    """Writes what a spool holds.

    Args:
        vocabularies: master data for the header of each file.
        skip: leave out events that the form has no words for, and count them; else they are refused.
    """

    def __init__(
        self,
        spool: Spool,
        form: Form,
        parties: Parties | None,
        *,
        vocabularies: Sequence[dict[str, Any]] = (),
        skip: bool,
    ) -> None:
        self._spool = spool
        self._form = form
        self._parties = parties
        self._vocabularies = vocabularies
        self._skip = skip
        self._context = _common_context(spool)
        self.outcome = Outcome(
            elements=sum(len(each["vocabularyElementList"]) for each in vocabularies)
        )

    def to_file(self, output: Path) -> None:
        """Write all events into one file, in place of what was there.

        Raises:
            NotAcceptableError: the form has no words for an event or its master data: ``not_in_epcis_1_2``,
                ``not_in_xml``.
            InputError: ``file_unwritable``.
        """
        with _Drafts() as drafts:
            self._write(drafts.begin(output), self._encoded(self._frame()))
            drafts.place()

    def to_folder(self, folder: Path, events_per_file: int) -> None:
        """Write the events into files of so many; none of them is there before all are written.

        Raises:
            NotAcceptableError: the form has no words for an event or its master data: ``not_in_epcis_1_2``,
                ``not_in_xml``.
            InputError: ``file_unwritable``.
        """
        suffix = "json" if self._form == "json-2.0" else "xml"
        encoded = self._encoded(self._frame())
        with _Drafts() as drafts:
            for number, first in enumerate(encoded, 1):
                draft = drafts.begin(folder / f"events-{number:06d}.{suffix}")
                self._write(draft, chain((first,), islice(encoded, events_per_file - 1)))
            drafts.place()

    def _frame(self) -> Frame:
        created = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        header = None
        if self._parties is not None:
            header = Header(
                sender=self._parties.sender,
                receiver=self._parties.receiver,
                instance_identifier=str(uuid.uuid4()),
            )
        return capture_frame(
            self._form,
            created=created,
            header=header,
            vocabularies=self._vocabularies,
            context=self._context,
        )

    def _encoded(self, frame: Frame) -> Iterator[bytes]:
        for event in self._spool.events():
            try:
                yield encode_view(event, frame)
            except NotAcceptableError as error:
                if not self._skip:
                    error.advice = f"{error.advice} Or leave such events out: --skip."
                    raise
                self._leave_out(error)

    def _leave_out(self, error: NotAcceptableError) -> None:
        self.outcome.left_out += 1
        if len(self.outcome.left_out_events) < LEFT_OUT_LISTED_MAX:
            event_id = error.context.get("event_id")
            self.outcome.left_out_events.append(
                LeftOut(event_id=event_id, code=error.code, pointer=error.pointer)
            )

    def _write(self, draft: _Draft, encoded: Iterator[bytes]) -> None:
        frame = self._frame()
        draft.write(frame.opening)
        count = 0
        for event in encoded:
            draft.write(frame.between + event if count else event)
            count += 1
        draft.write(frame.closing)
        draft.end()
        self.outcome.events += count
        self.outcome.files.append(
            Written(
                file=str(draft.output),
                events=count,
                bytes=draft.bytes_count,
                sha256=draft.digest.hexdigest(),
            )
        )


class _Draft:
    """A file that is written beside its place."""

    def __init__(self, output: Path) -> None:
        self.output = output
        self.digest = sha256()
        self.bytes_count = 0
        self._path = output.with_name(output.name + _DRAFT)
        self._file = self._path.open("wb")

    def write(self, content: bytes) -> None:
        """Write on."""
        self._file.write(content)
        self.digest.update(content)
        self.bytes_count += len(content)

    def end(self) -> None:
        """Have it on disk."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()

    def place(self) -> None:
        """Put it in its place."""
        self._path.replace(self.output)

    def discard(self) -> None:
        """Remove what is not in its place."""
        self._file.close()
        self._path.unlink(missing_ok=True)


class _Drafts:
    """Files that come to their places together, or are removed."""

    def __init__(self) -> None:
        self._drafts: list[_Draft] = []

    def __enter__(self) -> _Drafts:
        return self

    def begin(self, output: Path) -> _Draft:
        """Begin a file."""
        self._drafts.append(_Draft(output))
        return self._drafts[-1]

    def place(self) -> None:
        """Put all of them in their places."""
        for draft in self._drafts:
            draft.place()

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        for draft in self._drafts:
            draft.discard()
        if isinstance(error, OSError):
            raise InputError(
                "file_unwritable",
                f"{error.filename or 'the output'}: {error.strerror or error}",
                pointer=error.filename,
            ) from error


def _common_context(spool: Spool) -> Any:
    """Return the context of the documents: the one that all events share, else the standard's alone."""
    found: Any = None
    for event in spool.events():
        if found is None:
            found = event["@context"]
        elif event["@context"] != found:
            return STANDARD_CONTEXT
    return STANDARD_CONTEXT if found is None else found
