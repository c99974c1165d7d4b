"""Makes evidence bundles: what this node knows of an item or a log, proven to someone with no node and no network.

A bundle is read by the verifier before it is signed, against the trust file that this node would give out: what does
not hold is never handed out as if it did.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from functools import partial

import msgspec

from sealtrail.custody import Recorded
from sealtrail.errors import IntegrityError, SealtrailError, TooLargeError, UnavailableError
from sealtrail.evidence import EntryRecord, Verifier, recorded_of
from sealtrail.evidence.bundle.answer import NOT_CLAIMED, needed_items
from sealtrail.evidence.bundle.compose import BundleSigner, SectionWriter
from sealtrail.evidence.bundle.contracts import (
    Anchored,
    MemberRecorded,
    anchor_slots,
    record_digest_slot,
)
from sealtrail.evidence.bundle.entries import EntryLine, entry_record
from sealtrail.evidence.bundle.form import (
    AnyLine,
    BundleLimits,
    SealedLine,
    encode_line,
)
from sealtrail.evidence.bundle.items import ItemProofLine
from sealtrail.evidence.bundle.lines import (
    FORMAT,
    AnswerLine,
    AnyQuestion,
    CheckpointLine,
    Completeness,
    HeaderLine,
    ItemQuestion,
    LogLine,
    LogPlace,
    LogQuestion,
    MemberLine,
    Program,
    QueryQuestion,
    RecordVersion,
    Withheld,
)
from sealtrail.evidence.bundle.redact import redacted
from sealtrail.evidence.bundle.trust import TrustFile
from sealtrail.evidence.bundle.verify import Reading
from sealtrail.evidence.report import Outcome
from sealtrail.evidence.wire import from_hex, to_hex
from sealtrail.gs1 import gln_of, numbering_digits
from sealtrail.membership.records import Anchor, MemberRecord, Network, Status
from sealtrail.ports import ChainProofs, Head
from sealtrail.services.evidence_blocks import BlockGatherer
from sealtrail.services.evidence_peers import (
    Held,
    SectionAsker,
    SectionGiver,
    SectionRequest,
    completed,
    held_mark,
)
from sealtrail.services.evidence_sections import (
    AnchoredNote,
    ForeignPart,
    OwnHistory,
    SectionSource,
    anchors_used,
    foreign_lines,
    placed,
)
from sealtrail.services.follower import Checked, Follower
from sealtrail.services.history import HistoryLimits
from sealtrail.services.network import FollowedNetworks
from sealtrail.services.trust import NO_SEALS, make_trust, wire_network
from sealtrail.services.validators import load_pinned
from sealtrail.signing import Ed25519Signer, entry_id, parse_leaf
from sealtrail.store import chain as stored_chain
from sealtrail.store import foreign
from sealtrail.store.database import Database
from sealtrail.store.event_query import EventFilter, find_events
from sealtrail.store.events import load_by_entries
from sealtrail.store.identity import Identity
from sealtrail.store.log import LogStore

_log = logging.getLogger(__name__)

_CHECKPOINTS_MAX = 500  # of a part of a log; each takes a block, a receipt and headers on top
_ROUNDS_MAX = 4  # of asking peers: a container in a container in a container is known after three
QUERIED_MAX = 5_000  # events of a query
_PORTION = 500  # entries of a log that are read at once
MAKE_SECONDS_MAX = 120.0


class Gathered(msgspec.Struct, frozen=True, kw_only=True):
    """What one snapshot of the store has for a bundle about an item."""

    own: OwnHistory
    foreign: tuple[ForeignPart, ...]
    recorded: tuple[Recorded, ...]
    network: Network
    trust: TrustFile


class EvidenceService:
    """Makes bundles for one member.

    Args:
        proofs: what is asked of the chain for them.
        signer: the member's peer key.
        anchor_delay_seconds: the network's maximum delay from recording to anchor.
        program: name and version of this program.
        asker: asks other members for their logs' part.
        giver: gives them this log's.
    """

    def __init__(
        self,
        database: Database,
        log: LogStore,
        identity: Identity,
        *,
        sections: SectionSource,
        networks: FollowedNetworks,
        follower: Follower,
        proofs: ChainProofs,
        signer: Ed25519Signer,
        anchor_delay_seconds: int,
        program: tuple[str, str],
        asker: SectionAsker,
        giver: SectionGiver,
    ) -> None:
        self._asker = asker
        self._giver = giver
        self._database = database
        self._log = log
        self._identity = identity
        self._sections = sections
        self._networks = networks
        self._follower = follower
        self._proofs = proofs
        self._signer = signer
        self._anchor_delay_seconds = anchor_delay_seconds
        self._program = Program(name=program[0], version=program[1])

    async def trust(self) -> TrustFile:
        """Return the trust file of the network as followed up to now.

        It pins the newest block that a bundle made now would be proven at, so that one made later is no older.

        Raises:
            UnavailableError: the chain can't be read, or was not followed far enough.
        """
        blocks, _, proof_block = await self._begin()
        pinned = await blocks.block(proof_block)
        return await self._database.read(lambda c: self._trust(c, pinned))

    def _trust(self, connection: sqlite3.Connection, pinned: Head) -> TrustFile:
        return make_trust(
            connection,
            self._networks.view(connection).network(),
            pinned=pinned,
            anchor_delay_seconds=self._anchor_delay_seconds,
        )

    # -- a question about an item ----------------------------------------------------------------------

    async def about_item(self, item: str, *, whole: bool = False) -> list[bytes]:
        """Return the lines of a bundle about an item (its canonical identifier).

        Args:
            whole: show whole events, with all that they name; else no other items than the answer takes, and no
                business documents.

        Raises:
            UnavailableError: the chain can't be read, or nothing is anchored and sealed yet.
            IntegrityError: what the store has does not hold (``evidence_does_not_hold``).
        """
        blocks, checked, proof_block = await self._begin()
        here = await self._database.read(
            lambda c: self._gather(c, item, (), checked.final, proof_block),
            seconds_max=MAKE_SECONDS_MAX,
        )
        question = ItemQuestion(item=item)
        peers, told = await self._ask_peers(item, here, proof_block)
        for member, lines in list(peers.items()):
            if not await self._holds(question, blocks, checked, proof_block, member, lines):
                _log.warning(
                    "the log of 0x%s is not covered: what it gave does not hold", member.hex()
                )
                del peers[member]
        gathered = await self._database.read(
            lambda c: self._gather(c, item, told, checked.final, proof_block),
            seconds_max=MAKE_SECONDS_MAX,
        )
        parts = tuple(part for part in gathered.foreign if part.member not in peers)
        anchors = [*anchors_used(gathered.own), *(part.checkpoint.anchor for part in parts)]
        places = await self._anchor_places(blocks, anchors)
        covered = sorted({self._identity.member, *peers})
        concerned = _members_concerned(gathered.recorded, item, gathered.network)
        members = await self._member_lines(blocks, sorted({*covered, *concerned}), proof_block)
        own = await self._database.read(
            lambda c: list(self._sections.own_lines(c, gathered.own, places)),
            seconds_max=MAKE_SECONDS_MAX,
        )
        sections = _in_order(
            [
                (self._identity.member, 0, own),
                *((member, 0, lines) for member, lines in peers.items()),
                *(
                    (part.member, part.checkpoint.size, list(foreign_lines(part, places)))
                    for part in parts
                ),
            ]
        )
        if not whole:
            shown = {name for name, _ in needed_items(item, gathered.recorded)}
            sections = await asyncio.to_thread(_redacted, sections, shown)
        lines = await self._whole(
            question, blocks, checked, proof_block, members, sections, covered
        )
        return self._answered(lines, gathered, covered)

    async def _holds(
        self,
        question: AnyQuestion,
        blocks: BlockGatherer,
        checked: Checked,
        proof_block: int,
        member: bytes,
        section: list[AnyLine],
    ) -> bool:
        """Tell whether a peer's section holds by itself: one that doesn't must not spoil the answer of all others."""
        try:
            members = await self._member_lines(
                blocks, sorted({self._identity.member, member}), proof_block
            )
            lines = await self._whole(
                question, blocks, checked, proof_block, members, section, [member]
            )
            trust = await self._database.read(lambda c: self._trust(c, checked.final))
            reading = _read(lines, trust)
            reading.conclude(len(lines) + 1, not_covered=())
        except SealtrailError:
            return False
        return all(s.outcome is not Outcome.DOES_NOT_HOLD for s in reading.notebook.steps())

    async def about_query(self, query: str, wanted: EventFilter) -> list[bytes]:
        """Return the lines of a bundle about the events that match, as this node knows them; no others are ruled out.

        Args:
            query: as it was asked, for the question.

        Raises:
            TooLargeError: more match than one bundle takes (``query_too_large``).
            UnavailableError: the chain can't be read, or nothing is anchored and sealed yet.
            IntegrityError: what the store has does not hold (``evidence_does_not_hold``).
        """
        blocks, checked, proof_block = await self._begin()
        own, parts, network, trust = await self._database.read(
            lambda c: self._matching(c, wanted, checked.final, proof_block),
            seconds_max=MAKE_SECONDS_MAX,
        )
        anchors = [*anchors_used(own), *(part.checkpoint.anchor for part in parts)]
        places = await self._anchor_places(blocks, anchors)
        concerned = {self._identity.member, *(part.member for part in parts)}
        members = await self._member_lines(blocks, sorted(concerned), proof_block)
        lines = await self._database.read(
            lambda c: list(self._sections.own_lines(c, own, places, covered=False)),
            seconds_max=MAKE_SECONDS_MAX,
        )
        sections = _in_order(
            [
                *([(self._identity.member, 0, lines)] if own.entries else []),
                *(
                    (part.member, part.checkpoint.size, list(foreign_lines(part, places)))
                    for part in parts
                ),
            ]
        )
        question = QueryQuestion(query=query)
        whole = await self._whole(question, blocks, checked, proof_block, members, sections, [])
        return self._concluded(whole, network, trust, [])

    def _matching(
        self,
        connection: sqlite3.Connection,
        wanted: EventFilter,
        final: Head,
        proof_block: int,
    ) -> tuple[OwnHistory, tuple[ForeignPart, ...], Network, TrustFile]:
        view = self._networks.view(connection)
        events, more = find_events(
            connection,
            wanted,
            after=None,
            limit=QUERIED_MAX,
            contents_bytes_max=BundleLimits().judged_bytes_max,
        )
        if more is not None:
            raise TooLargeError(
                "query_too_large", f"more than {QUERIED_MAX} events match; ask for fewer"
            )
        own = self._sections.own_entries(
            connection, [e.leaf_index for e in events if e.leaf_index is not None], proof_block
        )
        parts = self._sections.foreign_entries(
            connection,
            [e.entry_id for e in events if e.leaf_index is None],
            view=view,
            last_block=proof_block,
        )
        return own, parts, view.network(), self._trust(connection, final)

    def _gather(
        self,
        connection: sqlite3.Connection,
        item: str,
        told: Sequence[Recorded],
        final: Head,
        proof_block: int,
    ) -> Gathered:
        view = self._networks.view(connection)
        parts, recorded = self._sections.foreign_parts(
            connection, item, view=view, last_block=proof_block, limits=HistoryLimits()
        )
        others = (*recorded, *told)
        own = self._sections.own_history(
            connection, item, others, view=view, last_block=proof_block
        )
        return Gathered(
            own=own,
            foreign=parts,
            recorded=(*own.recorded, *others),
            network=view.network(),
            trust=self._trust(connection, final),
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

        def known(leaf: bytes) -> EntryRecord | None:
            digest = entry_id(parse_leaf(leaf).entry, self._identity.domain)
            stored = foreign.load_entries(connection, [digest]).get(digest)
            event = load_by_entries(connection, [digest]).get(digest)
            if stored is None or event is None or stored.leaf != leaf:
                return None
            return EntryRecord(
                leaf=leaf,
                content=event.content,
                media_type=event.media_type,
                seed=stored.seed,
                references=stored.refs,
            )

        return {member: completed(lines, known) for member, lines in answers.items()}

    def _recorded(
        self, connection: sqlite3.Connection, sections: Iterable[Sequence[AnyLine]]
    ) -> tuple[Recorded, ...]:
        """Return what the entries of peers' sections say: what to look for, not yet what is true."""
        verifier = Verifier(domain=self._identity.domain, network=self._networks.view(connection))
        entries = [line for lines in sections for line in lines if isinstance(line, EntryLine)]
        verified = [verifier.verify(entry_record(line, None)) for line in entries]
        return tuple(recorded_of(v) for v in verified if v.event is not None and v.grade)

    def _answered(
        self, lines: list[AnyLine], gathered: Gathered, covered: Sequence[bytes]
    ) -> list[bytes]:
        return self._concluded(lines, gathered.network, gathered.trust, covered)

    def _concluded(
        self,
        lines: list[AnyLine],
        network: Network,
        trust: TrustFile,
        covered: Sequence[bytes],
    ) -> list[bytes]:
        """Return the bundle with the answer that follows, after the verifier has read all of it."""
        reading = _read(lines, trust)
        others = [
            m.member
            for m in network.members
            if m.status is Status.ACTIVE and m.member not in covered
        ]
        answer = reading.conclude(len(lines) + 1, not_covered=others)
        failed = [s for s in reading.notebook.steps() if s.outcome is Outcome.DOES_NOT_HOLD]
        if failed:
            problem = failed[0].problems[0]
            raise IntegrityError(
                "evidence_does_not_hold",
                f"step {failed[0].number}, {failed[0].name}: {problem.code}: {problem.reason}"
                + (f" ({problem.place})" if problem.place else ""),
                advice="run sealtrail fsck; an entry that does not hold can't be given out as evidence",
            )
        signing = BundleSigner(self._signer)
        return [*(signing.line(each) for each in [*lines, answer]), signing.end()]

    async def section_for(self, asker: bytes, request: SectionRequest) -> list[bytes]:
        """Return the lines of the own log's section that another member asks for.

        Raises:
            ForbiddenError: it may not see it (``item_not_shared``).
            UnavailableError: the chain can't be read, or nothing is anchored yet.
        """
        blocks, _, _ = await self._begin()
        history = await self._database.read(
            lambda c: self._giver.history(c, asker, request), seconds_max=MAKE_SECONDS_MAX
        )
        places = await self._anchor_places(blocks, anchors_used(history))
        lines = await self._database.read(
            lambda c: list(self._sections.own_lines(c, history, places)),
            seconds_max=MAKE_SECONDS_MAX,
        )
        return [encode_line(line) for line in lines]

    # -- a part of the own log -------------------------------------------------------------------------

    async def about_log(self, first: int, until: int | None) -> AsyncIterator[bytes]:
        """Yield the lines of a bundle about a part of the own log, as they are read.

        Args:
            until: leaf index behind the last; None: as far as the log is anchored.

        Raises:
            UnavailableError: the chain can't be read, or so much of the log is not anchored yet.

        Of a long log not every checkpoint is shown: entries are proven to the next that is, and keys judged there.
        """
        blocks, checked, proof_block = await self._begin()
        checkpoints = await self._database.read(
            lambda c: self._sections.checkpoints(c, proof_block)
        )
        last = checkpoints[-1] if checkpoints else None
        end = (last.size if last else 0) if until is None else until
        if last is None or not 0 <= first < end <= last.size:
            raise UnavailableError(
                "log_not_anchored",
                f"leaves {first} to {end} of a log that is anchored up to {last.size if last else 0} leaves",
                advice="ask for what is anchored; see: sealtrail status",
            )
        shown = _spread(checkpoints, first, end)
        places = await self._anchor_places(blocks, [each.anchor for each in shown])
        members = await self._member_lines(blocks, [self._identity.member], proof_block)
        question = LogQuestion(member=to_hex(self._identity.member), first=first, until=end)
        before = await self._whole(question, blocks, checked, proof_block, members, [], [], places)
        opening = LogLine(
            member=to_hex(self._identity.member), item_salt=to_hex(self._identity.item_salt)
        )
        writer = SectionWriter(opening, [placed(each, places) for each in shown])
        # What the signature is over has to be known at the end only: the lines go out as they come.
        signing = BundleSigner(self._signer)
        for line in (*before, writer.begin()):
            yield signing.line(line)
        for start in range(first, end, _PORTION):
            read = partial(
                self._portion, writer=writer, start=start, stop=min(start + _PORTION, end)
            )
            for line in await self._database.read(read):
                yield signing.line(line)
        for line in await self._database.read(lambda c: list(writer.end(self._log.nodes(c)))):
            yield signing.line(line)
        network = await self._database.read(lambda c: self._networks.view(c).network())
        others = [to_hex(m.member) for m in network.members if m.status is Status.ACTIVE]
        nothing = Completeness(grade=NOT_CLAIMED, not_covered=others)
        yield signing.line(AnswerLine(completeness=nothing, withheld=Withheld()))
        yield signing.end()

    def _portion(
        self, connection: sqlite3.Connection, writer: SectionWriter, start: int, stop: int
    ) -> list[AnyLine]:
        node = self._log.nodes(connection)
        records = self._sections.records(connection, range(start, stop))
        return [line for n, each in records.items() for line in writer.add(n, each, node)]

    # -- what all have ---------------------------------------------------------------------------------

    async def _begin(self) -> tuple[BlockGatherer, Checked, int]:
        checked = await self._follower.check_now()
        pinned = await self._database.read(load_pinned)
        history = NO_SEALS if pinned is None else pinned.history
        if pinned is None:
            form = await self._proofs.form()
            if form.name != "none":
                raise UnavailableError(
                    "validators_not_followed",
                    "this node has not followed the chain's validators yet",
                    advice="ask again in a moment; see: sealtrail status",
                )
        blocks = BlockGatherer(self._proofs, history)
        proof_block = await blocks.proof_block(checked.head.number, checked.final.number)
        return blocks, checked, proof_block

    async def _whole(
        self,
        question: AnyQuestion,
        blocks: BlockGatherer,
        checked: Checked,
        proof_block: int,
        members: list[MemberLine],
        sections: list[AnyLine],
        covered: Iterable[bytes],
        places: dict[bytes, LogPlace] | None = None,
    ) -> list[AnyLine]:
        """Return a bundle's lines up to the answer."""
        identity = self._networks.identity
        shown = [each.place for line in members for each in line.records]
        shown += [line.anchor for line in sections if isinstance(line, CheckpointLine)]
        shown += (places or {}).values()
        slots = {
            identity.registry: {record_digest_slot(bytes.fromhex(m.member[2:])) for m in members},
            identity.anchors: {slot for member in covered for slot in anchor_slots(member)},
        }
        header = HeaderLine(
            format=FORMAT,
            network=await self._database.read(
                lambda c: wire_network(self._networks.view(c).network())
            ),
            program=self._program,
            issuer=to_hex(self._identity.member),
            question=question,
            proof_block=proof_block,
        )
        found = await blocks.lines(
            shown, proof_block, {a: s for a, s in slots.items() if s}, checked.head.number
        )
        return [header, *found, *members, *sections]

    async def _anchor_places(
        self, blocks: BlockGatherer, anchors: Iterable[Anchor]
    ) -> dict[bytes, LogPlace]:
        """Return by checkpoint hash where each anchor's event stands."""
        contract = self._networks.identity.anchors
        return {
            anchor.checkpoint_hash: await blocks.find_anchor(
                anchor.block_number,
                Anchored(anchor.member, anchor.sequence, anchor.checkpoint_hash, anchor.suspended),
                contract,
            )
            for anchor in anchors
        }

    async def _member_lines(
        self, blocks: BlockGatherer, members: Sequence[bytes], proof_block: int
    ) -> list[MemberLine]:
        registry = self._networks.identity.registry
        lines = []
        for member in members:
            versions = await self._database.read(
                partial(stored_chain.record_versions, member=member, last_block=proof_block)
            )
            records = []
            for each in versions:
                wanted = MemberRecorded(member, each.version, each.record)
                place = await blocks.find_record(each.block_number, wanted, registry)
                records.append(
                    RecordVersion(
                        record=each.record,
                        block=place.block,
                        receipt=place.receipt,
                        log=place.log,
                    )
                )
            if records:
                lines.append(MemberLine(member=to_hex(member), records=records))
        return lines


