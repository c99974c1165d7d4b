"""Trees of JSON, changed as the fuzzer's bytes say: what byte-wise changes seldom reach, because they break the JSON.

The bytes are read from the front; where they end, so do the changes. The same bytes make the same changes.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

_CHANGES_MAX = 6
_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 7, 2**53, -(2**63), 10**400, 0.1, 1e308, 1e-320, "", " ", "0", "007", "1e5", "NaN",
    "\x00", "\u2028", "\U0001f48a", "ab\u0301", "%00", "%zz", "a:b", ":", "https://", "urn:", "//x", "-",
    "2026-02-30T00:00:00Z", "2026-12-31T23:59:60Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59.999999999-14:00",
    "+14:00", "-00:00", "ADD", "shipping", "https://ref.gs1.org/cbv/BizStep-shipping",
    "urn:epcglobal:cbv:bizstep:shipping",
    "urn:epc:id:sgtin:9521001.012345.1", "urn:epc:id:sgtin:9521001.012345.%", "urn:epc:idpat:sgtin:9521001.012345.*",
    "https://id.gs1.org/01/09521001123454/21/1", "https://id.gs1.org/01/1/21/1", "https://a.b/00/095210010000000012",
    [], [[]], {}, {"@id": ""}, {"": ""}, {"a:b": {"c:d": []}}, ["x", "x"], [1, "1", None],
)  # fmt: skip
_NAMES = (
    "@context", "type", "id", "", "a", "ext:a", "https://acme.example/a", "rdfs:comment", "eventID", "eventTime",
    "recordTime", "ilmd", "epcList", "quantityList", "errorDeclaration", "sensorElementList", "persistentDisposition",
    "bizTransactionList", "sourceList", "certificationInfo", "__proto__",
)  # fmt: skip


class Choices:
    """Choices taken from bytes; the first ones when these are used up."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def __bool__(self) -> bool:
        return self._at < len(self._data)

    def below(self, bound: int) -> int:
        """Return a number from 0 up to, not including, ``bound``."""
        octets = self._data[self._at : self._at + 2]
        self._at += 2
        return int.from_bytes(octets, "big") % bound

    def of(self, choices: Sequence[Any]) -> Any:
        """Return one of the choices."""
        return choices[self.below(len(choices))]


def mutated(tree: Any, choices: Choices) -> Any:
    """Return a copy of a tree with some of its values changed, moved, named otherwise, repeated or left out."""
    tree = [copy.deepcopy(tree)]  # so that the root has a place too
    for _ in range(_CHANGES_MAX):
        places = list(_places(tree))
        if not choices or not places:
            break
        parent, key = choices.of(places)
        choices.of(_CHANGES)(parent, key, choices, places)
    return tree[0] if tree else None


def _places(tree: Any) -> Any:
    pairs = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for key, value in pairs:
        yield tree, key
        if isinstance(value, dict | list):
            yield from _places(value)


def _replace(parent: Any, key: Any, choices: Choices, _: Any) -> None:
    parent[key] = copy.deepcopy(choices.of(_VALUES))


def _delete(parent: Any, key: Any, *_: Any) -> None:
    del parent[key]


def _move(parent: Any, key: Any, choices: Choices, places: Any) -> None:
    other, at = choices.of(places)
    parent[key] = copy.deepcopy(other[at])


def _wrap(parent: Any, key: Any, choices: Choices, _: Any) -> None:
    for _ in range(1 + choices.below(40)):
        parent[key] = choices.of(([parent[key]], {"ext:a": parent[key]}))


def _name(parent: Any, key: Any, choices: Choices, _: Any) -> None:
    if isinstance(parent, dict):
        parent[choices.of(_NAMES)] = parent.pop(key)
    else:
        parent.append(copy.deepcopy(parent[key]))


def _add(parent: Any, key: Any, choices: Choices, _: Any) -> None:
    target = parent[key]
    if isinstance(target, dict):
        target[choices.of(_NAMES)] = copy.deepcopy(choices.of(_VALUES))
    elif isinstance(target, list):
        target.insert(choices.below(len(target) + 1), copy.deepcopy(choices.of(_VALUES)))
    elif isinstance(target, str):
        at = choices.below(len(target) + 1)
        parent[key] = target[:at] + chr(choices.below(0xD800)) + target[at:]


def _cut(parent: Any, key: Any, choices: Choices, _: Any) -> None:
    target = parent[key]
    if isinstance(target, str) and target:
        at = choices.below(len(target))
        parent[key] = target[:at] + target[at + 1 :]
    elif isinstance(target, list):
        parent[key] = target * (1 + choices.below(4))


_CHANGES: tuple[Callable[..., None], ...] = (_replace, _delete, _move, _wrap, _name, _add, _cut)
