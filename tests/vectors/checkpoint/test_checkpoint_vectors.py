"""Checkpoint notes: the one byte form and everything beside it."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from sealtrail.errors import InputError, VerificationError
from sealtrail.log.checkpoint import Checkpoint, key_id, parse_note, sign_note, verify_note
from sealtrail.log.ed25519 import Ed25519Signer, verify_ed25519

VECTORS: dict[str, Any] = json.loads((Path(__file__).parent / "checkpoint.json").read_text())
ORIGIN: str = VECTORS["origin"]
PUBLIC_KEY = bytes.fromhex(VECTORS["public_key"])


def name(case: dict[str, Any]) -> str:
    return str(case["name"])


@pytest.mark.parametrize("case", VECTORS["good"], ids=name)
def test_a_signed_note_verifies_to_its_checkpoint(case: dict[str, Any]) -> None:
    checkpoint = verify_note(case["note"], ORIGIN, PUBLIC_KEY)
    root_hash = bytes.fromhex(case["root_hash"])
    assert checkpoint == Checkpoint(ORIGIN, case["size"], root_hash)
    assert checkpoint.hash.hex() == case["checkpoint_hash"]


def test_signing_gives_the_vectors_bytes() -> None:
    case = VECTORS["good"][2]
    checkpoint = Checkpoint(ORIGIN, case["size"], bytes.fromhex(case["root_hash"]))
    signer = Ed25519Signer(bytes.fromhex(VECTORS["private_key"]))
    assert sign_note(checkpoint, signer) == case["note"]


@pytest.mark.parametrize("case", VECTORS["malformed"], ids=name)
def test_a_malformed_note_is_refused(case: dict[str, Any]) -> None:
    with pytest.raises(InputError) as e:
        parse_note(case["note"])
    assert e.value.code in {"note_malformed", "origin_malformed"}


@pytest.mark.parametrize("case", VECTORS["unverified"], ids=name)
def test_a_well_formed_note_that_the_log_did_not_sign_is_refused(case: dict[str, Any]) -> None:
    parse_note(case["note"])
    with pytest.raises(VerificationError) as e:
        verify_note(case["note"], ORIGIN, PUBLIC_KEY)
    assert e.value.code == case["code"]


def test_the_key_id_is_that_of_signed_notes_elsewhere() -> None:
    # The example of Go's golang.org/x/mod/sumdb/note (BSD-3-Clause).
    key = base64.b64decode("ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
    text = (
        "If you think cryptography is the answer to your problem,\n"
        "then you don't know what your problem is.\n"
    )
    blob = base64.b64decode(
        "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
    )
    assert key_id("PeterNeumann", key[1:]) == bytes.fromhex("c74f20a3") == blob[:4]
    verify_ed25519(key[1:], text.encode(), blob[4:])
