"""Other members' logs in a bundle: what a node asks its peers for, and what it gives them.

A member that had to do with an item is shown the complete list of it in another's log, with as much of the entries as
it may see; so an answer can cover the logs of all who handled it. What comes is read by the verifier as everything is.
"""

from __future__ import annotations

import asyncio
import hmac
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import TypeGuard

import msgspec

from sealtrail.errors import (
    ForbiddenError,
    InputError,
    SealtrailError,
    UnavailableError,
    VerificationError,
)
from sealtrail.evidence import EntryRecord
from sealtrail.evidence.bundle.entries import EntryLine
from sealtrail.evidence.bundle.form import AnyLine, parse_section
from sealtrail.evidence.bundle.lines import CheckpointLine, LogLine
from sealtrail.evidence.wire import Digest, from_hex, to_hex
from sealtrail.log.checkpoint import parse_note
from sealtrail.log.tree import split_hashes
from sealtrail.membership.records import MemberRecord, Role, Status
from sealtrail.peers.client import PeerClient
from sealtrail.services.chain.network import FollowedNetworks
from sealtrail.services.evidence.sections import OwnHistory, SectionSource
from sealtrail.services.exchange.handovers import Policy
from sealtrail.signing import EVENT_KINDS, Domain, entry_id, item_key, parse_leaf
from sealtrail.store.disclosures import shared_items, shown_to
from sealtrail.store.identity import Identity
from sealtrail.store.log import load_entry

ITEMS_MAX = 2_000
ITEM_CHARACTERS_MAX = 4_096
ASKED_AT_ONCE = 8
HELD_MAX = 2_000
_HELD_PREFIX = b"sealtrail/held/1\n"
_SEES_ALL = Role.REGULATOR | Role.AUDITOR


