"""Where has this item been, and can you prove it?

The chain is read up to its head; then, on one snapshot of the store: the history is gathered, each entry
verified against the chain as followed, and the whole judged. What could not be checked says so.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from typing import TypeVar

import msgspec

from sealtrail.custody import Judgement, Parameters, Question, similar_items
from sealtrail.errors import SealtrailError, UnavailableError
from sealtrail.evidence import Verifier
from sealtrail.gs1 import Item
from sealtrail.membership.records import Anchor, Network, Status
from sealtrail.services.answers.history import Found, History, HistoryLimits, HistoryReader
from sealtrail.services.answers.judging import Corrected, Rules, judge_history
from sealtrail.services.answers.names import names_of
from sealtrail.services.answers.queries import QUERY_SECONDS_MAX
from sealtrail.services.chain.follower import Checked, Follower
from sealtrail.services.chain.network import FollowedNetwork, FollowedNetworks
from sealtrail.services.store_check import CheckState
from sealtrail.store.database import Database
from sealtrail.store.history import known_items
from sealtrail.store.identity import Identity
from sealtrail.store.log import LogStore

T = TypeVar("T")


class ChainState(msgspec.Struct, frozen=True, kw_only=True):
    """The chain that an answer was checked against, as of ``checked_ms``.

    ``live``: it was read for this answer; else ``failure`` says why not, and what is said is as of ``checked_ms``.
    """

    live: bool
    failure: str | None
    checked_ms: int
    block: int
    block_hash: bytes


class CoveredLog(msgspec.Struct, frozen=True, kw_only=True):
    """A member's log as far as this answer rests on it.

    ``whole``: this node's own, all of it was searched; of another's, ``events`` were handed to this node.
    """

    member: bytes
    name: str | None
    whole: bool
    events: int
    anchor: Anchor | None  # the member's latest


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What this node can say of an item, and what shows it."""

    item: Item
    question: Question
    judgement: Judgement
    corrections: tuple[Corrected, ...]
    names: dict[str, dict[str, str]]
    found: dict[bytes, Found]
    cut: bool
    candidates: tuple[str, ...]
    chain: ChainState
    store: CheckState
    network: Network
    covered: tuple[CoveredLog, ...]
    not_covered: tuple[CoveredLog, ...]


