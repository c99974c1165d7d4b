"""The digest of a stretch of the audit trail: content of an entry of kind 8, which the log, and so the chain, holds.

Source: docs/protocol.md section 17.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import msgspec
from msgspec import Meta

from sealtrail.errors import InputError
from sealtrail.log.tree import leaf_hash, root_hash

DIGEST_TYPE = "sealtrail/audit-digest/1"
DIGEST_MEDIA_TYPE = "application/json"
DIGEST_BYTES_MAX = 1_024

_Hex32 = Annotated[str, Meta(pattern=r"^0x[0-9a-f]{64}\Z")]
_Count = Annotated[int, Meta(ge=0, le=2**53 - 1)]


class AuditDigest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Records ``first`` to ``first + count - 1``: their RFC 9162 root, and the hash of the last one.

    ``head`` is the hash of the newest record that this digest or one before covers (zeros: there is none yet).
    """

    count: _Count
    first: _Count
    head: _Hex32
    root: _Hex32
    type: Annotated[str, Meta(pattern=r"^sealtrail/audit-digest/1\Z")] = DIGEST_TYPE

    @property
    def end(self) -> int:
        """The first record that it does not cover."""
        return self.first + self.count


_decode = msgspec.json.Decoder(AuditDigest).decode


def encode_digest(digest: AuditDigest) -> bytes:
    """Return the digest's bytes, RFC 8785."""
    return msgspec.json.encode(digest, order="sorted")


def parse_digest(octets: bytes) -> AuditDigest:
    """Read a digest.

    Raises:
        InputError: ``audit_digest_malformed``; also if it is not in the one form that it has.
    """
    if len(octets) > DIGEST_BYTES_MAX:
        raise InputError("audit_digest_malformed", f"{len(octets)} bytes are no audit digest")
    try:
        digest = _decode(octets)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError("audit_digest_malformed", f"no audit digest: {error}") from None
    if encode_digest(digest) != octets:
        raise InputError("audit_digest_malformed", "the digest is not in the one form that it has")
    return digest


def records_root(records: Iterable[bytes]) -> bytes:
    """Return the root over records' bytes, in their order."""
    return root_hash(map(leaf_hash, records))
