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
from sealtrail.evidence.bundle.form import AnyLine, encode_line
from sealtrail.evidence.bundle.items import ItemProofLine
from sealtrail.evidence.bundle.lines import (
    FORMAT,
    CheckpointLine,
    EntryLine,
    LogLine,
    LogPlace,
    SignatureLine,
)
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


def section_lines(
    opening: LogLine,
    entries: Mapping[int, EntryRecord] | Iterable[tuple[int, EntryRecord]],
    checkpoints: Sequence[PlacedCheckpoint],
    node: NodeAt,
    item_proofs: Iterable[ItemProofLine] = (),
) -> Iterator[AnyLine]:
    """Yield a section's lines.

    Args:
        entries: by leaf index, ascending; each below the last checkpoint's size.
        checkpoints: ascending by size; one that no shown entry comes before is left out, but for the last.
        node: gives the log's tree.
    """
    yield opening
    position = 0
    pending = list(checkpoints)
    shown_since = False
    listed = sorted(entries.items()) if isinstance(entries, Mapping) else entries
    for index, record in listed:
        while pending[0].size <= index:
            checkpoint = pending.pop(0)
            if shown_since:
                yield _checkpoint_line(checkpoint, position, node)
                position, shown_since = checkpoint.size, False
        yield _entry_line(index, record, position, node)
        position, shown_since = index + 1, True
    for checkpoint in pending:
        if shown_since or checkpoint is pending[-1]:
            yield _checkpoint_line(checkpoint, position, node)
            position, shown_since = checkpoint.size, False
    yield from sorted(item_proofs, key=lambda line: (line.item, line.packs))


def sign_lines(lines: Iterable[bytes], signer: Ed25519Signer) -> Iterator[bytes]:
    """Yield a bundle's lines and, behind them, the issuer's signature over them."""
    digest = sha256()
    for data in lines:
        digest.update(data)
        yield data
    yield encode_line(
        SignatureLine(
            digest=to_hex(digest.digest()),
            public_key=to_hex(signer.public_key),
            value=signer.sign(SIGNED_PREFIX + digest.digest()),
        )
    )


def _entry_line(index: int, record: EntryRecord, position: int, node: NodeAt) -> EntryLine:
    recomputable = record.content is not None and record.item_salt is not None
    return EntryLine(
        index=index,
        gap=_gap(position, index, node),
        leaf=record.leaf,
        media_type=record.media_type,
        content=record.content,
        seed=None if record.seed is None else to_hex(record.seed),
        references=record.references,
        item_keys=b"" if recomputable else b"".join(record.item_keys),
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
