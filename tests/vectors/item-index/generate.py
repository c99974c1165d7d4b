"""Writes item-index.json, with a recursive tree and runs chosen by their definition: not by the code under test.

Leaf n of the logs here names nothing if n is a multiple of 7, else the items "pack <n>" and "lot <n // 100>",
whose keys are the SHA-256 of these words.

Run: python tests/vectors/item-index/generate.py
"""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

BASE = 4096
LISTED_MAX = 4


def key_of(item: str) -> bytes:
    return sha256(item.encode()).digest()


def keys_of(leaf: int) -> list[bytes]:
    return sorted({key_of(f"pack {leaf}"), key_of(f"lot {leaf // 100}")}) if leaf % 7 else []


def root(leaves: list[bytes]) -> bytes:
    if not leaves:
        return sha256().digest()
    if len(leaves) == 1:
        return sha256(b"\x00" + leaves[0]).digest()
    k = split(len(leaves))
    return sha256(b"\x01" + root(leaves[:k]) + root(leaves[k:])).digest()


def path(leaves: list[bytes], position: int) -> list[bytes]:
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    if position < k:
        return [*path(leaves[:k], position), root(leaves[k:])]
    return [*path(leaves[k:], position - k), root(leaves[:k])]


def split(count: int) -> int:
    k = 1
    while k * 2 < count:
        k *= 2
    return k


def ranges(postings: int) -> list[tuple[int, int]]:
    """Every range that is due, without those inside a longer one, and what is behind them."""
    due, length = [], BASE
    while length <= postings:
        wait = 0 if length == BASE else length // 2
        due += [
            (first, first + length)
            for first in range(0, postings, length)
            if postings >= first + length + wait
        ]
        length *= 4
    shown = [
        each
        for each in due
        if not any(o != each and o[0] <= each[0] and each[1] <= o[1] for o in due)
    ]
    end = max((end for _, end in shown), default=0)
    return sorted(shown) + ([(end, postings)] if end < postings else [])


class Reference:
    """The whole index of a log of so many leaves."""

    def __init__(self, covers: int) -> None:
        postings = [(key, leaf) for leaf in range(covers) for key in keys_of(leaf)]
        self.covers, self.postings = covers, len(postings)
        self.runs: list[dict[str, Any]] = []
        self.tables: list[list[tuple[bytes, list[int]]]] = []
        for first, end in ranges(len(postings)):
            table: dict[bytes, list[int]] = {bytes(32): []}
            for key, leaf in postings[first:end]:
                table.setdefault(key, []).append(leaf)
            self.tables.append(sorted(table.items()))
            self.runs.append(
                {
                    "first": first,
                    "postings": end - first,
                    "tree_leaves": len(table),
                    "root": root(self.inputs(len(self.tables) - 1)).hex(),
                }
            )
        self.root = root(
            [
                b"".join(run[n].to_bytes(8, "big") for n in ("first", "postings", "tree_leaves"))
                + bytes.fromhex(run["root"])
                for run in self.runs
            ]
        )

    def inputs(self, run: int) -> list[bytes]:
        table = self.tables[run]
        ends = [key for key, _ in table[1:]] + [b"\xff" * 32]
        return [key + end + self.listed(of) for (key, of), end in zip(table, ends, strict=True)]

    @staticmethod
    def listed(of: list[int]) -> bytes:
        joined = b"".join(leaf.to_bytes(8, "big") for leaf in of)
        if len(of) <= LISTED_MAX:
            return joined
        return len(of).to_bytes(4, "big") + sha256(joined).digest()

    def proof(self, key: bytes) -> list[dict[str, Any]]:
        parts = []
        for run, table in enumerate(self.tables):
            position = max(n for n, (each, _) in enumerate(table) if each <= key)
            found, of = table[position]
            joined = b"".join(leaf.to_bytes(8, "big") for leaf in of)
            last = position + 1 == len(table)
            parts.append(
                {
                    "tree_leaves": len(table),
                    "position": position,
                    "key": found.hex(),
                    "next_key": "ff" * 32 if last else table[position + 1][0].hex(),
                    "leaf_indices": (joined if found == key else self.listed(of)).hex(),
                    "hashes": b"".join(path(self.inputs(run), position)).hex(),
                }
            )
        return parts

    def case(self, items: list[str]) -> dict[str, Any]:
        document = {
            "covers": self.covers,
            "postings": self.postings,
            "root": "0x" + self.root.hex(),
            "type": "sealtrail/item-index/1",
        }
        proofs = [
            {
                "item": item,
                "key": key_of(item).hex(),
                "leaves": [n for n in range(self.covers) if key_of(item) in keys_of(n)],
                "runs": self.proof(key_of(item)),
            }
            for item in items
        ]
        content = json.dumps(document, separators=(",", ":"))
        return {"covers": self.covers, "content": content, "runs": self.runs, "proofs": proofs}


def main() -> None:
    cases = [
        Reference(1).case(["pack 1"]),
        Reference(2).case(["pack 1", "pack 0", "lot 0"]),
        Reference(2389).case(
            ["pack 1", "pack 2388", "lot 0", "lot 24"]
        ),  # the first run just not full
        Reference(2390).case(["pack 1", "pack 2389", "lot 23"]),  # just full
        Reference(14335).case(["lot 140", "pack 3"]),  # four parts still stand for themselves
        Reference(14336).case(["lot 140", "pack 3", "no such item"]),  # merged
    ]
    vectors = {"source": "tests/vectors/item-index/generate.py", "cases": cases}
    out = Path(__file__).with_name("item-index.json")
    out.write_text(json.dumps(vectors, indent=1) + "\n")


if __name__ == "__main__":
    main()
