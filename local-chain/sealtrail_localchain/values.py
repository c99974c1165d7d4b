"""The values a chain is made of: header, receipt, log, block. No behaviour but their own bytes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import rlp

from sealtrail_localchain.hashing import EMPTY_BLOOM, bloom_of, keccak
from sealtrail_localchain.transactions import Transaction

EMPTY_UNCLES_HASH = keccak(rlp.encode([]))
EMPTY_TRIE_ROOT = keccak(rlp.encode(b""))
EMPTY_CODE_HASH = keccak(b"")
ZERO_ADDRESS = bytes(20)
ZERO_HASH = bytes(32)


def encode_number(value: int) -> bytes:
    """Return an integer as RLP has it: big-endian, no leading zero, zero is empty."""
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


@dataclass(frozen=True, kw_only=True)
class Header:
    """A London block header. Clique leaves beneficiary, mix hash and nonce zero (no votes here).

    Source: EIP-1559 (base fee as the 16th field), EIP-225 (extra data).
    """

    parent_hash: bytes
    state_root: bytes
    transactions_root: bytes
    receipts_root: bytes
    logs_bloom: bytes
    difficulty: int
    number: int
    gas_limit: int
    gas_used: int
    timestamp: int
    extra_data: bytes
    base_fee: int

    def encode(self) -> bytes:
        encoded: bytes = rlp.encode(self.fields())
        return encoded

    def fields(self) -> list[bytes]:
        return [
            self.parent_hash,
            EMPTY_UNCLES_HASH,
            ZERO_ADDRESS,
            self.state_root,
            self.transactions_root,
            self.receipts_root,
            self.logs_bloom,
            encode_number(self.difficulty),
            encode_number(self.number),
            encode_number(self.gas_limit),
            encode_number(self.gas_used),
            encode_number(self.timestamp),
            self.extra_data,
            ZERO_HASH,
            bytes(8),
            encode_number(self.base_fee),
        ]

    @cached_property
    def hash(self) -> bytes:
        return keccak(self.encode())


def decode_header(encoded: bytes) -> Header:
    """Read a header this chain wrote."""
    fields = rlp.decode(encoded)
    return Header(
        parent_hash=fields[0],
        state_root=fields[3],
        transactions_root=fields[4],
        receipts_root=fields[5],
        logs_bloom=fields[6],
        difficulty=int.from_bytes(fields[7], "big"),
        number=int.from_bytes(fields[8], "big"),
        gas_limit=int.from_bytes(fields[9], "big"),
        gas_used=int.from_bytes(fields[10], "big"),
        timestamp=int.from_bytes(fields[11], "big"),
        extra_data=fields[12],
        base_fee=int.from_bytes(fields[15], "big"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """One event that a contract emitted."""

    address: bytes
    topics: tuple[bytes, ...]
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What executing one transaction did. Gas amounts in gas, price in wei."""

    succeeded: bool
    gas_used: int
    cumulative_gas_used: int
    effective_gas_price: int
    contract_address: bytes | None
    logs: tuple[Log, ...]

    @property
    def logs_bloom(self) -> bytes:
        if not self.logs:
            return EMPTY_BLOOM
        return bloom_of(value for log in self.logs for value in (log.address, *log.topics))

    def encode(self, transaction_type: int) -> bytes:
        """Return the bytes that the receipts root is computed over (EIP-2718)."""
        logs = [[log.address, list(log.topics), log.content] for log in self.logs]
        status = b"\x01" if self.succeeded else b""
        payload: bytes = rlp.encode(
            [status, encode_number(self.cumulative_gas_used), self.logs_bloom, logs]
        )
        return payload if transaction_type == 0 else bytes([transaction_type]) + payload


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A sealed block with its transactions, and the receipts that belong to them in order."""

    header: Header
    transactions: tuple[Transaction, ...]
    receipts: tuple[Receipt, ...]

    def encode(self) -> bytes:
        """Return the block as geth exports and imports it: header, transactions, uncles."""
        transactions = [rlp.decode(tx.raw) if tx.type == 0 else tx.raw for tx in self.transactions]
        encoded: bytes = rlp.encode([self.header.fields(), transactions, []])
        return encoded
