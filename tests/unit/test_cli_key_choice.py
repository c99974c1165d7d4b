"""Which key a command means, what must not be ended, and since which block a report counts."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from fakes.ledger import FakeChain, FakeLedger
from sealtrail.cli.key_changes import first_block_at
from sealtrail.cli.key_choice import (
    choose_key_to_end,
    public_hex,
    require_unneeded,
    standing,
)
from sealtrail.cli.own_record import named_refusal
from sealtrail.config import Config
from sealtrail.errors import ConflictError, SealtrailError, VerificationError
from sealtrail.log.checkpoint import Checkpoint, sign_note
from sealtrail.membership.records import Key, MemberRecord, Purpose, Role, Status, registered_form
from sealtrail.services.own_log.genesis import ensure_genesis
from sealtrail.signing import Domain, Ed25519Signer, EventSigner, origin_of
from sealtrail.store import outbox
from sealtrail.store.database import Database
from sealtrail.store.identity import Identity
from sealtrail.store.log import LogStore
from sealtrail.store.outbox import OwnCheckpoint

MEMBER = b"\x11" * 20
FIRST, SECOND, THIRD = (registered_form(bytes([n]) * 20) for n in (1, 2, 3))
HEAD = 100


def event_key(public: bytes, **fields: int) -> Key:
    return Key(
        purpose=Purpose.EVENT, public=public, valid_from=fields.pop("valid_from", 5), **fields
    )


def record(*keys: Key) -> MemberRecord:
    return MemberRecord(
        member=MEMBER, name="M", status=Status.ACTIVE, roles=Role.CARRIER, node_url="", glns=(),
        rights=(), keys=keys, version=1, block=5,
    )  # fmt: skip


def chosen(of: MemberRecord, text: str, in_use: bytes | None = None) -> int | str:
    """Return the position, or the code of the refusal."""
    used = {} if in_use is None else {Purpose.EVENT: in_use}
    try:
        return choose_key_to_end(of, text, block=HEAD, in_use=used)
    except SealtrailError as refusal:
        return refusal.code


def test_a_purpose_means_the_key_that_was_replaced() -> None:
    assert chosen(record(event_key(FIRST), event_key(SECOND)), "event", SECOND) == 0


def test_a_purpose_never_means_the_key_in_use_nor_one_that_is_to_come() -> None:
    assert chosen(record(event_key(FIRST)), "event", FIRST) == "key_in_use"
    assert chosen(record(event_key(FIRST), event_key(SECOND)), "event", FIRST) == "key_in_use"


def test_a_purpose_does_not_mean_what_ended() -> None:
    ended = event_key(FIRST, valid_until=HEAD)
    assert chosen(record(ended), "event") == "key_not_replaced"
    ending = event_key(FIRST, valid_until=HEAD + 1)
    assert chosen(record(ending, event_key(SECOND)), "event", SECOND) == 0


def test_a_purpose_with_two_replaced_keys_is_ambiguous() -> None:
    keys = record(event_key(FIRST), event_key(SECOND), event_key(THIRD))
    assert chosen(keys, "event", THIRD) == "key_ambiguous"


def test_a_key_is_named_by_its_public_half() -> None:
    keys = record(event_key(FIRST), event_key(SECOND))
    assert chosen(keys, public_hex(keys.keys[1]), FIRST) == 1
    assert chosen(keys, public_hex(keys.keys[1]), SECOND) == "key_in_use"
    assert chosen(keys, "0x" + THIRD.hex()) == "key_unknown"
    assert chosen(keys, "evnt") == "key_malformed"


@pytest.mark.parametrize(
    ("key", "words"),
    [
        (event_key(FIRST), "valid since block 5"),
        (event_key(FIRST, valid_from=HEAD + 1), "valid from block 101 on"),
        (event_key(FIRST, valid_until=HEAD), "ended: valid from block 5 to 99"),
        (event_key(FIRST, valid_until=HEAD + 1), "valid since block 5, ends at block 101"),
        (event_key(FIRST, valid_until=5), "never valid"),
        (event_key(FIRST, compromised_since=7), "valid since block 5; COMPROMISED since block 7"),
    ],
)
def test_where_a_key_stands_is_said_in_words(key: Key, words: str) -> None:
    assert standing(key, HEAD) == words


def test_a_time_means_the_first_block_made_at_it_or_later() -> None:
    chain = FakeChain()
    chain.mine(9)
    ledger = FakeLedger(chain, MEMBER)
    times = [block.head.time for block in chain.blocks]

    def found(seconds: float) -> int:
        return asyncio.run(first_block_at(ledger, seconds, chain.head.number))

    for number in range(1, 10):
        expected = next(n for n in range(1, 10) if times[n] >= times[number])
        assert found(times[number]) == expected
    assert found(times[9] + 1) == 10
    assert found(0) == 1


def test_a_refusal_of_the_registry_gets_a_name_of_its_own() -> None:
    reverted = VerificationError("transaction_reverted", "…", reason="KeyAlreadyEnded(7)")
    refusal = named_refusal(reverted)
    assert (refusal.code, refusal.exit_code) == ("key_already_ended", 1)
    assert "KeyAlreadyEnded(7)" in refusal.message
    stale = VerificationError("transaction_reverted", "…", reason="StaleRecord(0x01, 0x02)")
    assert (named_refusal(stale).code, named_refusal(stale).exit_code) == ("record_changed", 3)
    unknown = VerificationError("balance_too_low", "…")
    assert named_refusal(unknown) is unknown


class OwnLog:
    """A node's database with a genesis entry that no anchor covers yet."""

    def __init__(self, folder: Path) -> None:
        self.config = Config(path=folder / "sealtrail.toml")
        self.event, self.log_key = EventSigner(b"\x01" * 32), Ed25519Signer(b"\x02" * 32)
        self.config.data_dir.mkdir()
        self.database = Database.open(self.config.database)
        self.tree = LogStore.open(self.database)
        domain = Domain(chain_id=1, registry=b"\x22" * 20, genesis_hash=b"\x33" * 32)
        identity = Identity(
            chain_id=1, genesis_hash=domain.genesis_hash, registry=domain.registry,
            member=MEMBER, item_salt=b"\x44" * 32,
        )  # fmt: skip
        asyncio.run(
            ensure_genesis(self.database, self.tree, identity, signer=self.event, record_time_ms=1)
        )
        self.origin = origin_of(domain, MEMBER)

    def checkpoint(self) -> None:
        head = self.tree.head()
        made = Checkpoint(self.origin, head.size, head.root_hash)
        own = OwnCheckpoint(
            checkpoint_hash=made.hash, tree_size=head.size, root_hash=head.root_hash,
            note=sign_note(made, self.log_key),
        )  # fmt: skip
        self.database.write_sync(lambda c: outbox.add_checkpoint(c, MEMBER, 1, own, 1))

    def make_final(self) -> None:
        self.database.write_sync(lambda c: outbox.set_included(c, 1, (9, b"\x55" * 32), 2))
        self.database.write_sync(lambda c: outbox.set_final(c, 1, 3))

    def needed(self, purpose: Purpose, public: bytes) -> bool:
        key = Key(purpose=purpose, public=registered_form(public), valid_from=1)
        try:
            assert require_unneeded(self.config, key)
        except ConflictError:
            return True
        return False


def test_a_key_is_needed_until_what_it_signed_is_final(tmp_path: Path) -> None:
    own = OwnLog(tmp_path)
    event, log = own.event.address, own.log_key.public_key
    assert own.needed(Purpose.EVENT, event)
    assert not own.needed(Purpose.EVENT, b"\x09" * 20)
    assert not own.needed(Purpose.LOG, log)
    own.checkpoint()
    assert own.needed(Purpose.EVENT, event)
    assert own.needed(Purpose.LOG, log)
    assert not own.needed(Purpose.LOG, b"\x09" * 32)
    own.make_final()
    assert not own.needed(Purpose.EVENT, event)
    assert not own.needed(Purpose.LOG, log)
    own.database.close()


def test_without_the_nodes_database_nothing_is_claimed(tmp_path: Path) -> None:
    config = Config(path=tmp_path / "sealtrail.toml")
    assert not require_unneeded(config, event_key(FIRST))
    operator = Key(purpose=Purpose.OPERATOR, public=FIRST, valid_from=5)
    assert require_unneeded(config, operator)  # what it sent, the contracts took or did not
