"""This node as a witness: it cosigns other members' checkpoints, each only if it extends all that was cosigned before.

Steps, and what a crash after each means:

1. the request is read, and its checkpoint's signature checked: nothing happened.
2. it is compared with what was last cosigned of the log, and takes its place, durably: the log asks again, and is
   told the size that stands now.
3. the cosignature is made and answered: it says nothing that step 2 has not kept.

Requests for one log take turns, so that an older tree never takes a newer one's place.

Source: C2SP tlog-witness; docs/protocol.md section 15.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from sqlite3 import Connection

import msgspec

from sealtrail.errors import (
    ConflictError,
    ForbiddenError,
    InputError,
    NotFoundError,
    SealtrailError,
    VerificationError,
)
from sealtrail.log.add_checkpoint import AddCheckpoint, parse_add_checkpoint
from sealtrail.log.checkpoint import (
    SignedCheckpoint,
    encode_signatures,
    parse_origin,
    verify_signed_by,
)
from sealtrail.log.cosignature import Witness, cosign, witness_name
from sealtrail.log.ed25519 import Ed25519Signer
from sealtrail.log.tree import EMPTY_ROOT, TreeHead, verify_consistency
from sealtrail.membership.records import MemberRecord, Purpose, Status
from sealtrail.services.chain.network import FollowedNetworks
from sealtrail.services.witnesses.log_watch import LogWatch
from sealtrail.signing import Domain, origin_of
from sealtrail.store.cosignatures import WitnessedLog, load_witnessed, save_witnessed
from sealtrail.store.database import Database
from sealtrail.store.log_findings import LogFinding

SIZE_DIFFERS = "witnessed_size_differs"


class _Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be done about a request: ``refusal`` if it is not to be cosigned, ``advance`` if it is newer."""

    refusal: SealtrailError | None = None
    advance: bool = False
    contradictions: Sequence[LogFinding] = ()


class Witnessing:
    """Cosigns for one member; without a key it refuses all.

    Args:
        member: this node's own, whose log it does not cosign.
        key: the member's witness key, if it has one.
        clock: milliseconds since 1970.
    """

    def __init__(
        self,
        database: Database,
        networks: FollowedNetworks,
        watch: LogWatch,
        *,
        domain: Domain,
        member: bytes,
        key: Ed25519Signer | None,
        clock: Callable[[], int],
    ) -> None:
        self._database = database
        self._networks = networks
        self._watch = watch
        self._domain = domain
        self._member = member
        self._key = key
        self._name = witness_name(origin_of(domain, member))
        self._clock = clock
        self._turns: defaultdict[bytes, asyncio.Lock] = defaultdict(asyncio.Lock)  # by member
        self.cosigned = 0

    async def add_checkpoint(self, body: bytes) -> str:
        """Take a log's next checkpoint and return this witness's signature line.

        Raises:
            InputError: it is no such request, its note is malformed, or the old size is over the checkpoint's.
            NotFoundError: no active member has that log (``log_unknown``); this is no witness (``no_witness_here``).
            ForbiddenError: not signed by the log's key (``note_unsigned``, ``signature_wrong``).
            ConflictError: ``witnessed_size_differs``; what was cosigned last has ``tree_size``; also if it has the
                same size and another root.
            VerificationError: the consistency proof does not hold, or the checkpoint contradicts another that the
                log signed (``log_forked``).
            UnavailableError: the chain was never followed, or the store can't be written.
        """
        request = parse_add_checkpoint(body)
        key = self._require_key()
        member = self._member_of(request.origin)
        signed = request.signed()
        await self._database.read(lambda c: self._authenticate(c, member, signed))
        async with self._turns[member]:
            decision = await self._database.read(
                lambda c: self._decide(c, member, request, signed.checkpoint.head)
            )
            if decision.contradictions:
                await self._watch.keep(decision.contradictions)
            if decision.refusal is not None:
                raise decision.refusal
            if decision.advance:
                now = self._clock()
                state = WitnessedLog(member=member, head=signed.checkpoint.head, note=request.note)
                await self._database.write(lambda c: save_witnessed(c, state, now))
            seconds = self._clock() // 1000
            cosignature = cosign(signed.checkpoint, self._name, key, seconds)
        self.cosigned += 1
        return encode_signatures((cosignature.note_signature,))

    @property
    def witness(self) -> Witness | None:
        """The name and key under which it cosigns; None if it is no witness."""
        return None if self._key is None else Witness(self._name, self._key.public_key)

    def _require_key(self) -> Ed25519Signer:
        if self._key is None:
            raise NotFoundError("no_witness_here", "this member has no witness key")
        return self._key

    def _member_of(self, origin: str) -> bytes:
        """Return whose log of this network an origin names."""
        try:
            member = parse_origin(origin).member
        except InputError:
            raise _unknown(origin) from None
        if origin_of(self._domain, member) != origin or member == self._member:
            raise _unknown(origin)
        return member

    def _authenticate(
        self, connection: Connection, member: bytes, signed: SignedCheckpoint
    ) -> None:
        """Check that the log's key signed: the only authentication there is."""
        view = self._networks.view(connection)
        record = view.record(member, None)
        if record is None or record.status is not Status.ACTIVE:
            raise _unknown(signed.checkpoint.origin)
        try:
            verify_signed_by(signed, signed.checkpoint.origin, _log_keys(record, view.block))
        except VerificationError as error:
            raise ForbiddenError(error.code, error.message) from error

    def _decide(
        self, connection: Connection, member: bytes, request: AddCheckpoint, head: TreeHead
    ) -> _Decision:
        known = load_witnessed(connection, member)
        last = known.head if known else TreeHead(0, EMPTY_ROOT)
        contradictions = self._watch.forks(connection, member, head, request.note)
        refusal = _refusal(request, last, head)
        if refusal is None and contradictions:
            refusal = VerificationError(
                "log_forked", f"the log signed another tree of {head.size} leaves too"
            )
        return _Decision(
            refusal=refusal, advance=known is None or last != head, contradictions=contradictions
        )


def _refusal(request: AddCheckpoint, last: TreeHead, head: TreeHead) -> SealtrailError | None:
    """Compare a checkpoint with the last one, in the order of C2SP tlog-witness."""
    if request.old_size != last.size:
        return _size_differs(last, f"not at {request.old_size}")
    if head.size == last.size and head.root_hash != last.root_hash:
        return _size_differs(last, f"with the root {last.root_hash.hex()}")
    try:
        verify_consistency(last, head, request.proof)
    except VerificationError as error:
        return error
    return None


def _size_differs(last: TreeHead, what: str) -> ConflictError:
    return ConflictError(
        SIZE_DIFFERS, f"last cosigned at {last.size} leaves, {what}", tree_size=last.size
    )


def _unknown(origin: str) -> NotFoundError:
    return NotFoundError("log_unknown", f"no active member here has the log {origin[:200]!r}")


def _log_keys(record: MemberRecord, block: int) -> list[bytes]:
    return [k.public for k in record.keys_for(Purpose.LOG, block) if not k.compromised_since]
