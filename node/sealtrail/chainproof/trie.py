"""Merkle Patricia tries: check that a key has a value, or none; and build the tries of one block's lists.

A proof is the nodes from the root to where the key ends, and no others. Each must hash to what the one above names;
nodes shorter than a hash stand inside the one above and are not listed. A proof of absence is the same, ending
where the key leaves the trie.
Source: Yellow Paper, appendix D.
"""

from __future__ import annotations

from collections.abc import Sequence

from sealtrail.chainproof import strict_rlp
from sealtrail.chainproof.hashing import EMPTY_TRIE_ROOT, keccak
from sealtrail.chainproof.limits import (
    RECEIPTS_MAX,
    TRIE_KEY_BYTES_MAX,
    TRIE_NODE_BYTES_MAX,
    TRIE_NODES_MAX,
)
from sealtrail.chainproof.strict_rlp import Item
from sealtrail.errors import InputError, VerificationError

_BRANCH, _SHORT = 17, 2
_VALUE = 16  # a branch's last item
_HASH_BYTES = 32
# a node, a node in a node, and so on: one a nibble is all that a key can have
_DEPTH_MAX = 2 * TRIE_KEY_BYTES_MAX + 1
_EMPTY_NODE = b"\x80"


def verify(root: bytes, key: bytes, nodes: Sequence[bytes]) -> bytes | None:
    """Return the value that the trie has at ``key``, or None if the proof shows that there is none.

    Args:
        root: the trie's root hash, from a header or an account.
        key: the path itself: what is to be hashed has been.
        nodes: RLP of the nodes from the root on. Of an empty trie: none, or the empty node.

    Raises:
        VerificationError: the nodes don't prove it: ``proof_node_wrong`` (another hash), ``proof_incomplete``,
            ``proof_node_unused``, ``proof_node_malformed``, ``proof_too_large``.
        InputError: the key is longer than any (``trie_key_too_long``).

    """
    _check_sizes(key, nodes)
    if root == EMPTY_TRIE_ROOT and list(nodes) in ([], [_EMPTY_NODE]):
        return None
    walk = _Walk(nodes)
    value = walk.descend(walk.next_node(root), _nibbles(key))
    if walk.used != len(nodes):
        raise VerificationError(
            "proof_node_unused",
            f"the proof has {len(nodes)} nodes, and the key ends at the {_ordinal(walk.used)}",
        )
    return value


class _Walk:
    """The nodes of one proof, taken one after the other."""

    def __init__(self, nodes: Sequence[bytes]) -> None:
        self._nodes = nodes
        self.used = 0

    def next_node(self, expected: bytes) -> list[Item]:
        if self.used == len(self._nodes):
            raise VerificationError(
                "proof_incomplete", f"node 0x{expected.hex()} is missing after {self.used} nodes"
            )
        encoded = self._nodes[self.used]
        self.used += 1
        if keccak(encoded) != expected:
            raise VerificationError(
                "proof_node_wrong",
                f"the {_ordinal(self.used)} node has hash 0x{keccak(encoded).hex()}; expected 0x{expected.hex()}",
            )
        if self.used > 1 and len(encoded) < _HASH_BYTES:
            raise self._malformed("it is so short that it had to stand in the one above")
        try:
            return self._node(strict_rlp.decode(encoded, depth_max=_DEPTH_MAX))
        except InputError as error:
            raise self._malformed(error.message) from error

    def descend(self, node: list[Item], path: bytes) -> bytes | None:
        # a loop and not a recursion: the depth is the prover's choice
        while True:
            if len(node) == _BRANCH:
                if not path:
                    return self._octets(node[_VALUE]) or None
                child, path = node[path[0]], path[1:]
                if child == b"":
                    return None
            else:
                own, is_leaf = self._own_path(node[0])
                if is_leaf:
                    return self._octets(node[1]) if path == own else None
                if path[: len(own)] != own:
                    return None
                child, path = node[1], path[len(own) :]
            node = self._resolve(child, below_branch=len(node) == _BRANCH)

    def _resolve(self, child: Item, *, below_branch: bool) -> list[Item]:
        node = self.next_node(child) if isinstance(child, bytes) else self._node(child)
        if len(node) != _BRANCH and not below_branch:
            raise self._malformed("a path that is no leaf leads to it, and it is no branch")
        return node

    def _node(self, item: Item) -> list[Item]:
        if isinstance(item, list) and len(item) == _BRANCH:
            self._check_branch(item)
            return item
        if isinstance(item, list) and len(item) == _SHORT:
            self._check_short(item)
            return item
        raise self._malformed("it is neither a branch nor a path")

    def _check_branch(self, node: list[Item]) -> None:
        for child in node[:_VALUE]:
            if child != b"":
                self._check_reference(child)
        self._octets(node[_VALUE])
        if sum(child != b"" for child in node) < 2:
            raise self._malformed("it is a branch with one way only")

    def _check_short(self, node: list[Item]) -> None:
        own, is_leaf = self._own_path(node[0])
        if is_leaf:
            if not self._octets(node[1]):
                raise self._malformed("it is a leaf without a value")
            return
        if not own:
            raise self._malformed("it extends the path by nothing")
        self._check_reference(node[1])

    def _check_reference(self, child: Item) -> None:
        if isinstance(child, bytes):
            if len(child) != _HASH_BYTES:
                raise self._malformed(f"it names a node by {len(child)} bytes")
        elif len(strict_rlp.encode(child)) >= _HASH_BYTES:
            raise self._malformed("a node stands in it that is too long for that")

    def _own_path(self, item: Item) -> tuple[bytes, bool]:
        """Return the nibbles that a path node adds, and whether it is a leaf. Source: appendix C, hex-prefix."""
        octets = self._octets(item)
        nibbles = _nibbles(octets)
        flag = nibbles[0] if nibbles else 4
        if flag > 3 or (flag % 2 == 0 and nibbles[1] != 0):
            raise self._malformed("its path has no hex prefix")
        return nibbles[1 if flag % 2 else 2 :], flag >= 2

    def _octets(self, item: Item) -> bytes:
        if not isinstance(item, bytes):
            raise self._malformed("a list stands where octets are expected")
        return item

    def _malformed(self, what: str) -> VerificationError:
        return VerificationError(
            "proof_node_malformed", f"the {_ordinal(self.used)} node of the proof: {what}"
        )


