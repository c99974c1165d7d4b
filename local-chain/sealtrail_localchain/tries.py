"""Merkle Patricia tries: state that can be read and proven at any block, and roots of lists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import rlp
from trie import HexaryTrie

from sealtrail_localchain.hashing import keccak
from sealtrail_localchain.values import EMPTY_CODE_HASH, EMPTY_TRIE_ROOT, encode_number


class Nodes(Protocol):
    """Trie nodes and contract code by their Keccak hash. ``[]`` raises KeyError if absent."""

    def __getitem__(self, key: bytes) -> bytes: ...
    def __setitem__(self, key: bytes, value: bytes) -> None: ...
    def __contains__(self, key: object) -> bool: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An account as the state trie holds it; balance in wei."""

    nonce: int = 0
    balance: int = 0
    storage_root: bytes = EMPTY_TRIE_ROOT
    code_hash: bytes = EMPTY_CODE_HASH


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """A value with the trie nodes from the root to it (or to where it is missing)."""

    value: bytes
    nodes: tuple[bytes, ...]


class StateView:
    """Read-only view of all accounts under one state root."""

    def __init__(self, nodes: Nodes, root: bytes) -> None:
        self._nodes = nodes
        self._trie = HexaryTrie(nodes, root)

    def account(self, address: bytes) -> Account:
        encoded = self._trie[keccak(address)]
        return _decode_account(encoded) if encoded else Account()

    def code(self, address: bytes) -> bytes:
        account = self.account(address)
        return b"" if account.code_hash == EMPTY_CODE_HASH else self._nodes[account.code_hash]

    def storage(self, address: bytes, slot: int) -> int:
        root = self.account(address).storage_root
        encoded = HexaryTrie(self._nodes, root)[keccak(slot.to_bytes(32, "big"))]
        return int.from_bytes(rlp.decode(encoded), "big") if encoded else 0

    def account_proof(self, address: bytes) -> Proof:
        return _prove(self._trie, keccak(address))

    def storage_proof(self, storage_root: bytes, slot: int) -> Proof:
        if storage_root == EMPTY_TRIE_ROOT:
            return Proof(value=b"", nodes=())
        return _prove(HexaryTrie(self._nodes, storage_root), keccak(slot.to_bytes(32, "big")))


def _decode_account(encoded: bytes) -> Account:
    nonce, balance, storage_root, code_hash = rlp.decode(encoded)
    return Account(
        nonce=int.from_bytes(nonce, "big"),
        balance=int.from_bytes(balance, "big"),
        storage_root=storage_root,
        code_hash=code_hash,
    )


def _prove(trie: Any, key: bytes) -> Proof:
    nodes = tuple(rlp.encode(node) for node in trie.get_proof(key) if node)
    # A node under 32 bytes stands inside its parent and is no element of a proof of its own.
    apart = tuple(node for at, node in enumerate(nodes) if at == 0 or len(node) >= 32)
    return Proof(value=trie[key], nodes=apart)


def list_root(items: Sequence[bytes]) -> bytes:
    """Return the trie root of a block's transactions or receipts, keyed by RLP of the index."""
    if not items:
        return EMPTY_TRIE_ROOT
    trie = HexaryTrie({}, prune=True)
    with trie.squash_changes() as batch:
        for index, item in enumerate(items):
            batch[rlp.encode(encode_number(index))] = item
    root: bytes = trie.root_hash
    return root
