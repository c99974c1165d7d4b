"""A package's tables: salts and checkpoints stand once, entries point to them.

Both directions are here, so that reading can encode again and compare.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

from sealtrail.errors import InputError
from sealtrail.evidence.record import AnchorReference, EntryRecord, LogProof
from sealtrail.evidence.wire import (
    WireAnchor,
    WireCheckpoint,
    WireEntry,
    WirePackage,
    WireProof,
    from_hex,
    to_hex,
)
from sealtrail.log.checkpoint import Checkpoint, parse_note
from sealtrail.log.tree import HASH_BYTES, PROOF_HASHES_MAX, split_hashes
from sealtrail.signing import Domain, origin_of, parse_leaf, parse_references


def salts_of(entries: Iterable[EntryRecord]) -> dict[bytes, bytes]:
    """Return the item salts by member.

    Raises:
        InputError: ``package_malformed``, two salts for one member.
    """
    salts: dict[bytes, bytes] = {}
    for each in entries:
        if each.item_salt is not None:
            member = parse_leaf(each.leaf).entry.member
            if salts.setdefault(member, each.item_salt) != each.item_salt:
                raise _malformed("/logs", f"two item salts for {to_hex(member)}")
    return salts


def checkpoints_of(entries: Iterable[EntryRecord]) -> dict[WireCheckpoint, int]:
    """Return the checkpoints that entries prove against, numbered in the order of first use."""
    numbers: dict[WireCheckpoint, int] = {}
    for each in entries:
        if each.proof is not None:
            numbers.setdefault(_wire_checkpoint(each.proof), len(numbers))
    return numbers


def wire_entries(
    entries: Iterable[EntryRecord],
    checkpoints: dict[WireCheckpoint, int],
    salts: dict[bytes, bytes],
) -> list[WireEntry]:
    """Return the entries as the document has them, pointing to the two tables."""
    return [_wire_entry(each, checkpoints, salts) for each in entries]


def read_entries(wire: WirePackage, domain: Domain) -> tuple[EntryRecord, ...]:
    """Return the entries with what they point to.

    Raises:
        InputError: ``package_malformed``, with a pointer.
    """
    notes = [_read_checkpoint(n, each) for n, each in enumerate(wire.checkpoints)]
    salts = {from_hex(log.member): from_hex(log.item_salt) for log in wire.logs}
    return tuple(
        _read_entry(f"/entries/{n}", each, wire.checkpoints, notes, salts, domain)
        for n, each in enumerate(wire.entries)
    )


def _wire_checkpoint(proof: LogProof) -> WireCheckpoint:
    if proof.anchor is None:
        return WireCheckpoint(note=proof.note)
    anchor = WireAnchor(
        sequence=proof.anchor.sequence,
        block_number=proof.anchor.block_number,
        transaction_hash=to_hex(proof.anchor.transaction_hash),
    )
    return WireCheckpoint(note=proof.note, anchor=anchor)


def _wire_entry(
    record: EntryRecord, checkpoints: dict[WireCheckpoint, int], salts: dict[bytes, bytes]
) -> WireEntry:
    if record.partial is not None:
        raise InputError("package_malformed", "a package has whole contents, or none")
    recomputable = record.content is not None and parse_leaf(record.leaf).entry.member in salts
    proof = None
    if record.proof is not None:
        proof = WireProof(
            checkpoint=checkpoints[_wire_checkpoint(record.proof)],
            leaf_index=record.proof.leaf_index,
            hashes=b"".join(record.proof.hashes),
        )
    return WireEntry(
        leaf=record.leaf,
        media_type=record.media_type,
        content=record.content,
        seed=None if record.seed is None else to_hex(record.seed),
        references=record.references,
        item_keys=b"" if recomputable else b"".join(record.item_keys),
        proof=proof,
    )


def _read_checkpoint(number: int, wire: WireCheckpoint) -> Checkpoint:
    try:
        return parse_note(wire.note).checkpoint
    except InputError as e:
        raise _malformed(f"/checkpoints/{number}/note", e.message) from e


def _read_entry(
    place: str,
    wire: WireEntry,
    checkpoints: Sequence[WireCheckpoint],
    notes: Sequence[Checkpoint],
    salts: dict[bytes, bytes],
    domain: Domain,
) -> EntryRecord:
    try:
        member = parse_leaf(wire.leaf).entry.member
    except InputError as e:
        raise _malformed(f"{place}/leaf", f"{e.code}: {e.message}") from e
    try:
        parse_references(wire.references)
    except InputError as e:
        raise _malformed(f"{place}/references", f"{e.code}: {e.message}") from e
    proof = None
    if wire.proof is not None:
        proof = _read_proof(f"{place}/proof", wire.proof, checkpoints, notes)
        origin = notes[wire.proof.checkpoint].origin
        if origin != origin_of(domain, member):
            raise _malformed(f"{place}/proof/checkpoint", f"of another log: {origin}")
    return EntryRecord(
        leaf=wire.leaf,
        content=wire.content,
        media_type=wire.media_type,
        seed=None if wire.seed is None else from_hex(wire.seed),
        references=wire.references,
        item_keys=_read_item_keys(f"{place}/item_keys", wire.item_keys),
        item_salt=salts.get(member),
        proof=proof,
    )


def _read_proof(
    place: str,
    wire: WireProof,
    checkpoints: Sequence[WireCheckpoint],
    notes: Sequence[Checkpoint],
) -> LogProof:
    if wire.checkpoint >= len(notes):
        raise _malformed(f"{place}/checkpoint", f"{wire.checkpoint}, of {len(notes)} checkpoints")
    checkpoint = checkpoints[wire.checkpoint]
    if wire.leaf_index >= notes[wire.checkpoint].size:
        raise _malformed(f"{place}/leaf_index", "not below the checkpoint's size")
    hashes = _read_hashes(f"{place}/hashes", wire.hashes)
    if len(hashes) > PROOF_HASHES_MAX:
        raise _malformed(f"{place}/hashes", f"{len(hashes)}, at most {PROOF_HASHES_MAX}")
    return LogProof(
        leaf_index=wire.leaf_index,
        note=checkpoint.note,
        hashes=hashes,
        anchor=None if checkpoint.anchor is None else _read_anchor(checkpoint.anchor),
    )


def _read_anchor(wire: WireAnchor) -> AnchorReference:
    return AnchorReference(
        sequence=wire.sequence,
        block_number=wire.block_number,
        transaction_hash=from_hex(wire.transaction_hash),
    )


def _read_item_keys(place: str, data: bytes) -> tuple[bytes, ...]:
    keys = _read_hashes(place, data)
    if any(a >= b for a, b in pairwise(keys)):
        raise _malformed(place, "not in ascending order")
    return keys


def _read_hashes(place: str, data: bytes) -> tuple[bytes, ...]:
    if len(data) % HASH_BYTES:
        raise _malformed(place, f"{len(data)} bytes are no multiple of {HASH_BYTES}")
    return split_hashes(data)


def _malformed(pointer: str, message: str) -> InputError:
    return InputError("package_malformed", message, pointer=pointer)
