"""Witness keys that several names have: a signature does not say under which it was made, and counts once."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest

from bundle_story import ITEMS, Audited, Story, claim
from bundle_world import GENESIS_TIME, Member, Recipe, answered, failures, lines_of, signed, verify
from evidence_world import digest_of
from sealtrail.errors import InputError
from sealtrail.evidence.bundle.lines import CheckpointLine
from sealtrail.evidence.bundle.report import BundleReport
from sealtrail.evidence.bundle.trust import Cosignatures, KnownWitness, encode_trust, parse_trust
from sealtrail.evidence.wire import to_hex
from sealtrail.log.cosignature import cosign, with_cosignatures, witness_name
from sealtrail.log.ed25519 import Ed25519Signer
from sealtrail.log.timed_signature import distinct_signers
from sealtrail.membership.records import Key, Purpose, Role
from sealtrail.signing import origin_of

KEYS = {name: Ed25519Signer(digest_of("shared", name)) for name in ("one", "two", "three")}


class Witnessed(Story):
    """The story's log, and members with the witness keys that each is said to have."""

    def __init__(self, name: str, keys: dict[str, Sequence[str]]) -> None:
        super().__init__(name)
        self.witnesses = {
            who: self.maker if who == "maker" else self._join(who, n)
            for n, who in enumerate(keys, start=2)
        }
        for who, having in keys.items():
            self._register(self.witnesses[who], having)
        self.world.empty(6)

    def _join(self, who: str, number: int) -> Member:
        return Member(self.world, f"{who} of {self.maker.name}", gln=f"95212340000{number}0")

    def _register(self, member: Member, having: Sequence[str]) -> None:
        record = member.records[-1]
        more = tuple(
            Key(
                purpose=Purpose.WITNESS,
                public=KEYS[each].public_key,
                valid_from=len(self.world.blocks),
            )
            for each in having
        )
        self.world.record(member, msgspec.structs.replace(record, keys=(*record.keys, *more)))

    def cosigned(self, *by: tuple[str, str]) -> bytes:
        """Return a bundle whose last checkpoint is cosigned under each of these names, by that key."""
        others = [each for each in self.witnesses.values() if each is not self.maker]
        recipe = Recipe(issuer=self.maker, logs=[self.maker], others=others, items=list(ITEMS))
        lines = answered(self.world, lines_of(self.world, recipe))
        last = max(n for n, line in enumerate(lines) if isinstance(line, CheckpointLine))
        line = lines[last]
        assert isinstance(line, CheckpointLine)
        checkpoint = self.maker.checkpoint(int(line.note.split("\n")[1]))
        found = [
            cosign(checkpoint, self.name_of(who), KEYS[key], GENESIS_TIME + 900) for who, key in by
        ]
        lines[last] = msgspec.structs.replace(line, note=with_cosignatures(line.note, found))
        return signed(lines, self.maker)

    def name_of(self, who: str) -> str:
        if who not in self.witnesses:
            return who
        return witness_name(origin_of(self.world.domain, self.witnesses[who].member))

    def read(self, data: bytes, needed: int, named: Sequence[tuple[str, str]] = ()) -> BundleReport:
        known = [
            KnownWitness(name=self.name_of(who), public_key=to_hex(KEYS[key].public_key))
            for who, key in named
        ]
        demand = Cosignatures(needed=needed, witnesses=known)
        return verify(data, self.world.trust(pinned=5, cosignatures=demand))


TOO_FEW = {("cosignatures", "cosignatures_too_few")}


def assert_counts(story: Witnessed, data: bytes, count: int) -> None:
    """Check that so many cosignatures count, where the trust file names no witness."""
    if count:
        assert failures(story.read(data, count)) == set()
    assert failures(story.read(data, count + 1)) == TOO_FEW


def test_a_key_that_two_members_registered_counts_once() -> None:
    """Nobody asked the second one: its line is the first one's, under another name."""
    story = Witnessed("copied", {"agency": ["one"], "copier": ["one"]})
    data = story.cosigned(("agency", "one"), ("copier", "one"))
    assert_counts(story, data, 1)


def test_who_registers_the_keys_of_two_takes_neither_from_the_count() -> None:
    story = Witnessed("both", {"agency": ["one"], "office": ["two"], "copier": ["one", "two"]})
    lines = [("agency", "one"), ("office", "two"), ("copier", "one"), ("copier", "two")]
    assert_counts(story, story.cosigned(*lines), 2)
    assert_counts(story, story.cosigned(*lines[1:]), 2)
    assert_counts(story, story.cosigned(*lines[2:]), 1)


