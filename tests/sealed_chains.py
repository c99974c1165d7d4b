"""Clique, QBFT and IBFT 2.0 chains of headers, sealed with test keys: valid ones, and whatever a test makes of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from coincurve import PrivateKey

from sealtrail.chainproof import qbft, strict_rlp
from sealtrail.chainproof.clique import block_hash as clique_hash
from sealtrail.chainproof.hashing import NO_UNCLES_HASH, keccak
from sealtrail.chainproof.headers import Header, encode_header, header_items
from sealtrail.chainproof.qbft import ExtraData, Kind, encode_extra_data

NOBODY = bytes(20)
GENESIS_TIME = 1_700_000_000
_SHOWN = {
    "parent_hash": "parentHash",
    "uncles_hash": "sha3Uncles",
    "beneficiary": "miner",
    "state_root": "stateRoot",
    "transactions_root": "transactionsRoot",
    "receipts_root": "receiptsRoot",
    "logs_bloom": "logsBloom",
    "difficulty": "difficulty",
    "number": "number",
    "gas_limit": "gasLimit",
    "gas_used": "gasUsed",
    "time": "timestamp",
    "extra_data": "extraData",
    "mix_hash": "mixHash",
    "nonce": "nonce",
    "base_fee": "baseFeePerGas",
    "withdrawals_root": "withdrawalsRoot",
    "blob_gas_used": "blobGasUsed",
    "excess_blob_gas": "excessBlobGas",
    "parent_beacon_root": "parentBeaconBlockRoot",
    "requests_hash": "requestsHash",
}


def address_of(key: PrivateKey) -> bytes:
    return keccak(key.public_key.format(compressed=False)[1:])[-20:]


# in the order of their addresses, so that index and turn are one
KEYS = sorted((PrivateKey(bytes([n]) * 32) for n in range(1, 10)), key=address_of)
ADDRESSES = [address_of(key) for key in KEYS]


def plain_header(**fields: Any) -> Header:
    """A header that is well-formed and of no chain."""
    return msgspec.structs.replace(
        Header(
            parent_hash=bytes(32),
            uncles_hash=NO_UNCLES_HASH,
            beneficiary=NOBODY,
            state_root=keccak(b"\x80"),
            transactions_root=keccak(b"\x80"),
            receipts_root=keccak(b"\x80"),
            logs_bloom=bytes(256),
            difficulty=1,
            number=0,
            gas_limit=30_000_000,
            gas_used=0,
            time=GENESIS_TIME,
            extra_data=b"",
            mix_hash=bytes(32),
            nonce=bytes(8),
        ),
        **fields,
    )


def shown(header: Header, block_hash: bytes) -> dict[str, Any]:
    """The header as an endpoint shows it."""
    block: dict[str, Any] = {"hash": "0x" + block_hash.hex()}
    for name, value in msgspec.structs.asdict(header).items():
        if value is not None:
            block[_SHOWN[name]] = hex(value) if isinstance(value, int) else "0x" + value.hex()
    return block


def seal_clique(header: Header, key: PrivateKey) -> Header:
    """Put the seal at the end of the header's extra data."""
    digest = keccak(encode_header(header))
    seal = key.sign_recoverable(digest, hasher=None)
    return msgspec.structs.replace(header, extra_data=header.extra_data + seal)


