"""A node compares its keys with the registry as of the newest block that it knows."""

from __future__ import annotations

from pathlib import Path

import pytest

from sealtrail.app.network_check import check_membership, unfit_keys
from sealtrail.errors import ConflictError
from sealtrail.membership.encoding import encode_record
from sealtrail.membership.records import Key, MemberRecord, Purpose, Role, Status
from sealtrail.ports import ChainRecord
from sealtrail.store import chain
from sealtrail.store.chain import Cursor
from sealtrail.store.database import Database

MEMBER, PUBLIC = b"\x11" * 20, b"\x01" * 32
ENDS = 50
KEYS = {Purpose.LOG: PUBLIC}


def followed(folder: Path, block: int, **fields: int) -> Database:
    """Return a database that has followed the chain to ``block``, where the member has one log key."""
    key = Key(purpose=Purpose.LOG, public=PUBLIC, valid_from=5, **fields)
    record = MemberRecord(
        member=MEMBER, name="M", status=Status.ACTIVE, roles=Role.CARRIER, node_url="", glns=(),
        rights=(), keys=(key,), version=1, block=5,
    )  # fmt: skip
    change = ChainRecord(
        member=MEMBER,
        version=1,
        record=encode_record(record),
        block_number=5,
        block_hash=b"\x05" * 32,
    )
    cursor = Cursor(final_block=block, final_hash=b"\x06" * 32, checked_ms=1)
    database = Database.open(folder / "sealtrail.db")
    database.write_sync(lambda c: chain.save_changes(c, cursor, (), [change]))
    return database


def test_a_key_that_is_to_end_is_taken_until_then(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    database = followed(tmp_path, ENDS - 1, valid_until=ENDS)
    database.read_sync(lambda c: check_membership(c, MEMBER, KEYS))
    assert f"ends at block {ENDS}" in caplog.text
    assert database.read_sync(lambda c: unfit_keys(c, MEMBER, KEYS)) == []
    database.close()


def test_an_ended_key_is_refused_and_a_running_node_says_so(tmp_path: Path) -> None:
    database = followed(tmp_path, ENDS, valid_until=ENDS)
    with pytest.raises(ConflictError, match=f"not valid at block {ENDS}") as refusal:
        database.read_sync(lambda c: check_membership(c, MEMBER, KEYS))
    assert refusal.value.code == "key_not_registered"
    (fault,) = database.read_sync(lambda c: unfit_keys(c, MEMBER, KEYS))
    assert PUBLIC.hex() in fault
    database.close()


def test_an_unregistered_key_is_refused_with_the_command_that_registers_it(tmp_path: Path) -> None:
    database = followed(tmp_path, ENDS)
    other = {Purpose.LOG: b"\x02" * 32}
    with pytest.raises(ConflictError) as refusal:
        database.read_sync(lambda c: check_membership(c, MEMBER, other))
    assert "sealtrail keys register log" in str(refusal.value.advice)
    database.close()
