"""What an operator did on the command line, as notes in a folder beside the database.

One process owns a database, and it is the node; so a command leaves a note there, and the node takes it into the
audit trail. A note is written whole or not at all, and taken in once: its id tells whether it was.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from sealtrail.errors import InputError, UnavailableError
from sealtrail.evidence.audit_record import Action, Ending, Hex16, Text

NOTE_BYTES_MAX = 64 * 1024
NOTES_A_TURN = 100
_SUFFIX = ".json"


class OperatorNote(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One act. ``name`` is the operator's, in clear: the trail has a pseudonym. ``forget``: a name to be erased."""

    note_id: Hex16
    time_ms: Annotated[int, Meta(ge=0, le=2**53 - 1)]
    name: Annotated[str, Meta(min_length=1, max_length=200)]
    action: Action
    outcome: Ending
    code: Text | None = None
    reason: Text | None = None
    what: Text | None = None
    forget: Annotated[str, Meta(min_length=1, max_length=200)] | None = None


def save_note(folder: Path, note: OperatorNote) -> Path:
    """Write a note durably; return its file.

    Raises:
        UnavailableError: ``operator_note_unwritable``.
    """
    path = folder / (f"{note.time_ms:016d}-{note.note_id}" + _SUFFIX)
    partial = path.with_suffix(".partial")
    try:
        folder.mkdir(exist_ok=True, mode=0o700)
        with open(partial, "wb", opener=_owner_only) as file:
            file.write(msgspec.json.encode(note))
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        _sync(folder)
    except OSError as error:
        raise UnavailableError(
            "operator_note_unwritable",
            f"{path}: {error.strerror}",
            advice="without this note the audit trail would not have what you do: mend the folder first",
        ) from error
    return path


def list_notes(folder: Path) -> list[Path]:
    """Return the oldest notes that wait, so many as are taken in at a time."""
    try:
        found = sorted(each for each in folder.iterdir() if each.name.endswith(_SUFFIX))
    except OSError:  # no folder: no command was used yet
        return []
    return found[:NOTES_A_TURN]


def load_note(path: Path) -> OperatorNote:
    """Read a note.

    Raises:
        InputError: ``operator_note_malformed``.
        UnavailableError: ``operator_note_unreadable``.
    """
    try:
        with path.open("rb") as file:
            data = file.read(NOTE_BYTES_MAX + 1)
    except OSError as error:
        raise UnavailableError(
            "operator_note_unreadable", f"{path}: {error.strerror}", pointer=str(path)
        ) from error
    try:
        if len(data) > NOTE_BYTES_MAX:
            raise ValueError(f"over {NOTE_BYTES_MAX} bytes")
        return msgspec.json.decode(data, type=OperatorNote)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise InputError(
            "operator_note_malformed", f"{path}: {error}", pointer=str(path)
        ) from error


def drop_note(path: Path) -> None:
    """Take a note away that is in the trail by now."""
    path.unlink(missing_ok=True)


def set_aside(path: Path) -> None:
    """Keep what is no note, under a name that is not looked at again."""
    path.replace(path.with_suffix(".refused"))


def _owner_only(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
