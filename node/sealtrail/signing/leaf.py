"""The leaf: an entry and its signature as 191 bytes, in one form.

Source: docs/protocol.md section 5.
"""

from __future__ import annotations

import struct

from sealtrail.errors import InputError, VerificationError
from sealtrail.signing.entry import ENTRY_VERSION, Entry, Kind, SignedEntry
from sealtrail.signing.keys import check_signature_form

LEAF_BYTES = 191

_LEAF = struct.Struct(">BB20sQ32s32s32s65s")
_KINDS = {int(kind): kind for kind in Kind}


def encode_leaf(signed: SignedEntry) -> bytes:
    """Return the leaf's bytes."""
    entry = signed.entry
    return _LEAF.pack(
        ENTRY_VERSION,
        entry.kind,
        entry.member,
        entry.record_time_ms,
        entry.disclosure_root,
        entry.items_root,
        entry.references_root,
        signed.signature,
    )


def parse_leaf(leaf: bytes) -> SignedEntry:
    """Read a leaf's bytes; who signed is not checked.

    Raises:
        InputError: ``leaf_length``, ``leaf_version``, ``leaf_kind``, ``leaf_signature_form``.
    """
    if len(leaf) != LEAF_BYTES:
        raise InputError("leaf_length", f"{len(leaf)} bytes, not {LEAF_BYTES}")
    version, kind, member, record_time_ms, disclosure, items, references, signature = _LEAF.unpack(
        leaf
    )
    if version != ENTRY_VERSION:
        raise InputError("leaf_version", f"version {version}, not {ENTRY_VERSION}")
    if kind not in _KINDS:
        raise InputError("leaf_kind", f"kind {kind} is not known")
    try:
        check_signature_form(signature)
    except VerificationError as e:
        raise InputError("leaf_signature_form", e.message) from e
    entry = Entry(
        kind=_KINDS[kind],
        member=member,
        record_time_ms=record_time_ms,
        disclosure_root=disclosure,
        items_root=items,
        references_root=references,
    )
    return SignedEntry(entry, signature)
