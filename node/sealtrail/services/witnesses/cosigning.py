"""Has witnesses cosign this log's checkpoints: each newest published one, each witness for itself.

A cosignature is verified, then kept, and from then on shown under the checkpoint. Nothing waits for one: a witness
that is slow, away or hostile delays no anchor and no other witness. Which checkpoint a witness has seen last it says
itself; what was cosigned here is only where to begin.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from sqlite3 import Connection

import msgspec

from sealtrail.errors import UnavailableError, VerificationError
from sealtrail.log.add_checkpoint import encode_add_checkpoint
from sealtrail.log.checkpoint import Checkpoint, NoteSignature, parse_note
from sealtrail.log.cosignature import Cosignature, Witness, find_cosignature
from sealtrail.peers.witness_client import WitnessClient
from sealtrail.services.chain.network import FollowedNetworks
from sealtrail.services.courses import Courses, Rhythm, Turn
from sealtrail.services.witnesses.witness_list import AskedWitness, WitnessList
from sealtrail.store import cosignatures, outbox
from sealtrail.store.database import Database
from sealtrail.store.log import LogStore

CLOCK_SKEW_SECONDS_MAX = 300  # how far ahead a witness's clock may be


class CosigningLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How witnesses are asked."""

    look_seconds: float = 30.0  # how often without being told: members come and go
    retry_seconds_first: float = 1.0
    retry_seconds_max: float = 300.0


class WitnessStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How it stands with one witness: the newest size that it cosigned (0: none), and what went wrong last."""

    name: str
    public_key: str
    url: str
    cosigned_size: int
    failure: str | None


class _Target(msgspec.Struct, frozen=True, kw_only=True):
    """The checkpoint to be cosigned, and the witnesses that have not."""

    checkpoint: Checkpoint
    note: str
    missing: Sequence[AskedWitness]


class Cosigning:
    """The service; start :meth:`run` once.

    Args:
        clock: milliseconds since 1970.
        random: numbers from 0 to 1, for the back-off.
    """

    def __init__(
        self,
        database: Database,
        log: LogStore,
        client: WitnessClient,
        witnesses: WitnessList,
        *,
        networks: FollowedNetworks,
        clock: Callable[[], int],
        random: Callable[[], float],
        limits: CosigningLimits | None = None,
    ) -> None:
        self._database = database
        self._log = log
        self._client = client
        self._witnesses = witnesses
        self._networks = networks
        self._clock = clock
        limits = limits or CosigningLimits()
        rhythm = Rhythm(
            look_seconds=limits.look_seconds,
            retry_seconds_first=limits.retry_seconds_first,
            retry_seconds_max=limits.retry_seconds_max,
        )
        self._courses: Courses[Witness] = Courses(self._turns, rhythm, clock=clock, random=random)
        self.received = 0

    def wake(self) -> None:
        """A checkpoint was made, or moved on; to be called in the event loop."""
        self._courses.wake()

    async def run(self) -> None:
        """Ask until cancelled."""
        await self._courses.run()

    async def status(self) -> list[WitnessStatus]:
        """Return how it stands with each witness, by name and key."""

        def read(connection: Connection) -> tuple[Sequence[AskedWitness], dict[Witness, int]]:
            return self._asked(connection), cosignatures.cosigned_sizes(connection)

        asked, sizes = await self._database.read(read)
        return [self._status(each, sizes.get(each.witness, 0)) for each in asked]

    @property
    def failing(self) -> int:
        """How many witnesses did not cosign when they were asked last."""
        return self._courses.failing

    @property
    def failed(self) -> int:
        """How often a witness was asked and did not cosign."""
        return self._courses.failed

    def _status(self, asked: AskedWitness, size: int) -> WitnessStatus:
        failure = self._courses.failure(asked.witness)
        return WitnessStatus(
            name=asked.witness.name,
            public_key="0x" + asked.witness.public_key.hex(),
            url=asked.prefix,
            cosigned_size=size,
            failure=str(failure) if failure else None,
        )

    async def _turns(self) -> list[Turn[Witness]]:
        target = await self._database.read(self._target)
        if target is None:
            return []
        return [
            Turn(
                each.witness,
                f"{each.witness.name} does not cosign",
                partial(self._ask, each, target),
            )
            for each in target.missing
        ]

    def _asked(self, connection: Connection) -> Sequence[AskedWitness]:
        return self._witnesses.of(self._networks.view(connection).network())

    def _target(self, connection: Connection) -> _Target | None:
        newest = outbox.last_published(connection)
        if newest is None:
            return None
        done = {
            each.witness
            for each in cosignatures.load_cosignatures(connection, newest.checkpoint_hash)
        }
        return _Target(
            checkpoint=parse_note(newest.note).checkpoint,
            note=newest.note,
            missing=[each for each in self._asked(connection) if each.witness not in done],
        )

    async def _ask(self, asked: AskedWitness, target: _Target) -> None:
        found = await self._obtain(asked, target)
        # A crash before this write: it is asked again, and cosigns again.
        await self._database.write(
            lambda c: cosignatures.save_cosignature(c, target.checkpoint, found)
        )
        self.received += 1

    async def _obtain(self, asked: AskedWitness, target: _Target) -> Cosignature:
        """Return a verified cosignature.

        Raises:
            SealtrailError: the witness gives none, for now or at all.
        """
        sizes = await self._database.read(cosignatures.cosigned_sizes)
        begun = sizes.get(asked.witness, 0)
        answer = await self._send(asked, target, begun)
        if isinstance(
            answer, int
        ):  # it has seen another checkpoint last: one answer is enough to know
            if answer > target.checkpoint.size or answer == begun:
                raise _contradicted(asked, target, answer)
            answer = await self._send(asked, target, answer)
        if isinstance(answer, int):
            raise UnavailableError(
                "witness_busy", f"{asked.witness.name} went on to {answer} leaves"
            )
        found = find_cosignature(target.checkpoint, answer, asked.witness)
        if found.signed_at > self._clock() // 1000 + CLOCK_SKEW_SECONDS_MAX:
            raise VerificationError(
                "cosignature_in_future", f"{asked.witness.name} signed at {found.signed_at} s"
            )
        return found

    async def _send(
        self, asked: AskedWitness, target: _Target, old_size: int
    ) -> tuple[NoteSignature, ...] | int:
        size = target.checkpoint.size
        proof = await self._database.read(
            lambda c: self._log.consistency_proof(c, min(old_size, size), size)
        )
        return await self._client.add_checkpoint(
            asked.prefix,
            encode_add_checkpoint(old_size, proof, target.note),
            is_configured=asked.is_configured,
        )


def _contradicted(asked: AskedWitness, target: _Target, size: int) -> VerificationError:
    return VerificationError(
        "witness_saw_another_log",
        f"{asked.witness.name} says that it cosigned {size} leaves, and refuses this log's {target.checkpoint.size}",
        advice="was this node's database restored from an old copy, or does another node sign with its log key?",
    )
