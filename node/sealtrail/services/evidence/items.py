"""Evidence about an item: the own log's complete lists, those that peers give of theirs, and what else is known."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Collection, Iterable, Sequence
from functools import partial

import msgspec

from sealtrail.custody import Recorded
from sealtrail.evidence import EntryRecord, Verifier, recorded_of
from sealtrail.evidence.bundle.answer import needed_items
from sealtrail.evidence.bundle.audited import auditors_named
from sealtrail.evidence.bundle.entries import EntryLine, entry_record
from sealtrail.evidence.bundle.form import AnyLine
from sealtrail.evidence.bundle.items import ItemProofLine
from sealtrail.evidence.bundle.lines import CheckpointLine, ItemQuestion, LogLine
from sealtrail.evidence.bundle.redact import redacted
from sealtrail.evidence.bundle.trust import TrustFile
from sealtrail.evidence.wire import from_hex, to_hex
from sealtrail.gs1 import gln_of, numbering_digits
from sealtrail.membership.records import MemberRecord, Network
from sealtrail.services.answers.history import HistoryLimits
from sealtrail.services.chain.network import FollowedNetworks
from sealtrail.services.evidence.assembly import MAKE_SECONDS_MAX, Assembly, Moment, in_order
from sealtrail.services.evidence.peers import (
    Held,
    SectionAsker,
    SectionRequest,
    completed,
    held_mark,
    is_bare,
)
from sealtrail.services.evidence.sections import (
    ForeignPart,
    OwnHistory,
    SectionSource,
    anchors_used,
    foreign_lines,
)
from sealtrail.services.own_log.published_log import as_seen
from sealtrail.signing import entry_id, parse_leaf
from sealtrail.store import foreign
from sealtrail.store.database import Database
from sealtrail.store.events import load_by_entries
from sealtrail.store.identity import Identity

_log = logging.getLogger(__name__)

_ROUNDS_MAX = 4  # of asking peers: a container in a container in a container is known after three


class Gathered(msgspec.Struct, frozen=True, kw_only=True):
    """What one snapshot of the store has for a bundle about an item."""

    own: OwnHistory
    foreign: tuple[ForeignPart, ...]
    recorded: tuple[Recorded, ...]
    auditors: frozenset[bytes]  # of the own log's item index
    network: Network
    trust: TrustFile


class ItemEvidence:
    """Makes bundles about items.

    Args:
        asker: asks other members for their logs' part.
    """

    def __init__(
        self,
        database: Database,
        identity: Identity,
        assembly: Assembly,
        *,
        sections: SectionSource,
        networks: FollowedNetworks,
        asker: SectionAsker,
    ) -> None:
        self._database = database
        self._identity = identity
        self._assembly = assembly
        self._sections = sections
        self._networks = networks
        self._asker = asker

    async def make(self, item: str, *, whole: bool) -> list[bytes]:
        """Return the lines of a bundle about an item; see :meth:`EvidenceService.about_item`."""
        async with self._assembly.turn() as moment:
            return await self._make(moment, item, whole)

    async def _make(self, moment: Moment, item: str, whole: bool) -> list[bytes]:
        assembly, question = self._assembly, ItemQuestion(item=item)
        here = await self._read(moment, item, ())
        peers, told = await self._ask_peers(item, here, moment.proof_block)
        gathered = await self._read(moment, item, told) if told else here
        concerned = _members_concerned(gathered.recorded, item, gathered.network)
        members = await assembly.member_lines(
            moment,
            {self._identity.member, *peers, *concerned, *here.auditors, *_auditors(peers.values())},
        )
        for member, section in list(peers.items()):
            if not await assembly.holds(moment, question, members, member, section):
                _log.warning(
                    "the log of 0x%s is not covered: what it gave does not hold", member.hex()
                )
                del peers[member]
        parts = [part for part in gathered.foreign if part.member not in peers]
        anchors = [*anchors_used(gathered.own), *(part.checkpoint.anchor for part in parts)]
        places = await assembly.anchor_places(moment, anchors)
        covered = sorted({self._identity.member, *peers})
        own = await self._database.read(
            lambda c: list(self._sections.own_lines(c, gathered.own, places)),
            seconds_max=MAKE_SECONDS_MAX,
        )
        sections = in_order(
            [
                (self._identity.member, 0, own),
                *((member, 0, section) for member, section in peers.items()),
                *(
                    (part.member, part.checkpoint.size, list(foreign_lines(part, places)))
                    for part in parts
                ),
            ]
        )
        if not whole:
            shown = {name for name, _ in needed_items(item, gathered.recorded)}
            sections = await asyncio.to_thread(_redacted, sections, shown)
        lines = await assembly.lines(moment, question, members, sections, covered)
        return await assembly.concluded(lines, gathered.network, gathered.trust, covered)

    async def _read(self, moment: Moment, item: str, told: Sequence[Recorded]) -> Gathered:
        return await self._database.read(
            lambda c: self._gather(c, item, told, moment), seconds_max=MAKE_SECONDS_MAX
        )

    def _gather(
        self,
        connection: sqlite3.Connection,
        item: str,
        told: Sequence[Recorded],
        moment: Moment,
    ) -> Gathered:
        view = self._networks.view(connection)
        parts, recorded = self._sections.foreign_parts(
            connection, item, view=view, last_block=moment.proof_block, limits=HistoryLimits()
        )
        others = (*recorded, *told)
        own = self._sections.own_history(
            connection, item, others, view=view, last_block=moment.proof_block
        )
        last = own.checkpoints[-1]
        return Gathered(
            own=own,
            foreign=parts,
            recorded=(*own.recorded, *others),
            auditors=auditors_named(as_seen(connection, last.note, last.checkpoint_hash)),
            network=view.network(),
            trust=self._assembly.trust_at(connection, moment.checked.final),
        )

    async def _ask_peers(
        self, item: str, here: Gathered, proof_block: int
    ) -> tuple[dict[bytes, list[AnyLine]], tuple[Recorded, ...]]:
        """Ask those who had to do with the item for their logs' lists, until these name no further containers.

        Returns:
            By member the sections that have all lists; and what their entries say.
        """
        told: tuple[Recorded, ...] = ()
        found: dict[bytes, list[AnyLine]] = {}
        for _ in range(_ROUNDS_MAX):
            known = (*here.recorded, *told)
            needed = needed_items(item, known)
            concerned = _members_concerned(known, item, here.network) - {self._identity.member}
            wanting = {m for m in concerned if needed - _listed(found.get(m, ()))}
            if not wanting:
                break
            request = SectionRequest(
                item=item, items=sorted({i for i, _ in needed}), block=proof_block
            )
            members = [m for m in here.network.members if m.member in wanting]
            answers = await self._asker.ask(members, request, self._held(here.foreign))
            if not answers:
                break
            found.update(await self._database.read(partial(self._completed, answers=answers)))
            told = await self._database.read(partial(self._recorded, sections=found.values()))
        needed = needed_items(item, (*here.recorded, *told))
        whole = {m: lines for m, lines in found.items() if not needed - _listed(lines)}
        return whole, told

    def _held(self, parts: Iterable[ForeignPart]) -> dict[bytes, list[Held]]:
        """Return by member what shows that this node has its entries."""
        held: dict[bytes, list[Held]] = {}
        for part in parts:
            for record in part.records:
                if record.seed is not None:
                    digest = entry_id(parse_leaf(record.leaf).entry, self._identity.domain)
                    mark = held_mark(record.seed, self._identity.member)
                    each = Held(entry=to_hex(digest), mark=to_hex(mark))
                    held.setdefault(part.member, []).append(each)
        return held

    def _completed(
        self, connection: sqlite3.Connection, answers: dict[bytes, list[AnyLine]]
    ) -> dict[bytes, list[AnyLine]]:
        """Return peers' sections with what they withheld and this node was shown before."""
        bare = [line.leaf for lines in answers.values() for line in lines if is_bare(line)]
        ids = [entry_id(parse_leaf(leaf).entry, self._identity.domain) for leaf in bare]
        events = load_by_entries(connection, ids)
        known = {
            stored.leaf: EntryRecord(
                leaf=stored.leaf,
                content=events[digest].content,
                media_type=events[digest].media_type,
                seed=stored.seed,
                references=stored.refs,
            )
            for digest, stored in foreign.load_entries(connection, ids).items()
            if digest in events
        }
        return {member: completed(lines, known) for member, lines in answers.items()}

    def _recorded(
        self, connection: sqlite3.Connection, sections: Iterable[Sequence[AnyLine]]
    ) -> tuple[Recorded, ...]:
        """Return what the entries of peers' sections say: what to look for, not yet what is true."""
        verifier = Verifier(domain=self._identity.domain, network=self._networks.view(connection))
        entries = [line for lines in sections for line in lines if isinstance(line, EntryLine)]
        verified = [verifier.verify(entry_record(line, None)) for line in entries]
        return tuple(recorded_of(v) for v in verified if v.event is not None and v.grade)


