"""What all bundles have in common: blocks, members and places on the chain; a header; an answer; a signature.

A bundle is read by the verifier before it is signed, against the trust file that this node would give out: what does
not hold is never handed out as if it did.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from functools import partial

import msgspec

from sealtrail.errors import IntegrityError, SealtrailError, UnavailableError
from sealtrail.evidence.bundle.compose import BundleSigner
from sealtrail.evidence.bundle.contracts import (
    Anchored,
    MemberRecorded,
    anchor_slots,
    record_digest_slot,
)
from sealtrail.evidence.bundle.form import AnyLine, BundleLimits, SealedLine
from sealtrail.evidence.bundle.lines import (
    FORMAT,
    AnyQuestion,
    CheckpointLine,
    HeaderLine,
    LogPlace,
    MemberLine,
    Program,
    RecordVersion,
)
from sealtrail.evidence.bundle.report import BundleStep
from sealtrail.evidence.bundle.trust import TrustFile
from sealtrail.evidence.bundle.verify import Reading
from sealtrail.evidence.report import Outcome
from sealtrail.evidence.wire import from_hex, to_hex
from sealtrail.membership.records import Anchor, Network, Status
from sealtrail.ports import ChainProofs, Head
from sealtrail.services.chain.follower import Checked, Follower
from sealtrail.services.chain.network import FollowedNetworks
from sealtrail.services.chain.validators import load_pinned
from sealtrail.services.evidence.blocks import BlockGatherer
from sealtrail.services.evidence.trust import NO_SEALS, make_trust, wire_network
from sealtrail.signing import Ed25519Signer
from sealtrail.store import chain as stored_chain
from sealtrail.store.database import Database
from sealtrail.store.identity import Identity

MADE_AT_ONCE = 2
TURN_SECONDS_MAX = 30.0
MAKE_SECONDS_MAX = 120.0  # one read of the store


class Moment(msgspec.Struct, frozen=True):
    """The chain as a bundle is made at it, and the block at which it proves state."""

    blocks: BlockGatherer
    checked: Checked
    proof_block: int


class Assembly:
    """Makes what all bundles of one member have.

    Args:
        proofs: what is asked of the chain for them.
        signer: the member's peer key.
        anchor_delay_seconds: the network's maximum delay from recording to anchor.
        program: name and version of this program.
    """

    def __init__(
        self,
        database: Database,
        identity: Identity,
        *,
        networks: FollowedNetworks,
        follower: Follower,
        proofs: ChainProofs,
        signer: Ed25519Signer,
        anchor_delay_seconds: int,
        program: tuple[str, str],
    ) -> None:
        self.identity = identity
        self._database = database
        self._networks = networks
        self._follower = follower
        self._proofs = proofs
        self._signer = signer
        self._anchor_delay_seconds = anchor_delay_seconds
        self._program = Program(name=program[0], version=program[1])
        # Apart: who waits for a peer's section must not keep that peer from getting one of ours.
        self._turns = asyncio.Semaphore(MADE_AT_ONCE)
        self._peers_turns = asyncio.Semaphore(MADE_AT_ONCE)

    @asynccontextmanager
    async def turn(self, *, for_peer: bool = False) -> AsyncIterator[Moment]:
        """Take a turn at making a bundle, or a section for a peer, and read the chain for it.

        Raises:
            UnavailableError: too many are being made (``node_busy``); the chain can't be read, or its validators
                were not followed yet (``validators_not_followed``); too few blocks lie on top (``block_not_sealed``).
        """
        turns = self._peers_turns if for_peer else self._turns
        try:
            async with asyncio.timeout(TURN_SECONDS_MAX):
                await turns.acquire()
        except TimeoutError:
            raise UnavailableError(
                "node_busy", "too many bundles are being made; try again in a moment"
            ) from None
        try:
            yield await self.moment()
        finally:
            turns.release()

    async def moment(self) -> Moment:
        """Read the chain for a bundle.

        Raises:
            UnavailableError: it can't be read, or its validators were not followed yet (``validators_not_followed``);
                too few blocks lie on top of what is final (``block_not_sealed``).
        """
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
        return Moment(blocks, checked, proof_block)

    async def trust(self) -> TrustFile:
        """Return the trust file of the network as followed up to now.

        It pins the newest block that a bundle made now would be proven at, so that one made later is no older.

        Raises:
            UnavailableError: the chain can't be read, or was not followed far enough.
        """
        moment = await self.moment()
        pinned = await moment.blocks.block(moment.proof_block)
        return await self._database.read(partial(self.trust_at, pinned=pinned))

    def trust_at(self, connection: sqlite3.Connection, pinned: Head) -> TrustFile:
        """Return the trust file that pins that block."""
        return make_trust(
            connection,
            self._networks.view(connection).network(),
            pinned=pinned,
            anchor_delay_seconds=self._anchor_delay_seconds,
        )

    async def anchor_places(
        self, moment: Moment, anchors: Iterable[Anchor]
    ) -> dict[bytes, LogPlace]:
        """Return by checkpoint hash where each anchor's event stands."""
        contract = self._networks.identity.anchors
        return {
            anchor.checkpoint_hash: await moment.blocks.find_anchor(
                anchor.block_number,
                Anchored(anchor.member, anchor.sequence, anchor.checkpoint_hash, anchor.suspended),
                contract,
            )
            for anchor in anchors
        }

    async def member_lines(self, moment: Moment, members: Iterable[bytes]) -> list[MemberLine]:
        """Return the lines of members, all versions of their records up to the proof block."""
        registry = self._networks.identity.registry
        lines = []
        for member in sorted(members):
            versions = await self._database.read(
                partial(stored_chain.record_versions, member=member, last_block=moment.proof_block)
            )
            records = []
            for each in versions:
                wanted = MemberRecorded(member, each.version, each.record)
                place = await moment.blocks.find_record(each.block_number, wanted, registry)
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

    async def lines(
        self,
        moment: Moment,
        question: AnyQuestion,
        members: list[MemberLine],
        sections: list[AnyLine],
        covered: Iterable[bytes],
        places: dict[bytes, LogPlace] | None = None,
    ) -> list[AnyLine]:
        """Return a bundle's lines up to the answer."""
        contracts = self._networks.identity
        shown = [each.place for line in members for each in line.records]
        shown += [line.anchor for line in sections if isinstance(line, CheckpointLine)]
        shown += (places or {}).values()
        slots = {
            contracts.registry: {record_digest_slot(from_hex(m.member)) for m in members},
            contracts.anchors: {slot for member in covered for slot in anchor_slots(member)},
        }
        header = HeaderLine(
            format=FORMAT,
            network=await self._database.read(
                lambda c: wire_network(self._networks.view(c).network())
            ),
            program=self._program,
            issuer=to_hex(self.identity.member),
            question=question,
            proof_block=moment.proof_block,
        )
        found = await moment.blocks.lines(
            shown,
            moment.proof_block,
            {a: s for a, s in slots.items() if s},
            moment.checked.head.number,
        )
        return [header, *found, *members, *sections]

    async def concluded(
        self,
        lines: list[AnyLine],
        network: Network,
        trust: TrustFile,
        covered: Sequence[bytes],
    ) -> list[bytes]:
        """Return a bundle with the answer that follows, after the verifier has read all of it.

        Raises:
            IntegrityError: what the store has does not hold (``evidence_does_not_hold``).
        """
        return await asyncio.to_thread(self._conclude, lines, network, trust, covered)

    def _conclude(
        self,
        lines: list[AnyLine],
        network: Network,
        trust: TrustFile,
        covered: Sequence[bytes],
    ) -> list[bytes]:
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

    async def holds(
        self,
        moment: Moment,
        question: AnyQuestion,
        members: list[MemberLine],
        member: bytes,
        section: list[AnyLine],
    ) -> bool:
        """Tell whether a peer's section holds by itself: one that doesn't must not spoil the answer of all others.

        Args:
            members: all that the bundle will have: whose signatures below its checkpoints are not right is found by
                their records.
        """
        try:
            lines = await self.lines(moment, question, members, section, [member])
            trust = await self._database.read(partial(self.trust_at, pinned=moment.checked.final))
            steps = await asyncio.to_thread(_steps, lines, trust)
        except SealtrailError:
            return False
        return all(step.outcome is not Outcome.DOES_NOT_HOLD for step in steps)

    def signing(self) -> BundleSigner:
        """Return what signs a bundle whose lines go out as they come."""
        return BundleSigner(self._signer)


def _steps(lines: list[AnyLine], trust: TrustFile) -> tuple[BundleStep, ...]:
    reading = _read(lines, trust)
    reading.conclude(len(lines) + 1, not_covered=())
    return reading.notebook.steps()


def _read(lines: Iterable[AnyLine], trust: TrustFile) -> Reading:
    """Have the verifier read lines; the proof block may be older than what the trust file pins, which is newer yet."""
    reading = Reading(trust, item=None, min_block=0, limits=BundleLimits())
    for number, line in enumerate(lines, start=1):
        reading.take(SealedLine(number, line, b""))
    return reading


def in_order(sections: Iterable[tuple[bytes, int, list[AnyLine]]]) -> list[AnyLine]:
    """Return the lines of sections, ascending by member, then by the size of the last checkpoint."""
    ordered = sorted(sections, key=lambda each: each[:2])
    return [line for _, _, lines in ordered for line in lines]
