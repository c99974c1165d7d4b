"""Package containers: a good one byte for byte, and every bad one refused for its own fault."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
import rfc8785

from evidence_world import ANCHORS, DOMAIN, Party, View
from sealtrail.errors import SealtrailError
from sealtrail.evidence import (
    Grade,
    Verifier,
    encode_package,
    parse_package,
    verify_issuer,
)

VECTORS: dict[str, Any] = json.loads((Path(__file__).parent / "package.json").read_text())
GOOD = base64.b64decode(VECTORS["good"][0]["package"])


def name(case: dict[str, Any]) -> str:
    return str(case["name"])


def test_a_good_package_is_encoded_again_to_the_same_bytes() -> None:
    package = parse_package(GOOD).package
    assert encode_package(package, Party("maker").peer_signer) == GOOD
    assert rfc8785.dumps(json.loads(GOOD)) == GOOD


def test_a_good_packages_entries_are_proven() -> None:
    maker, other = Party("maker"), Party("other")
    view = View(maker, other)
    received = parse_package(GOOD)
    verify_issuer(received, domain=DOMAIN, anchors=ANCHORS, network=view)
    verifier = Verifier(domain=DOMAIN, network=view)
    grades = [verifier.verify(record).grade for record in received.package.records()]
    # Nothing is anchored in this view, and the last entry's item keys are not its own.
    assert grades == [Grade.SIGNATURE_PROVEN, None]


@pytest.mark.parametrize("case", VECTORS["bad"], ids=name)
def test_a_bad_package_is_refused(case: dict[str, Any]) -> None:
    with pytest.raises(SealtrailError) as e:
        parse_package(base64.b64decode(case["package"]))
    assert (e.value.code, e.value.pointer if "pointer" in case else None) == (
        case["code"],
        case.get("pointer"),
    )