def _redacted(lines: Iterable[AnyLine], items: Collection[str]) -> list[AnyLine]:
    """Return sections with no more of their events than a question about those items takes."""
    found: list[AnyLine] = []
    salt: bytes | None = None
    for line in lines:
        if isinstance(line, LogLine):
            salt = None if line.item_salt is None else from_hex(line.item_salt)
        found.append(redacted(line, items, salt) if isinstance(line, EntryLine) else line)
    return found


def _auditors(sections: Iterable[Sequence[AnyLine]]) -> set[bytes]:
    """Return the members that say, below the sections' last checkpoints, that they audited the item index."""
    found: set[bytes] = set()
    for lines in sections:
        last = next(line for line in reversed(lines) if isinstance(line, CheckpointLine))
        found |= auditors_named(last.note)
    return found


def _listed(lines: Iterable[AnyLine]) -> set[tuple[str, bool]]:
    return {(line.item, line.packs) for line in lines if isinstance(line, ItemProofLine)}


def _members_concerned(history: Iterable[Recorded], item: str, network: Network) -> set[bytes]:
    """Return the members that the events name, and those who hold a right to the item's number."""
    by_gln = {gln: m.member for m in network.members for gln in m.glns}
    digits = numbering_digits(item)
    concerned = {m.member for m in network.members if digits and _numbers(m, digits)}
    for recorded in history:
        event = recorded.event
        named = [event.read_point, event.biz_location]
        named += [each.id for each in (*event.source_list, *event.destination_list)]
        glns = {gln_of(each) for each in named if each}
        concerned |= {by_gln[gln] for gln in glns if gln in by_gln}
        concerned.add(recorded.member)
    return concerned


def _numbers(member: MemberRecord, digits: str) -> bool:
    return any(digits.startswith(right.digits) for right in member.rights)
