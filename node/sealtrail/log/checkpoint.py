"""Checkpoints: a log's size and root as text, signed by the node as a C2SP note.

One byte form: what is parsed is encoded again and compared. Extension lines are refused (witnesses do not vouch
for them). The anchored value is the hash of the text without signatures.

Source: C2SP tlog-checkpoint, C2SP signed-note; docs/protocol.md section 7.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from functools import lru_cache
from hashlib import sha256

import msgspec

from sealtrail.errors import InputError, VerificationError
from sealtrail.log.ed25519 import SIGNATURE_BYTES, Ed25519Signer, verify_ed25519
from sealtrail.log.tree import TreeHead

NOTE_CHARACTERS_MAX = 8_192
SIGNATURES_MAX = 32
TREE_SIZE_MAX = 2**63 - 1
_SIGNATURES_KEPT = 1_024
ED25519_ALGORITHM = b"\x01"  # C2SP signed-note, signature types

_ORIGIN = re.compile(r"sealtrail/(0x[0-9a-f]{64})/(0x[0-9a-f]{40})/(0x[0-9a-f]{40})")
_TEXT = re.compile(r"([^\n]+)\n(0|[1-9][0-9]{0,18})\n([A-Za-z0-9+/]{43}=)\n")
_SIGNATURE_LINE = re.compile("\u2014 ([^ +\n]+) ([A-Za-z0-9+/]+={0,2})")


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """Which log: of which member, under which registry, on which chain."""

    genesis_hash: bytes
    registry: bytes
    member: bytes

    def __str__(self) -> str:
        return (
            f"sealtrail/0x{self.genesis_hash.hex()}/0x{self.registry.hex()}/0x{self.member.hex()}"
        )


class Checkpoint(msgspec.Struct, frozen=True):
    """A log's size and root under its origin's name."""

    origin: str
    size: int
    root_hash: bytes

    @property
    def head(self) -> TreeHead:
        """Size and root as the tree knows them."""
        return TreeHead(self.size, self.root_hash)

    @property
    def text(self) -> str:
        """The note's text, its last newline included."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root_hash).decode()}\n"

    @property
    def hash(self) -> bytes:
        """SHA-256 of the text: what gets anchored."""
        return sha256(self.text.encode()).digest()


class NoteSignature(msgspec.Struct, frozen=True):
    """One signature line of a note: who says he signed, with which key (4 bytes of its id), and the signature."""

    name: str
    key_id: bytes
    signature: bytes


class SignedCheckpoint(msgspec.Struct, frozen=True):
    """A checkpoint and the signatures found under it, none of them checked yet."""

    checkpoint: Checkpoint
    signatures: tuple[NoteSignature, ...]


def parse_origin(text: str) -> Origin:
    """Read a log's origin.

    Raises:
        InputError: ``origin_malformed``.
    """
    found = _ORIGIN.fullmatch(text)
    if found is None:
        raise InputError("origin_malformed", f"no Sealtrail origin: {text[:200]!r}")
    genesis_hash, registry, member = (bytes.fromhex(part[2:]) for part in found.groups())
    return Origin(genesis_hash=genesis_hash, registry=registry, member=member)


def key_id(name: str, public_key: bytes, algorithm: bytes = ED25519_ALGORITHM) -> bytes:
    """Return the 4 bytes that tell a key under a note. Source: C2SP signed-note, Signatures."""
    return sha256(name.encode() + b"\n" + algorithm + public_key).digest()[:4]


def verifier_key(name: str, public_key: bytes, algorithm: bytes = ED25519_ALGORITHM) -> str:
    """Return a name and its key as other programs are given them. Source: C2SP signed-note, verifier keys."""
    told = key_id(name, public_key, algorithm).hex()
    return f"{name}+{told}+{base64.b64encode(algorithm + public_key).decode()}"


def sign_note(checkpoint: Checkpoint, log_key: Ed25519Signer) -> str:
    """Return the signed note: text, empty line, one signature line by the log's key under the origin's name."""
    text = checkpoint.text
    blob = key_id(checkpoint.origin, log_key.public_key) + log_key.sign(text.encode())
    return f"{text}\n\u2014 {checkpoint.origin} {base64.b64encode(blob).decode()}\n"


def parse_note(note: str) -> SignedCheckpoint:
    """Read a note; its signatures are not checked.

    Raises:
        InputError: ``note_malformed``, ``origin_malformed``; what is wrong stands in the message.
    """
    if len(note) > NOTE_CHARACTERS_MAX:
        raise _malformed(f"{len(note)} characters, at most {NOTE_CHARACTERS_MAX}")
    text, separator, signatures = note.partition("\n\n")
    if not separator:
        raise _malformed("no empty line between text and signatures")
    parsed = SignedCheckpoint(_parse_text(text + "\n"), parse_signatures(signatures))
    if _encode_note(parsed) != note:  # base64 with stray bits, for one
        raise _malformed("not in its one byte form")
    return parsed


