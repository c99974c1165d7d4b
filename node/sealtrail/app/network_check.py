"""What a node compares before it signs anything: chain, registry, membership, keys.

A mismatch refuses the start. A chain that does not answer refuses it only the first time: a node that
has read the chain before starts from what it knows, because care is never blocked.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from sqlite3 import Connection

import rlp
from sha3 import keccak_256

from sealtrail.errors import ConflictError, NotFoundError, UnavailableError
from sealtrail.ledger import registry_calls
from sealtrail.ledger.anchor_calls import decode_address
from sealtrail.ledger.rpc import Rpc
from sealtrail.ledger.wire import encode_bytes, parse_bytes
from sealtrail.membership.encoding import parse_record
from sealtrail.membership.records import MemberRecord, Purpose, Status
from sealtrail.services.chain.follower import Follower
from sealtrail.signing import Domain
from sealtrail.store import chain
from sealtrail.store.database import Database

_log = logging.getLogger(__name__)
_NEWEST = 2**62  # above every block


def anchors_address(registry: bytes) -> bytes:
    """Return where a registry's Anchors contract is: its first creation, so nobody need be asked.

    Source: Yellow Paper section 7 (address of a created contract), EIP-161 (its creator's nonce is 1).
    """
    digest: bytes = keccak_256(rlp.encode([registry, 1])).digest()
    return digest[-20:]


async def check_network(rpc: Rpc, follower: Follower, database: Database, domain: Domain) -> None:
    """Compare chain and registry with the configuration, and read the chain.

    Raises:
        ConflictError: ``wrong_chain``, ``registry_missing``, ``registry_mismatch``.
        UnavailableError: the chain can't be asked, and this node has never read it.
    """
    try:
        await _check_registry(rpc, domain)
        await follower.check_now()
    except UnavailableError as e:
        if e.code == "wrong_chain":
            raise ConflictError(e.code, e.message, pointer=e.pointer, advice=e.advice) from e
        if await database.read(chain.load_cursor) is None:
            raise
        _log.warning("starting without the chain, from what was read before: %s", e)


async def _check_registry(rpc: Rpc, domain: Domain) -> None:
    registry = encode_bytes(domain.registry)
    if await rpc.call("eth_getCode", registry, "latest") in ("0x", None):
        raise ConflictError(
            "registry_missing",
            f"the chain has no contract at {registry}",
            pointer="chain.registry",
            advice="correct the address; or has the chain lost its data?",
        )
    separator = await _call(rpc, domain.registry, registry_calls.domain_separator())
    if separator != domain.separator:
        raise ConflictError(
            "registry_mismatch",
            f"the contract at {registry} is no registry of this network: its domain is"
            f" 0x{separator.hex()}, expected 0x{domain.separator.hex()}",
            pointer="chain.registry",
            advice="it may have been deployed for another genesis hash; ask the stewards",
        )
    anchors = decode_address(await _call(rpc, domain.registry, registry_calls.anchors()))
    if anchors != anchors_address(domain.registry):
        raise ConflictError(
            "registry_mismatch", f"the registry names another Anchors contract: 0x{anchors.hex()}"
        )


async def _call(rpc: Rpc, to: bytes, payload: bytes) -> bytes:
    question = {"to": encode_bytes(to), "data": encode_bytes(payload)}
    return parse_bytes(await rpc.call("eth_call", question, "latest"), "a registry's answer")


def check_membership(
    connection: Connection, member: bytes, public_keys: Mapping[Purpose, bytes]
) -> MemberRecord:
    """Return the member's newest record after comparing the local keys with it.

    Raises:
        NotFoundError: ``member_not_admitted``.
        ConflictError: ``key_not_registered``.
    """
    stored = chain.find_record(connection, member, _NEWEST)
    if stored is None:
        raise NotFoundError(
            "member_not_admitted",
            f"0x{member.hex()} is no member of this network",
            pointer="node.member",
            advice="`sealtrail member request` makes a file for the stewards, who admit you",
        )
    record = parse_record(stored.record, block=stored.block_number)
    block = _known_block(connection, record)
    for purpose, public in public_keys.items():
        _check_key(record, purpose, public, block)
    if record.status is Status.SUSPENDED:
        _log.warning("this member is suspended: its anchors are marked so")
    return record


def unfit_keys(
    connection: Connection, member: bytes, public_keys: Mapping[Purpose, bytes]
) -> list[str]:
    """Return what is wrong with the local keys by now: one may be ended while its node runs."""
    stored = chain.find_record(connection, member, _NEWEST)
    if stored is None:
        return []
    record = parse_record(stored.record, block=stored.block_number)
    block = _known_block(connection, record)
    faults = (_fault(record, purpose, public, block) for purpose, public in public_keys.items())
    return [fault for fault in faults if fault]


def _known_block(connection: Connection, record: MemberRecord) -> int:
    cursor = chain.load_cursor(connection)
    return max(record.block, cursor.final_block if cursor else 0)


def _fault(record: MemberRecord, purpose: Purpose, public: bytes, block: int) -> str | None:
    key = record.key(purpose, public)
    if key is not None and key.valid_at(block):
        return None
    found = "not one that the registry has" if key is None else f"not valid at block {block}"
    return (
        f"the {purpose.name.lower()} key 0x{public.hex()} is {found}"
        f" for {record.name} (0x{record.member.hex()})"
    )


def _check_key(record: MemberRecord, purpose: Purpose, public: bytes, block: int) -> None:
    """Refuse a key that is not the member's at ``block``, and warn of one that will not be for ever."""
    name = purpose.name.lower()
    fault = _fault(record, purpose, public, block)
    if fault:
        raise ConflictError(
            "key_not_registered",
            fault,
            pointer=f"keys.{name}",
            advice="name a key file that `sealtrail keys list --registry` shows as valid, or register this one:"
            f" `sealtrail keys register {name} FILE`",
        )
    key = record.key(purpose, public)
    if key and key.valid_until:
        _log.warning("the %s key ends at block %d: register another", name, key.valid_until)
    if key and key.compromised_since:
        _log.warning("the %s key is reported compromised: register another", name)
