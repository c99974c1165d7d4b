"""What a log asks a witness: a checkpoint, the size that it cosigned last, and the proof that one extends the other.

Source: C2SP tlog-witness, add-checkpoint.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence

import msgspec

from sealtrail.errors import InputError
from sealtrail.log.checkpoint import (
    NOTE_CHARACTERS_MAX,
    TREE_SIZE_MAX,
    SignedCheckpoint,
    parse_note,
)

PROOF_LINES_MAX = 63
# A note of the most characters, none of which has more than four bytes, and what stands before it.
BODY_BYTES_MAX = 4 * NOTE_CHARACTERS_MAX + 4_096

_OLD = re.compile(r"old (0|[1-9][0-9]{0,18})", re.ASCII)
_HASH = re.compile(r"[A-Za-z0-9+/]{43}=")


class AddCheckpoint(msgspec.Struct, frozen=True, kw_only=True):
    """A request as it was read; nothing in it is checked. ``note`` is what :attr:`signed` reads."""

    old_size: int
    proof: tuple[bytes, ...]
    note: str

    @property
    def origin(self) -> str:
        """The first line of the checkpoint, whatever it says."""
        return self.note.partition("\n")[0]

    def signed(self) -> SignedCheckpoint:
        """Return the checkpoint with its signatures.

        Raises:
            InputError: ``note_malformed``, ``origin_malformed``; ``old_size_too_large``, over the checkpoint's.
        """
        signed = parse_note(self.note)
        if self.old_size > signed.checkpoint.size:
            raise InputError(
                "old_size_too_large",
                f"from {self.old_size} leaves to a checkpoint of {signed.checkpoint.size}",
            )
        return signed


def encode_add_checkpoint(old_size: int, proof: Sequence[bytes], note: str) -> bytes:
    """Return a request's body."""
    hashes = "".join(f"{base64.b64encode(each).decode()}\n" for each in proof)
    return f"old {old_size}\n{hashes}\n{note}".encode()


def parse_add_checkpoint(body: bytes) -> AddCheckpoint:
    """Read a request's body up to its checkpoint; its one form only.

    Raises:
        InputError: ``add_checkpoint_malformed``.
    """
    if len(body) > BODY_BYTES_MAX:
        raise _malformed(f"{len(body)} bytes, at most {BODY_BYTES_MAX}")
    try:
        head, separator, note = body.decode().partition("\n\n")
    except UnicodeDecodeError:
        raise _malformed("it is not UTF-8") from None
    first, *hashes = head.split("\n")
    old = _OLD.fullmatch(first)
    if not separator or old is None or int(old[1]) > TREE_SIZE_MAX:
        raise _malformed("it begins with `old SIZE`, and an empty line stands before the note")
    if len(hashes) > PROOF_LINES_MAX:
        raise _malformed(f"{len(hashes)} proof lines, at most {PROOF_LINES_MAX}")
    return AddCheckpoint(
        old_size=int(old[1]),
        proof=tuple(_parse_hash(line, n) for n, line in enumerate(hashes, start=1)),
        note=note,
    )


def _parse_hash(line: str, n: int) -> bytes:
    found = base64.b64decode(line) if _HASH.fullmatch(line) else b""
    if base64.b64encode(found).decode() != line:  # stray bits behind the 32 bytes
        raise _malformed(f"proof line {n} is no base64 of a hash")
    return found


def _malformed(what: str) -> InputError:
    return InputError(
        "add_checkpoint_malformed",
        f"no add-checkpoint request: {what}",
        advice="see C2SP tlog-witness",
    )
