"""The chain's validators as this node followed them: how far, and each change on the way."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from hashlib import sha256

import msgspec

from sealtrail.chainproof.consensus import Form, Validators
from sealtrail.chainproof.validator_json import (
    form_from_json,
    validators_from_json,
    validators_to_json,
)
from sealtrail.chainproof.validators import Change, Interval, ValidatorHistory
from sealtrail.errors import InputError, IntegrityError

_ADDRESS_BYTES = 20
_CHANGE = "first_block, block_number, block_hash, members"


class Followed(msgspec.Struct, frozen=True, kw_only=True):
    """A chain's consensus, and how far its validators were followed; no state on a chain without seals."""

    form: Form
    state: Validators | None


def load_followed(connection: sqlite3.Connection) -> Followed | None:
    """Return how far the validators were followed; None before the first time.

    Raises:
        IntegrityError: it, or one of the changes, is not as it was stored (``store_corrupt``). A trust file is made
            of these, and nothing further down would notice.
    """
    row = connection.execute(
        "SELECT form, epoch_blocks, state, check_hash FROM validator_state"
    ).fetchone()
    if row is None:
        return None
    if _check_hash(connection, *row[:3]) != row[3]:
        raise _corrupt("they are not as they were stored")
    try:
        form = form_from_json({"name": row[0], "epoch": row[1]})
        state = None if row[2] is None else validators_from_json(msgspec.json.decode(row[2]))
    except (InputError, msgspec.DecodeError) as error:
        raise _corrupt(str(error)) from error
    return Followed(form=form, state=state)


def save_followed(
    connection: sqlite3.Connection, followed: Followed, changes: Sequence[Change]
) -> None:
    """Keep how far the validators were followed, and the changes since the last time."""
    connection.executemany(
        f"INSERT OR REPLACE INTO validator_change ({_CHANGE}) VALUES (?, ?, ?, ?)",
        [(c.first_block, c.number, c.hash, b"".join(c.members)) for c in changes],
    )
    form, state = followed.form, None
    if followed.state is not None:
        state = msgspec.json.encode(validators_to_json(followed.state))
    connection.execute(
        "INSERT OR REPLACE INTO validator_state (id, form, epoch_blocks, state, check_hash)"
        " VALUES (1, ?, ?, ?, ?)",
        (form.name, form.epoch, state, _check_hash(connection, form.name, form.epoch, state)),
    )


def load_changes(connection: sqlite3.Connection) -> list[Change]:
    """Return every change of the validators, the ones of block 0 first."""
    return [
        Change(first_block=row[0], number=row[1], hash=row[2], members=_addresses(row[3]))
        for row in _rows(connection)
    ]


def load_history(connection: sqlite3.Connection, form: Form) -> ValidatorHistory:
    """Return the validators from block 0 on, as far as they were followed."""
    return ValidatorHistory(
        form=form,
        intervals=tuple(
            Interval(first_block=c.first_block, members=c.members) for c in load_changes(connection)
        ),
    )


def forget(connection: sqlite3.Connection) -> None:
    """Forget all of it: the validators are to be followed again from block 0."""
    connection.execute("DELETE FROM validator_change")
    connection.execute("DELETE FROM validator_state")


def _rows(connection: sqlite3.Connection) -> list[tuple[int, int, bytes, bytes]]:
    return connection.execute(
        f"SELECT {_CHANGE} FROM validator_change ORDER BY first_block"
    ).fetchall()


def _check_hash(
    connection: sqlite3.Connection, form: str, epoch_blocks: int, state: bytes | None
) -> bytes:
    # changes are few: one for each validator that came or went
    return sha256(msgspec.msgpack.encode([form, epoch_blocks, state, _rows(connection)])).digest()


def _corrupt(what: str) -> IntegrityError:
    return IntegrityError(
        "store_corrupt",
        f"the chain's validators: {what}",
        advice="they are followed anew from block 0; check the disk",
    )


def _addresses(joined: bytes) -> tuple[bytes, ...]:
    return tuple(joined[i : i + _ADDRESS_BYTES] for i in range(0, len(joined), _ADDRESS_BYTES))
