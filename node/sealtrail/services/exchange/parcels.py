"""Makes the packages of a delivery: small enough each, and only with what its receiver will find to hold.

A large history goes out in several packages, each of them with the entry that it is all about; a receiver may take
them in any order, and any of them again.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterable, Sequence

import msgspec

from sealtrail.epcis import read_content
from sealtrail.epcis.bounds import values_of_size
from sealtrail.errors import InputError, IntegrityError, NotFoundError
from sealtrail.evidence import (
    EntryRecord,
    Package,
    PackageLimits,
    PackageNetwork,
    Verifier,
    count_items,
    encode_package,
)
from sealtrail.log.tree import HASH_BYTES
from sealtrail.services.chain.network import FollowedNetworks
from sealtrail.services.exchange.addressees import corrected_by
from sealtrail.services.exchange.handovers import Policy, history_of
from sealtrail.services.records import Provable, load_provable
from sealtrail.signing import REFERENCE_BYTES, Ed25519Signer
from sealtrail.store.events import (
    EntrySize,
    StoredEvent,
    entry_sizes,
    load_by_entries,
    require_content,
)
from sealtrail.store.identity import Identity
from sealtrail.store.log import LogStore

PURPOSE = "consignment"
# Contents of one package, beside its subject's; more only if one content alone is more.
PART_BYTES_MAX = 4 << 20
# Each with a checkpoint of its own at worst, and a package has no more of those.
PART_ENTRIES_MAX = 1_000
ENTRY_BYTES = 1024  # what an entry takes beside its content, about

_log = logging.getLogger(__name__)


class Parcel(msgspec.Struct, frozen=True, kw_only=True):
    """A package's bytes; ``unproven`` are those of its entries that it does not prove to the chain."""

    data: bytes
    unproven: frozenset[bytes]


class Parcels:
    """Makes packages from one member's store; used from reader threads."""

    def __init__(
        self,
        log: LogStore,
        identity: Identity,
        signer: Ed25519Signer,
        *,
        networks: FollowedNetworks,
        policy: Policy,
        now_ms: Callable[[], int],
        limits: PackageLimits = PackageLimits(),  # noqa: B008 frozen
    ) -> None:
        self._log = log
        self._identity = identity
        self._signer = signer
        self._networks = networks
        self._policy = policy
        self._now_ms = now_ms
        self._limits = limits

    def contents(
        self, connection: sqlite3.Connection, subject: bytes
    ) -> tuple[tuple[bytes, ...], ...]:
        """Return the entries to send for a subject, a tuple for each package.

        Raises:
            NotFoundError: ``content_erased``.
            IntegrityError: ``entry_damaged``, the subject can't be read.
        """
        event = load_by_entries(connection, [subject]).get(subject)
        if event is None:
            raise NotFoundError("content_erased", "the event is no longer here to be sent")
        entry_ids = self._chosen(connection, event)
        return self.spread(connection, subject, entry_ids)

    def spread(
        self, connection: sqlite3.Connection, subject: bytes, entry_ids: Sequence[bytes]
    ) -> tuple[tuple[bytes, ...], ...]:
        """Return entries that go with a subject, a tuple for each package."""
        return split(
            subject, entry_ids, entry_sizes(connection, [*entry_ids, subject]), self._limits
        )

    def _chosen(self, connection: sqlite3.Connection, event: StoredEvent) -> tuple[bytes, ...]:
        content = require_content(event)
        if event.is_declaration:
            return (*corrected_by(connection, event), event.entry_id)
        try:
            shipped = read_content(content, event.media_type)
        except InputError as error:
            raise IntegrityError("entry_damaged", f"the event is unreadable: {error}") from error
        consigned = history_of(connection, shipped, event.entry_id, self._policy)
        if consigned.cut:
            _log.warning(
                "the shipment 0x%s is too large to go with all its history", event.entry_id.hex()
            )
        return consigned.entry_ids

    def pack(
        self,
        connection: sqlite3.Connection,
        subject: bytes,
        entry_ids: Iterable[bytes],
        recipient: bytes,
    ) -> Parcel:
        """Return one package.

        Raises:
            IntegrityError: ``entry_damaged``, the subject itself does not hold.
            TooLargeError: ``package_too_large``.
            UnavailableError: the chain was never followed.
        """
        view = self._networks.view(connection)
        domain = self._identity.domain
        verifier = Verifier(domain=domain, network=view)
        loaded = load_provable(
            connection, self._log, self._identity, entry_ids, last_block=view.block
        )
        shown = self._shown(verifier, loaded)
        if subject not in shown:
            raise IntegrityError("entry_damaged", "the event, or what proves it, is damaged here")
        package = Package(
            network=PackageNetwork(
                chain_id=domain.chain_id,
                genesis_hash=domain.genesis_hash,
                registry=domain.registry,
                anchors=self._networks.identity.anchors,
            ),
            issuer=self._identity.member,
            recipient=recipient,
            purpose=PURPOSE,
            created_ms=self._now_ms(),
            subjects=(subject,),
            entries=tuple(_in_one_form(record) for record in shown.values()),
        )
        unproven = frozenset(e for e, r in shown.items() if not (r.proof and r.proof.anchor))
        return Parcel(data=encode_package(package, self._signer), unproven=unproven)

    def _shown(self, verifier: Verifier, loaded: Sequence[Provable]) -> dict[bytes, EntryRecord]:
        """Return what the receiver will take, in the same order; the subject, which is last, comes before all else."""
        room = self._limits.items_max
        shown = []
        for each in reversed(loaded):
            items = _items_shown(verifier, each)
            if items is None:
                continue
            if items > room:  # more than its item keys, which nobody could compare with the content
                _log.warning("entry 0x%s names too many items", each.event.entry_id.hex())
                continue
            room -= items
            shown.append((each.event.entry_id, each.record))
        return dict(reversed(shown))


