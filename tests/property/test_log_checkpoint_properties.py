from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealtrail.errors import SealtrailError
from sealtrail.log.checkpoint import (
    Checkpoint,
    Origin,
    parse_note,
    parse_origin,
    sign_note,
    verify_note,
)
from sealtrail.log.ed25519 import Ed25519Signer

SIGNER = Ed25519Signer(b"\x05" * 32)
ORIGINS = st.builds(
    Origin,
    genesis_hash=st.binary(min_size=32, max_size=32),
    registry=st.binary(min_size=20, max_size=20),
    member=st.binary(min_size=20, max_size=20),
)
CHECKPOINTS = st.builds(
    Checkpoint,
    ORIGINS.map(str),
    st.integers(0, 2**63 - 1),
    st.binary(min_size=32, max_size=32),
)


@given(ORIGINS)
def test_an_origin_reads_back(origin: Origin) -> None:
    assert parse_origin(str(origin)) == origin


@given(CHECKPOINTS)
def test_a_signed_checkpoint_reads_back(checkpoint: Checkpoint) -> None:
    note = sign_note(checkpoint, SIGNER)
    assert verify_note(note, checkpoint.origin, SIGNER.public_key) == checkpoint


@given(CHECKPOINTS, st.data())
def test_one_flipped_bit_never_verifies(checkpoint: Checkpoint, data: st.DataObject) -> None:
    note = bytearray(sign_note(checkpoint, SIGNER).encode())
    at, bit = data.draw(st.integers(0, len(note) - 1)), data.draw(st.integers(0, 7))
    note[at] ^= 1 << bit
    spoiled = note.decode(errors="replace")
    with pytest.raises(SealtrailError):
        verify_note(spoiled, checkpoint.origin, SIGNER.public_key)


@given(
    st.text(max_size=400)
    | st.lists(st.sampled_from("\n\u2014 aA1=/+0x"), max_size=200).map("".join)
)
def test_any_text_is_a_note_or_an_error_with_a_name(text: str) -> None:
    with pytest.raises(SealtrailError):
        parse_note(text)
