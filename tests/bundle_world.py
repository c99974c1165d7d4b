"""A whole network in memory, for tests of evidence bundles: a Clique chain with receipts and state, members with logs.

The chain's tries are built by py-trie, not by the code under test. What an attacker could do, a test does here: every
key is at hand.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Any

import msgspec
import rfc8785
import rlp
from coincurve import PrivateKey
from eth_abi.abi import encode
from sha3 import keccak_256
from trie import HexaryTrie

from evidence_world import ANCHORS, CONTEXT, digest_of, event_root
from sealtrail.chainproof.headers import Header, encode_header
from sealtrail.chainproof.receipts import Log, Receipt, encode_receipt
from sealtrail.epcis import detect_media_type, read_content
from sealtrail.evidence.bundle.compose import BundleSigner, PlacedCheckpoint, section_lines
from sealtrail.evidence.bundle.contracts import anchor_slots, record_digest_slot
from sealtrail.evidence.bundle.entries import EntryLine
from sealtrail.evidence.bundle.form import AnyLine, BundleLimits, SealedLine
from sealtrail.evidence.bundle.items import item_proof_line
from sealtrail.evidence.bundle.lines import (
    AccountProof,
    AnyQuestion,
    BlockLine,
    HeaderLine,
    ItemQuestion,
    LogLine,
    LogPlace,
    MemberLine,
    Program,
    ReceiptProof,
    RecordVersion,
    SlotProof,
)
from sealtrail.evidence.bundle.redact import redacted
from sealtrail.evidence.bundle.report import BundleReport
from sealtrail.evidence.bundle.trust import (
    TYPE,
    Consensus,
    KnownMember,
    Pinned,
    TrustFile,
    ValidatorInterval,
)
from sealtrail.evidence.bundle.verify import Reading, verify_bundle
from sealtrail.evidence.record import EntryRecord
from sealtrail.evidence.report import Outcome
from sealtrail.evidence.wire import WireNetwork, to_hex
from sealtrail.log.checkpoint import Checkpoint, sign_note
from sealtrail.log.item_index import (
    IndexHead,
    add_postings,
    encode_index_document,
    index_root,
    runs_of,
)
from sealtrail.log.item_proof import ItemProof
from sealtrail.log.item_run import RunInMemory, prove_in_run
from sealtrail.log.tree import leaf_hash, root_hash
from sealtrail.membership.encoding import encode_record
from sealtrail.membership.records import (
    Key,
    MemberRecord,
    NumberingRight,
    Purpose,
    Role,
    Status,
    registered_form,
)
from sealtrail.signing import (
    EVENT_KINDS,
    NO_EVENT_HASH,
    ZERO_SEED,
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
    genesis_document,
    item_key,
    item_keys,
    items_root,
    origin_of,
    parse_leaf,
    references_root,
)

REGISTRY = b"\xa1" * 20
CHAIN_ID = 1337
GENESIS_TIME = 1_772_352_000  # 2026-03-01T08:00Z
BLOCK_SECONDS = 15
EPOCH = 30_000
_EMPTY_TRIE = keccak_256(rlp.encode(b"")).digest()
_EMPTY_UNCLES = keccak_256(rlp.encode([])).digest()
_ANCHORED = keccak_256(b"Anchored(address,uint64,bytes32,bool)").digest()
_RECORDED = keccak_256(b"MemberRecorded(address,uint64,bytes)").digest()

PACK = "https://id.gs1.org/01/09521234543213/21/7"
CASE = "https://id.gs1.org/00/095212340000000013"


def event(
    minute: int,
    *,
    epcs: Sequence[str] = ("urn:epc:id:sgtin:9521234.054321.7",),
    kind: str = "ObjectEvent",
    action: str = "OBSERVE",
    step: str = "inspecting",
    disposition: str = "in_progress",
    **more: Any,
) -> bytes:
    """Content of an event, so many minutes after the chain's beginning."""
    hours, minutes = divmod(8 * 60 + minute, 60)
    names = "childEPCs" if kind == "AggregationEvent" else "epcList"
    return rfc8785.dumps(
        {
            "@context": [CONTEXT],
            "type": kind,
            "eventTime": f"2026-03-01T{hours:02d}:{minutes:02d}:00.000Z",
            "eventTimeZoneOffset": "+00:00",
            names: list(epcs),
            "action": action,
            "bizStep": step,
            "disposition": disposition,
            "readPoint": {"id": "urn:epc:id:sgln:9521234.00001.0"},
            **more,
        }
    )