def ordered_trie_root(values: Sequence[bytes]) -> bytes:
    """Return the root of the trie in which a block keeps a list: each value under the RLP of its index.

    Raises:
        InputError: a value is empty, or there are too many (``list_malformed``).
    """
    if not values:
        return EMPTY_TRIE_ROOT
    return keccak(_build(_entries(values), 0, None, []))


def ordered_trie_proof(values: Sequence[bytes], index: int) -> list[bytes]:
    """Return the proof that :func:`verify` takes for the value at ``index``, or for its absence.

    Raises:
        InputError: a value is empty, or there are too many (``list_malformed``).
    """
    if not values:
        return []
    nodes: list[bytes] = []
    nodes.append(_build(_entries(values), 0, _nibbles(index_key(index)), nodes))
    return nodes[::-1]


def index_key(index: int) -> bytes:
    """Return the key of a list's entry in its trie."""
    return strict_rlp.encode(strict_rlp.encode_number(index))


_Entries = list[tuple[bytes, bytes]]


def _entries(values: Sequence[bytes]) -> _Entries:
    if len(values) > RECEIPTS_MAX or not all(values):
        raise InputError(
            "list_malformed", f"{len(values)} values; 1 to {RECEIPTS_MAX} are taken, none empty"
        )
    return sorted((_nibbles(index_key(i)), value) for i, value in enumerate(values))


def _build(entries: _Entries, depth: int, wanted: bytes | None, nodes: list[bytes]) -> bytes:
    """Return the RLP of the node that holds ``entries``, which agree in the first ``depth`` nibbles.

    The nodes below it on the way to ``wanted`` that are named by their hashes go to ``nodes``, the deepest first.
    """
    first, last = entries[0][0], entries[-1][0]
    if len(entries) == 1:
        return strict_rlp.encode([_hex_prefix(first[depth:], is_leaf=True), entries[0][1]])
    common = depth
    while common < min(len(first), len(last)) and first[common] == last[common]:
        common += 1
    if common > depth:
        on_way = wanted if wanted is not None and wanted[:common] == first[:common] else None
        reference = _reference(_build(entries, common, on_way, nodes), on_way, nodes)
        return strict_rlp.encode_joined(
            [strict_rlp.encode(_hex_prefix(first[depth:common], is_leaf=False)), reference]
        )
    return _build_branch(entries, depth, wanted, nodes)


def _build_branch(entries: _Entries, depth: int, wanted: bytes | None, nodes: list[bytes]) -> bytes:
    parts = [_EMPTY_NODE] * (_VALUE + 1)
    start = 0
    if len(entries[0][0]) == depth:  # a key that is the beginning of others
        parts[_VALUE], start = strict_rlp.encode(entries[0][1]), 1
    while start < len(entries):
        nibble, stop = entries[start][0][depth], start
        while stop < len(entries) and entries[stop][0][depth] == nibble:
            stop += 1
        on_way = (
            wanted if wanted is not None and wanted[depth : depth + 1] == bytes((nibble,)) else None
        )
        child = _build(entries[start:stop], depth + 1, on_way, nodes)
        parts[nibble] = _reference(child, on_way, nodes)
        start = stop
    return strict_rlp.encode_joined(parts)


def _reference(node: bytes, wanted: bytes | None, nodes: list[bytes]) -> bytes:
    if len(node) < _HASH_BYTES:
        return node
    if wanted is not None:
        nodes.append(node)
    return strict_rlp.encode(keccak(node))


def _hex_prefix(nibbles: bytes, *, is_leaf: bool) -> bytes:
    flag = 2 * is_leaf + len(nibbles) % 2
    padded = bytes((flag,)) + (b"" if flag % 2 else b"\0") + nibbles
    return bytes(16 * high + low for high, low in zip(padded[::2], padded[1::2], strict=True))


def _nibbles(octets: bytes) -> bytes:
    return bytes(nibble for octet in octets for nibble in (octet >> 4, octet & 15))


def _check_sizes(key: bytes, nodes: Sequence[bytes]) -> None:
    if len(key) > TRIE_KEY_BYTES_MAX:
        raise InputError(
            "trie_key_too_long", f"a key of {len(key)} bytes; at most {TRIE_KEY_BYTES_MAX}"
        )
    longest = max(map(len, nodes), default=0)
    if len(nodes) > TRIE_NODES_MAX or longest > TRIE_NODE_BYTES_MAX:
        raise VerificationError(
            "proof_too_large",
            f"{len(nodes)} nodes of up to {longest} bytes; {TRIE_NODES_MAX} of {TRIE_NODE_BYTES_MAX} are read",
        )


def _ordinal(number: int) -> str:
    return {1: "1st", 2: "2nd", 3: "3rd"}.get(number, f"{number}th")
