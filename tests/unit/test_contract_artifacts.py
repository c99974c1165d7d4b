"""The committed artifacts: whole, of these sources, and runnable from Berlin up."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from sha3 import keccak_256

from sealtrail_contracts import artifact

SOURCES = Path(__file__).resolve().parents[2] / "contracts" / "src"
CODE_BYTES_MAX = 24_576  # EIP-170
INIT_CODE_BYTES_MAX = 49_152  # EIP-3860
# BASEFEE (London), PUSH0 (Shanghai), BLOBHASH, BLOBBASEFEE, TLOAD, TSTORE, MCOPY (Cancun), CLZ (Osaka)
LATER_THAN_BERLIN = {0x48, 0x5F, 0x49, 0x4A, 0x5C, 0x5D, 0x5E, 0x1E}
NAMES = ["Registry", "Anchors"]


def _opcodes(code: bytes) -> set[int]:
    found = set()
    position = 0
    while position < len(code):
        opcode = code[position]
        found.add(opcode)
        position += opcode - 0x5E if 0x60 <= opcode <= 0x7F else 1
    return found


@pytest.mark.parametrize("name", NAMES)
def test_artifacts_are_of_the_sources_beside_them(name: str) -> None:
    sources = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in SOURCES.glob("*.sol")
    }
    assert artifact(name).sources_sha256 == sources


@pytest.mark.parametrize("name", NAMES)
def test_the_code_fits_on_every_chain(name: str) -> None:
    assert 0 < len(artifact(name).deployed_bytecode) <= CODE_BYTES_MAX
    assert 0 < len(artifact(name).bytecode) <= INIT_CODE_BYTES_MAX - 64 * 32 - 128


@pytest.mark.parametrize("name", NAMES)
def test_the_code_has_no_opcode_later_than_berlin(name: str) -> None:
    # all of it is code: no metadata follows, and constants are pushed
    assert not _opcodes(artifact(name).deployed_bytecode) & LATER_THAN_BERLIN


def test_slots_that_storage_proofs_look_at_stay_where_they_are() -> None:
    assert artifact("Registry").storage_slots["recordDigest"] == 4
    assert artifact("Anchors").storage_slots["_heads"] == 0


def test_the_registry_carries_its_anchors_contract() -> None:
    assert artifact("Anchors").bytecode in artifact("Registry").bytecode


def test_an_unknown_contract_is_an_error() -> None:
    with pytest.raises(FileNotFoundError):
        artifact("Notices")


@pytest.mark.parametrize(
    ("name", "event"),
    [
        ("Registry", "MemberRecorded(address,uint64,bytes)"),
        ("Anchors", "Anchored(address,uint64,bytes32,bool)"),
    ],
)
def test_the_events_that_nodes_follow_are_emitted(name: str, event: str) -> None:
    assert keccak_256(event.encode()).digest() in artifact(name).deployed_bytecode
