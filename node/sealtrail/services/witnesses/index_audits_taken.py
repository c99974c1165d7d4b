"""Takes what auditors say of this log's item index: verified under the registry's keys, kept, shown from then on."""

from __future__ import annotations

from collections.abc import Callable
from sqlite3 import Connection

import msgspec

from sealtrail.errors import ForbiddenError, InputError, NotFoundError, VerificationError
from sealtrail.evidence.bundle.audited import AUDITING_ROLES, auditing_keys
from sealtrail.log.checkpoint import (
    NoteSignature,
    encode_signatures,
    parse_note,
    parse_signatures,
)
from sealtrail.log.index_audit import (
    IndexAudit,
    IndexAuditor,
    index_audit_name,
    verify_index_audit,
)
from sealtrail.services.chain.network import FollowedNetworks
from sealtrail.signing import Domain, origin_of
from sealtrail.store import outbox
from sealtrail.store.database import Database
from sealtrail.store.index_audits import save_index_audit

BODY_BYTES_MAX = 2 * 1024
CLOCK_SKEW_SECONDS_MAX = 300  # how far ahead an auditor's clock may be
_HASH_CHARACTERS = 66


class _Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    checkpoint: str
    line: str


def encode_given(checkpoint_hash: bytes, audit: IndexAudit) -> bytes:
    """Return the body by which an auditor hands over what it says: RFC 8785 form."""
    line = encode_signatures((audit.note_signature,))
    return msgspec.json.encode(_Body("0x" + checkpoint_hash.hex(), line))


def parse_given(body: bytes) -> tuple[bytes, NoteSignature]:
    """Read such a body: the hash of the checkpoint, and the line, which is not checked.

    Raises:
        InputError: ``index_audit_malformed``: not in its one form.
    """
    try:
        given = msgspec.json.decode(body, type=_Body)
        checkpoint_hash = bytes.fromhex(given.checkpoint.removeprefix("0x"))
        lines = parse_signatures(given.line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise _malformed(str(error)) from error
    except InputError as error:
        raise _malformed(error.message) from error
    is_one_form = (
        msgspec.json.encode(given) == body
        and given.checkpoint == "0x" + checkpoint_hash.hex()
        and len(given.checkpoint) == _HASH_CHARACTERS
        and len(lines) == 1
        and encode_signatures(lines) == given.line
    )
    if not is_one_form:
        raise _malformed("checkpoint is 0x and 64 hex digits, line one signature line")
    return checkpoint_hash, lines[0]


class IndexAuditsTaken:
    """The service.

    Args:
        member: this node's own, whose log it is.
        clock: milliseconds since 1970.
    """

    def __init__(
        self,
        database: Database,
        networks: FollowedNetworks,
        *,
        domain: Domain,
        member: bytes,
        clock: Callable[[], int],
    ) -> None:
        self._database = database
        self._networks = networks
        self._domain = domain
        self._member = member
        self._clock = clock
        self.taken = 0

    async def take(self, body: bytes, sender: bytes) -> bool:
        """Keep what ``sender``, who signed the request, says of this log's index; tell whether it is new.

        Durable on return. The same again, or another by the same key for the same checkpoint, changes nothing.

        Raises:
            InputError: ``index_audit_malformed``.
            ForbiddenError: the sender is neither auditor nor regulator (``role_missing``).
            NotFoundError: this log published no such checkpoint (``checkpoint_unknown``).
            VerificationError: the line is not by a witness key of the sender that is valid now
                (``index_audit_of_another``), is wrong (``signature_wrong``), or of a time to come
                (``index_audit_in_future``).
            UnavailableError: the chain was never followed, or the store can't be written.
        """
        checkpoint_hash, line = parse_given(body)
        audit = await self._database.read(
            lambda c: self._verified(c, sender, checkpoint_hash, line)
        )
        is_new = await self._database.write(lambda c: save_index_audit(c, checkpoint_hash, audit))
        self.taken += is_new
        return is_new

    def _verified(
        self, connection: Connection, sender: bytes, checkpoint_hash: bytes, line: NoteSignature
    ) -> IndexAudit:
        view = self._networks.view(connection)
        record = view.record(sender, None)
        if sender == self._member or record is None or not record.roles & AUDITING_ROLES:
            raise ForbiddenError(
                "role_missing", f"0x{sender.hex()} is no auditor or regulator other than ourselves"
            )
        name = index_audit_name(origin_of(self._domain, sender))
        auditors = [IndexAuditor(name, key) for key in auditing_keys(record, view.block)]
        auditor = next((a for a in auditors if a.is_named_in(line)), None)
        if auditor is None:
            raise VerificationError(
                "index_audit_of_another",
                f"the line is by no witness key of 0x{sender.hex()} that is valid at block {view.block}",
                advice=f"it is signed under the name {name}",
            )
        found = outbox.find_published(connection, checkpoint_hash)
        if found is None:
            raise NotFoundError(
                "checkpoint_unknown", f"this log published no checkpoint 0x{checkpoint_hash.hex()}"
            )
        audit = verify_index_audit(parse_note(found.note).checkpoint, line, auditor)
        if audit.signed_at > self._clock() // 1000 + CLOCK_SKEW_SECONDS_MAX:
            raise VerificationError("index_audit_in_future", f"signed at {audit.signed_at} s")
        return audit


def _malformed(what: str) -> InputError:
    return InputError("index_audit_malformed", f"no index audit: {what[:500]}")
