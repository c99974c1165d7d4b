"""Cosignatures that another program made of a node's checkpoints, and edits of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sealtrail.errors import VerificationError
from sealtrail.log.checkpoint import parse_note
from sealtrail.log.cosignature import find_cosignature, parse_witness, with_cosignatures

VECTORS = json.loads((Path(__file__).parent / "cosignature.json").read_text())
WITNESS = parse_witness(VECTORS["witness"])


@pytest.mark.parametrize("case", VECTORS["good"], ids=lambda case: case["name"])
def test_a_cosignature_by_another_program_holds(case: dict[str, Any]) -> None:
    signed = parse_note(case["note"])
    found = find_cosignature(signed.checkpoint, signed.signatures, WITNESS)
    assert found.signed_at == case["signed_at"]
    *own, _ = case["note"].splitlines(keepends=True)
    assert with_cosignatures("".join(own), [found]) == case["note"]


@pytest.mark.parametrize("case", VECTORS["bad"], ids=lambda case: case["name"])
def test_another_line_is_no_cosignature(case: dict[str, Any]) -> None:
    signed = parse_note(case["note"])
    with pytest.raises(VerificationError) as refused:
        find_cosignature(signed.checkpoint, signed.signatures, WITNESS)
    assert refused.value.code == case["code"]
