"""Accounts and storage slots, proven against a header's state root (what ``eth_getProof`` answers).

Source: Yellow Paper section 4.1; EIP-1186.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from sealtrail.chainproof import strict_rlp, trie
from sealtrail.chainproof.hashing import EMPTY_TRIE_ROOT, keccak
from sealtrail.chainproof.headers import Header
from sealtrail.errors import InputError, VerificationError

_ADDRESS, _DIGEST = 20, 32


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """What the state holds of one address."""

    nonce: int
    balance: int
    storage_root: bytes
    code_hash: bytes


def account_at(header: Header, address: bytes, proof: Sequence[bytes]) -> Account | None:
    """Return the account after the block; None if the proof shows that there is none.

    Whether the header is one of the chain's is not looked at.

    Raises:
        VerificationError: the proof doesn't hold (:func:`sealtrail.chainproof.trie.verify`), or what it proves is
            no account (``account_malformed``).
        InputError: the address has not 20 bytes (``address_malformed``).
    """
    if len(address) != _ADDRESS:
        raise InputError("address_malformed", f"an address of {len(address)} bytes")
    encoded = trie.verify(header.state_root, keccak(address), proof)
    return None if encoded is None else _parse_account(encoded)


def storage_at(account: Account | None, slot: int, proof: Sequence[bytes]) -> int:
    """Return the number in a storage slot of the account; 0 if the proof shows that there is none.

    Raises:
        VerificationError: the proof doesn't hold (:func:`sealtrail.chainproof.trie.verify`), or what it proves is
            no number of up to 32 bytes (``storage_malformed``).
        InputError: there is no such slot (``slot_malformed``).
    """
    if not 0 <= slot < 2**256:
        raise InputError("slot_malformed", "a slot is a number of up to 32 bytes")
    root = EMPTY_TRIE_ROOT if account is None else account.storage_root
    encoded = trie.verify(root, keccak(slot.to_bytes(32, "big")), proof)
    if encoded is None:
        return 0
    try:
        number = strict_rlp.decode_number(
            strict_rlp.decode(encoded, depth_max=0), _DIGEST, "the slot"
        )
    except InputError as error:
        raise VerificationError("storage_malformed", f"slot {slot}: {error.message}") from error
    if number == 0:
        raise VerificationError("storage_malformed", f"slot {slot} holds a 0, which is not stored")
    return number


def _parse_account(encoded: bytes) -> Account:
    try:
        items = strict_rlp.decode(encoded, depth_max=1)
        if not isinstance(items, list) or len(items) != 4:
            raise InputError("account_malformed", "an account is a list of four items")
        nonce, balance, storage_root, code_hash = items
        account = Account(
            nonce=strict_rlp.decode_number(nonce, 8, "the nonce"),
            balance=strict_rlp.decode_number(balance, 32, "the balance"),
            storage_root=_digest(storage_root),
            code_hash=_digest(code_hash),
        )
    except InputError as error:
        raise VerificationError("account_malformed", error.message) from error
    return account


def _digest(item: strict_rlp.Item) -> bytes:
    if not isinstance(item, bytes) or len(item) != _DIGEST:
        raise InputError("account_malformed", "an account's roots have 32 bytes")
    return item
