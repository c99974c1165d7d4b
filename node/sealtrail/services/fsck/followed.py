"""What was followed of the chain, compared with itself; :mod:`.chain` compares it with the chain."""

from __future__ import annotations

from sealtrail.errors import SealtrailError
from sealtrail.membership.encoding import parse_record
from sealtrail.services.fsck.check import Check
from sealtrail.services.fsck.faults import Findings
from sealtrail.services.fsck.scope import Scope

_ANCHOR, _MEMBER = "chain_anchor", "chain_member"
_NAMED_MAX = 1_000


def look(scope: Scope, first: int, last: int) -> Findings:
    """Check anchors and records."""
    found = Findings()
    _check_records(scope, found)
    for table, number in ((_ANCHOR, "sequence"), (_MEMBER, "version")):
        _check_dense(scope, found, table, number)
    _check_blocks(scope, found)
    return found


def _check_records(scope: Scope, found: Findings) -> None:
    for member, version, block, data in scope.connection.execute(
        "SELECT member, version, block_number, record FROM chain_member"
    ):
        key = {"member": member, "version": version}
        try:
            record = parse_record(data, block=block)
        except SealtrailError as error:
            found.add("record_unreadable", _MEMBER, key, error.message, column="record")
            continue
        if (record.member, record.version) != (member, version):
            message = f"the record is version {record.version} of 0x{record.member.hex()}"
            found.add("record_differs", _MEMBER, key, message)


def _check_dense(scope: Scope, found: Findings, table: str, number: str) -> None:
    """The contracts number both from 1 without a gap."""
    for member, before, value in scope.connection.execute(
        f"SELECT member, before, {number} FROM (SELECT member, {number}, lag({number}, 1, 0) OVER"
        f" (PARTITION BY member ORDER BY {number}) AS before FROM {table})"
        f" WHERE {number} <> before + 1 LIMIT {_NAMED_MAX}"
    ):
        key = {"member": member, number: value}
        found.add("chain_gap", table, key, f"follows {before}, where the contract leaves no gap")


def _check_blocks(scope: Scope, found: Findings) -> None:
    """All rows of one block have its hash and time."""
    rows = scope.connection.execute(
        "SELECT block_number FROM (SELECT block_number, block_hash, block_time FROM chain_anchor"
        " UNION SELECT block_number, block_hash, NULL FROM chain_member)"
        " GROUP BY block_number HAVING count(DISTINCT block_hash) > 1 OR count(DISTINCT block_time) > 1"
        f" LIMIT {_NAMED_MAX}"
    )
    for (number,) in rows.fetchall():
        message = f"rows of block {number} have different hashes or times"
        for table, columns in ((_ANCHOR, "member, sequence"), (_MEMBER, "member, version")):
            names = columns.split(", ")
            for values in scope.connection.execute(
                f"SELECT {columns} FROM {table} WHERE block_number = ?", (number,)
            ):
                found.add("block_differs", table, dict(zip(names, values, strict=True)), message)


CHECK = Check(
    name="followed chain",
    tables=(_ANCHOR, _MEMBER),
    look=look,
    span=lambda scope: (0, scope.count("SELECT count(*) FROM chain_anchor")),
    weight=0.05,
)
