"""Runs the checks over one snapshot: in this process, or at the same time in processes of their own.

Range after range, the longest first. Where a page can't be read, its range is halved until what is unreadable stands
alone.
"""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

import msgspec

from sealtrail.ports import Ledger
from sealtrail.services.fsck import chain
from sealtrail.services.fsck.check import Check
from sealtrail.services.fsck.checks import CHECKS
from sealtrail.services.fsck.faults import Fault, Findings, Unchecked, distinct
from sealtrail.services.fsck.scope import Scope

FAULTS_MAX = 1_000  # named of one run; all are counted
# A damaged page can't be read, or gives any value for any column: no check expects a NULL where the schema has none.
_UNREADABLE = (
    *(sqlite3.Error, TypeError, ValueError, AttributeError, OverflowError),
    *(LookupError, struct.error),
)

Progress = Callable[[float, float], None]


class Task(msgspec.Struct, frozen=True, array_like=True):
    """Keys for a check to look at."""

    check: str
    first: int
    last: int

    @property
    def weight(self) -> float:
        """About how long it takes, measured by an entry with its event."""
        return 1 + (self.last - self.first) * CHECKS[self.check].weight


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What a run found: the first of ``faults_total``, in the order of the checks, then by key."""

    faults: tuple[Fault, ...]
    faults_total: int
    unchecked: tuple[Unchecked, ...]
    events: int
    entries: int


class Looking(Protocol):
    """Looks at tasks, in whichever order."""

    def run(self, tasks: Sequence[Task]) -> Iterator[tuple[int, Findings]]:
        """Yield (number of the task, what was found)."""
        ...


class LocalLooking:
    """Looks at one task after the other, in this process."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def run(self, tasks: Sequence[Task]) -> Iterator[tuple[int, Findings]]:
        """See :class:`Looking`."""
        for number, task in enumerate(tasks):
            yield number, look(self._scope, task)


def look(scope: Scope, task: Task) -> Findings:
    """Look at a task's keys; what can't be read of them is named by the smallest range."""
    check = CHECKS[task.check]
    try:
        return check.look(scope, task.first, task.last)
    except _UNREADABLE as error:
        if scope.read_any_text():  # perhaps it is only a text that is no UTF-8 any more
            return look(scope, task)
        middle = (task.first + task.last) // 2
        if check.portion is None or middle == task.first:
            return _unreadable(check, task, error)
    found = Findings()
    for half in (
        Task(task.check, task.first, middle),
        Task(task.check, middle, task.last),
    ):
        part = look(scope, half)
        found.take(part)
        found.carried += part.carried
    return found


def _unreadable(check: Check, task: Task, error: Exception) -> Findings:
    found = Findings()
    key = {} if check.portion is None else {"number": task.first}
    message = f"{check.name}: the database can't be read here: {error}"
    found.add("table_unreadable", check.tables[0], key, message)
    return found


def tasks_of(scope: Scope) -> list[Task]:
    """Return all that is to be looked at."""
    tasks = []
    for name, check in CHECKS.items():
        try:
            first, last = check.span(scope)
        except sqlite3.Error:
            first, last = 0, 1  # looked at all the same: the look says what can't be read
        if check.portion is None:
            tasks.append(Task(name, first, max(last, first + 1)))
            continue
        for start in range(first, last, check.portion):
            tasks.append(Task(name, start, min(start + check.portion, last)))
    return tasks


async def check_store(
    scope: Scope,
    looking: Looking,
    *,
    ledger: Ledger | None,
    start_block: int = 0,
    faults_max: int = FAULTS_MAX,
    progress: Progress = lambda done, total: None,
) -> Report:
    """Run all checks and return what they found.

    Args:
        scope: a snapshot; ``looking`` looks at the same.
        ledger: asked for what the chain says; None: that is not checked, and said.
        faults_max: how many are named; a drill has to know them all.
        progress: told how much of all is done.
    """
    tasks = tasks_of(scope)
    found = _look_at_all(tasks, looking, progress)
    chain_found = await chain.compare_chain(scope, ledger, start_block)
    carried = {
        name: [f.carried for t, f in zip(tasks, found, strict=True) if t.check == name]
        for name in CHECKS
    }
    faults: list[Fault] = []
    unchecked: list[Unchecked] = []
    for name, check in CHECKS.items():
        last = finish(scope, check, carried)
        parts = [f for t, f in zip(tasks, found, strict=True) if t.check == name]
        for part in (*parts, last):
            faults += part.faults
            unchecked += part.unchecked
    faults += chain_found.faults
    unchecked += chain_found.unchecked
    once = list({(f.table, tuple(f.key.items()), f.column, f.code): f for f in faults}.values())
    return Report(
        faults=tuple(once[:faults_max]),
        faults_total=len(once),
        unchecked=tuple(distinct(unchecked)),
        events=scope.count_or(0, "SELECT count(*) FROM event"),
        entries=scope.count_or(0, "SELECT count(*) FROM entry"),
    )


def _look_at_all(tasks: Sequence[Task], looking: Looking, progress: Progress) -> list[Findings]:
    # the longest first: so that no process is left with it when the others are done
    order = sorted(range(len(tasks)), key=lambda n: tasks[n].weight, reverse=True)
    total, done = sum(task.weight for task in tasks), 0.0
    found: dict[int, Findings] = {}
    for number, part in looking.run([tasks[n] for n in order]):
        found[order[number]] = part
        done += tasks[order[number]].weight
        progress(done, total)
    return [found[n] for n in range(len(tasks))]


def finish(scope: Scope, check: Check, carried: Mapping[str, Sequence[bytes]]) -> Findings:
    """Do a check's last step."""
    try:
        return check.finish(scope, carried)
    except _UNREADABLE as error:
        return _unreadable(check, Task(check.name, 0, 0), error)
