"""scripts/fuzz's targets take their own seeds, and changed ones: what the fuzzer is for needs a target that works."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest

from sealtrail.errors import IntegrityError, SealtrailError

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts" / "lib"))

from fuzz.targets import TARGETS

_INPUTS = 60


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_refuses_with_a_code_or_reads(name: str) -> None:
    target, generator = TARGETS[name], random.Random(name)
    seeds = list(target.seeds())
    refused = 0
    for number in range(_INPUTS):
        data = bytearray(seeds[number % len(seeds)])
        for _ in range(number and generator.randrange(4)):
            data[generator.randrange(len(data) + 1) :] = generator.randbytes(generator.randrange(9))
        try:
            target.read(bytes(data))
        except IntegrityError:
            raise
        except SealtrailError:
            refused += 1
    assert refused or "tree" in name or name in ("item", "bundle", "twins", "query-object"), (
        "nothing is ever refused"
    )
