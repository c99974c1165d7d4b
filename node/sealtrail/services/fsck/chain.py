"""What was followed of the chain against what the chain says now, through the node's own endpoints.

Compared up to the last block that was final when the node followed it: what is above is read anew at each pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from sealtrail.errors import UnavailableError
from sealtrail.membership.records import Anchor
from sealtrail.ports import ChainRecord, Ledger
from sealtrail.services.fsck.faults import Findings
from sealtrail.services.fsck.scope import Scope
from sealtrail.store import chain
from sealtrail.store.chain import Cursor

NAME = "chain"
# What the chain says otherwise than the store
CODES = frozenset(
    {"chain_row_missing", "chain_row_differs", "chain_row_unexpected", "cursor_moved"}
)
_ANCHOR, _MEMBER, _CURSOR = "chain_anchor", "chain_member", "chain_cursor"
_BLOCKS_AT_ONCE = 10_000
_BLOCKS_LOOKED_AT = 256  # below the head, for a block that the cursor's hash may mean


async def compare_chain(scope: Scope, ledger: Ledger | None, start_block: int) -> Findings:
    """Compare anchors, records and cursor with the chain.

    Args:
        ledger: None: not to be asked, which is said.
        start_block: no anchor or record is before it.
    """
    found = Findings()
    if ledger is None:
        found.skip(
            NAME, "offline", "what was followed of the chain was not compared with it (--offline)"
        )
        return found
    cursor = chain.load_cursor(scope.connection)
    if cursor is None:
        found.skip(NAME, "chain_not_followed", "this node has not read the chain yet")
        return found
    try:
        await _compare_cursor(found, ledger, cursor)
        anchors: list[Anchor] = []
        records: list[ChainRecord] = []
        for first in range(start_block, cursor.final_block + 1, _BLOCKS_AT_ONCE):
            last = min(first + _BLOCKS_AT_ONCE - 1, cursor.final_block)
            said = await ledger.changes(first, last)
            anchors += said[0]
            records += said[1]
    except UnavailableError as error:
        found.skip(NAME, error.code, error.message)
        return found
    stored = chain.changes_between(scope.connection, -(1 << 62), 1 << 62)
    _compare(found, _ANCHOR, "sequence", (stored[0], anchors), cursor.final_block)
    _compare(found, _MEMBER, "version", (stored[1], records), cursor.final_block)
    return found


async def _compare_cursor(found: Findings, ledger: Ledger, cursor: Cursor) -> None:
    """Compare the block up to which the chain was followed.

    Raises:
        UnavailableError: the endpoint has no such block, nor the one that the cursor's hash names just below its head.
    """
    block = await ledger.block(cursor.final_block)
    if block is None:
        head = await ledger.head()
        for number in range(head.number, max(-1, head.number - _BLOCKS_LOOKED_AT), -1):
            block = await ledger.block(number)
            if block is not None and block.hash == cursor.final_hash:
                break
        else:
            raise UnavailableError(
                "chain_behind", f"the endpoint has no block {cursor.final_block} yet"
            )
    if (block.number, block.hash) != (cursor.final_block, cursor.final_hash):
        found.differs(
            _CURSOR,
            {"id": 1},
            "final_hash" if block.number == cursor.final_block else "final_block",
            (cursor.final_block, cursor.final_hash.hex()),
            (block.number, block.hash.hex()),
            code="cursor_moved",
        )


Row = TypeVar("Row", Anchor, ChainRecord)


def _compare(
    found: Findings,
    table: str,
    number: str,
    rows: tuple[Sequence[Row], Sequence[Row]],
    final_block: int,
) -> None:
    """Compare (stored, said); of what is stored above the last final block nothing is said."""
    stored, said = ({(r.member, getattr(r, number)): r for r in each} for each in rows)
    for name, right in said.items():
        key = {"member": name[0], number: name[1]}
        row = stored.pop(name, None)
        if row is None:
            found.add("chain_row_missing", table, key, f"block {right.block_number} has it")
        elif row != right:
            columns = [c for c in right.__struct_fields__ if getattr(row, c) != getattr(right, c)]
            found.differs(
                table,
                key,
                columns[0],
                getattr(row, columns[0]),
                getattr(right, columns[0]),
                code="chain_row_differs",
            )
    for name, row in stored.items():
        if row.block_number <= final_block:
            key = {"member": name[0], number: name[1]}
            message = f"no such row in block {row.block_number} of the chain, or in another"
            found.add("chain_row_unexpected", table, key, message)
