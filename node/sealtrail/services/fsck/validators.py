"""The chain's validators as they were followed: against the hash that stands beside them.

It is over all of them, so it does not tell which record has changed: each is named.
"""

from __future__ import annotations

from sealtrail.errors import IntegrityError
from sealtrail.services.fsck.check import Check
from sealtrail.services.fsck.faults import Findings
from sealtrail.services.fsck.scope import Scope
from sealtrail.store.validators import load_changes, load_followed

_STATE, _CHANGE = "validator_state", "validator_change"


def look(scope: Scope, first: int, last: int) -> Findings:
    """Check all of them."""
    found = Findings()
    rows = scope.connection.execute("SELECT first_block FROM validator_change").fetchall()
    try:
        followed = load_followed(scope.connection)
    except (IntegrityError, ValueError) as error:  # ValueError: a text that is no UTF-8 any more
        why = error.message if isinstance(error, IntegrityError) else str(error)
        message = f"{why}: this record or another of them"
        _name_all(found, message, rows)
        return found
    if followed is None:
        if rows:
            message = "how far they were followed is gone"
            _name_all(found, message, rows)
        return found
    for change in load_changes(scope.connection):
        if not change.members or list(change.members) != sorted(set(change.members)):
            key = {"first_block": change.first_block}
            message = "no ascending list of addresses"
            found.add("validators_differ", _CHANGE, key, message, column="members")
    return found


def _name_all(found: Findings, message: str, rows: list[tuple[int]]) -> None:
    found.add("validators_differ", _STATE, {"id": 1}, message)
    for (first_block,) in rows:
        found.add("validators_differ", _CHANGE, {"first_block": first_block}, message)


CHECK = Check(name="validators", tables=(_STATE, _CHANGE), look=look)
