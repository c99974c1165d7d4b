"""What the chain said, as far as this node followed it: anchors and records of all members, and how far that is."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import msgspec

from sealtrail.errors import IntegrityError, UnavailableError
from sealtrail.membership.records import Anchor
from sealtrail.ports import ChainRecord

_ANCHOR = "member, sequence, checkpoint_hash, suspended, block_number, block_hash, block_time, transaction_hash"
_RECORD = "member, version, record, block_number, block_hash"


class Cursor(msgspec.Struct, frozen=True, kw_only=True):
    """The last final block that was followed, and when the chain was last read up to its head (ms)."""

    final_block: int
    final_hash: bytes
    checked_ms: int


def load_cursor(connection: sqlite3.Connection) -> Cursor | None:
    """Return how far the chain was followed; None before the first time."""
    row = connection.execute(
        "SELECT final_block, final_hash, checked_ms FROM chain_cursor"
    ).fetchone()
    return None if row is None else Cursor(final_block=row[0], final_hash=row[1], checked_ms=row[2])


def save_changes(
    connection: sqlite3.Connection,
    cursor: Cursor,
    anchors: Sequence[Anchor],
    records: Sequence[ChainRecord],
) -> None:
    """Put what was read above the present cursor in the place of what stood there, and move the cursor.

    What is not final yet is read anew each time, so a reorganisation needs no handling of its own.

    Raises:
        IntegrityError: the chain shows a second anchor or record at a place that was final
            (``chain_contradiction``): the contracts do not allow that.
        UnavailableError: an anchor is missing before one that was read (``chain_gap``): the endpoint held some back.
    """
    present = load_cursor(connection)
    drop_above(connection, -1 if present is None else present.final_block)
    _check_dense(connection, anchors)
    try:
        connection.executemany(
            f"INSERT INTO chain_anchor ({_ANCHOR}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [msgspec.structs.astuple(a) for a in anchors],
        )
        connection.executemany(
            f"INSERT INTO chain_member ({_RECORD}) VALUES (?, ?, ?, ?, ?)",
            [msgspec.structs.astuple(r) for r in records],
        )
    except sqlite3.IntegrityError as error:
        raise IntegrityError(
            "chain_contradiction",
            f"the chain shows an anchor or record twice, below and above block {cursor.final_block}: {error}",
            advice="compare the chain's endpoints; one may be lying, or chain.finality is too weak",
        ) from error
    connection.execute(
        "INSERT OR REPLACE INTO chain_cursor (id, final_block, final_hash, checked_ms) VALUES (1, ?, ?, ?)",
        (cursor.final_block, cursor.final_hash, cursor.checked_ms),
    )


def _check_dense(connection: sqlite3.Connection, anchors: Sequence[Anchor]) -> None:
    last: dict[bytes, int] = {}
    for anchor in anchors:
        if anchor.member not in last:
            row = connection.execute(
                "SELECT max(sequence) FROM chain_anchor WHERE member = ?", (anchor.member,)
            ).fetchone()
            last[anchor.member] = row[0] or 0
        if anchor.sequence > last[anchor.member] + 1:
            raise UnavailableError(
                "chain_gap",
                f"the chain shows anchor {anchor.sequence} of 0x{anchor.member.hex()} after"
                f" {last[anchor.member]}, and none between",
                advice="is chain.start_block at or before the contracts' deployment? Or an endpoint without history",
            )
        last[anchor.member] = anchor.sequence


def drop_above(connection: sqlite3.Connection, block: int) -> None:
    """Forget what was read from blocks above ``block``."""
    connection.execute("DELETE FROM chain_anchor WHERE block_number > ?", (block,))
    connection.execute("DELETE FROM chain_member WHERE block_number > ?", (block,))


def forget(connection: sqlite3.Connection) -> None:
    """Forget everything that the chain said: it is to be read again from the start."""
    drop_above(connection, -1)
    connection.execute("DELETE FROM chain_cursor")


def changes_between(
    connection: sqlite3.Connection, first: int, last: int
) -> tuple[list[Anchor], list[ChainRecord]]:
    """Return what is stored of the blocks ``first`` to ``last``."""
    where = "WHERE block_number BETWEEN ? AND ?"
    anchors = connection.execute(f"SELECT {_ANCHOR} FROM chain_anchor {where}", (first, last))
    records = connection.execute(f"SELECT {_RECORD} FROM chain_member {where}", (first, last))
    return [_anchor(row) for row in anchors], [_record(row) for row in records]


def find_anchor(
    connection: sqlite3.Connection, member: bytes, checkpoint_hash: bytes, last_block: int
) -> Anchor | None:
    """Return the member's anchor of that checkpoint, if it is in ``last_block`` or before."""
    row = connection.execute(
        f"SELECT {_ANCHOR} FROM chain_anchor"
        " WHERE checkpoint_hash = ? AND member = ? AND block_number <= ? ORDER BY sequence LIMIT 1",
        (checkpoint_hash, member, last_block),
    ).fetchone()
    return None if row is None else _anchor(row)


