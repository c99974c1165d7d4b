"""Index audits that were put together by hand, and edits of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sealtrail.errors import VerificationError
from sealtrail.log.checkpoint import Checkpoint, encode_signatures, parse_note, parse_signatures
from sealtrail.log.index_audit import IndexAuditor, verify_index_audit

VECTORS = json.loads((Path(__file__).parent / "index-audit.json").read_text())
AUDITOR = IndexAuditor(VECTORS["name"], bytes.fromhex(VECTORS["public_key"]))


def checkpoint() -> Checkpoint:
    # a note takes a signature: any
    note = VECTORS["checkpoint"] + "\n" + VECTORS["good"][0]["line"]
    return parse_note(note).checkpoint


def test_the_key_id_is_of_the_identifier() -> None:
    assert AUDITOR.key_id.hex() == VECTORS["key_id"]


@pytest.mark.parametrize("case", VECTORS["good"], ids=lambda case: case["name"])
def test_an_index_audit_holds(case: dict[str, Any]) -> None:
    (line,) = parse_signatures(case["line"])
    found = verify_index_audit(checkpoint(), line, AUDITOR)
    assert found.signed_at == case["signed_at"]
    assert encode_signatures((found.note_signature,)) == case["line"]


@pytest.mark.parametrize("case", VECTORS["bad"], ids=lambda case: case["name"])
def test_another_line_is_no_index_audit(case: dict[str, Any]) -> None:
    (line,) = parse_signatures(case["line"])
    with pytest.raises(VerificationError) as refused:
        verify_index_audit(checkpoint(), line, AUDITOR)
    assert refused.value.code == case["code"]
