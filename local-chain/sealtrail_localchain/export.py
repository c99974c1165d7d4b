"""Files of a stored chain that geth reads: its genesis, and its blocks in RLP.

Reads the database beside a running chain without disturbing it: what is exported is what was durable
when the export began.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from sealtrail_localchain.database import Database
from sealtrail_localchain.directory import DATABASE_NAME
from sealtrail_localchain.errors import LocalChainError
from sealtrail_localchain.genesis import Genesis
from sealtrail_localchain.values import Block, Receipt


def export_genesis(directory: Path, file: Path) -> int:
    """Write the genesis file for ``geth init`` and return its size in bytes.

    Raises:
        LocalChainError: no chain in the directory, or the file cannot be written.
    """
    database, genesis = _open(directory)
    database.close()
    return _write(file, iter([json.dumps(genesis.for_geth(), indent=2).encode() + b"\n"]))


def export_blocks(
    directory: Path, file: Path, progress: Callable[[int, int], None] = lambda done, total: None
) -> int:
    """Write all blocks after genesis for ``geth import`` and return how many.

    ``progress`` is called with the number of blocks written and of all.

    Raises:
        LocalChainError: no chain in the directory, or the file cannot be written.
    """
    database, genesis = _open(directory)
    try:
        head = database.head()
        last = head.number if head is not None else 0
        _write(file, _encoded(database, genesis, last, progress))
    finally:
        database.close()
    return last


def _open(directory: Path) -> tuple[Database, Genesis]:
    path = directory / DATABASE_NAME
    missing = LocalChainError(
        "no_chain_here",
        f"{directory} holds no local chain",
        advice="name the --dir that the chain was started with",
    )
    if not path.exists():
        raise missing
    database = Database(path)
    genesis = database.load_genesis()
    if genesis is None:
        database.close()
        raise missing
    return database, genesis


def _encoded(
    database: Database, genesis: Genesis, last: int, progress: Callable[[int, int], None]
) -> Iterator[bytes]:
    for number in range(1, last + 1):
        header = database.header(number)
        if header is None:
            raise LocalChainError(
                "block_missing",
                f"block {number} is missing below the head {last}",
                advice="the database is damaged: restore it from a copy",
                exit_code=4,
            )
        stored = database.transactions_of(number, genesis.chain_id)
        no_receipts: tuple[Receipt, ...] = ()
        transactions = tuple(one.transaction for one in stored)
        yield Block(header=header, transactions=transactions, receipts=no_receipts).encode()
        progress(number, last)


def _write(file: Path, pieces: Iterator[bytes]) -> int:
    """Write to a draft beside the file first: a half-written export is never taken for a whole one."""
    draft = file.with_name(file.name + ".part")
    written = 0
    try:
        with draft.open("wb") as stream:
            for piece in pieces:
                written += stream.write(piece)
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(file)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise LocalChainError(
            "cannot_write", f"cannot write {file}: {error.strerror}", advice="name another FILE"
        ) from error
    return written