def verify_note(note: str, origin: str, public_key: bytes) -> Checkpoint:
    """Read a note and check that the log's key signed it. Signatures by other keys are ignored.

    Args:
        origin: the log that it must be of.
        public_key: the log's Ed25519 key, which the caller trusts.

    Raises:
        InputError: ``note_malformed``, ``origin_malformed``.
        VerificationError: ``note_of_another_log``, ``note_unsigned`` (no signature by that key), ``signature_wrong``.
    """
    parsed = parse_note(note)
    verify_signed(parsed, origin, public_key)
    return parsed.checkpoint


def verify_signed(parsed: SignedCheckpoint, origin: str, public_key: bytes) -> None:
    """Do what :func:`verify_note` does with a note that was read already.

    Raises:
        VerificationError: see there.
    """
    checkpoint = parsed.checkpoint
    _require_origin(checkpoint, origin)
    wanted = key_id(origin, public_key)
    ours = [s for s in parsed.signatures if s.name == origin and s.key_id == wanted]
    if not ours:
        raise VerificationError("note_unsigned", f"no signature by the log key {public_key.hex()}")
    for each in ours:
        if len(each.signature) != SIGNATURE_BYTES:
            raise VerificationError("signature_wrong", f"{len(each.signature)} bytes, not 64")
        _verify_signature(public_key, checkpoint.text.encode(), each.signature)


def verify_signed_by(
    parsed: SignedCheckpoint, origin: str, public_keys: Iterable[bytes]
) -> frozenset[bytes]:
    """Check that one of a log's keys signed, and that each of them that is there did; return their ids.

    Raises:
        VerificationError: as :func:`verify_note`.
    """
    _require_origin(parsed.checkpoint, origin)
    by_id = {key_id(origin, public): public for public in public_keys}
    present = {s.key_id for s in parsed.signatures if s.name == origin and s.key_id in by_id}
    if not present:
        raise VerificationError("note_unsigned", f"no signature by a log key of {origin}")
    for each in present:
        verify_signed(parsed, origin, by_id[each])
    return frozenset(present)


# One checkpoint covers many entries, and is asked for with each. What is kept are signatures that hold, by all three
# arguments: nothing that could come out otherwise another time.
_verify_signature = lru_cache(maxsize=_SIGNATURES_KEPT)(verify_ed25519)


def _require_origin(checkpoint: Checkpoint, origin: str) -> None:
    if checkpoint.origin != origin:
        raise VerificationError(
            "note_of_another_log", f"a checkpoint of {checkpoint.origin}, not of {origin}"
        )


def _parse_text(text: str) -> Checkpoint:
    found = _TEXT.fullmatch(text)
    if found is None:
        raise _malformed("its text is not three lines: origin, size, base64 of a 32-byte root")
    origin, size, root = found.groups()
    parse_origin(origin)
    if int(size) > TREE_SIZE_MAX:
        raise _malformed(f"tree size {size}")
    return Checkpoint(origin, int(size), base64.b64decode(root))


def parse_signatures(lines: str) -> tuple[NoteSignature, ...]:
    """Read signature lines, each ended by a newline; they are not checked.

    Raises:
        InputError: ``note_malformed``.
    """
    if not lines.endswith("\n"):
        raise _malformed("its last line does not end")
    found = [_SIGNATURE_LINE.fullmatch(line) for line in lines[:-1].split("\n")]
    if len(found) > SIGNATURES_MAX:
        raise _malformed(f"{len(found)} signatures, at most {SIGNATURES_MAX}")
    signatures = []
    for n, line in enumerate(found, start=1):
        if line is None:
            raise _malformed(f"signature line {n}")
        signatures.append(_parse_signature(line[1], line[2], n))
    return tuple(signatures)


def _parse_signature(name: str, encoded: str, n: int) -> NoteSignature:
    try:
        blob = base64.b64decode(encoded, validate=True)
    except ValueError:
        raise _malformed(f"the base64 of signature {n}") from None
    if len(blob) < 5 or not is_key_name(name):
        raise _malformed(f"signature line {n}")
    return NoteSignature(name, blob[:4], blob[4:])


def encode_signatures(signatures: Iterable[NoteSignature]) -> str:
    """Return signature lines, each ended by a newline."""
    return "".join(
        f"\u2014 {s.name} {base64.b64encode(s.key_id + s.signature).decode()}\n" for s in signatures
    )


def with_signatures(note: str, signatures: Iterable[NoteSignature]) -> str:
    """Return a note with further signature lines below those that it has.

    What would make it no note any more (too many, too long) is left out, from the end.
    """
    room = SIGNATURES_MAX - note.partition("\n\n")[2].count("\n")
    lines = [encode_signatures((each,)) for each in signatures][: max(0, room)]
    while lines and len(note) + sum(map(len, lines)) > NOTE_CHARACTERS_MAX:
        lines.pop()
    return note + "".join(lines)


def is_key_name(name: str) -> bool:
    """Tell whether keys may be named so: no white space (of which only the space prints), all printable, no plus."""
    return bool(name) and not {" ", "+"} & set(name) and name.isprintable()


def _encode_note(note: SignedCheckpoint) -> str:
    return f"{note.checkpoint.text}\n{encode_signatures(note.signatures)}"


def _malformed(what: str) -> InputError:
    return InputError("note_malformed", f"no checkpoint note: {what}")
