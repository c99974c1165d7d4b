"""What the checks look at: one snapshot of a store, and what it is known to belong to from elsewhere."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from sealtrail.errors import InputError, SealtrailError
from sealtrail.membership.records import Purpose
from sealtrail.ports import Sent
from sealtrail.services.chain.network import FollowedNetwork, FollowedNetworks, NetworkIdentity
from sealtrail.services.own_log.plain_entries import plain_root
from sealtrail.signing import (
    ZERO_SEED,
    Domain,
    genesis_document,
    parse_leaf,
)
from sealtrail.store.event_index import Gap, load_gap
from sealtrail.store.faults import FAULTS, wrap

T = TypeVar("T")


class KeyFile(msgspec.Struct, frozen=True):
    """A key file of the configuration."""

    purpose: Purpose
    path: Path


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """The store to check, and what the configuration says that it is.

    Args:
        network, member: what the configuration names; the store's own word for it is not enough.
        key_files: where the member's keys are.
        index_folder: where the item index's runs are; None: they are not looked at.
        read_transaction: reads a stored transaction of the outbox.
        counting_key: 16 random bytes, new for each run: nobody can make two sets of items that count alike.
    """

    database: Path
    network: NetworkIdentity
    member: bytes
    read_transaction: Callable[[bytes], Sent]
    counting_key: bytes
    key_files: tuple[KeyFile, ...] = ()
    index_folder: Path | None = None

    @property
    def domain(self) -> Domain:
        """The domain that this member's signatures hold in."""
        return Domain(
            chain_id=self.network.chain_id,
            registry=self.network.registry,
            genesis_hash=self.network.genesis_hash,
        )


class Scope:
    """One snapshot as the checks see it; used by one thread at a time."""

    def __init__(self, connection: sqlite3.Connection, subject: Subject) -> None:
        self.connection = connection
        self.subject = subject
        self.domain = subject.domain
        self.member = subject.member

        self._made: dict[Callable[[Scope], Any], Any] = {}

    def once(self, make: Callable[[Scope], T]) -> T:
        """Return what ``make`` gives for this snapshot, made at the first call."""
        if make not in self._made:
            self._made[make] = make(self)
        made: T = self._made[make]
        return made

    @cached_property
    def view(self) -> FollowedNetwork | SealtrailError:
        """The network as the node followed it; or why there is no view of it."""
        try:
            return FollowedNetworks(self.subject.network).view(self.connection)
        except SealtrailError as error:
            return error

    @cached_property
    def item_salt(self) -> bytes | None:
        """The log's item salt, if the genesis entry commits to it; None: what rests on it can't be checked."""
        row = self.connection.execute("SELECT item_salt FROM identity").fetchone()
        leaf = self.connection.execute("SELECT leaf FROM entry WHERE leaf_index = 0").fetchone()
        if row is None or leaf is None:
            return None
        try:
            committed = parse_leaf(leaf[0]).entry.disclosure_root
        except InputError:
            return None
        salt = bytes(row[0])
        return salt if self.genesis_root(salt) == committed else None

    @cached_property
    def tombstones(self) -> frozenset[bytes]:
        """The entries whose events were erased for law, as their tombstones say."""
        return frozenset(
            row[0] for row in self.connection.execute("SELECT entry_id FROM tombstone")
        )

    @cached_property
    def gap(self) -> Gap:
        """Which events of an earlier version are not indexed by their fields yet."""
        return load_gap(self.connection)

    def genesis_root(self, item_salt: bytes) -> bytes:
        """Return the disclosure root of the genesis entry that this log would have with that salt."""
        document = genesis_document(self.domain, self.member, item_salt)
        return plain_root(document, ZERO_SEED)

    def read_any_text(self) -> bool:
        """From here on read texts that are not UTF-8 too, which takes longer; False if that was so before."""
        if self.connection.text_factory is any_text:
            return False
        self.connection.text_factory = any_text
        return True

    def count(self, query: str, *values: object) -> int:
        """Return the one number that a query gives; 0 for none."""
        row = self.connection.execute(query, values).fetchone()
        return int(row[0] or 0) if row else 0

    def count_or(self, otherwise: int, query: str) -> int:
        """Return what :meth:`count` does, or ``otherwise`` where the database can't be read."""
        try:
            return self.count(query)
        except sqlite3.Error:
            return otherwise


def any_text(data: bytes) -> str:
    """Return a text from the database, whatever its bytes."""
    return data.decode("utf-8", "surrogateescape")


def open_snapshot(path: Path) -> sqlite3.Connection:
    """Open a database beside whoever writes it, and read from one snapshot until it is closed.

    Raises:
        UnavailableError, IntegrityError: it can't be opened or read.
    """
    try:
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, timeout=5
        )
        connection.execute("PRAGMA query_only = ON")
        connection.execute("PRAGMA cache_size = -65536")
        connection.execute("BEGIN")
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except FAULTS as error:
        raise wrap(error) from error
    return connection