class _Room:
    """What may still go into a package beside its subject."""

    def __init__(self, subject: EntrySize, limits: PackageLimits) -> None:
        self._left = [
            PART_BYTES_MAX,
            *(most - taken for most, taken in zip(_most(limits), _counts(subject), strict=True)),
        ]

    def take(self, size: EntrySize) -> bool:
        """Take an entry's counts out of the room; tell whether they fit."""
        octets = ENTRY_BYTES + size.content_bytes + size.item_keys_bytes + size.references_bytes
        left = [
            have - need for have, need in zip(self._left, (octets, *_counts(size)), strict=True)
        ]
        self._left = left
        return min(left) >= 0


def _most(limits: PackageLimits) -> tuple[int, ...]:
    items = min(limits.items_max, limits.item_keys_max)
    return limits.values_max, items, limits.references_max


def _counts(size: EntrySize) -> tuple[int, ...]:
    """Return the entry's values (at most), items, and references."""
    return (
        values_of_size(size.content_bytes),
        size.item_keys_bytes // HASH_BYTES,
        size.references_bytes // REFERENCE_BYTES,
    )


def split(
    subject: bytes,
    entry_ids: Iterable[bytes],
    sizes: dict[bytes, EntrySize],
    limits: PackageLimits = PackageLimits(),  # noqa: B008 frozen
) -> tuple[tuple[bytes, ...], ...]:
    """Spread entries over packages of about ``PART_BYTES_MAX``, in their order, the subject last in each.

    None has more in it than a receiver takes: an entry that alone has too much beside the subject is left out.
    """
    none = EntrySize()
    parts: list[tuple[bytes, ...]] = []
    part: list[bytes] = []
    room = _Room(sizes.get(subject, none), limits)
    for entry_id in entry_ids:
        if entry_id == subject:
            continue
        size = sizes.get(entry_id, none)
        if not _fits_alone(size, sizes.get(subject, none), limits):
            _log.warning("entry 0x%s has too much in it to be sent", entry_id.hex())
            continue
        fits = room.take(size)
        if part and (not fits or len(part) + 1 == PART_ENTRIES_MAX):
            parts.append((*part, subject))
            part, room = [], _Room(sizes.get(subject, none), limits)
            room.take(size)
        part.append(entry_id)
    parts.append((*part, subject))
    return tuple(parts)


def _fits_alone(size: EntrySize, subject: EntrySize, limits: PackageLimits) -> bool:
    both = zip(_most(limits), _counts(size), _counts(subject), strict=True)
    return all(one + other <= most for most, one, other in both)


def _items_shown(verifier: Verifier, provable: Provable) -> int | None:
    """Return how many items the entry names; None if the receiver will not take it.

    One that is damaged or erased here must not spoil the rest.
    """
    entry_id = provable.event.entry_id
    try:
        verified = verifier.verify(provable.record)
    except InputError as error:
        _log.error("entry 0x%s is left out of a package: %s", entry_id.hex(), error)
        return None
    if verified.grade is None or verified.entry_id != entry_id:
        _log.error("entry 0x%s is left out of a package: it does not hold", entry_id.hex())
        return None
    if verified.event is None:  # erased
        return None
    return count_items(verified.event)


def shown_in(verifier: Verifier, loaded: Sequence[Provable]) -> dict[bytes, EntryRecord]:
    """Return entry id → record of those entries that hold here and show their event, in the form of packages."""
    return {
        each.event.entry_id: _in_one_form(each.record)
        for each in loaded
        if _items_shown(verifier, each) is not None
    }


def _in_one_form(record: EntryRecord) -> EntryRecord:
    """Leave out item keys that the receiver recomputes from content and salt."""
    if record.content is not None and record.item_salt is not None:
        return msgspec.structs.replace(record, item_keys=())
    return record