def commissioning(minute: int, **more: Any) -> bytes:
    """Content of the commissioning of the pack."""
    ilmd = {
        "cbvmda:lotNumber": "L1",
        "cbvmda:itemExpirationDate": "2030-01-31",
    }
    return event(
        minute, action="ADD", step="commissioning", disposition="active", **{"ilmd": ilmd, **more}
    )


class Account:
    """A contract's storage."""

    def __init__(self) -> None:
        self.trie = HexaryTrie({})

    def put(self, slot: bytes, value: bytes) -> None:
        stripped = value.lstrip(b"\0")
        if stripped:
            self.trie[keccak_256(slot).digest()] = rlp.encode(stripped)

    @property
    def encoded(self) -> bytes:
        return bytes(rlp.encode([b"\x01", b"", self.trie.root_hash, keccak_256(b"code").digest()]))


class Block(msgspec.Struct, frozen=True):
    """A block as it was made, with what proofs are cut from."""

    header: Header
    hash: bytes
    receipts: HexaryTrie
    state: HexaryTrie
    registry: HexaryTrie
    anchors: HexaryTrie


class World:
    """The chain, and who writes on it."""

    def __init__(self, name: str = "world", *, signers: int = 3) -> None:
        keys = [PrivateKey(digest_of(name, "signer", n)) for n in range(signers)]
        self.keys = dict(sorted((_address(key), key) for key in keys))
        self.registry, self.anchors = Account(), Account()
        self.blocks: list[Block] = []
        self.places: dict[tuple[str, bytes, int], LogPlace] = {}
        self.sequences: dict[bytes, int] = {}
        self.members: list[Member] = []
        self.mine([])
        self.domain = Domain(chain_id=CHAIN_ID, registry=REGISTRY, genesis_hash=self.blocks[0].hash)

    @property
    def network(self) -> WireNetwork:
        return WireNetwork(
            chain_id=CHAIN_ID,
            genesis_hash=to_hex(self.blocks[0].hash),
            registry=to_hex(REGISTRY),
            anchors=to_hex(ANCHORS),
        )

    # -- the chain -----------------------------------------------------------------------------------

    def mine(self, logs: Sequence[Log], *, skip: int = 0) -> Block:
        """Add a block with one receipt for each log."""
        number = len(self.blocks)
        receipts = HexaryTrie({}, prune=False)
        for n, log in enumerate(logs):
            receipt = Receipt(
                kind=2,
                succeeded=True,
                cumulative_gas_used=50_000 * (n + 1),
                logs_bloom=bytes(256),
                logs=(log,),
            )
            receipts[rlp.encode(n)] = encode_receipt(receipt)
        state = HexaryTrie({})
        state[keccak_256(REGISTRY).digest()] = self.registry.encoded
        state[keccak_256(ANCHORS).digest()] = self.anchors.encoded
        addresses = list(self.keys)
        signer = addresses[number % len(addresses)]
        listed = b"".join(addresses) if number % EPOCH == 0 else b""
        header = Header(
            parent_hash=self.blocks[-1].hash if self.blocks else bytes(32),
            uncles_hash=_EMPTY_UNCLES,
            beneficiary=bytes(20),
            state_root=state.root_hash,
            transactions_root=_EMPTY_TRIE,
            receipts_root=receipts.root_hash,
            logs_bloom=bytes(256),
            difficulty=2 if number else 1,
            number=number,
            gas_limit=30_000_000,
            gas_used=50_000 * len(logs),
            time=GENESIS_TIME + BLOCK_SECONDS * (number + skip),
            extra_data=bytes(32) + listed + bytes(65),
            mix_hash=bytes(32),
            nonce=bytes(8),
            base_fee=0,
        )
        if number:
            header = self.sealed(header, signer)
        block = Block(
            header,
            keccak_256(encode_header(header)).digest(),
            receipts,
            _frozen(state),
            _frozen(self.registry.trie),
            _frozen(self.anchors.trie),
        )
        self.blocks.append(block)
        return block

    def sealed(self, header: Header, signer: bytes) -> Header:
        """Return the header with that signer's seal."""
        bare = header.extra_data[:-65]
        unsealed = msgspec.structs.replace(header, extra_data=bare)
        digest = keccak_256(encode_header(unsealed)).digest()
        seal = self.keys[signer].sign_recoverable(digest, hasher=None)
        return msgspec.structs.replace(header, extra_data=bare + seal)

    def empty(self, count: int) -> None:
        for _ in range(count):
            self.mine([])

    def record(self, member: Member, record: MemberRecord) -> MemberRecord:
        """Have the registry record the next version of a member's record."""
        record = msgspec.structs.replace(
            record, version=len(member.records) + 1, block=len(self.blocks)
        )
        data = encode_record(record)
        self.registry.put(record_digest_slot(member.member), keccak_256(data).digest())
        log = Log(
            address=REGISTRY,
            topics=(
                _RECORDED,
                member.member.rjust(32, b"\0"),
                record.version.to_bytes(32, "big"),
            ),
            payload=encode(["bytes"], [data]),
        )
        self.places["record", member.member, record.version] = LogPlace(
            block=len(self.blocks), receipt=0, log=0
        )
        self.mine([log])
        member.records.append(record)
        if member not in self.members:
            self.members.append(member)
        return record

    def anchor(self, member: Member, size: int, *, suspended: bool = False) -> None:
        """Anchor the member's checkpoint of that size."""
        checkpoint = member.checkpoint(size)
        sequence = self.sequences.get(member.member, 0) + 1
        self.sequences[member.member] = sequence
        following, latest = anchor_slots(member.member)
        self.anchors.put(following, (sequence + 1).to_bytes(32, "big"))
        self.anchors.put(latest, checkpoint.hash)
        log = Log(
            address=ANCHORS,
            topics=(_ANCHORED, member.member.rjust(32, b"\0"), sequence.to_bytes(32, "big")),
            payload=checkpoint.hash + bytes(31) + bytes([suspended]),
        )
        place = LogPlace(block=len(self.blocks), receipt=0, log=0)
        self.places["anchor", member.member, sequence] = place
        self.mine([log])
        member.anchored.append(PlacedCheckpoint(size=size, note=member.note(size), anchor=place))

    # -- what a bundle has of it -----------------------------------------------------------------------

    def trust(self, pinned: int | None = None, **more: Any) -> TrustFile:
        block = self.blocks[pinned or len(self.blocks) - 10]
        return TrustFile(
            type=TYPE,
            network=self.network,
            consensus=Consensus(form="clique", epoch=EPOCH),
            validators=[ValidatorInterval(from_=0, validators=[to_hex(a) for a in self.keys])],
            pinned=Pinned(
                block=block.header.number, hash=to_hex(block.hash), time=block.header.time
            ),
            operators={to_hex(a): f"Operator {n}" for n, a in enumerate(self.keys, start=1)},
            members=[KnownMember(member=to_hex(m.member), name=m.name) for m in self.members],
            **more,
        )

    def block_lines(
        self, places: Iterable[LogPlace], proof_block: int, slots: dict[bytes, set[bytes]]
    ) -> list[BlockLine]:
        proven: dict[int, set[int]] = {proof_block: set()}
        for place in places:
            proven.setdefault(place.block, set()).add(place.receipt)
        on_top = len(self.keys) // 2 + 1
        numbers = sorted({n + k for n in proven for k in range(on_top + 1)})
        return [
            BlockLine(
                header=encode_header(self.blocks[n].header),
                receipts=[
                    ReceiptProof(index=i, proof=_proof(self.blocks[n].receipts, rlp.encode(i)))
                    for i in sorted(proven.get(n, ()))
                ],
                accounts=self._accounts(n, slots) if n == proof_block else [],
            )
            for n in numbers
        ]

    def _accounts(self, number: int, slots: dict[bytes, set[bytes]]) -> list[AccountProof]:
        block = self.blocks[number]
        storage = {REGISTRY: block.registry, ANCHORS: block.anchors}
        return [
            AccountProof(
                address=to_hex(address),
                proof=_proof(block.state, keccak_256(address).digest()),
                slots=[
                    SlotProof(
                        slot=to_hex(slot), proof=_proof(storage[address], keccak_256(slot).digest())
                    )
                    for slot in sorted(slots[address])
                ],
            )
            for address in sorted(slots)
        ]