class CliqueChain:
    """A chain of signers named by their index in :data:`KEYS`; the difficulty is whatever is right."""

    def __init__(self, signers: Sequence[int], **genesis: Any) -> None:
        self.signers = set(signers)
        listed = b"".join(ADDRESSES[s] for s in sorted(signers))
        extra = bytes(32) + listed + bytes(65)
        self.headers = [plain_header(extra_data=extra, **genesis)]

    def next_header(self, by: int, **fields: Any) -> Header:
        """The next block's header without its seal; ``fields`` are what a test wants otherwise."""
        parent = self.headers[-1]
        number = parent.number + 1
        members = sorted(self.signers)
        in_turn = bool(members) and members[number % len(members)] == by
        return msgspec.structs.replace(
            plain_header(
                parent_hash=clique_hash(parent),
                number=number,
                time=parent.time + 1,
                difficulty=2 if in_turn else 1,
                extra_data=bytes(32),
                base_fee=parent.base_fee,
            ),
            **fields,
        )

    def seal(
        self, by: int, *, vote: int | None = None, admit: bool = True, **fields: Any
    ) -> Header:
        if vote is not None:
            fields |= {"beneficiary": ADDRESSES[vote], "nonce": (b"\xff" if admit else b"\0") * 8}
        header = seal_clique(self.next_header(by, **fields), KEYS[by])
        self.headers.append(header)
        return header

    def blocks(self) -> list[dict[str, Any]]:
        """All of it, as an endpoint shows it."""
        return [shown(h, clique_hash(h)) for h in self.headers]


class BftChain:
    """A QBFT or IBFT 2.0 chain of validators named by their index in :data:`KEYS`."""

    def __init__(self, validators: Sequence[int], *, kind: Kind = "qbft") -> None:
        self.validators = set(validators)
        self.kind = kind
        extra = self._extra(None, 0, ())
        self.headers = [plain_header(extra_data=extra, mix_hash=qbft.MIX_HASH)]

    def seal(
        self,
        by: Sequence[int],
        *,
        proposer: int | None = None,
        vote: tuple[int, bool] | None = None,
        turn: int = 0,
        **fields: Any,
    ) -> Header:
        """Add the next block, committed by the validators ``by``."""
        header = self.commit(self.next_header(proposer, vote, turn, **fields), by)
        self.headers.append(header)
        return header

    def next_header(
        self,
        proposer: int | None = None,
        vote: tuple[int, bool] | None = None,
        turn: int = 0,
        **fields: Any,
    ) -> Header:
        parent = self.headers[-1]
        if proposer is None:
            proposer = min(self.validators)
        return msgspec.structs.replace(
            plain_header(
                parent_hash=qbft.block_hash(parent, self.kind),
                number=parent.number + 1,
                time=parent.time + 1,
                beneficiary=ADDRESSES[proposer],
                extra_data=self._extra(vote, turn, ()),
                mix_hash=qbft.MIX_HASH,
            ),
            **fields,
        )

    def commit(self, header: Header, by: Sequence[int]) -> Header:
        """Put commit seals into a header that has none."""
        items: list[Any] = header_items(header)
        if self.kind == "ibft2":  # the seals are not there at all when they are signed for
            extra = strict_rlp.decode(header.extra_data, depth_max=2)
            items[12] = strict_rlp.encode(extra[:-1])
        digest = keccak(strict_rlp.encode(items))
        seals = [KEYS[b].sign_recoverable(digest, hasher=None) for b in by]
        return with_extra(header, self.kind, seals=tuple(seals))

    def blocks(self) -> list[dict[str, Any]]:
        """All of it, as an endpoint shows it."""
        return [shown(h, qbft.block_hash(h, self.kind)) for h in self.headers]

    def _extra(self, vote: tuple[int, bool] | None, turn: int, seals: tuple[bytes, ...]) -> bytes:
        return encode_extra_data(
            ExtraData(
                kind=self.kind,
                vanity=bytes(32),
                validators=tuple(ADDRESSES[v] for v in sorted(self.validators)),
                vote=None if vote is None else (ADDRESSES[vote[0]], vote[1]),
                round=turn,
                seals=seals,
            )
        )


def with_extra(header: Header, kind: Kind, **fields: Any) -> Header:
    """The header with something else in its extra data."""
    extra = qbft.parse_extra_data(header.extra_data, kind)
    changed: Mapping[str, Any] = fields
    return msgspec.structs.replace(
        header, extra_data=encode_extra_data(msgspec.structs.replace(extra, **changed))
    )