def anchored_checkpoints(
    connection: sqlite3.Connection, member: bytes, last_block: int
) -> list[tuple[int, str, Anchor]]:
    """Return size, note and anchor of a member's checkpoints that are anchored by ``last_block``, ascending."""
    rows = connection.execute(
        f"SELECT {_ANCHOR}, tree_size, note FROM chain_anchor"
        " JOIN (SELECT checkpoint_hash, tree_size, note FROM checkpoint WHERE member = ?)"
        " USING (checkpoint_hash) WHERE member = ? AND block_number <= ? ORDER BY tree_size",
        (member, member, last_block),
    )
    return [(row[8], row[9], _anchor(row[:8])) for row in rows]


def last_anchors(connection: sqlite3.Connection, last_block: int) -> dict[bytes, Anchor]:
    """Return member → its newest anchor in ``last_block`` or before, for those that have one.

    Only members can anchor, so they are looked for by the records: there may be many more anchors than members.
    """
    rows = connection.execute(
        f"SELECT {_ANCHOR} FROM (SELECT DISTINCT member AS known FROM chain_member)"
        " JOIN chain_anchor ON member = known AND sequence = (SELECT sequence FROM chain_anchor"
        "  WHERE member = known AND block_number <= ? ORDER BY sequence DESC LIMIT 1)",
        (last_block,),
    )
    return {row[0]: _anchor(row) for row in rows}


def find_record(
    connection: sqlite3.Connection, member: bytes, last_block: int
) -> ChainRecord | None:
    """Return the member's record as it stood after ``last_block``."""
    row = connection.execute(
        f"SELECT {_RECORD} FROM chain_member"
        " WHERE member = ? AND block_number <= ? ORDER BY version DESC LIMIT 1",
        (member, last_block),
    ).fetchone()
    return None if row is None else _record(row)


def record_versions(
    connection: sqlite3.Connection, member: bytes, last_block: int
) -> list[ChainRecord]:
    """Return every version of the member's record in ``last_block`` or before, the first one first."""
    rows = connection.execute(
        f"SELECT {_RECORD} FROM chain_member WHERE member = ? AND block_number <= ? ORDER BY version",
        (member, last_block),
    )
    return [_record(row) for row in rows]


def latest_records(connection: sqlite3.Connection, last_block: int) -> list[ChainRecord]:
    """Return every member's record as it stood after ``last_block``, in the order of their addresses."""
    rows = connection.execute(
        # SQLite takes the other columns from the row that has the maximum.
        "SELECT member, max(version), record, block_number, block_hash FROM chain_member"
        " WHERE block_number <= ? GROUP BY member ORDER BY member",
        (last_block,),
    )
    return [_record(row) for row in rows]


def _anchor(row: tuple[bytes, int, bytes, int, int, bytes, int, bytes]) -> Anchor:
    return Anchor(
        member=row[0],
        sequence=row[1],
        checkpoint_hash=row[2],
        suspended=bool(row[3]),
        block_number=row[4],
        block_hash=row[5],
        block_time=row[6],
        transaction_hash=row[7],
    )


def _record(row: tuple[bytes, int, bytes, int, bytes]) -> ChainRecord:
    return ChainRecord(
        member=row[0], version=row[1], record=row[2], block_number=row[3], block_hash=row[4]
    )
