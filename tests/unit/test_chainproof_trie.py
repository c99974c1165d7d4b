"""Merkle Patricia proofs against another implementation's tries, and each way of breaking one."""

from __future__ import annotations

import random
from typing import Any

import pytest
import rlp
from trie import HexaryTrie

from sealtrail.chainproof import trie
from sealtrail.chainproof.hashing import EMPTY_TRIE_ROOT, keccak
from sealtrail.errors import InputError, SealtrailError

SIZES = [1, 2, 3, 16, 17, 127, 128, 129, 257]


def values_of(count: int) -> list[bytes]:
    source = random.Random(count)
    return [source.randbytes(source.choice([1, 2, 5, 31, 32, 40, 300])) for _ in range(count)]


def refused(root: bytes, key: bytes, nodes: list[bytes]) -> str:
    with pytest.raises(SealtrailError) as caught:
        trie.verify(root, key, nodes)
    return caught.value.code


def made(node: Any, *more: Any) -> tuple[bytes, list[bytes]]:
    """A proof of hand-made nodes: each is given the hash of the next in the place of ``...``."""
    encoded: list[bytes] = []
    below = b""
    for parts in reversed([node, *more]):
        filled = [below if part is ... else part for part in parts]
        encoded.insert(0, rlp.encode(filled))
        below = keccak(encoded[0])
    return below, encoded


def branch(**ways: Any) -> list[Any]:
    """A branch with the ways ``n0`` to ``n15`` and a ``value``."""
    node: list[Any] = [b""] * 17
    for name, way in ways.items():
        node[16 if name == "value" else int(name[1:])] = way
    return node


@pytest.mark.parametrize("count", SIZES)
def test_every_entry_of_a_list_is_proven_and_what_is_beyond_absent(count: int) -> None:
    values = values_of(count)
    other = HexaryTrie({})
    for index, value in enumerate(values):
        other[trie.index_key(index)] = value
    root = trie.ordered_trie_root(values)
    assert root == other.root_hash
    for index in [*range(count), count, count + 1, 10_000]:
        proof = trie.ordered_trie_proof(values, index)
        proven = trie.verify(root, trie.index_key(index), proof)
        assert proven == (values[index] if index < count else None)


def test_an_empty_list_has_the_empty_root_and_proves_absence() -> None:
    assert trie.ordered_trie_root([]) == EMPTY_TRIE_ROOT
    assert trie.ordered_trie_proof([], 0) == []
    assert trie.verify(EMPTY_TRIE_ROOT, b"\x80", []) is None
    assert trie.verify(EMPTY_TRIE_ROOT, b"\x80", [b"\x80"]) is None


@pytest.mark.parametrize("values", [[b""], [b"x", b""]])
def test_an_empty_value_has_no_place_in_a_trie(values: list[bytes]) -> None:
    for build in (trie.ordered_trie_root, lambda v: trie.ordered_trie_proof(v, 0)):
        with pytest.raises(InputError) as caught:
            build(values)
        assert caught.value.code == "list_malformed"


def test_a_state_like_trie_of_another_implementation_is_walked() -> None:
    source = random.Random(7)
    entries = {keccak(source.randbytes(8)): source.randbytes(70) for _ in range(500)}
    other = HexaryTrie({})
    for key, value in entries.items():
        other[key] = value
    for key, value in list(entries.items())[:50]:
        nodes = [rlp.encode(n) for n in other.get_proof(key) if len(rlp.encode(n)) >= 32]
        assert trie.verify(other.root_hash, key, nodes) == value
        absent = keccak(key)
        nodes = [rlp.encode(n) for n in other.get_proof(absent) if n and len(rlp.encode(n)) >= 32]
        assert trie.verify(other.root_hash, absent, nodes) is None


def test_a_proof_of_another_key_is_refused() -> None:
    values = values_of(300)
    root = trie.ordered_trie_root(values)
    proof = trie.ordered_trie_proof(values, 200)
    assert refused(root, trie.index_key(3), proof) == "proof_node_wrong"


def test_nodes_too_few_or_too_many_are_refused() -> None:
    values = values_of(300)
    root, key = trie.ordered_trie_root(values), trie.index_key(200)
    proof = trie.ordered_trie_proof(values, 200)
    assert len(proof) > 2
    assert refused(root, key, proof[:-1]) == "proof_incomplete"
    assert refused(root, key, []) == "proof_incomplete"
    assert refused(root, key, [*proof, proof[-1]]) == "proof_node_unused"
    assert refused(root, key, [*proof, b""]) == "proof_node_unused"
    assert refused(root, key, proof[1:]) == "proof_node_wrong"
    assert refused(root, key, proof[::-1]) == "proof_node_wrong"
    assert refused(EMPTY_TRIE_ROOT, key, proof) == "proof_node_wrong"
    assert refused(EMPTY_TRIE_ROOT, key, [b"\x80", b"\x80"]) == "proof_node_malformed"


