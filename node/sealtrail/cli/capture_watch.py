"""``sealtrail capture --watch DIR``: takes what arrives in a folder.

A file is taken once two looks at the folder found it alike, so that nothing half-written is; looking works on every
file system, network shares included. It is captured first, then the reason of a refusal is written, then it is moved:

- a crash before it was captured: the next run takes the file;
- before it was moved: the next run captures it again, which is harmless (a duplicate is none), and writes the same
  reason over the one that is there.
"""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from sealtrail.cli.capture_sender import Outcome
from sealtrail.cli.output import spelt
from sealtrail.errors import InputError, RateLimitedError, UnavailableError

DONE, REFUSED = "done", "refused"
REASON = ".reason.json"
UNFINISHED = (".part", ".tmp")
"""How the names of files end that somebody still writes; so is what begins with a dot."""
BACK_OFF_SECONDS = (1.0, 60.0)
# File systems have room for 255 as a rule.
NAME_BYTES_MAX = 255 - len("." + REASON) - len("-1000000")
_SUFFIX_BYTES_MAX = 20

Look = tuple[int, int]  # size and time of the last change


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """A file that was taken, where it is now, and what became of its documents."""

    file: str
    moved_to: str
    at: str
    documents: list[Outcome]

    @property
    def refused(self) -> bool:
        """Tell whether anything in it was."""
        return any(each.errors for each in self.documents)


class Watch:
    """Watches one folder; its own folders ``done`` and ``refused`` are in it.

    Args:
        capture: sends a file, opened as nothing but one, and returns what became of it; raises what is not its fault.
        tell: told of each file that was taken.
        tell_waiting: told once each time that the node is away.
        stop: once set, no further file is taken.
    """

    def __init__(
        self,
        folder: Path,
        capture: Callable[[Path], list[Outcome]],
        *,
        tell: Callable[[Taken], None],
        tell_waiting: Callable[[str], None],
        interval_seconds: float,
        stop: threading.Event,
    ) -> None:
        self._folder = folder
        self._capture = capture
        self._tell = tell
        self._tell_waiting = tell_waiting
        self._interval_seconds = interval_seconds
        self._stop = stop

    def run(self, *, once: bool) -> None:
        """Take what is there and what arrives, until stopped; with ``once``, what is there and complete.

        Raises:
            InputError: ``folder_unusable``.
            SealtrailError: as ``capture``; while the node can't be reached or is busy, it is only waited for, unless
                ``once``.
        """
        try:
            for name in (DONE, REFUSED):
                (self._folder / name).mkdir(exist_ok=True)
            self._watch(once=once)
        except OSError as error:
            raise InputError(
                "folder_unusable",
                f"{spelt(error.filename or self._folder)}: {error.strerror or error}",
                pointer=spelt(self._folder),
                advice="files are moved inside it: it must be there, and may be written to",
            ) from error

    def _watch(self, *, once: bool) -> None:
        before = self._look()
        while not self._stop.wait(self._interval_seconds):
            now = self._look()
            for path, look in now.items():
                if before.get(path) == look and not self._stop.is_set():
                    self._take(path, look, once=once)
            if once:
                return
            before = now

    def _look(self) -> dict[Path, Look]:
        found: dict[Path, Look] = {}
        for path in sorted(self._folder.iterdir()):
            if path.name.startswith(".") or path.name.lower().endswith(UNFINISHED):
                continue
            look = _look_at(path)
            if look is not None:
                found[path] = look
        return found

    def _take(self, path: Path, look: Look, *, once: bool) -> None:
        outcomes = self._captured(path, once=once)
        # one that was changed or taken away meanwhile is not the one that was captured
        if outcomes is None or _look_at(path) != look:
            return
        refused = any(each.errors for each in outcomes)
        target = _free(self._folder / (REFUSED if refused else DONE) / path.name)
        taken = Taken(
            file=spelt(path),
            moved_to=spelt(target),
            at=datetime.now(UTC).isoformat(timespec="seconds"),
            documents=outcomes,
        )
        if refused:
            _write_reason(target, taken)
        path.rename(target)
        self._tell(taken)

    def _captured(self, path: Path, *, once: bool) -> list[Outcome] | None:
        """Capture a file, waiting for the node as long as it takes; None if that was stopped."""
        pause, longest = BACK_OFF_SECONDS
        told = False
        while True:
            try:
                return self._capture(path)
            except (UnavailableError, RateLimitedError) as error:
                if once:
                    raise
                if not told:
                    self._tell_waiting(str(error))
                    told = True
            if self._stop.wait(pause):
                return None
            pause = min(2 * pause, longest)


def _look_at(path: Path) -> Look | None:
    """Return how a file looks; None if it is none, or gone.

    A link is none: whoever may put something here may not thereby read what only the watching user can. Nor is it when
    the file is opened, for which it may be swapped (:func:`~sealtrail.cli.documents.open_regular`).
    """
    try:
        status = path.lstat()
    except FileNotFoundError:
        return None
    return (status.st_size, status.st_mtime_ns) if stat.S_ISREG(status.st_mode) else None


def _free(path: Path) -> Path:
    """Return the path, or one beside it with a number, so that no file of the same name is lost.

    A name is cut that would leave no room for the number, or for its reason's name.
    """
    stem, suffix = path.stem, path.suffix
    if len(os.fsencode(path.name)) > NAME_BYTES_MAX:
        suffix = suffix if len(os.fsencode(suffix)) <= _SUFFIX_BYTES_MAX else ""
        most = NAME_BYTES_MAX - len(os.fsencode(suffix))
        stem = os.fsencode(path.stem)[:most].decode(errors="ignore")
    found, number = path.with_name(stem + suffix), 1
    while found.exists():
        number += 1
        found = path.with_name(f"{stem}-{number}{suffix}")
    return found


def _write_reason(target: Path, taken: Taken) -> None:
    reason = target.with_name(target.name + REASON)
    beside = target.with_name(f".{target.name}{REASON}")
    beside.unlink(missing_ok=True)  # of a crash; or a link, which would be written through
    with beside.open("xb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(taken), indent=2) + b"\n")
    beside.replace(reason)
