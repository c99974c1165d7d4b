"""The documents and archives that are meant when a folder is given for a file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from sealtrail.cli.capture_archives import is_archive, is_document_name
from sealtrail.cli.output import spelt
from sealtrail.errors import InputError, NotFoundError


def find_files(given: Iterable[Path]) -> Iterator[Path]:
    """Yield the files that are given, and in place of a folder the documents and archives below it, by name.

    Raises:
        NotFoundError: ``file_missing``.
        InputError: ``folder_unreadable``.
    """
    for path in given:
        if path.is_dir():
            yield from _below(path)
        elif str(path) != "-" and not path.exists():
            raise NotFoundError("file_missing", f"no file {spelt(path)}", pointer=spelt(path))
        else:
            yield path


def _below(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder, onerror=_unreadable):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(parent, name)
            named = is_document_name(name) or (is_archive(path) and not name.startswith("."))
            if named and path.is_file():  # a pipe would be waited for without an end
                yield path


def _unreadable(error: OSError) -> None:
    name = spelt(error.filename)
    raise InputError("folder_unreadable", f"{name}: {error.strerror}", pointer=name) from error