class ProvenanceService:
    """Answers for one node.

    Args:
        store_check: tells how far the store was looked through since the start; while it is not finished, or
            found damage, an answer may lack an event, and its verdicts say so.
        clock: gives Unix milliseconds.
        chain_seconds_max: how long an answer waits for the chain before it is given as of the last check.
        turn_seconds_max: how long a question waits for others to be answered.
    """

    def __init__(
        self,
        database: Database,
        log: LogStore,
        identity: Identity,
        networks: FollowedNetworks,
        follower: Follower,
        *,
        store_check: Callable[[], CheckState],
        clock: Callable[[], int],
        parameters: Parameters | None = None,
        limits: HistoryLimits | None = None,
        chain_seconds_max: float = 1.5,
        turn_seconds_max: float = 20.0,
    ) -> None:
        self._database = database
        self._log = log
        self._identity = identity
        self._networks = networks
        self._follower = follower
        self._store_check = store_check
        self._clock = clock
        self._parameters = parameters or Parameters()
        self._limits = limits or HistoryLimits()
        self._chain_seconds_max = chain_seconds_max
        self._domain = identity.domain
        self._checks: set[asyncio.Task[Checked]] = set()
        self._turn_seconds_max = turn_seconds_max
        # A long history is computed with for seconds: half of the readers stay free for everybody else.
        self._turns = asyncio.Semaphore(max(1, database.readers // 2))

    async def answer(
        self,
        item: Item,
        view: Callable[[Answer], T],
        *,
        as_of_us: int | None = None,
        known_at: int | None = None,
    ) -> T:
        """Answer where an item has been.

        Args:
            view: makes of the answer what is returned, in a reader's thread: a long history takes a while, for which
                nobody else should wait.
            as_of_us: what was true then, by event time; ``known_at`` what was anchored by then (Unix seconds).

        Raises:
            UnavailableError: the chain was never read (``chain_not_followed``), or too many other answers are
                being made (``node_busy``).
        """
        failure = await self._read_chain()
        return await self._ask(item, view, failure, as_of_us=as_of_us, known_at=known_at)

    async def answers(self, items: Iterable[Item], view: Callable[[Answer], T]) -> list[T]:
        """Answer for several items, one after the other; the chain is read once, before the first.

        Raises:
            UnavailableError: as :meth:`answer`.
        """
        failure = await self._read_chain()
        return [await self._ask(item, view, failure) for item in items]

    async def _ask(
        self,
        item: Item,
        view: Callable[[Answer], T],
        failure: SealtrailError | str | None,
        *,
        as_of_us: int | None = None,
        known_at: int | None = None,
    ) -> T:
        question = Question(
            item=item.canonical,
            stated_lot=item.lot if item.serial else None,
            stated_expiry=item.expiry,
            as_of_us=as_of_us,
            known_at=known_at,
        )
        # Before the store is looked at: a check that ends meanwhile has not looked at what this answer sees.
        store = self._store_check()
        # So with the chain: what was read after this may not be in the answer's snapshot.
        checked = self._follower.checked
        async with self._turn():
            return await self._database.read(
                lambda c: view(self._answer(c, item, question, failure, store, checked)),
                seconds_max=QUERY_SECONDS_MAX,
            )

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._turn_seconds_max):
                await self._turns.acquire()
        except TimeoutError:
            raise UnavailableError(
                "node_busy", "too many provenance questions are waiting; try again in a moment"
            ) from None
        try:
            yield
        finally:
            self._turns.release()

    async def _read_chain(self) -> SealtrailError | str | None:
        """Bring the store up to the chain's head; return why not, if that failed or takes too long."""
        check = asyncio.ensure_future(self._follower.check_now())
        self._checks.add(check)
        check.add_done_callback(self._checked)
        done, _ = await asyncio.wait({check}, timeout=self._chain_seconds_max)
        if not done:
            return "the chain did not answer in time"
        error = check.exception()
        if error is not None and not isinstance(error, SealtrailError):
            raise error
        return error

    def _checked(self, check: asyncio.Task[Checked]) -> None:
        self._checks.discard(check)
        if not check.cancelled():
            check.exception()  # seen: whoever waited has told it

    def _answer(
        self,
        connection: sqlite3.Connection,
        item: Item,
        question: Question,
        failure: SealtrailError | str | None,
        store: CheckState,
        checked: Checked | None,
    ) -> Answer:
        view = self._networks.view(connection)
        verifier = Verifier(domain=self._domain, network=view)
        reader = HistoryReader(
            connection, self._log, self._identity, verifier, self._limits, last_block=view.block
        )
        history = reader.gather(item.canonical)
        network = view.network()
        now_ms = self._clock()
        judged = judge_history(
            connection,
            question,
            [f.recorded for f in history.found.values()],
            Rules(
                network=network,
                now_us=now_ms * 1000,
                parameters=self._parameters,
                own=self._identity.member,
                cut=history.cut,
                anchors_until_us=checked.final.time * 1_000_000 if checked else None,
            ),
        )
        judgement, caveats = judged.judgement, _caveats(store)
        covered, not_covered = self._coverage(view, network, history)
        return Answer(
            item=item,
            question=question,
            judgement=msgspec.structs.replace(
                judgement, verdicts=judgement.verdicts.with_caveats(caveats)
            ),
            corrections=tuple(each.with_caveats(caveats) for each in judged.corrections),
            names=names_of(
                connection,
                _named(question, judgement),
                now_ms if question.as_of_us is None else question.as_of_us // 1000,
            ),
            found=history.found,
            cut=history.cut,
            candidates=_candidates(connection, item, judgement),
            chain=self._chain_state(view, failure),
            store=store,
            network=network,
            covered=covered,
            not_covered=not_covered,
        )

    def _coverage(
        self, view: FollowedNetwork, network: Network, history: History
    ) -> tuple[tuple[CoveredLog, ...], tuple[CoveredLog, ...]]:
        """Tell which logs were searched whole (this node's), and what is held of each other active member's."""
        held = _held(history.found.values())
        logs = [
            CoveredLog(
                member=member.member,
                name=member.name,
                whole=member.member == self._identity.member,
                events=held.get(member.member, 0),
                anchor=view.last_anchor(member.member),
            )
            for member in network.members
            if member.status is Status.ACTIVE or member.member in held
        ]
        return tuple(e for e in logs if e.whole), tuple(e for e in logs if not e.whole)

    def _chain_state(
        self, view: FollowedNetwork, failure: SealtrailError | str | None
    ) -> ChainState:
        cursor, checked = view.cursor, self._follower.checked
        return ChainState(
            live=failure is None,
            failure=None if failure is None else str(failure),
            # a chain that did not move is checked without a write
            checked_ms=max(cursor.checked_ms, checked.checked_ms if checked else 0),
            block=cursor.final_block,
            block_hash=cursor.final_hash,
        )


def _named(question: Question, judgement: Judgement) -> Iterator[str]:
    """Yield the identifiers of an answer that a reader would like to see a name of."""
    yield question.item
    for step in judgement.journey:
        holders = (step.custodian_before, step.custodian_after)
        parties = (step.in_transit_to, step.owner, *(each.party for each in holders if each))
        yield from (each for each in (step.read_point, step.biz_location, step.via) if each)
        yield from (each.gln or each.key for each in parties if each)
        yield from step.containers


def _caveats(store: CheckState) -> tuple[str, ...]:
    """Return why an event may be missing: not found by its item's row, or that row not to be compared with it."""
    return (
        *(() if store.finished else ("store_unchecked",)),
        *(("store_damaged",) if store.damaged else ()),
    )


def _held(found: Iterable[Found]) -> dict[bytes, int]:
    held: dict[bytes, int] = {}
    for each in found:
        held[each.recorded.member] = held.get(each.recorded.member, 0) + 1
    return held


def _candidates(
    connection: sqlite3.Connection, item: Item, judgement: Judgement
) -> tuple[str, ...]:
    """Return known items that an unknown one could have been meant for: a hint, never a correction."""
    if judgement.verdicts.identifier.value != "unknown":
        return ()
    return tuple(known_items(connection, list(similar_items(item.canonical))))