def test_a_proof_of_another_root_is_refused() -> None:
    values = values_of(20)
    assert refused(bytes(32), trie.index_key(3), trie.ordered_trie_proof(values, 3)) == (
        "proof_node_wrong"
    )


LEAF = [b"\x3a" + b"k" * 20, b"v" * 20]  # a path of 41 nibbles
SHORT = [b"\x20", b"v"]
HASH = b"h" * 32


@pytest.mark.parametrize(
    "node",
    [
        [b"", b"v"],  # no hex prefix at all
        [b"\x40", b"v"],  # an unknown one
        [b"\x01", HASH],  # an even path with something in the half byte
        [b"\x21", b"v"],
        [b"\x00", HASH],  # extends the path by nothing
        [b"\x11", b"h" * 31],  # names the next node by 31 bytes
        [b"\x11", b""],
        [b"\x20", b""],  # a leaf without a value
        [b"\x20", [b"v"]],
        [[], b"v"],
        [b"\x20", b"v", b""],
        [b"\x20"],
        [],
        [b""] * 16,
        [b""] * 18,
        branch(),
        branch(n1=HASH),
        branch(n1=b"h" * 31, n2=HASH),
        branch(n1=HASH, value=[]),
        branch(n1=HASH, n2=LEAF),  # a node in it that is too long for that
    ],
)
def test_a_node_that_is_none_is_refused(node: Any) -> None:
    assert refused(*_proof_of(node)) == "proof_node_malformed"


def _proof_of(node: Any) -> tuple[bytes, bytes, list[bytes]]:
    root, nodes = made(node)
    return root, b"\x00", nodes


def test_a_node_in_another_spelling_is_refused() -> None:
    for encoded in (b"\xc2\x20\x76\x00", b"\xf8\x02\x20\x76", b"\xc3\x81\x20\x76", b"\x05", b""):
        assert refused(keccak(encoded), b"", [encoded]) == "proof_node_malformed"


def test_nodes_stand_in_each_other_where_they_are_short() -> None:
    inner = branch(n1=SHORT, n2=[b"\x20", b"w"])
    root, nodes = made(branch(n0=inner, n7=HASH))
    assert trie.verify(root, b"\x01", nodes) == b"v"
    assert trie.verify(root, b"\x02", nodes) == b"w"
    assert trie.verify(root, b"\x03", nodes) is None
    # and are not given besides
    assert refused(root, b"\x01", [*nodes, rlp.encode(SHORT)]) == "proof_node_unused"


def test_a_short_node_that_is_named_by_its_hash_is_refused() -> None:
    root, nodes = made(branch(n0=..., n7=HASH), [b"\x31", b"v"])
    assert refused(root, b"\x01", nodes) == "proof_node_malformed"


def test_an_extension_leads_to_a_branch() -> None:
    end = branch(n1=HASH, value=b"v")
    root, nodes = made([b"\x00\x12", ...], end)
    assert trie.verify(root, b"\x12", nodes) == b"v"
    assert trie.verify(root, b"\x13", nodes[:1]) is None
    assert trie.verify(root, b"", nodes[:1]) is None
    for below in (LEAF, [b"\x00\x34", HASH]):
        root, nodes = made([b"\x00\x12", ...], below)
        assert refused(root, b"\x12" + b"\x00", nodes) == "proof_node_malformed"
    root, nodes = made([b"\x00\x12", SHORT])
    assert refused(root, b"\x12", nodes) == "proof_node_malformed"


def test_a_key_may_end_in_a_branch() -> None:
    root, nodes = made(branch(n0=HASH, value=b"v"))
    assert trie.verify(root, b"", nodes) == b"v"
    root, nodes = made(branch(n0=HASH, n1=HASH))
    assert trie.verify(root, b"", nodes) is None


def test_lists_deeper_than_any_key_are_refused() -> None:
    bomb: Any = b"x"
    for _ in range(200):
        bomb = [bomb]
    assert refused(*_proof_of(bomb)) == "proof_node_malformed"


def test_sizes_over_the_limits_are_refused() -> None:
    assert refused(HASH, b"k" * 33, []) == "trie_key_too_long"
    assert refused(HASH, b"k", [b""] * 66) == "proof_too_large"
    assert refused(HASH, b"k", [bytes(16 * 1024 * 1024 + 1)]) == "proof_too_large"
