"""What the store belongs to: its identity against the configuration, and the genesis entry against both."""

from __future__ import annotations

from sealtrail.errors import InputError
from sealtrail.services.fsck.check import Check
from sealtrail.services.fsck.faults import Findings
from sealtrail.services.fsck.scope import Scope
from sealtrail.signing import Kind, entry_id, parse_leaf

_TABLE, _KEY = "identity", {"id": 1}


def look(scope: Scope, first: int, last: int) -> Findings:
    """Check identity and leaf 0."""
    found = Findings()
    row = scope.connection.execute(
        "SELECT chain_id, genesis_hash, registry, member FROM identity WHERE id = 1"
    ).fetchone()
    if row is None:
        found.add("identity_missing", _TABLE, _KEY, "the store does not say whose log it is")
        return found
    domain = scope.domain
    expected = (domain.chain_id, domain.genesis_hash, domain.registry, scope.member)
    names = ("chain_id", "genesis_hash", "registry", "member")
    for name, value, right in zip(names, row, expected, strict=True):
        if value != right:
            found.differs(_TABLE, _KEY, name, value, right, code="identity_differs")
    _check_genesis(scope, found)
    return found


def _check_genesis(scope: Scope, found: Findings) -> None:
    row = scope.connection.execute(
        "SELECT entry_id, leaf FROM entry WHERE leaf_index = 0"
    ).fetchone()
    if row is None:
        return  # named with the missing leaves
    try:
        entry = parse_leaf(row[1]).entry
    except InputError:
        return  # named with the entries
    if entry.kind is not Kind.GENESIS:
        message = f"the log's first entry is of kind {entry.kind.name}"
        found.add("genesis_missing", "entry", {"leaf_index": 0}, message)
    elif scope.item_salt is None and entry_id(entry, scope.domain) == row[0]:
        message = "the genesis entry does not commit to this item salt"
        found.add("identity_differs", _TABLE, _KEY, message, column="item_salt")


CHECK = Check(name="identity", tables=(_TABLE, "entry"), look=look)
