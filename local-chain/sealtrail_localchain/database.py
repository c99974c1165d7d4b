"""The chain's SQLite database.

Write order, the only one there is: a block's state nodes, header, transactions, receipts and log index
go in one transaction, synced to disk before the block is shown to anyone. A crash before the commit
leaves the parent as head and the block never was; a crash after it leaves the block whole.
Each connection belongs to one thread.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sealtrail_localchain.errors import LocalChainError
from sealtrail_localchain.genesis import Genesis
from sealtrail_localchain.hashing import keccak
from sealtrail_localchain.transactions import Transaction, decode_transaction
from sealtrail_localchain.values import Block, Header, Log, Receipt, decode_header

SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE genesis (
  chain_id INTEGER NOT NULL, period_seconds INTEGER NOT NULL, signer BLOB NOT NULL,
  timestamp INTEGER NOT NULL
);
CREATE TABLE node (hash BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE block (
  number INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE, header BLOB NOT NULL
);
CREATE TABLE tx (
  block_number INTEGER NOT NULL, position INTEGER NOT NULL, hash BLOB NOT NULL UNIQUE,
  raw BLOB NOT NULL, succeeded INTEGER NOT NULL, gas_used INTEGER NOT NULL,
  cumulative_gas_used INTEGER NOT NULL, effective_gas_price BLOB NOT NULL, contract_address BLOB,
  PRIMARY KEY (block_number, position)
) WITHOUT ROWID;
CREATE TABLE log (
  block_number INTEGER NOT NULL, log_index INTEGER NOT NULL, tx_position INTEGER NOT NULL,
  address BLOB NOT NULL, topic0 BLOB, topic1 BLOB, topic2 BLOB, topic3 BLOB, content BLOB NOT NULL,
  PRIMARY KEY (block_number, log_index)
) WITHOUT ROWID;
CREATE INDEX log_by_address ON log (address, block_number);
CREATE INDEX log_by_topic0 ON log (topic0, block_number);
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTransaction:
    """A transaction where it was included, with what it did (its logs are asked for apart)."""

    block_number: int
    position: int
    transaction: Transaction
    receipt: Receipt


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredLog:
    """A log where it was emitted."""

    block_number: int
    log_index: int
    tx_position: int
    tx_hash: bytes
    log: Log


class Database:
    """One connection to the database of one chain directory."""

    def __init__(self, path: Path) -> None:
        try:
            self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")
            self._connection.execute("PRAGMA busy_timeout = 10000")
            self._check_schema()
        except sqlite3.DatabaseError as error:
            raise LocalChainError(
                "database_unreadable",
                f"{path} is no database of a local chain: {error}",
                advice="restore it from a copy, or start another chain in an empty directory",
                exit_code=4,
            ) from error

    def close(self) -> None:
        self._connection.close()

    def check(self) -> None:
        """Read what a start needs: genesis and head.

        Raises:
            LocalChainError: one of them cannot be read, or is not what its hash says.
        """
        try:
            self.load_genesis()
            self.head()
        except sqlite3.DatabaseError as error:
            raise _damaged(f"the last block cannot be read: {error}") from error

    def _check_schema(self) -> None:
        version = self._connection.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            self._connection.executescript(
                f"BEGIN; {_SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
            )
        elif version != SCHEMA_VERSION:
            raise LocalChainError(
                "database_of_other_version",
                f"the chain's database has schema {version}, this program knows {SCHEMA_VERSION}",
                advice="run the version of the program that made it",
            )

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit everything inside, synced, or nothing of it. Not for nesting.

        Raises:
            LocalChainError: the disk is full or failing; nothing was stored.
        """
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            yield
            self._connection.execute("COMMIT")
        except BaseException as error:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            if not isinstance(error, sqlite3.Error):
                raise
            raise LocalChainError(
                "cannot_store",
                f"the block could not be stored: {error}",
                advice="make room on the disk and start the chain again: it goes on from its head",
                exit_code=3,
            ) from error

    # -- trie nodes and code -----------------------------------------------------------------------

    def __getitem__(self, key: bytes) -> bytes:
        row = self._connection.execute("SELECT value FROM node WHERE hash = ?", (key,)).fetchone()
        if row is None:
            raise KeyError(key)
        value: bytes = row[0]
        if keccak(value) != key:
            raise _damaged(f"the state node 0x{key.hex()} has other content than its hash says")
        return value

    def __setitem__(self, key: bytes, value: bytes) -> None:
        self._connection.execute("INSERT OR IGNORE INTO node VALUES (?, ?)", (key, value))

    def __contains__(self, key: object) -> bool:
        found = self._connection.execute("SELECT 1 FROM node WHERE hash = ?", (key,)).fetchone()
        return found is not None

    # -- genesis -----------------------------------------------------------------------------------

    def load_genesis(self) -> Genesis | None:
        row = self._connection.execute("SELECT * FROM genesis").fetchone()
        if row is None:
            return None
        return Genesis(chain_id=row[0], period_seconds=row[1], signer=row[2], timestamp=row[3])

    def save_genesis(self, genesis: Genesis) -> None:
        self._connection.execute(
            "INSERT INTO genesis VALUES (?, ?, ?, ?)",
            (genesis.chain_id, genesis.period_seconds, genesis.signer, genesis.timestamp),
        )

    # -- blocks ------------------------------------------------------------------------------------

    def save_block(self, block: Block) -> None:
        header = block.header
        self._connection.execute(
            "INSERT INTO block VALUES (?, ?, ?)", (header.number, header.hash, header.encode())
        )
        pairs = zip(block.transactions, block.receipts, strict=True)
        log_index = 0
        for position, (transaction, receipt) in enumerate(pairs):
            self._save_transaction(header.number, position, transaction, receipt)
            for log in receipt.logs:
                self._save_log(header.number, log_index, position, log)
                log_index += 1

    def _save_transaction(
        self, number: int, position: int, transaction: Transaction, receipt: Receipt
    ) -> None:
        self._connection.execute(
            "INSERT INTO tx VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                number,
                position,
                transaction.hash,
                transaction.raw,
                receipt.succeeded,
                receipt.gas_used,
                receipt.cumulative_gas_used,
                receipt.effective_gas_price.to_bytes(32, "big"),
                receipt.contract_address,
            ),
        )

    def _save_log(self, number: int, log_index: int, position: int, log: Log) -> None:
        topics = (*log.topics, *[None] * (4 - len(log.topics)))
        self._connection.execute(
            "INSERT INTO log VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (number, log_index, position, log.address, *topics, log.content),
        )

    def head(self) -> Header | None:
        """Return the last block's header.

        Raises:
            LocalChainError: it is not what its hash says, or its state is not there.
        """
        row = self._connection.execute(
            "SELECT header, hash FROM block ORDER BY number DESC LIMIT 1"
        ).fetchone()
        if row is None:
            return None
        if keccak(row[0]) != row[1]:
            raise _damaged("the last block has other content than its hash says")
        header = decode_header(row[0])
        if header.state_root not in self:
            raise _damaged(f"the state of the last block {header.number} is missing")
        return header

    def header(self, number: int) -> Header | None:
        row = self._connection.execute(
            "SELECT header FROM block WHERE number = ?", (number,)
        ).fetchone()
        return decode_header(row[0]) if row else None

    def header_by_hash(self, block_hash: bytes) -> Header | None:
        row = self._connection.execute(
            "SELECT header FROM block WHERE hash = ?", (block_hash,)
        ).fetchone()
        return decode_header(row[0]) if row else None

    def block_hash(self, number: int) -> bytes | None:
        row = self._connection.execute(
            "SELECT hash FROM block WHERE number = ?", (number,)
        ).fetchone()
        return row[0] if row else None

    def ancestors(self, number: int) -> Iterator[bytes]:
        """Yield block hashes from ``number`` down, as far as BLOCKHASH looks (256)."""
        for at in range(number, max(-1, number - 256), -1):
            block_hash = self.block_hash(at)
            if block_hash is not None:
                yield block_hash

    # -- transactions ------------------------------------------------------------------------------

    def transaction_by_hash(self, tx_hash: bytes, chain_id: int) -> StoredTransaction | None:
        row = self._connection.execute("SELECT * FROM tx WHERE hash = ?", (tx_hash,)).fetchone()
        return _stored_transaction(row, chain_id) if row else None

    def transactions_of(self, number: int, chain_id: int) -> list[StoredTransaction]:
        rows = self._connection.execute(
            "SELECT * FROM tx WHERE block_number = ? ORDER BY position", (number,)
        )
        return [_stored_transaction(row, chain_id) for row in rows]

    def transaction_hashes_of(self, number: int) -> list[bytes]:
        rows = self._connection.execute(
            "SELECT hash FROM tx WHERE block_number = ? ORDER BY position", (number,)
        )
        return [row[0] for row in rows]

    # -- logs --------------------------------------------------------------------------------------

    def logs(
        self,
        first_block: int,
        last_block: int,
        *,
        addresses: tuple[bytes, ...] = (),
        topics: tuple[tuple[bytes, ...], ...] = (),
        limit: int,
    ) -> list[StoredLog]:
        """Return logs of a block range in chain order; empty tuples match everything.

        A list of topics asks for logs that have at least as many (a wildcard still needs a topic there).
        """
        where = ["log.block_number BETWEEN ? AND ?"]
        values: list[bytes | int] = [first_block, last_block]
        if addresses:
            where.append(f"address IN ({_marks(addresses)})")
            values += addresses
        for place, wanted in enumerate(topics):
            if wanted:
                where.append(f"topic{place} IN ({_marks(wanted)})")
                values += wanted
            else:
                where.append(f"topic{place} IS NOT NULL")
        rows = self._connection.execute(
            "SELECT log.*, tx.hash FROM log JOIN tx ON tx.block_number = log.block_number"
            f" AND tx.position = log.tx_position WHERE {' AND '.join(where)}"
            " ORDER BY log.block_number, log.log_index LIMIT ?",
            (*values, limit),
        )
        return [_stored_log(row) for row in rows]

    def logs_of_transaction(self, number: int, position: int) -> list[StoredLog]:
        rows = self._connection.execute(
            "SELECT log.*, tx.hash FROM log JOIN tx ON tx.block_number = log.block_number"
            " AND tx.position = log.tx_position WHERE log.block_number = ? AND tx_position = ?"
            " ORDER BY log_index",
            (number, position),
        )
        return [_stored_log(row) for row in rows]


def _damaged(message: str) -> LocalChainError:
    return LocalChainError(
        "database_damaged",
        message,
        advice="restore the directory from a copy, or start another chain in an empty one",
        exit_code=4,
    )


def _marks(values: tuple[bytes, ...]) -> str:
    return ", ".join("?" * len(values))


def _stored_transaction(row: tuple, chain_id: int) -> StoredTransaction:  # type: ignore[type-arg]
    number, position, _, raw, succeeded, gas_used, cumulative, price, contract = row
    return StoredTransaction(
        block_number=number,
        position=position,
        transaction=decode_transaction(raw, chain_id),
        receipt=Receipt(
            succeeded=bool(succeeded),
            gas_used=gas_used,
            cumulative_gas_used=cumulative,
            effective_gas_price=int.from_bytes(price, "big"),
            contract_address=contract,
            logs=(),
        ),
    )


def _stored_log(row: tuple) -> StoredLog:  # type: ignore[type-arg]
    number, log_index, position, address, *topics, content, tx_hash = row
    return StoredLog(
        block_number=number,
        log_index=log_index,
        tx_position=position,
        tx_hash=tx_hash,
        log=Log(
            address=address,
            topics=tuple(topic for topic in topics if topic is not None),
            content=content,
        ),
    )
