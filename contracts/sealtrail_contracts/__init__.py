"""The compiled contracts, as scripts/compile_contracts makes them from contracts/src. Compiles nothing itself."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

__all__ = ["Artifact", "artifact"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """One compiled contract.

    ``bytecode`` creates it (constructor arguments, ABI-encoded, go behind); ``deployed_bytecode`` is what then
    stands on the chain, but for the ranges in ``immutable_ranges`` (offset, length), zeros here.
    ``storage_slots`` gives each state variable's slot; ``sources_sha256`` the sources that it was made from.
    """

    name: str
    compiler: str
    abi: list[dict[str, Any]]
    bytecode: bytes
    deployed_bytecode: bytes
    immutable_ranges: tuple[tuple[int, int], ...]
    storage_slots: dict[str, int]
    sources_sha256: dict[str, str]


@cache
def artifact(name: str) -> Artifact:
    """Return the artifact of ``Registry`` or ``Anchors``.

    Raises:
        FileNotFoundError: there is no contract of that name.
    """
    text = (files(__name__) / "artifacts" / f"{name}.json").read_text(encoding="utf-8")
    fields = json.loads(text)
    return Artifact(
        name=fields["name"],
        compiler=fields["compiler"],
        abi=fields["abi"],
        bytecode=bytes.fromhex(fields["bytecode"][2:]),
        deployed_bytecode=bytes.fromhex(fields["deployed_bytecode"][2:]),
        immutable_ranges=tuple((start, length) for start, length in fields["immutable_ranges"]),
        storage_slots=fields["storage_slots"],
        sources_sha256=fields["sources_sha256"],
    )
