"""The trust file: what the reader of a bundle takes as given, made by someone that he believes.

Source: docs/protocol.md section 19.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from sealtrail.chainproof.consensus import Form
from sealtrail.chainproof.validators import Interval, ValidatorHistory
from sealtrail.epcis.strict_json import parse_json
from sealtrail.errors import InputError, TooLargeError
from sealtrail.evidence.package import PackageNetwork
from sealtrail.evidence.wire import (
    Address,
    Count,
    Digest,
    WireNetwork,
    from_hex,
    split_place,
    to_hex,
)
from sealtrail.membership.encoding import parse_record
from sealtrail.membership.records import MemberRecord

TYPE = "sealtrail/trust/1"
TRUST_BYTES_MAX = 4 * 1024 * 1024

_Name = Annotated[str, Meta(max_length=1_024)]


class _Part(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """Strict both ways."""


class Consensus(_Part, frozen=True, kw_only=True):
    """How blocks are sealed; ``epoch`` in blocks."""

    form: Literal["clique", "qbft", "ibft2", "none"]
    epoch: Annotated[int, Meta(ge=1, le=2**32)] = 30_000


class ValidatorInterval(_Part, frozen=True, kw_only=True):
    """Who may seal from block ``from`` on, up to the next interval's."""

    from_: Count = msgspec.field(name="from")
    validators: list[Address]


class Pinned(_Part, frozen=True, kw_only=True):
    """A recent final block; ``time`` in Unix seconds."""

    block: Count
    hash: Digest
    time: Count


class KnownMember(_Part, frozen=True, kw_only=True):
    """A member that was active at the pinned block; ``record`` as the registry had it (section 11)."""

    member: Address
    name: _Name = ""
    record: bytes = b""


class KnownWitness(_Part, frozen=True, kw_only=True):
    """A witness by name and Ed25519 key."""

    name: _Name
    public_key: Digest


class Cosignatures(_Part, frozen=True, kw_only=True):
    """How many cosignatures each covered log must have, and whose count."""

    needed: Annotated[int, Meta(ge=0, le=1_000)] = 0
    witnesses: list[KnownWitness] = []


class TrustFile(_Part, frozen=True, kw_only=True):
    """The whole document."""

    type: str
    network: WireNetwork
    consensus: Consensus
    validators: list[ValidatorInterval] = []
    pinned: Pinned
    operators: dict[Address, _Name] = {}
    members: list[KnownMember] = []
    anchor_delay_seconds: Annotated[int, Meta(ge=1, le=10 * 365 * 86_400)] = 86_400
    cosignatures: Cosignatures = Cosignatures()

    @property
    def pinned_hash(self) -> bytes:
        """The pinned block's hash."""
        return from_hex(self.pinned.hash)

    @property
    def form(self) -> Form:
        """How the chain's blocks are sealed."""
        return Form(name=self.consensus.form, epoch=self.consensus.epoch)

    @property
    def history(self) -> ValidatorHistory:
        """Who may seal which block, as far as the file knows."""
        return ValidatorHistory(
            form=self.form,
            intervals=tuple(
                Interval(
                    first_block=each.from_,
                    members=tuple(sorted(from_hex(a) for a in each.validators)),
                )
                for each in self.validators
            ),
        )

    def member_records(self) -> tuple[MemberRecord, ...]:
        """Return the members' records that the file has, as of the pinned block.

        Raises:
            InputError: ``record_malformed``.
        """
        return tuple(
            parse_record(each.record, block=self.pinned.block)
            for each in self.members
            if each.record
        )

    def operator_of(self, validator: bytes) -> str:
        """Return the name of who runs a validator; its address where the file has none."""
        return self.operators.get(to_hex(validator)) or to_hex(validator)


def network_of(wire: WireNetwork) -> PackageNetwork:
    """Return a network as values."""
    return PackageNetwork(
        chain_id=wire.chain_id,
        genesis_hash=from_hex(wire.genesis_hash),
        registry=from_hex(wire.registry),
        anchors=from_hex(wire.anchors),
    )


def parse_trust(data: bytes) -> TrustFile:
    """Read a trust file.

    Raises:
        InputError: ``trust_malformed``, with a JSON pointer.
        TooLargeError: ``trust_too_large``.
    """
    if len(data) > TRUST_BYTES_MAX:
        raise TooLargeError("trust_too_large", f"{len(data)} bytes, at most {TRUST_BYTES_MAX}")
    try:
        parse_json(data, octets_max=TRUST_BYTES_MAX)  # of two equal keys a decoder keeps one
        trust = msgspec.json.decode(data, type=TrustFile)
    except InputError as e:
        raise _malformed(e.pointer or "", f"{e.code}: {e.message}") from e
    except msgspec.ValidationError as e:
        message, pointer = split_place(str(e))
        raise _malformed(pointer, message) from e
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
        raise _malformed("", f"not JSON: {e}") from e
    _check(trust)
    return trust


def encode_trust(trust: TrustFile) -> bytes:
    """Return a trust file's bytes, to be read by people too."""
    return msgspec.json.format(msgspec.json.encode(trust), indent=2) + b"\n"


def _check(trust: TrustFile) -> None:
    if trust.type != TYPE:
        raise _malformed("/type", f"{trust.type[:64]!r}, not {TYPE!r}")
    intervals = trust.validators
    for n, member in enumerate(trust.members):
        if member.record:
            _check_record(f"/members/{n}", member, trust.pinned.block)
    if trust.consensus.form == "none":
        if intervals:
            raise _malformed("/validators", "a chain without seals has none")
        return
    if not intervals or intervals[0].from_ > 1:  # block 0 is sealed by nobody
        raise _malformed("/validators", "the first begins at block 0 or 1")
    if any(a.from_ >= b.from_ for a, b in pairwise(intervals)):
        raise _malformed("/validators", "not in ascending order")
    if intervals[-1].from_ > trust.pinned.block + 1:
        raise _malformed("/validators", "validators of blocks after the pinned one")
    for n, each in enumerate(intervals):
        if not each.validators or len(set(each.validators)) != len(each.validators):
            raise _malformed(f"/validators/{n}", "no validators, or one twice")
    witnesses = trust.cosignatures.witnesses
    counting = min(len({w.public_key for w in witnesses}), len({w.name for w in witnesses}))
    if trust.cosignatures.needed > counting > 0:
        raise _malformed("/cosignatures/needed", "more than there are witnesses")


def _check_record(place: str, known: KnownMember, block: int) -> None:
    try:
        record = parse_record(known.record, block=block)
    except InputError as e:
        raise _malformed(f"{place}/record", e.message) from e
    if to_hex(record.member) != known.member:
        raise _malformed(f"{place}/record", f"the record of {to_hex(record.member)}")


def _malformed(pointer: str, what: str) -> InputError:
    return InputError(
        "trust_malformed",
        what,
        pointer=pointer or "/",
        advice="make a trust file with: sealtrail trust export",
    )
