"""Proof, from signed checkpoints alone, that a log did what a log must not: it showed two trees, or grew smaller.

Whoever holds a proof can hand it on: nobody needs to believe him. A consistency proof that fails proves nothing, since
whoever sends one may have made it up.

Source: docs/protocol.md section 15.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from sealtrail.errors import VerificationError
from sealtrail.log.checkpoint import (
    Checkpoint,
    SignedCheckpoint,
    encode_signatures,
    parse_note,
    verify_signed_by,
)


class AnchoredNote(msgspec.Struct, frozen=True, kw_only=True):
    """A signed checkpoint, and the number of the anchor that has its hash: the chain's word, which the caller asked."""

    sequence: int
    note: str


class Contradiction(msgspec.Struct, frozen=True, kw_only=True):
    """Two checkpoints, each with the log's own signatures and no others, in one order.

    Of a fork, by checkpoint hash; of a rewind, the larger and earlier one first, with their anchors' numbers.
    """

    code: Literal["log_forked", "log_rewound"]
    first_note: str
    second_note: str
    first_sequence: int | None = None
    second_sequence: int | None = None


def prove_fork(first: str, second: str, *, origin: str, log_keys: Sequence[bytes]) -> Contradiction:
    """Return the proof that a log showed two trees of one size.

    Args:
        first, second: signed notes, in any order.
        log_keys: Ed25519 keys of the log, which the caller trusts.

    Raises:
        InputError: one of them is no note.
        VerificationError: one is of another log, or not signed by one of the keys; ``checkpoints_agree``: they do not
            contradict each other.
    """
    notes = [_own(note, origin, log_keys) for note in (first, second)]
    a, b = (checkpoint for checkpoint, _ in notes)
    if a.size != b.size or a.root_hash == b.root_hash:
        raise VerificationError(
            "checkpoints_agree",
            f"{a.size} leaves with the root {a.root_hash.hex()} and {b.size} with {b.root_hash.hex()}",
        )
    notes.sort(key=lambda each: each[0].hash)
    return Contradiction(code="log_forked", first_note=notes[0][1], second_note=notes[1][1])


def prove_rewind(
    earlier: AnchoredNote, later: AnchoredNote, *, origin: str, log_keys: Sequence[bytes]
) -> Contradiction:
    """Return the proof that a log anchored a smaller tree after a larger one.

    Raises:
        InputError, VerificationError: as :func:`prove_fork`.
    """
    before, first = _own(earlier.note, origin, log_keys)
    after, second = _own(later.note, origin, log_keys)
    if earlier.sequence >= later.sequence or before.size <= after.size:
        raise VerificationError(
            "checkpoints_agree",
            f"anchor {earlier.sequence} of {before.size} leaves, anchor {later.sequence} of {after.size}",
        )
    return Contradiction(
        code="log_rewound",
        first_note=first,
        second_note=second,
        first_sequence=earlier.sequence,
        second_sequence=later.sequence,
    )


def _own(note: str, origin: str, log_keys: Sequence[bytes]) -> tuple[Checkpoint, str]:
    """Return the checkpoint, and the note with the log's own signatures only: others' say nothing here."""
    parsed = parse_note(note)
    verified = verify_signed_by(parsed, origin, log_keys)
    return parsed.checkpoint, own_note(parsed, verified)


def own_note(parsed: SignedCheckpoint, key_ids: frozenset[bytes]) -> str:
    """Return a note with the log's own signature lines only, by keys that were verified, in one order."""
    own = [
        s for s in parsed.signatures if s.name == parsed.checkpoint.origin and s.key_id in key_ids
    ]
    # one line for each key, whatever was repeated: one form for one proof (Ed25519 signs in one way)
    lines = encode_signatures(sorted(set(own), key=lambda s: (s.key_id, s.signature)))
    return f"{parsed.checkpoint.text}\n{lines}"
