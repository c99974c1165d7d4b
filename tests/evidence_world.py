"""A small network for tests of evidence: a member with keys and a log, and a view of the chain that tests turn."""

from __future__ import annotations

from hashlib import sha256

import msgspec
import rfc8785

from sealtrail.epcis import RecordedEvent, read_content
from sealtrail.errors import UnavailableError
from sealtrail.evidence import EntryRecord, LogProof
from sealtrail.log.checkpoint import Checkpoint, sign_note
from sealtrail.log.tree import inclusion_proof, leaf_hash, root_hash
from sealtrail.membership.records import Anchor, Key, MemberRecord, Purpose, Role, Status
from sealtrail.signing import (
    EVENT_KINDS,
    NO_EVENT_HASH,
    Domain,
    Ed25519Signer,
    Entry,
    EventSigner,
    Kind,
    Reference,
    SignedEntry,
    disclosure_root,
    encode_leaf,
    encode_references,
    entry_id,
    event_disclosure_root,
    genesis_document,
    item_keys,
    items_root,
    origin_of,
    references_root,
)

DOMAIN = Domain(chain_id=1337, registry=b"\xa1" * 20, genesis_hash=b"\xa2" * 32)
ANCHORS = b"\xa3" * 20
JSON = "application/ld+json"
CONTEXT = "https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"


def digest_of(*parts: object) -> bytes:
    return sha256(repr(parts).encode()).digest()


def event_content(serial: int) -> bytes:
    """Content of a commissioning event of one pack."""
    return rfc8785.dumps(
        {
            "@context": [CONTEXT],
            "type": "ObjectEvent",
            "eventTime": "2026-03-01T10:00:00.000Z",
            "eventTimeZoneOffset": "+01:00",
            "epcList": [f"urn:epc:id:sgtin:9521234.054321.{serial}"],
            "action": "ADD",
            "bizStep": "commissioning",
            "disposition": "active",
            "readPoint": {"id": "urn:epc:id:sgln:9521234.00001.0"},
        }
    )


def event_root(event: RecordedEvent, seed: bytes) -> bytes:
    """The disclosure root of an event's entry."""
    return event_disclosure_root(
        seed, event.content, content_hash=event.content_hash, event_hash=event.event_hash
    )


class Party:
    """A member: its keys, record and log, all of them following from its name."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.member = digest_of(name, "member")[:20]
        self.event_signer = EventSigner(digest_of(name, "event"))
        self.log_signer = Ed25519Signer(digest_of(name, "log"))
        self.peer_signer = Ed25519Signer(digest_of(name, "peer"))
        self.item_salt = digest_of(name, "salt")
        self.records: list[EntryRecord] = []

    def member_record(self, **key_changes: int) -> MemberRecord:
        """The record; ``key_changes`` apply to the event key."""
        event = self.event_signer.address.rjust(32, b"\x00")
        keys = [
            Key(purpose=Purpose.EVENT, public=event, valid_from=1),
            Key(purpose=Purpose.LOG, public=self.log_signer.public_key, valid_from=1),
            Key(purpose=Purpose.PEER, public=self.peer_signer.public_key, valid_from=1),
        ]
        keys[0] = msgspec.structs.replace(keys[0], **key_changes)
        return MemberRecord(
            member=self.member,
            name=self.name,
            status=Status.ACTIVE,
            roles=Role.MANUFACTURER,
            node_url="http://127.0.0.1:1",
            glns=("9521234000013",),
            rights=(),
            keys=tuple(keys),
            version=1,
            block=1,
        )

    def append(
        self,
        content: bytes,
        kind: Kind = Kind.EVENT,
        references: tuple[Reference, ...] = (),
        hidden_items: int = 0,
    ) -> EntryRecord:
        """Append an entry; ``hidden_items`` are left out of its items root, as a liar would."""
        seed = digest_of(self.name, "seed", len(self.records))
        keys = []
        if kind in EVENT_KINDS:
            event = read_content(content, JSON)
            root = event_root(event, seed)
            keys = item_keys(self.item_salt, event.items)
        else:
            root = disclosure_root(seed, sha256(content).digest(), NO_EVENT_HASH)
        entry = Entry(
            kind=kind,
            member=self.member,
            record_time_ms=1_772_359_200_000 + len(self.records),
            disclosure_root=root,
            items_root=items_root(keys[hidden_items:]),
            references_root=references_root(references),
        )
        signature = self.event_signer.sign(entry_id(entry, DOMAIN))
        record = EntryRecord(
            leaf=encode_leaf(SignedEntry(entry, signature)),
            content=content,
            media_type=JSON,
            seed=seed,
            references=encode_references(references),
            item_salt=self.item_salt,
        )
        self.records.append(record)
        return record

    def begin(self) -> EntryRecord:
        """Append the genesis entry."""
        return self.append(genesis_document(DOMAIN, self.member, self.item_salt), Kind.GENESIS)

    def note(self, size: int) -> str:
        """The signed checkpoint of the first ``size`` entries."""
        return sign_note(self.checkpoint(size), self.log_signer)

    def checkpoint(self, size: int) -> Checkpoint:
        leaves = [leaf_hash(record.leaf) for record in self.records[:size]]
        return Checkpoint(origin_of(DOMAIN, self.member), size, root_hash(leaves))

    def proven(self, index: int, size: int) -> EntryRecord:
        """The record with its proof in the checkpoint of ``size`` entries."""
        leaves = [leaf_hash(record.leaf) for record in self.records]
        hashes = inclusion_proof(
            index, size, lambda level, n: root_hash(leaves[n << level : (n + 1) << level])
        )
        proof = LogProof(leaf_index=index, note=self.note(size), hashes=tuple(hashes))
        return msgspec.structs.replace(self.records[index], proof=proof)


class View:
    """A view of the chain; ``down`` makes it unable to answer."""

    def __init__(self, *parties: Party, block: int = 100) -> None:
        self.block = block
        self.down = False
        self.versions = {party.member: [party.member_record()] for party in parties}
        self.anchored: dict[tuple[bytes, bytes], Anchor] = {}

    def put_anchor(self, party: Party, size: int, block: int) -> None:
        checkpoint_hash = party.checkpoint(size).hash
        self.anchored[party.member, checkpoint_hash] = Anchor(
            member=party.member,
            sequence=len(self.anchored) + 1,
            checkpoint_hash=checkpoint_hash,
            suspended=False,
            block_number=block,
            block_hash=digest_of("block", block),
            block_time=1_772_359_200 + block,
            transaction_hash=digest_of("transaction", block),
        )

    def put_record(self, record: MemberRecord) -> None:
        self.versions[record.member].append(record)

    def anchor(self, member: bytes, checkpoint_hash: bytes) -> Anchor | None:
        self._ask()
        return self.anchored.get((member, checkpoint_hash))

    def record(self, member: bytes, block: int | None) -> MemberRecord | None:
        self._ask()
        versions = [v for v in self.versions.get(member, []) if block is None or v.block <= block]
        return versions[-1] if versions else None

    def _ask(self) -> None:
        if self.down:
            raise UnavailableError("chain_unreachable", "the chain does not answer")
