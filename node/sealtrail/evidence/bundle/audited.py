"""Which members audited the item index of a checkpoint's log, by the signature lines below it.

Source: docs/protocol.md sections 16 and 20.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from sealtrail.errors import UnavailableError, VerificationError
from sealtrail.evidence.record import NetworkView
from sealtrail.log.checkpoint import Checkpoint, NoteSignature, parse_note, parse_origin
from sealtrail.log.index_audit import IndexAuditor, parse_index_audit_name, verify_index_audit
from sealtrail.log.timed_signature import distinct_signers
from sealtrail.membership.records import MemberRecord, Purpose, Role, Status

AUDITING_ROLES = Role.AUDITOR | Role.REGULATOR


class IndexAudited(msgspec.Struct, frozen=True, kw_only=True):
    """What the lines come to: ``members`` that audited, ascending; and each line of one of theirs that is not right."""

    members: tuple[bytes, ...]
    wrong: tuple[VerificationError, ...]


def index_audited_by(
    checkpoint: Checkpoint, signatures: Iterable[NoteSignature], network: NetworkView
) -> IndexAudited:
    """Return who audited the index that the checkpoint's last leaf gives.

    Counted is an active member with the role auditor or regulator at the view's block, other than the log's own, by a
    witness key that is valid then, that nobody reports compromised, and that the log's own member has not too. Lines
    of anybody else are passed over. Of members that audited with one key one is counted.

    Raises:
        InputError: ``origin_malformed``: the checkpoint is of no log.
    """
    log = parse_origin(checkpoint.origin)
    own = witness_keys_of(network, log.member)
    found: dict[IndexAuditor, bytes] = {}
    wrong: list[VerificationError] = []
    for line in signatures:
        origin = parse_index_audit_name(line.name)
        if origin is None or origin.member == log.member:
            continue
        if (origin.genesis_hash, origin.registry) != (log.genesis_hash, log.registry):
            continue
        for auditor in _auditors(line.name, _record(network, origin.member), network.block):
            if auditor.key_id != line.key_id or auditor.public_key in own:
                continue
            try:
                verify_index_audit(checkpoint, line, auditor)
                found[auditor] = origin.member
            except VerificationError as error:
                wrong.append(error)
    members = sorted(found[each] for each in distinct_signers(found))
    return IndexAudited(members=tuple(members), wrong=tuple(wrong))


def witness_keys_of(network: NetworkView, member: bytes) -> frozenset[bytes]:
    """Return the witness keys that a member has or had: by whatever name they sign, it is no other."""
    record = _record(network, member)
    keys = record.keys if record else ()
    return frozenset(k.public for k in keys if k.purpose is Purpose.WITNESS)


def auditors_named(note: str) -> frozenset[bytes]:
    """Return the members under whose names index audits stand below a note; whether they hold is not asked.

    Raises:
        InputError: ``note_malformed``, ``origin_malformed``.
    """
    origins = (parse_index_audit_name(line.name) for line in parse_note(note).signatures)
    return frozenset(origin.member for origin in origins if origin is not None)


def auditing_keys(record: MemberRecord | None, block: int) -> list[bytes]:
    """Return the keys by which a member audits indexes at that block; none if it is no auditor."""
    if record is None or record.status is not Status.ACTIVE or not record.roles & AUDITING_ROLES:
        return []
    return [k.public for k in record.keys_for(Purpose.WITNESS, block) if not k.compromised_since]


def _auditors(name: str, record: MemberRecord | None, block: int) -> list[IndexAuditor]:
    return [IndexAuditor(name, public) for public in auditing_keys(record, block)]


def _record(network: NetworkView, member: bytes) -> MemberRecord | None:
    try:
        # at the view's block: what was recorded up to it, the latest report of a compromise included
        return network.record(member, network.block)
    except UnavailableError:  # who is not shown to be an auditor does not count as one
        return None
