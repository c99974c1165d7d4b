"""Puts a bundle together: sections in the tree's order, the answer that follows, the issuer's signature.

What goes in was gathered and proven by the caller; what comes out was read by the verifier before it is signed, so that
nobody is given a bundle that does not hold.

Source: docs/protocol.md section 18.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256

import msgspec

from sealtrail.errors import VerificationError
from sealtrail.evidence.bundle.entries import EntryLine
from sealtrail.evidence.bundle.form import AnyLine, encode_line
from sealtrail.evidence.bundle.items import ItemProofLine
from sealtrail.evidence.bundle.lines import (
    FORMAT,
    CheckpointLine,
    LogLine,
    LogPlace,
    SignatureLine,
)
from sealtrail.evidence.bundle.partial import wire_partial
from sealtrail.evidence.record import EntryRecord
from sealtrail.evidence.wire import to_hex
from sealtrail.log.sparse import gap_hashes
from sealtrail.log.tree import NodeAt
from sealtrail.signing import Ed25519Signer

SIGNED_PREFIX = FORMAT.encode() + b"\n"  # no other message signed by a peer key begins so


class PlacedCheckpoint(msgspec.Struct, frozen=True, kw_only=True):
    """A signed checkpoint, and where its anchor's event stands."""

    size: int
    note: str
    anchor: LogPlace


class SectionWriter:
    """Writes a section that is read from left to right, as its entries come.

    Args:
        checkpoints: ascending by size; one that no shown entry comes before is left out, but for the last.
    """

    def __init__(self, opening: LogLine, checkpoints: Sequence[PlacedCheckpoint]) -> None:
        self._opening = opening
        self._checkpoints = list(checkpoints)
        self._position = 0
        self._shown_since = False  # the last checkpoint

    def begin(self) -> AnyLine:
        """Return the first line."""
        return self._opening

    def add(self, index: int, record: EntryRecord, node: NodeAt) -> Iterator[AnyLine]:
        """Yield the lines of the next entry, and before it those of checkpoints that end before it.

        Args:
            index: ascending from entry to entry; below the last checkpoint's size.
        """
        while self._checkpoints[0].size <= index:
            yield from self._pass(self._checkpoints.pop(0), node)
        yield _entry_line(index, record, self._position, node)
        self._position, self._shown_since = index + 1, True

    def end(self, node: NodeAt, item_proofs: Iterable[ItemProofLine] = ()) -> Iterator[AnyLine]:
        """Yield the checkpoints that are left, and the item proofs."""
        while self._checkpoints:
            checkpoint = self._checkpoints.pop(0)
            self._shown_since = self._shown_since or not self._checkpoints
            yield from self._pass(checkpoint, node)
        yield from sorted(item_proofs, key=lambda line: (line.item, line.packs))

    def _pass(self, checkpoint: PlacedCheckpoint, node: NodeAt) -> Iterator[AnyLine]:
        if self._shown_since:
            yield _checkpoint_line(checkpoint, self._position, node)
            self._position, self._shown_since = checkpoint.size, False


def section_lines(
    opening: LogLine,
    entries: Mapping[int, EntryRecord],
    checkpoints: Sequence[PlacedCheckpoint],
    node: NodeAt,
    item_proofs: Iterable[ItemProofLine] = (),
) -> Iterator[AnyLine]:
    """Yield a section's lines; ``entries`` by leaf index. See :class:`SectionWriter`."""
    writer = SectionWriter(opening, checkpoints)
    yield writer.begin()
    for index, record in sorted(entries.items()):
        yield from writer.add(index, record, node)
    yield from writer.end(node, item_proofs)


def path_section_lines(
    opening: LogLine, records: Iterable[EntryRecord], checkpoint: PlacedCheckpoint
) -> Iterator[AnyLine]:
    """Yield a section of entries that each have a path of their own to the checkpoint."""
    yield opening
    for record in sorted(records, key=_leaf_index):
        line = _entry_line(_leaf_index(record), record, 0, None)
        path = record.proof.hashes if record.proof else ()
        yield msgspec.structs.replace(line, path=b"".join(path))
    yield CheckpointLine(note=checkpoint.note, anchor=checkpoint.anchor)


class BundleSigner:
    """Encodes lines as they come, and signs over all of them at the end."""

    def __init__(self, signer: Ed25519Signer) -> None:
        self._signer = signer
        self._digest = sha256()

    def line(self, line: AnyLine) -> bytes:
        """Return the next line's bytes."""
        data = encode_line(line)
        self._digest.update(data)
        return data

    def end(self) -> bytes:
        """Return the last line: the issuer's signature."""
        digest = self._digest.digest()
        return encode_line(
            SignatureLine(
                digest=to_hex(digest),
                public_key=to_hex(self._signer.public_key),
                value=self._signer.sign(SIGNED_PREFIX + digest),
            )
        )


def _leaf_index(record: EntryRecord) -> int:
    assert record.proof is not None
    return record.proof.leaf_index


def _entry_line(index: int, record: EntryRecord, position: int, node: NodeAt | None) -> EntryLine:
    recomputable = record.content is not None and record.item_salt is not None
    return EntryLine(
        index=index,
        gap=b"" if node is None else _gap(position, index, node),
        leaf=record.leaf,
        media_type=record.media_type,
        content=record.content,
        seed=None if record.seed is None else to_hex(record.seed),
        references=record.references,
        item_keys=b"" if recomputable else b"".join(record.item_keys),
        partial=None if record.partial is None else wire_partial(record.partial),
    )


def _checkpoint_line(checkpoint: PlacedCheckpoint, position: int, node: NodeAt) -> CheckpointLine:
    return CheckpointLine(
        note=checkpoint.note,
        gap=_gap(position, checkpoint.size, node),
        anchor=checkpoint.anchor,
    )


def _gap(position: int, target: int, node: NodeAt) -> bytes:
    if position > target:
        raise VerificationError("tree_not_ascending", f"leaf {target} after {position} leaves")
    return b"".join(gap_hashes(position, target, node))
