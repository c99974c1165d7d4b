"""The runs that this node has as files: opened once, deleted when nothing needs them any more."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from sealtrail.errors import IntegrityError
from sealtrail.log.item_index import Run, sorted_lists
from sealtrail.store.run_file import RunFile, damaged, run_name, write_run

_log = logging.getLogger(__name__)


class RunShelf:
    """The runs of one log in one folder. What is in it may always be deleted: it is made again from the entries.

    Its methods may be called from any thread.
    """

    def __init__(self, folder: Path, log_id: bytes) -> None:
        self.folder = folder
        self.log_id = log_id
        self._files: dict[Run, RunFile] = {}

    def load(self, *, postings: int) -> None:
        """Open what is there, and delete what is not whole, of another log, or of more than so many postings.

        Beyond these, the files of a log that was restored from a backup are of entries that it has no more.
        """
        self.folder.mkdir(exist_ok=True, mode=0o700)
        for path in sorted(self.folder.iterdir()):
            if path.suffix == ".unfinished":
                path.unlink(missing_ok=True)
            elif path.suffix == ".run":
                try:
                    self._take(path, postings)
                except IntegrityError as error:
                    _log.warning("%s", error)
                    path.unlink(missing_ok=True)

    def _take(self, path: Path, postings: int) -> None:
        file = RunFile.open(path)
        if file.log_id != self.log_id or path.name != run_name(file.head.run):
            raise damaged(path, "it is of another log or place")
        if file.head.run.end <= postings:
            self._files[file.head.run] = file
        else:
            path.unlink()

    def get(self, run: Run) -> RunFile | None:
        """Return a run's file, if it is there."""
        return self._files.get(run)

    def write(self, run: Run, lists: Mapping[bytes, bytes]) -> None:
        """Write a short run from its postings."""
        write_run(self.folder, run, self.log_id, [sorted_lists(lists)], durable=False)
        self.add(run)

    def add(self, run: Run) -> None:
        """Open a run that was written.

        Raises:
            IntegrityError: it is damaged, or another (``item_run_damaged``).
        """
        path = self.folder / run_name(run)
        file = RunFile.open(path)
        if file.log_id != self.log_id or file.head.run != run:
            raise damaged(path, "it is of another log or place")
        self._files[run] = file

    def discard(self, name: str) -> None:
        """Delete a run's file by its name: it is damaged."""
        for run in [each for each in list(self._files) if run_name(each) == name]:
            self._files.pop(run, None)
        (self.folder / name).unlink(missing_ok=True)

    def keep(self, needed: Collection[Run], within: Callable[[Run], bool]) -> None:
        """Delete all but those that are needed, and those that ``within`` says something is being made of.

        Who reads one goes on reading it: a deleted file's pages stay while they are mapped.
        """
        unneeded = [r for r in list(self._files) if r not in needed and not within(r)]
        for run in unneeded:
            self._files.pop(run, None)
            (self.folder / run_name(run)).unlink(missing_ok=True)

    def runs(self) -> list[Run]:
        """Return the runs that are there, in order."""
        return sorted(self._files)
