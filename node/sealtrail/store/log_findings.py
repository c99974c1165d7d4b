"""What logs did that they must not, as this node found it: proofs are kept for good. Functions over one connection."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Any

import msgspec

from sealtrail.log.contradiction import Contradiction

OMITTED = "omitted"
ITEM_INDEX_WRONG = "item_index_wrong"


class WrongIndex(msgspec.Struct, frozen=True, kw_only=True):
    """An anchored checkpoint (with its log's own signatures only) whose index entry says something else than the
    log's entries give, and what it would have to say: the content of an index entry.

    It proves nothing by itself: whoever reads all of the log comes to the same.
    """

    note: str
    recomputed: str


class LogFinding(msgspec.Struct, frozen=True, kw_only=True):
    """One observation about a member's log.

    ``contradiction`` proves it to anybody, ``wrong_index`` to who recomputes it. An omission (``entry_id``, and by when
    it was promised) says what this node does not know, and is settled once it does.
    """

    code: str
    member: bytes
    found_ms: int
    contradiction: Contradiction | None = None
    wrong_index: WrongIndex | None = None
    entry_id: bytes | None = None
    promised_ms: int | None = None
    settled_ms: int | None = None


_COLUMNS = (
    "code, member, found_ms, first_note, second_note, first_sequence, second_sequence, entry_id,"
    " promised_ms, settled_ms, recomputed"
)


def save_finding(connection: sqlite3.Connection, finding: LogFinding) -> bool:
    """Keep a finding; tell whether it is new."""
    proof, wrong = finding.contradiction, finding.wrong_index
    first_note = proof.first_note if proof else wrong.note if wrong else None
    done = connection.execute(
        f"INSERT INTO log_finding ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (
            finding.code,
            finding.member,
            finding.found_ms,
            first_note,
            proof.second_note if proof else None,
            proof.first_sequence if proof else None,
            proof.second_sequence if proof else None,
            finding.entry_id,
            finding.promised_ms,
            finding.settled_ms,
            wrong.recomputed if wrong else None,
        ),
    )
    return done.rowcount > 0


def load_findings(
    connection: sqlite3.Connection, *, count_max: int, after: int = 0
) -> list[tuple[int, LogFinding]]:
    """Return findings with their numbers, oldest first, from behind ``after`` on."""
    rows = connection.execute(
        f"SELECT finding_id, {_COLUMNS} FROM log_finding WHERE finding_id > ? ORDER BY finding_id LIMIT ?",
        (after, count_max),
    )
    return [(row[0], _finding(row[1:])) for row in rows]


def open_omissions(
    connection: sqlite3.Connection, *, count_max: int, after: int = 0
) -> list[tuple[int, LogFinding]]:
    """Return omissions that are not settled, with their numbers, from behind ``after`` on."""
    rows = connection.execute(
        f"SELECT finding_id, {_COLUMNS} FROM log_finding WHERE code = 'omitted' AND settled_ms IS NULL"
        " AND finding_id > ? ORDER BY finding_id LIMIT ?",
        (after, count_max),
    )
    return [(row[0], _finding(row[1:])) for row in rows]


def settle(connection: sqlite3.Connection, finding_ids: Iterable[int], now_ms: int) -> None:
    """Note that the entries of these omissions were found in an anchored checkpoint after all."""
    connection.executemany(
        "UPDATE log_finding SET settled_ms = ? WHERE finding_id = ?",
        [(now_ms, each) for each in finding_ids],
    )


def count_findings(connection: sqlite3.Connection) -> dict[str, int]:
    """Return code → how many that are not settled."""
    rows = connection.execute(
        "SELECT code, count(*) FROM log_finding WHERE settled_ms IS NULL GROUP BY code"
    )
    return dict(rows)


def _finding(row: tuple[Any, ...]) -> LogFinding:
    code, member, found_ms, first, second, first_sequence, second_sequence, entry_id, *times = row
    promised_ms, settled_ms, recomputed = times
    proof = None
    if code == "log_forked" or code == "log_rewound":
        proof = Contradiction(
            code=code,
            first_note=first,
            second_note=second,
            first_sequence=first_sequence,
            second_sequence=second_sequence,
        )
    return LogFinding(
        code=code,
        member=member,
        found_ms=found_ms,
        contradiction=proof,
        wrong_index=None if recomputed is None else WrongIndex(note=first, recomputed=recomputed),
        entry_id=entry_id,
        promised_ms=promised_ms,
        settled_ms=settled_ms,
    )