def test_a_chain_of_shared_keys_counts_as_many_as_can_be_told_apart() -> None:
    keys = {"first": ["one", "two"], "second": ["two", "three"], "third": ["three"]}
    story = Witnessed("chain", keys)
    lines = [(who, key) for who, having in keys.items() for key in having]
    assert_counts(story, story.cosigned(*lines), 3)
    assert_counts(story, story.cosigned(*lines[1:4]), 2)


def test_a_key_of_the_logs_own_member_counts_under_no_name() -> None:
    story = Witnessed("own", {"maker": ["one"], "friend": ["one", "two"]})
    assert_counts(story, story.cosigned(("maker", "one"), ("friend", "one")), 0)
    assert_counts(story, story.cosigned(("friend", "one"), ("friend", "two")), 1)
    named = [("w.example", "one"), ("v.example", "two")]
    data = story.cosigned(("w.example", "one"))
    assert failures(story.read(data, 1, named)) == TOO_FEW


def test_a_key_or_a_name_that_the_trust_file_has_twice_counts_once() -> None:
    story = Witnessed("named", {})
    named = [
        ("w.example", "one"),
        ("v.example", "one"),
        ("w.example", "two"),
        ("u.example", "three"),
    ]
    for by in (named[:2], named[::2]):
        data = story.cosigned(*by)
        assert failures(story.read(data, 1, named)) == set()
        assert failures(story.read(data, 2, named)) == TOO_FEW
    assert failures(story.read(story.cosigned(*named[1:]), 3, named)) == set()


@pytest.mark.parametrize("second", [("w.example", "two"), ("v.example", "one")])
def test_more_than_there_are_witnesses_can_not_be_demanded(second: tuple[str, str]) -> None:
    story = Witnessed("demanded", {})
    data = story.cosigned(("w.example", "one"), second)
    named = [("w.example", "one"), second]
    assert failures(story.read(data, 1, named)) == set()
    witnesses = [
        KnownWitness(name=who, public_key=to_hex(KEYS[key].public_key)) for who, key in named
    ]
    trust = story.world.trust(pinned=5, cosignatures=Cosignatures(needed=2, witnesses=witnesses))
    with pytest.raises(InputError) as caught:
        parse_trust(encode_trust(trust))
    assert caught.value.pointer == "/cosignatures/needed"


class AuditedTwice(Audited):
    """The auditors have one witness key; so has, if it is said so, the log's own member."""

    def __init__(self, name: str, *, own: bool = False) -> None:
        self._shared = Ed25519Signer(digest_of(name, "shared"))
        super().__init__(name, Role.REGULATOR)
        if own:
            self.add_witness_key(self.maker)
            self.world.empty(6)

    def witness(self, member: Member) -> Ed25519Signer:
        return self._shared


def test_two_auditors_with_one_key_count_as_one() -> None:
    story = AuditedTwice("audited by one")
    lines = answered(story.world, story.lines(story.agency, story.office))
    report = story.read(claim(lines, "index-audited", 1))
    assert failures(report) == set()
    assert len(report.logs[0].index_audited_by) == 1
    two = story.read(claim(lines, "index-audited", 2))
    assert failures(two) == {("completeness", "auditors_too_few")}


def test_an_auditor_with_the_logs_own_key_counts_for_nothing() -> None:
    story = AuditedTwice("audited by itself", own=True)
    lines = answered(story.world, story.lines(story.agency))
    report = story.read(claim(lines, "index-audited", 1))
    assert failures(report) == {("completeness", "auditors_too_few")}
    assert report.logs[0].index_audited_by == ()


def test_signers_are_told_apart_in_any_order() -> None:
    story = Witnessed("order", {})
    checkpoint = story.maker.checkpoint(1)
    pairs = [("a", "one"), ("a", "two"), ("b", "one"), ("c", "two"), ("c", "three")]
    signers = [cosign(checkpoint, name, KEYS[key], 1).witness for name, key in pairs]
    found = distinct_signers(signers)
    assert [each.name for each in found] == ["a", "b", "c"]
    assert len({each.public_key for each in found}) == 3
    assert distinct_signers(reversed(signers)) == found
