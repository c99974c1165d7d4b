"""Makes evidence bundles: what this node knows of an item or a log, proven to someone with no node and no network."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Sequence
from functools import partial

from sealtrail.epcis.query import EventFilter
from sealtrail.errors import TooLargeError, UnavailableError
from sealtrail.evidence.bundle.answer import NOT_CLAIMED
from sealtrail.evidence.bundle.compose import SectionWriter
from sealtrail.evidence.bundle.form import AnyLine, BundleLimits, encode_line
from sealtrail.evidence.bundle.lines import (
    AnswerLine,
    Completeness,
    LogLine,
    LogQuestion,
    QueryQuestion,
    Withheld,
)
from sealtrail.evidence.bundle.trust import TrustFile
from sealtrail.evidence.wire import to_hex
from sealtrail.membership.records import Network, Status
from sealtrail.services.chain.network import FollowedNetworks
from sealtrail.services.evidence.assembly import MAKE_SECONDS_MAX, Assembly, Moment, in_order
from sealtrail.services.evidence.items import ItemEvidence
from sealtrail.services.evidence.peers import SectionAsker, SectionGiver, SectionRequest
from sealtrail.services.evidence.sections import (
    AnchoredNote,
    ForeignPart,
    OwnHistory,
    SectionSource,
    anchors_used,
    foreign_lines,
    placed_as_seen,
)
from sealtrail.store.database import Database
from sealtrail.store.described import resolve_filter
from sealtrail.store.event_query import find_events
from sealtrail.store.identity import Identity
from sealtrail.store.log import LogStore

_CHECKPOINTS_MAX = 500  # of a part of a log; each takes a block, a receipt and headers on top
QUERIED_MAX = 5_000  # events of a query
_PORTION = 500  # entries of a log that are read at once


class EvidenceService:
    """Makes bundles for one member.

    Args:
        asker: asks other members for their logs' part.
        giver: gives them this log's.
    """

    def __init__(
        self,
        database: Database,
        log: LogStore,
        identity: Identity,
        assembly: Assembly,
        *,
        sections: SectionSource,
        networks: FollowedNetworks,
        asker: SectionAsker,
        giver: SectionGiver,
    ) -> None:
        self._giver = giver
        self._database = database
        self._log = log
        self._identity = identity
        self._assembly = assembly
        self._sections = sections
        self._networks = networks
        self._items = ItemEvidence(
            database, identity, assembly, sections=sections, networks=networks, asker=asker
        )

    async def trust(self) -> TrustFile:
        """Return the trust file of the network; see :meth:`Assembly.trust`."""
        return await self._assembly.trust()

    async def about_item(self, item: str, *, whole: bool = False) -> list[bytes]:
        """Return the lines of a bundle about an item (its canonical identifier).

        Args:
            whole: show whole events, with all that they name; else no other items than the answer takes, and no
                business documents.

        Raises:
            UnavailableError: the chain can't be read, nothing is anchored and sealed yet, or ``node_busy``.
            IntegrityError: what the store has does not hold (``evidence_does_not_hold``).
        """
        return await self._items.make(item, whole=whole)

    async def about_query(self, query: str, wanted: EventFilter) -> list[bytes]:
        """Return the lines of a bundle about the events that match, as this node knows them; no others are ruled out.

        Args:
            query: as it was asked, for the question.

        Raises:
            TooLargeError: more match than one bundle takes (``query_too_large``).
            UnavailableError: the chain can't be read, or nothing is anchored and sealed yet.
            IntegrityError: what the store has does not hold (``evidence_does_not_hold``).
        """
        async with self._assembly.turn() as moment:
            return await self._about_query(moment, query, wanted)

    async def _about_query(self, moment: Moment, query: str, wanted: EventFilter) -> list[bytes]:
        own, parts, network, trust = await self._database.read(
            lambda c: self._matching(c, wanted, moment), seconds_max=MAKE_SECONDS_MAX
        )
        anchors = [*anchors_used(own), *(part.checkpoint.anchor for part in parts)]
        places = await self._assembly.anchor_places(moment, anchors)
        concerned = {self._identity.member, *(part.member for part in parts)}
        members = await self._assembly.member_lines(moment, concerned)
        lines = await self._database.read(
            lambda c: list(self._sections.own_lines(c, own, places, covered=False)),
            seconds_max=MAKE_SECONDS_MAX,
        )
        sections = in_order(
            [
                *([(self._identity.member, 0, lines)] if own.entries else []),
                *(
                    (part.member, part.checkpoint.size, list(foreign_lines(part, places)))
                    for part in parts
                ),
            ]
        )
        question = QueryQuestion(query=query)
        whole = await self._assembly.lines(moment, question, members, sections, [])
        return await self._assembly.concluded(whole, network, trust, [])

    def _matching(
        self,
        connection: sqlite3.Connection,
        wanted: EventFilter,
        moment: Moment,
    ) -> tuple[OwnHistory, tuple[ForeignPart, ...], Network, TrustFile]:
        view = self._networks.view(connection)
        events, more = find_events(
            connection,
            resolve_filter(connection, wanted, at_ms=moment.checked.checked_ms),
            after=None,
            limit=QUERIED_MAX,
            # half of what a reader keeps: leaves, keys and paths count too
            contents_bytes_max=BundleLimits().judged_bytes_max // 2,
        )
        if more is not None:
            raise TooLargeError(
                "query_too_large", f"more than {QUERIED_MAX} events match; ask for fewer"
            )
        own = self._sections.own_entries(
            connection,
            [e.leaf_index for e in events if e.leaf_index is not None],
            moment.proof_block,
        )
        parts = self._sections.foreign_entries(
            connection,
            [e.entry_id for e in events if e.leaf_index is None],
            view=view,
            last_block=moment.proof_block,
        )
        return own, parts, view.network(), self._assembly.trust_at(connection, moment.checked.final)

    async def about_log(self, first: int, until: int | None) -> AsyncIterator[bytes]:
        """Yield the lines of a bundle about a part of the own log, as they are read.

        Args:
            until: leaf index behind the last; None: as far as the log is anchored.

        Raises:
            UnavailableError: the chain can't be read, or so much of the log is not anchored yet.

        Of a long log not every checkpoint is shown: entries are proven to the next that is, and keys judged there.
        """
        assembly = self._assembly
        # Takes no turn: how long it lasts is up to who reads it, and it holds no more than a portion in memory.
        moment = await assembly.moment()
        checkpoints = await self._database.read(
            lambda c: self._sections.checkpoints(c, moment.proof_block)
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
        places = await assembly.anchor_places(moment, [each.anchor for each in shown])
        members = await assembly.member_lines(moment, [self._identity.member])
        question = LogQuestion(member=to_hex(self._identity.member), first=first, until=end)
        before = await assembly.lines(moment, question, members, [], [], places)
        opening = LogLine(
            member=to_hex(self._identity.member), item_salt=to_hex(self._identity.item_salt)
        )
        writer = SectionWriter(
            opening, await self._database.read(lambda c: placed_as_seen(c, shown, places))
        )
        # What the signature is over has to be known at the end only: the lines go out as they come.
        signing = assembly.signing()
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

    async def section_for(self, asker: bytes, request: SectionRequest) -> list[bytes]:
        """Return the lines of the own log's section that another member asks for.

        Raises:
            ForbiddenError: it may not see it (``item_not_shared``).
            UnavailableError: the chain can't be read, or nothing is anchored yet.
        """
        async with self._assembly.turn(for_peer=True) as moment:
            return await self._section_for(moment, asker, request)

    async def _section_for(
        self, moment: Moment, asker: bytes, request: SectionRequest
    ) -> list[bytes]:
        history = await self._database.read(
            lambda c: self._giver.history(c, asker, request), seconds_max=MAKE_SECONDS_MAX
        )
        places = await self._assembly.anchor_places(moment, anchors_used(history))
        lines = await self._database.read(
            lambda c: list(self._sections.own_lines(c, history, places)),
            seconds_max=MAKE_SECONDS_MAX,
        )
        return [encode_line(line) for line in lines]


def _spread(checkpoints: Sequence[AnchoredNote], first: int, end: int) -> list[AnchoredNote]:
    """Return the checkpoints that a part of a log is shown with: each entry's own, or one every so often."""
    over = [each for each in checkpoints if each.size > first]
    last = next(n for n, each in enumerate(over) if each.size >= end)
    over = over[: last + 1]
    step = max(1, len(over) // _CHECKPOINTS_MAX)
    return [each for n, each in enumerate(over) if n % step == step - 1 or each is over[-1]]
