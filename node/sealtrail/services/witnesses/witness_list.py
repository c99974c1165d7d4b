"""Which witnesses this log asks: the partners that the registry names, and those that the operator does."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from sealtrail.config import WitnessesSettings
from sealtrail.errors import InputError
from sealtrail.log.cosignature import WITNESSES_MAX, Witness, parse_witness, witness_name
from sealtrail.membership.records import MemberRecord, Network, Purpose, Status
from sealtrail.signing import Domain, origin_of

PEER_PREFIX = "/peer/v1"  # the submission prefix below a node's URL


class AskedWitness(msgspec.Struct, frozen=True, kw_only=True):
    """A witness and its submission prefix; ``is_configured`` if the operator named it, not the registry."""

    witness: Witness
    prefix: str
    is_configured: bool


class WitnessList:
    """Names the witnesses of one log.

    Raises:
        InputError: a configured one is malformed (``verifier_key_malformed``).
    """

    def __init__(self, settings: WitnessesSettings, *, domain: Domain, member: bytes) -> None:
        self._settings = settings
        self._domain = domain
        self._member = member
        self._listed = {bytes.fromhex(each.removeprefix("0x")) for each in settings.members}
        self._others = tuple(_configured(settings, n) for n in range(len(settings.others)))

    def of(self, network: Network) -> Sequence[AskedWitness]:
        """Return who is asked now, by name and key; the operator's own choice goes before, where there are too many."""
        partners = sorted(
            (
                AskedWitness(
                    witness=Witness(witness_name(origin_of(self._domain, record.member)), key),
                    prefix=record.node_url.rstrip("/") + PEER_PREFIX,
                    is_configured=False,
                )
                for record in network.members
                if self._is_asked(record)
                for key in _witness_keys(record, network.block)
            ),
            key=lambda each: each.witness,
        )
        chosen = {each.witness: each for each in (*self._others, *partners)}
        first = list(chosen.values())[:WITNESSES_MAX]
        return sorted(first, key=lambda each: each.witness)

    def _is_asked(self, record: MemberRecord) -> bool:
        if record.member == self._member or record.status is not Status.ACTIVE:
            return False
        if self._settings.ask == "listed":
            return record.member in self._listed
        return self._settings.ask == "all" and bool(record.node_url)


def _witness_keys(record: MemberRecord, block: int) -> list[bytes]:
    return [k.public for k in record.keys_for(Purpose.WITNESS, block) if not k.compromised_since]


def _configured(settings: WitnessesSettings, number: int) -> AskedWitness:
    other = settings.others[number]
    try:
        witness = parse_witness(other.verifier_key)
    except InputError as error:
        raise InputError(
            error.code,
            error.message,
            pointer=f"witnesses.others[{number}].verifier_key",
            advice=error.advice,
        ) from error
    return AskedWitness(witness=witness, prefix=other.url, is_configured=True)
