"""The running node goes through its whole store again and again: the checks of ``sealtrail fsck``, slowly, aside.

What :class:`sealtrail.services.store_check.StoreCheck` does at the start is quick, and mends what answers are looked up
by; this goes on from there, from one signed byte to the next. It looks in a process of its own, of the lowest
priority, and rests after each look, so that it takes no more of a core than it was given. Each look sees the store as
it is then; a restart goes on with the check and the key that came next.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from sealtrail.errors import SealtrailError
from sealtrail.services.fsck.checks import CHECKS
from sealtrail.services.fsck.faults import Fault, Findings, Unchecked, distinct
from sealtrail.services.fsck.processes import Aside, Finish
from sealtrail.services.fsck.run import Task, tasks_of
from sealtrail.services.fsck.scope import Scope, Subject
from sealtrail.store.database import Database

_log = logging.getLogger(__name__)

FAULTS_KEPT_MAX = 100
_SAVE_SECONDS = 30.0
_RETRY_SECONDS = 60.0
# Damage here changes what is answered; elsewhere it costs proofs, deliveries or the operator's overview.
_ANSWERS = frozenset({"event", "event_item", "event_term", "event_value", "entry", "foreign_entry"})


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """How fast: ``share`` of one core (0: not at all), and how long it rests before the first and after each round."""

    share: float
    first_seconds: float = 60.0
    rest_seconds: float = 600.0


class ContinuousState(msgspec.Struct, frozen=True, kw_only=True):
    """How far it is; ``faults`` are the last round's and this one's, the first :data:`FAULTS_KEPT_MAX`.

    ``rounds`` counts whole rounds of this process; ``check`` is what it is at, None between rounds.
    """

    enabled: bool = True
    rounds: int = 0
    round_finished_ms: int | None = None
    check: str | None = None
    looks_done: int = 0
    looks: int = 0
    faults: tuple[Fault, ...] = ()
    unchecked: tuple[Unchecked, ...] = ()
    failure: str | None = None

    @property
    def changes_answers(self) -> bool:
        """Tell whether something is damaged that answers rest on."""
        return any(fault.table in _ANSWERS for fault in self.faults)


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a round goes on after a restart."""

    check: str
    first: int