class Member:
    """A member: its keys and log."""

    def __init__(self, world: World, name: str, *, gln: str = "9521234000013", **more: Any) -> None:
        self.world = world
        self.name = name
        self.operator = EventSigner(digest_of(name, "operator"))
        self.member = self.operator.address
        self.event_signer = EventSigner(digest_of(name, "event"))
        self.log_signer = Ed25519Signer(digest_of(name, "log"))
        self.peer_signer = Ed25519Signer(digest_of(name, "peer"))
        self.item_salt = digest_of(name, "salt")
        self.records: list[MemberRecord] = []
        self.entries: list[EntryRecord] = []
        self.anchored: list[PlacedCheckpoint] = []
        self.clock_ms = GENESIS_TIME * 1000
        world.record(self, self._first_record(gln, more))
        self.append(
            genesis_document(world.domain, self.member, self.item_salt),
            Kind.GENESIS,
            seed=ZERO_SEED,
        )

    def _first_record(self, gln: str, more: dict[str, Any]) -> MemberRecord:
        block = len(self.world.blocks)
        public = {
            Purpose.OPERATOR: self.member,
            Purpose.EVENT: self.event_signer.address,
            Purpose.LOG: self.log_signer.public_key,
            Purpose.PEER: self.peer_signer.public_key,
        }
        record = MemberRecord(
            member=self.member,
            name=self.name,
            status=Status.ACTIVE,
            roles=Role.MANUFACTURER,
            node_url="http://127.0.0.1:1",
            glns=(gln,),
            rights=(NumberingRight(digits="9521234"),),
            keys=tuple(
                Key(purpose=p, public=registered_form(k), valid_from=block)
                for p, k in public.items()
            ),
            version=1,
            block=block,
        )
        return msgspec.structs.replace(record, **more)

    def append(
        self,
        content: bytes,
        kind: Kind = Kind.EVENT,
        *,
        references: tuple[Reference, ...] = (),
        seed: bytes | None = None,
        signer: EventSigner | None = None,
        record_time_ms: int | None = None,
    ) -> int:
        """Append an entry; return its leaf index."""
        seed = seed or digest_of(self.name, "seed", len(self.entries))
        keys: list[bytes] = []
        media_type = "application/json"
        if kind in EVENT_KINDS:
            media_type = detect_media_type(content)
            read = read_content(content, media_type)
            root, keys = event_root(read, seed), item_keys(self.item_salt, read.items)
        else:
            root = disclosure_root(seed, sha256(content).digest(), NO_EVENT_HASH)
        self.clock_ms = max(self.clock_ms + 1, self.world.blocks[-1].header.time * 1000)
        entry = Entry(
            kind=kind,
            member=self.member,
            record_time_ms=self.clock_ms if record_time_ms is None else record_time_ms,
            disclosure_root=root,
            items_root=items_root(keys),
            references_root=references_root(references),
        )
        signature = (signer or self.event_signer).sign(entry_id(entry, self.world.domain))
        self.entries.append(
            EntryRecord(
                leaf=encode_leaf(SignedEntry(entry, signature)),
                content=content,
                media_type=media_type,
                seed=seed,
                references=encode_references(references),
                item_keys=tuple(keys),
                item_salt=self.item_salt,
            )
        )
        return len(self.entries) - 1

    def entry_id(self, index: int) -> bytes:
        return entry_id(parse_leaf(self.entries[index].leaf).entry, self.world.domain)

    def seal(self, *, leave_out: Iterable[int] = (), **anchor: bool) -> None:
        """Append an index entry and anchor the checkpoint behind it; ``leave_out`` are leaves it lies about."""
        runs = self.index_runs(leave_out)
        head = IndexHead(
            covers=len(self.entries),
            postings=self.postings(leave_out),
            root_hash=index_root(run.head for run in runs),
        )
        self.append(encode_index_document(head), Kind.INDEX, seed=ZERO_SEED)
        self.world.anchor(self, len(self.entries), **anchor)

    def postings(self, leave_out: Iterable[int] = ()) -> int:
        out = set(leave_out)
        return sum(len(e.item_keys) for n, e in enumerate(self.entries) if n not in out)

    def index_runs(
        self, leave_out: Iterable[int] = (), *, until: int | None = None
    ) -> list[RunInMemory]:
        """Return the runs over the entries so far: logs of tests are short, so there is at most the tail."""
        out, lists, count = set(leave_out), dict[bytes, bytes](), 0
        for index, each in enumerate(self.entries[:until]):
            if index not in out:
                add_postings(lists, index, each.item_keys)
                count += len(each.item_keys)
        runs = runs_of(count)
        assert len(runs) <= 1
        return [RunInMemory(run, lists) for run in runs]

    def prove(
        self, item: str, *, packs: bool = False, size: int, leave_out: Iterable[int] = ()
    ) -> ItemProof:
        key = item_key(self.item_salt, item, packs=packs)
        runs = self.index_runs(leave_out, until=size - 1)
        return ItemProof(tuple(prove_in_run(run, key) for run in runs))

    def node(self, level: int, index: int) -> bytes:
        leaves = self.entries[index << level : (index + 1) << level]
        return root_hash([leaf_hash(e.leaf) for e in leaves])

    def checkpoint(self, size: int) -> Checkpoint:
        root = root_hash([leaf_hash(e.leaf) for e in self.entries[:size]])
        return Checkpoint(origin_of(self.world.domain, self.member), size, root)

    def note(self, size: int) -> str:
        return sign_note(self.checkpoint(size), self.log_signer)

    def member_line(self) -> MemberLine:
        return MemberLine(
            member=to_hex(self.member),
            records=[
                RecordVersion(
                    record=encode_record(r),
                    **msgspec.structs.asdict(self.world.places["record", self.member, r.version]),
                )
                for r in self.records
            ],
        )