class Held(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An entry of the peer's log that the asker was shown, by whomever; ``mark`` shows that it has the entry's seed."""

    entry: Digest
    mark: Digest


class SectionRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a peer asks: complete lists of an item, and of others that it found to belong to its history.

    ``block``: up to which the log's anchors are to be shown.
    """

    item: str
    items: list[str] = []
    block: int
    held: list[Held] = []


def parse_request(body: bytes) -> SectionRequest:
    """Read a request.

    Raises:
        InputError: ``section_request_malformed``.
    """
    try:
        request = msgspec.json.decode(body, type=SectionRequest)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
        raise InputError("section_request_malformed", str(e)) from e
    named = [request.item, *request.items]
    if len(request.held) > HELD_MAX:
        raise InputError(
            "section_request_malformed",
            f"{len(request.held)} entries, at most {HELD_MAX}",
            pointer="/held",
        )
    if len(named) > ITEMS_MAX or any(not 0 < len(i) <= ITEM_CHARACTERS_MAX for i in named):
        raise InputError(
            "section_request_malformed",
            f"{len(named)} items; at most {ITEMS_MAX} of at most {ITEM_CHARACTERS_MAX} characters",
            pointer="/items",
        )
    if request.block < 0:
        raise InputError("section_request_malformed", "a block below 0", pointer="/block")
    return request


class SectionGiver:
    """Gives members sections of the own log; used from reader threads."""

    def __init__(
        self,
        sections: SectionSource,
        identity: Identity,
        networks: FollowedNetworks,
        policy: Policy,
    ) -> None:
        self._sections = sections
        self._identity = identity
        self._networks = networks
        self._policy = policy

    def history(
        self, connection: sqlite3.Connection, asker: bytes, request: SectionRequest
    ) -> OwnHistory:
        """Return what the own log has on the items, with as much of the entries as the asker may see.

        Raises:
            ForbiddenError: the asker had nothing to do with the item, as far as is known here (``item_not_shared``).
            UnavailableError: the block is not final here yet (``block_not_followed``), or ``index_not_anchored``.
        """
        view = self._networks.view(connection)
        if request.block > view.block:
            raise UnavailableError(
                "block_not_followed",
                f"block {request.block}: the chain is followed up to {view.block}",
            )
        record = view.record(asker, None)
        sees_all = self._policy is Policy.ALL or (
            record is not None and bool(record.roles & _SEES_ALL)
        )
        held = self._held(connection, asker, request)
        if not sees_all and not held and not shared_items(connection, _named(request), asker):
            raise ForbiddenError(
                "item_not_shared",
                f"nothing on {request.item} was shared with {to_hex(asker)}, as far as is known here",
            )
        history = self._sections.own_history(
            connection,
            request.item,
            (),
            view=view,
            last_block=request.block,
            items=request.items,
        )
        return history if sees_all else self._redacted(connection, history, asker, held)

    def _held(
        self, connection: sqlite3.Connection, asker: bytes, request: SectionRequest
    ) -> set[bytes]:
        """Return the entries on the items that the asker has shown to have, whoever gave them to it."""
        salt = self._identity.item_salt
        keys = {
            item_key(salt, item, packs=packs) for item in _named(request) for packs in (False, True)
        }
        found = set()
        for each in request.held:
            entry = load_entry(connection, from_hex(each.entry))
            if entry is None or entry.seed is None:
                continue
            known = hmac.compare_digest(held_mark(entry.seed, asker), from_hex(each.mark))
            if known and keys.intersection(split_hashes(entry.item_keys)):
                found.add(entry.entry_id)
        return found

    def _redacted(
        self,
        connection: sqlite3.Connection,
        history: OwnHistory,
        asker: bytes,
        held: set[bytes],
    ) -> OwnHistory:
        """Leave of each event's entry that the asker was never shown nothing but the leaf."""
        domain = self._identity.domain
        ids = {index: _event_entry(record, domain) for index, record in history.entries.items()}
        shown = held | shown_to(connection, [i for i in ids.values() if i is not None], asker)
        return msgspec.structs.replace(
            history,
            entries={
                index: record if ids[index] is None or ids[index] in shown else _bare(record)
                for index, record in history.entries.items()
            },
        )


def held_mark(seed: bytes, asker: bytes) -> bytes:
    """Return what shows that a member has an entry's seed. Source: docs/protocol.md section 13."""
    return sha256(_HELD_PREFIX + seed + asker).digest()


def _named(request: SectionRequest) -> list[str]:
    return [request.item, *request.items]


class SectionAsker:
    """Asks peers for sections of their logs.

    Args:
        timeout_seconds: how long one peer may take; a silent one is not covered.
    """

    def __init__(self, client: PeerClient, *, timeout_seconds: float) -> None:
        self._client = client
        self._timeout_seconds = timeout_seconds

    async def ask(
        self,
        members: Iterable[MemberRecord],
        request: SectionRequest,
        held: Mapping[bytes, Sequence[Held]],
    ) -> dict[bytes, list[AnyLine]]:
        """Return by member the sections that came; who does not answer as asked is not in it.

        Args:
            held: by member what this node has of its entries.
        """
        places = asyncio.Semaphore(ASKED_AT_ONCE)

        async def one(member: MemberRecord) -> tuple[bytes, list[AnyLine]] | None:
            own = list(held.get(member.member, ()))[:HELD_MAX]
            body = msgspec.json.encode(msgspec.structs.replace(request, held=own))
            async with places:
                try:
                    async with asyncio.timeout(self._timeout_seconds):
                        data = await self._client.fetch_section(member.node_url, body)
                    return member.member, read_section(data, member.member)
                except (SealtrailError, TimeoutError):
                    return None

        asked = [m for m in members if m.status is Status.ACTIVE and m.node_url]
        answers = await asyncio.gather(*map(one, asked))
        return dict(each for each in answers if each is not None)


def is_bare(line: AnyLine) -> TypeGuard[EntryLine]:
    """Tell whether it is an entry's line that does not have the content."""
    return isinstance(line, EntryLine) and line.content is None


def completed(lines: Sequence[AnyLine], known: Mapping[bytes, EntryRecord]) -> list[AnyLine]:
    """Return a peer's section with what the peer withheld and this node was shown before.

    Args:
        known: entries by their leaf.
    """
    found: list[AnyLine] = []
    for line in lines:
        if is_bare(line):
            record = known.get(line.leaf)
            if record is not None and record.content is not None and record.seed is not None:
                line = msgspec.structs.replace(
                    line,
                    content=record.content,
                    seed=to_hex(record.seed),
                    media_type=record.media_type,
                    references=record.references,
                    item_keys=b"",
                )
        found.append(line)
    return found


def read_section(data: bytes, member: bytes) -> list[AnyLine]:
    """Return the lines that a peer sent as its log's section; whether they hold is the verifier's to say.

    Raises:
        InputError: ``bundle_malformed``, ``note_malformed``, ``origin_malformed``, or of a leaf.
        TooLargeError: ``bundle_line_too_long``.
        VerificationError: ``section_of_another_log``.
    """
    lines = parse_section(data.splitlines(keepends=True))
    first = lines[0]
    if not isinstance(first, LogLine) or first.member != to_hex(member) or not first.covered:
        raise VerificationError("section_of_another_log", "not the section that was asked for")
    for line in lines:
        if isinstance(line, EntryLine) and parse_leaf(line.leaf).entry.member != member:
            raise VerificationError("section_of_another_log", "an entry of another member's")
        if isinstance(line, CheckpointLine):
            parse_note(line.note)
    return lines


def _event_entry(record: EntryRecord, domain: Domain) -> bytes | None:
    entry = parse_leaf(record.leaf).entry
    return entry_id(entry, domain) if entry.kind in EVENT_KINDS else None


def _bare(record: EntryRecord) -> EntryRecord:
    return msgspec.structs.replace(
        record, content=None, seed=None, references=b"", item_keys=(), item_salt=None
    )