class KeptState(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept over a restart; ``place`` is None between rounds."""

    place: Place | None = None
    round_finished_ms: int | None = None
    faults: tuple[Fault, ...] = ()


class _Stopped(Exception):  # noqa: N818 - no error: the node is stopping
    """The node is stopping."""


def load_kept(file: Path) -> KeptState:
    """Return what was kept; nothing where it can't be read: a round from the start costs time only."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=KeptState)
    except (OSError, msgspec.DecodeError):
        return KeptState()


class ContinuousCheck:
    """Checks one store for as long as it runs; start :meth:`run` once.

    Args:
        file: keeps where it is, and what it found, over a restart.
        clock: milliseconds since 1970.
    """

    def __init__(
        self,
        database: Database,
        subject: Subject,
        *,
        pace: Pace,
        file: Path,
        clock: Callable[[], int],
    ) -> None:
        self._database = database
        self._subject = subject
        self._pace = pace
        self._file = file
        self._clock = clock
        self._faults: list[Fault] = []  # of this round
        self._saved = 0.0
        kept = load_kept(file)
        self._place = kept.place
        self.state = ContinuousState(
            enabled=pace.share > 0,
            round_finished_ms=kept.round_finished_ms,
            faults=kept.faults,
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Go round and round until told to stop. What goes wrong is noted, and tried again later."""
        if not self.state.enabled:
            return
        await _rest(stop, self._pace.first_seconds)
        while not stop.is_set():
            seconds = self._pace.rest_seconds
            try:
                await self.round(stop)
                self._change(failure=None)
            except SealtrailError as error:
                _log.warning("the store's continuous check was interrupted: %s", error)
                self._change(failure=error.code, check=None)
                seconds = _RETRY_SECONDS
            await _rest(stop, seconds)

    async def round(self, stop: asyncio.Event) -> None:
        """Go once through all that is left of a round.

        Raises:
            UnavailableError, IntegrityError: the store can't be opened or read now.
        """
        tasks = await self._database.read(lambda c: tasks_of(Scope(c, self._subject)))
        start, self._place = _start(tasks, self._place), None
        self._faults = []
        aside = await asyncio.to_thread(Aside, self._subject)
        try:
            carried = await self._look_at(aside, tasks, start, stop)
            if (
                start == 0
            ):  # of a round that went on after a restart a part of what was counted is lost
                for check in CHECKS:
                    self._note(await self._ask(aside, Finish(check, carried), stop))
        except _Stopped:
            return
        finally:
            await asyncio.to_thread(aside.close)
        self._change(
            rounds=self.state.rounds + 1,
            round_finished_ms=self._clock(),
            check=None,
            faults=tuple(self._faults[:FAULTS_KEPT_MAX]),
        )
        self._save(None)

    async def _look_at(
        self, aside: Aside, tasks: Sequence[Task], start: int, stop: asyncio.Event
    ) -> dict[str, list[bytes]]:
        carried: dict[str, list[bytes]] = {name: [] for name in CHECKS}
        for number in range(start, len(tasks)):
            task = tasks[number]
            self._change(check=task.check, looks_done=number, looks=len(tasks))
            self._save_place(task)
            began = time.monotonic()
            found = await self._ask(aside, task, stop)
            carried[task.check].append(found.carried)
            self._note(found)
            spent = time.monotonic() - began
            await _rest(stop, spent * (1 / self._pace.share - 1))
            if stop.is_set():
                raise _Stopped
        return carried

    @staticmethod
    async def _ask(aside: Aside, question: Task | Finish, stop: asyncio.Event) -> Findings:
        """Ask without waiting for the answer beyond a stop: a look at a large file takes a minute."""
        asking = asyncio.create_task(asyncio.to_thread(aside.ask, question))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({asking, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not asking.done():
            aside.kill()
            await asyncio.gather(asking, return_exceptions=True)
            raise _Stopped
        return asking.result()

    def _note(self, found: Findings) -> None:
        known = {(f.code, f.name) for f in self.state.faults}
        for fault in found.faults:
            if (fault.code, fault.name) not in known:
                _log.error(
                    "the store is damaged: %s: %s [%s]", fault.name, fault.message, fault.code
                )
        self._faults += found.faults
        if found.faults:
            both = {(f.code, f.name): f for f in (*self.state.faults, *found.faults)}
            self._change(faults=tuple(both.values())[:FAULTS_KEPT_MAX])
        if found.unchecked:
            unchecked = distinct((*self.state.unchecked, *found.unchecked))
            self._change(unchecked=tuple(unchecked[:FAULTS_KEPT_MAX]))

    def _change(self, **changes: object) -> None:
        self.state = msgspec.structs.replace(self.state, **changes)

    def _save_place(self, task: Task) -> None:
        if time.monotonic() - self._saved > _SAVE_SECONDS:
            self._save(Place(check=task.check, first=task.first))

    def _save(self, place: Place | None) -> None:
        self._saved = time.monotonic()
        state = self.state
        kept = KeptState(
            place=place, round_finished_ms=state.round_finished_ms, faults=state.faults
        )
        written = self._file.with_suffix(".new")
        with suppress(OSError):  # a full disk: the round begins anew after a restart
            written.write_bytes(msgspec.json.encode(kept))
            os.replace(written, self._file)


def _start(tasks: Sequence[Task], place: Place | None) -> int:
    if place is None:
        return 0
    later = (
        number
        for number, task in enumerate(tasks)
        if task.check == place.check and task.last > place.first
    )
    return next(later, 0)


async def _rest(stop: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)