class Recipe(msgspec.Struct, kw_only=True):
    """What a bundle is to have; tests change it before it is cooked."""

    issuer: Member
    logs: list[Member]
    others: list[Member] = []  # whose records are there, and no logs
    question: AnyQuestion = ItemQuestion(item=PACK)
    items: list[tuple[str, bool]] = []
    shown: dict[bytes, list[int]] = {}
    withheld: dict[bytes, set[int]] = {}
    leave_out: dict[bytes, set[int]] = {}
    # Of each event only these, and no documents; None: whole events.
    shown_items: list[str] | None = None
    network: WireNetwork | None = None
    proof_block: int | None = None


def lines_of(world: World, recipe: Recipe) -> list[AnyLine]:
    """Return a bundle's lines up to the answer, which is not there yet."""
    proof_block = recipe.proof_block or len(world.blocks) - 1 - (len(world.keys) // 2 + 1)
    members = sorted(
        {m.member: m for m in [recipe.issuer, *recipe.logs, *recipe.others]}.values(),
        key=lambda m: m.member,
    )
    sections: list[AnyLine] = []
    slots: dict[bytes, set[bytes]] = {REGISTRY: set(), ANCHORS: set()}
    for member in sorted(recipe.logs, key=lambda m: m.member):
        anchored = [c for c in member.anchored if c.anchor.block <= proof_block]
        size = anchored[-1].size
        shown = {0, size - 1, *recipe.shown.get(member.member, range(size))}
        out = recipe.withheld.get(member.member, set())
        entries = {
            n: _bare(member.entries[n]) if n in out else member.entries[n] for n in sorted(shown)
        }
        proofs = [
            item_proof_line(
                item,
                packs=packs,
                proof=member.prove(
                    item,
                    packs=packs,
                    size=size,
                    leave_out=recipe.leave_out.get(member.member, ()),
                ),
            )
            for item, packs in recipe.items
        ]
        opening = LogLine(
            member=to_hex(member.member), item_salt=to_hex(member.item_salt), covered=True
        )
        sections += section_lines(opening, entries, anchored, member.node, proofs)
        slots[ANCHORS].update(anchor_slots(member.member))
    if recipe.shown_items is not None:
        sections = [
            redacted(line, recipe.shown_items, _salt_of(line, members))
            if isinstance(line, EntryLine)
            else line
            for line in sections
        ]
    member_lines = [m.member_line() for m in members]
    slots[REGISTRY].update(record_digest_slot(m.member) for m in members)
    places = [r.place for line in member_lines for r in line.records]
    places += [line.anchor for line in sections if hasattr(line, "anchor")]
    header = HeaderLine(
        format="sealtrail/evidence/1",
        network=recipe.network or world.network,
        program=Program(name="sealtrail", version="0.1.0"),
        issuer=to_hex(recipe.issuer.member),
        question=recipe.question,
        proof_block=proof_block,
    )
    return [header, *world.block_lines(places, proof_block, slots), *member_lines, *sections]


def answered(world: World, lines: list[AnyLine]) -> list[AnyLine]:
    """Return the lines with the answer that follows from them."""
    reading = Reading(world.trust(pinned=1), item=None, min_block=None, limits=BundleLimits())
    for n, line in enumerate(lines, start=1):
        reading.take(SealedLine(n, line, b""))
    covered = {line.member for line in lines if isinstance(line, LogLine) and line.covered}
    others = [m.member for m in world.members if to_hex(m.member) not in covered]
    return [*lines, reading.conclude(len(lines) + 1, not_covered=others)]


def signed(lines: Iterable[AnyLine], issuer: Member) -> bytes:
    """Return the bundle's bytes."""
    signing = BundleSigner(issuer.peer_signer)
    return b"".join([*(signing.line(line) for line in lines), signing.end()])


def bundle(world: World, recipe: Recipe) -> bytes:
    return signed(answered(world, lines_of(world, recipe)), recipe.issuer)


def verify(data: bytes, trust: TrustFile, **more: Any) -> BundleReport:
    return verify_bundle(data.splitlines(keepends=True), trust, **more)


def problems(report: BundleReport, outcome: Outcome) -> set[tuple[str, str]]:
    """Return step and code of what came out so."""
    return {
        (str(step.name), problem.code)
        for step in report.steps
        for problem in step.problems
        if problem.outcome is outcome
    }


def failures(report: BundleReport) -> set[tuple[str, str]]:
    """Return step and code of what does not hold."""
    return problems(report, Outcome.DOES_NOT_HOLD)


def _salt_of(line: EntryLine, members: Iterable[Member]) -> bytes:
    owner = parse_leaf(line.leaf).entry.member
    return next(m.item_salt for m in members if m.member == owner)


def _bare(record: EntryRecord) -> EntryRecord:
    return msgspec.structs.replace(
        record, content=None, seed=None, references=b"", item_keys=(), item_salt=None
    )


def _proof(trie: HexaryTrie, key: bytes) -> list[bytes]:
    nodes = [bytes(rlp.encode(node)) for node in trie.get_proof(key)]
    # what is shorter than a hash stands within its parent
    return [node for n, node in enumerate(nodes) if n == 0 or len(node) >= 32]


def _frozen(trie: HexaryTrie) -> HexaryTrie:
    return HexaryTrie(dict(trie.db), trie.root_hash)


def _address(key: PrivateKey) -> bytes:
    return bytes(keccak_256(key.public_key.format(compressed=False)[1:]).digest()[-20:])