def _read(lines: Iterable[AnyLine], trust: TrustFile) -> Reading:
    """Have the verifier read lines; the proof block may be older than what the trust file pins, which is newer yet."""
    reading = Reading(trust, item=None, min_block=0, limits=BundleLimits())
    for number, line in enumerate(lines, start=1):
        reading.take(SealedLine(number, line, b""))
    return reading


def _in_order(sections: Iterable[tuple[bytes, int, list[AnyLine]]]) -> list[AnyLine]:
    """Return the lines of sections, ascending by member, then by the size of the last checkpoint."""
    ordered = sorted(sections, key=lambda each: each[:2])
    return [line for _, _, lines in ordered for line in lines]


def _redacted(lines: Iterable[AnyLine], items: Collection[str]) -> list[AnyLine]:
    """Return sections with no more of their events than a question about those items takes."""
    found: list[AnyLine] = []
    salt: bytes | None = None
    for line in lines:
        if isinstance(line, LogLine):
            salt = None if line.item_salt is None else from_hex(line.item_salt)
        found.append(redacted(line, items, salt) if isinstance(line, EntryLine) else line)
    return found


def _listed(lines: Iterable[AnyLine]) -> set[tuple[str, bool]]:
    return {(line.item, line.packs) for line in lines if isinstance(line, ItemProofLine)}


def _spread(checkpoints: Sequence[AnchoredNote], first: int, end: int) -> list[AnchoredNote]:
    """Return the checkpoints that a part of a log is shown with: each entry's own, or one every so often."""
    over = [each for each in checkpoints if each.size > first]
    last = next(n for n, each in enumerate(over) if each.size >= end)
    over = over[: last + 1]
    step = max(1, len(over) // _CHECKPOINTS_MAX)
    return [each for n, each in enumerate(over) if n % step == step - 1 or each is over[-1]]


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
