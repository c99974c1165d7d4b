"""The verifier of evidence bundles: a bundle's lines and a trust file in, a report of fourteen steps out.

Nothing of a bundle is believed that does not follow from the trust file. Read in one pass, in memory that does not grow
with the bundle, but for a question about an item, whose entries are judged together.

Source: docs/protocol.md section 20.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeAlias

import msgspec

from sealtrail.errors import SealtrailError, VerificationError
from sealtrail.evidence.bundle.after_recall import AfterRecall
from sealtrail.evidence.bundle.answer import (
    AUDITED,
    NOT_CLAIMED,
    Conclusion,
    answer_line,
    conclude_sections,
    each_once,
    index_auditors,
)
from sealtrail.evidence.bundle.chain import ChainPart
from sealtrail.evidence.bundle.compose import SIGNED_PREFIX
from sealtrail.evidence.bundle.cosigned import Cosigners
from sealtrail.evidence.bundle.entries import EntryLine
from sealtrail.evidence.bundle.form import BundleLimits, SealedLine, malformed, read_lines
from sealtrail.evidence.bundle.held import Held
from sealtrail.evidence.bundle.items import ItemProofLine
from sealtrail.evidence.bundle.lines import (
    AnswerLine,
    BlockLine,
    CheckpointLine,
    Completeness,
    HeaderLine,
    ItemQuestion,
    LogLine,
    LogQuestion,
    MemberLine,
    QueryQuestion,
    SignatureLine,
)
from sealtrail.evidence.bundle.members import MembersPart
from sealtrail.evidence.bundle.queried import check_query
from sealtrail.evidence.bundle.report import BundleReport, BundleStepName, Notebook
from sealtrail.evidence.bundle.sections import Section, SectionReader
from sealtrail.evidence.bundle.telling import describe_question, tell
from sealtrail.evidence.bundle.times import Times
from sealtrail.evidence.bundle.trust import TrustFile, network_of
from sealtrail.evidence.chain import ChainSteps
from sealtrail.evidence.verify import Statement
from sealtrail.evidence.wire import from_hex, to_hex
from sealtrail.gs1 import canonical
from sealtrail.membership.records import Network, Purpose, Status
from sealtrail.signing import verify_ed25519

Step = BundleStepName
_LISTED_MAX = 4

Ahead: TypeAlias = Callable[[Iterator[SealedLine]], Iterable[tuple[SealedLine, Statement | None]]]
"""Gives the same lines in the same order, and of entries what :func:`read_statement` says, if it was asked already."""


def one_by_one(lines: Iterator[SealedLine]) -> Iterator[tuple[SealedLine, Statement | None]]:
    """Ask nothing ahead."""
    return ((line, None) for line in lines)


def verify_bundle(
    source: Iterable[bytes],
    trust: TrustFile,
    *,
    item: str | None = None,
    min_block: int | None = None,
    program: str = "sealtrail",
    limits: BundleLimits = BundleLimits(),  # noqa: B008 frozen
    progress: Callable[[int], None] = lambda _: None,
    ahead: Ahead = one_by_one,
) -> BundleReport:
    """Verify a bundle.

    Args:
        source: the file's lines, each with its newline.
        item: canonical identifier that the bundle must be about.
        min_block: the oldest proof block that is good enough.
        program: what verifies, for the report.
        progress: told the number of bytes that were read, line by line.
        ahead: may read entries before their turn, in other processes.

    Raises:
        InputError: ``bundle_malformed``: it is not in the form of a bundle (nothing else is said of it then).
        TooLargeError: ``bundle_line_too_long``.
    """
    reading = Reading(trust, item=item, min_block=min_block, limits=limits)
    read = 0

    def counted() -> Iterable[bytes]:
        nonlocal read
        for data in source:
            read += len(data)
            progress(read)
            yield data

    for sealed, statement in ahead(read_lines(counted(), limits)):
        reading.take(sealed, statement)
    return reading.report(program)


class Reading:
    """The state of one reading: each line goes to the part that it belongs to.

    Who makes a bundle has it read like this before it is signed.
    """

    def __init__(
        self,
        trust: TrustFile,
        *,
        item: str | None,
        min_block: int | None,
        limits: BundleLimits,
    ) -> None:
        self._trust = trust
        self._item = item
        self._min_block = min_block
        self._limits = limits
        self.notebook = self._notebook = Notebook()
        self._times = Times(self._notebook, trust.anchor_delay_seconds)
        self._held = Held(limits)
        self._section: SectionReader | None = None
        self._sections: list[Section] = []
        self._header: HeaderLine | None = None
        self._chain_closed = False
        self._order: tuple[bytes, int] | None = None
        self._asked = 0  # the next leaf of the part of a log that is asked for, in the open section
        self._found = 0  # the same, in the section that has most
        self._leaves: dict[int, bytes] = {}  # of one log, as its sections show them

    def take(self, sealed: SealedLine, statement: Statement | None = None) -> None:
        """Take up the next line; ``statement`` as of :data:`Ahead`."""
        line, number = sealed.line, sealed.number
        match line:
            case HeaderLine():
                self._begin(line)
            case BlockLine():
                self._chain.add(line, number)
            case MemberLine():
                self._close_chain()
                self._members.add(line, number)
            case LogLine():
                self._close_section(number)
                self._open_section(line, number)
            case EntryLine():
                self._open.add_entry(line, number, statement)
                self._note_asked(line)
            case CheckpointLine():
                self._open.add_checkpoint(line, number)
            case ItemProofLine():
                self._open.add_item_proof(line, number)
            case AnswerLine():
                self._close_section(number)
                self._answer = line
            case SignatureLine():
                self._sign(line, sealed)

    # -- beginning -----------------------------------------------------------------------------------

    def _begin(self, line: HeaderLine) -> None:
        self._header = line
        self._network = network_of(line.network)
        self._keep = not isinstance(line.question, LogQuestion)
        if isinstance(line.question, LogQuestion):
            self._found = line.question.first
        if line.network != self._trust.network:
            self._notebook.fails(
                Step.NETWORK,
                "another_network",
                f"made for chain {line.network.chain_id} with genesis {line.network.genesis_hash} and registry"
                f" {line.network.registry}; the trust file is for chain {self._trust.network.chain_id},"
                f" {self._trust.network.genesis_hash}, {self._trust.network.registry}",
            )
        self._notebook.shows(Step.NETWORK, f"chain {line.network.chain_id}")
        self._check_question(line)
        self._chain = ChainPart(self._notebook, self._trust, line.proof_block, self._limits)
        self._members = MembersPart(
            self._notebook, self._chain, self._network, line.proof_block, self._limits
        )
        self._steps = ChainSteps(self._network.domain, self._members)
        self._cosigners = Cosigners(
            self._notebook, self._trust, self._members, self._network.domain
        )

    def _check_question(self, line: HeaderLine) -> None:
        question = line.question
        asked = question.item if isinstance(question, ItemQuestion) else None
        if asked is not None and canonical(asked) != asked:
            self._notebook.fails(
                Step.QUESTION,
                "item_not_canonical",
                f"it is about {asked!r}, which no log lists; the item is {canonical(asked)}",
                advice="that nothing is recorded under another spelling says nothing of the item",
            )
        if isinstance(question, LogQuestion) and question.first >= question.until:
            self._notebook.fails(Step.QUESTION, "no_leaves_asked", "it is about no leaf of the log")
        self._notebook.shows(Step.QUESTION, describe_question(line))
        if self._item is not None and asked != self._item:
            self._notebook.fails(
                Step.QUESTION,
                "another_item",
                f"it is about {describe_question(line)}, not about {self._item}",
            )

    def _close_chain(self) -> None:
        if not self._chain_closed:
            self._chain.close(self._min_block)
            self._chain_closed = True

    # -- sections ------------------------------------------------------------------------------------

    @property
    def _open(self) -> SectionReader:
        assert self._section is not None  # the order of lines has seen to it
        return self._section

    def _open_section(self, line: LogLine, number: int) -> None:
        if len(self._sections) == self._limits.sections_max:
            raise malformed(number, "", "more sections than a bundle may have")
        self._times.begin()
        assert self._header is not None
        if isinstance(self._header.question, LogQuestion):
            self._asked = self._header.question.first
        self._section = SectionReader(
            line,
            number,
            notebook=self._notebook,
            network=self._network,
            chain=self._chain,
            members=self._members,
            steps=self._steps,
            times=self._times,
            cosigners=self._cosigners,
            keep=self._keep,
            held=self._held,
            after=self._sections[-1] if self._sections else None,
        )

    def _close_section(self, number: int) -> None:
        if self._section is None:
            return
        section = self._section.close(number)
        self._section = None
        order = (section.member, section.size)
        alone = not any(s.covered for s in [*self._sections[-1:], section])
        same = bool(self._sections) and self._sections[-1].member == section.member
        if self._order is not None and (order <= self._order or (same and not alone)):
            raise malformed(number, "", "sections are not in order, or a covered one is not alone")
        self._order = order
        self._compare_leaves(section, fresh=not same)
        self._sections.append(section)

    def _compare_leaves(self, section: Section, *, fresh: bool) -> None:
        """Note it where two sections of one log show different entries as one leaf: both trees can't be of that log."""
        if fresh:
            self._leaves = {}
        for each in section.kept:
            leaf = each.record.leaf
            if self._leaves.setdefault(each.index, leaf) != leaf:
                self._notebook.fails(
                    Step.LOGS,
                    "log_contradicts_itself",
                    "another section shows another entry there, under a checkpoint of the same log",
                    place=f"leaf {each.index} of the log of {to_hex(section.member)}",
                    advice="the member anchored two histories: keep this bundle, it proves that",
                )

    def _note_asked(self, line: EntryLine) -> None:
        assert self._header is not None
        question = self._header.question
        if not isinstance(question, LogQuestion):
            return
        if line.index != self._asked or line.index >= question.until:
            return
        if self._open.member == from_hex(question.member):
            self._asked += 1
            # in one section, or they may be of two trees
            self._found = max(self._found, self._asked)

    # -- the end -------------------------------------------------------------------------------------

    def _sign(self, line: SignatureLine, sealed: SealedLine) -> None:
        """Check the issuer's signature over all that came before."""
        self._digest = sealed.digest_before
        if from_hex(line.digest) != self._digest:
            raise malformed(sealed.number, "/digest", "the file is not the one that was signed")
        assert self._header is not None
        issuer = from_hex(self._header.issuer)
        public_key = from_hex(line.public_key)
        try:
            verify_ed25519(public_key, SIGNED_PREFIX + self._digest, line.value)
            record = self._members.record(issuer, None)
            key = record.key(Purpose.PEER, public_key) if record else None
            if key is None or not key.valid_at(self._members.block):
                raise VerificationError(
                    "issuer_key_unknown",
                    f"{line.public_key} is no peer key of {self._header.issuer} at block"
                    f" {self._members.block}",
                )
            if key.compromised_since:
                raise VerificationError(
                    "issuer_key_compromised", f"{line.public_key} was reported compromised"
                )
        except SealtrailError as e:
            self._notebook.error(Step.ISSUER, e)
        self._notebook.shows(Step.ISSUER, self._members.name(issuer))

    def conclude(self, number: int, *, not_covered: Iterable[bytes]) -> AnswerLine:
        """Return the answer that the lines so far bear out; it is to be line ``number``.

        Args:
            not_covered: active members whose logs the answer does not cover.
        """
        assert self._header is not None
        self._close_section(number)
        return answer_line(
            self._header.question,
            self._sections,
            self._conclusion(),
            not_covered=not_covered,
        )

    def _expected(self, conclusion: Conclusion) -> AnswerLine:
        """Return the answer that the bundle should have, claiming what it claims."""
        assert self._header is not None
        claim = self._answer.completeness
        return answer_line(
            self._header.question,
            self._sections,
            conclusion,
            not_covered=[from_hex(each) for each in claim.not_covered],
        )

    def _conclusion(self, network: Network | None = None) -> Conclusion:
        assert self._header is not None
        proof = self._chain.proof_header
        return conclude_sections(
            self._header.question,
            self._sections,
            network or self._members.network(),
            now_seconds=proof.time if proof else 0,
        )

    def report(self, program: str) -> BundleReport:
        """Conclude, and return the report."""
        assert self._header is not None
        conclusion = self._conclusion()
        self._members.close()
        self._times.close()
        self._cosigners.close()
        self._show_counts()
        if isinstance(self._header.question, QueryQuestion):
            check_query(self._notebook, self._header.question, each_once(self._sections))
        self._check_completeness(conclusion)
        self._check_answer(conclusion)
        return tell(
            self._notebook,
            self._header,
            self._trust,
            digest=self._digest,
            program=program,
            chain=self._chain,
            members=self._members,
            sections=self._sections,
            answer=self._answer,
            conclusion=conclusion,
        )

    def _show_counts(self) -> None:
        entries = sum(s.entries for s in self._sections)
        lists = sum(len(s.lists) for s in self._sections)
        shows = self._notebook.shows
        shows(Step.FORM, f"SHA-256 {self._digest.hex()}")
        shows(Step.LOGS, f"{len({s.member for s in self._sections})} logs")
        shows(Step.ANCHORS, f"{len(self._sections)} sections, each ended by an anchored checkpoint")
        shows(Step.ENTRIES, f"{entries} entries")
        shows(Step.ITEM_INDEX, f"{lists} lists of items" if lists else "no lists of items")

    def _check_completeness(self, conclusion: Conclusion) -> None:
        assert self._header is not None
        claim = self._answer.completeness
        note = self._notebook
        question = self._header.question
        self._check_claimed(claim)
        if isinstance(question, LogQuestion):
            self._check_part_of_log(question)
            return
        if isinstance(question, QueryQuestion):
            note.shows(
                Step.COMPLETENESS, "the events that the issuer knows; nothing is claimed of others"
            )
            return
        if claim.grade == NOT_CLAIMED:
            note.shows(Step.COMPLETENESS, "not claimed")
            note.unknown(
                Step.COMPLETENESS,
                "completeness_not_claimed",
                "the issuer does not claim that these are all events",
                advice="ask for a bundle that covers the logs of who handled the item",
            )
            return
        covered = ", ".join(
            f"{self._members.name(from_hex(c.member))} up to anchor {c.sequence}"
            for c in claim.covered
        )
        note.shows(Step.COMPLETENESS, f"{claim.grade}: {covered}")
        for member, item in conclusion.missing:
            note.fails(
                Step.COMPLETENESS,
                "item_list_missing",
                f"no list of {item} in the log of {self._members.name(member)}",
                advice="events on it may have been left out",
            )
        if conclusion.withheld_needed:
            note.fails(
                Step.COMPLETENESS,
                "redacted_not_complete",
                f"{conclusion.withheld_needed} entries on the item are withheld, and yet it claims to be complete",
            )

    def _check_claimed(self, claim: Completeness) -> None:
        """Check that a claim is made of an item only, and of some log."""
        assert self._header is not None
        note = self._notebook
        if claim.auditors and claim.grade != AUDITED:
            note.fails(
                Step.COMPLETENESS,
                "auditors_not_claimed",
                f"it names {claim.auditors} auditors and does not claim to be audited",
            )
        if claim.grade == NOT_CLAIMED:
            return
        if not isinstance(self._header.question, ItemQuestion):
            note.fails(
                Step.COMPLETENESS,
                "completeness_unfounded",
                f"it claims to be {claim.grade}, which only an answer about an item can be shown to be",
                advice="take it for the events that the issuer chose to show",
            )
        elif not any(section.covered for section in self._sections):
            note.fails(
                Step.COMPLETENESS,
                "nothing_covered",
                f"{claim.grade} is claimed, and no log is covered",
                advice="ask for a bundle that covers the logs of who handled the item",
            )

    def _check_part_of_log(self, question: LogQuestion) -> None:
        """Check that all of the log's entries that are asked for are there, one after another."""
        found = self._found - question.first
        self._notebook.shows(Step.COMPLETENESS, f"{found} entries, one after another")
        if self._found < question.until:
            self._notebook.fails(
                Step.COMPLETENESS,
                "entry_left_out",
                f"of leaves {question.first} to {question.until - 1}, which are asked for, leaf {self._found} is"
                " not there",
            )

    def _check_answer(self, conclusion: Conclusion) -> None:
        assert self._header is not None
        note, claim = self._notebook, self._answer.completeness
        expected = self._expected(conclusion)
        self._check_not_covered()
        if expected.completeness.covered != claim.covered:
            note.fails(
                Step.COMPLETENESS, "covered_differs", "the answer names other logs than are covered"
            )
        if conclusion.withheld != self._answer.withheld:
            note.fails(
                Step.COMPLETENESS,
                "withheld_differs",
                f"the answer says that {self._answer.withheld.entries} entries and"
                f" {self._answer.withheld.parts} parts are withheld; it is {conclusion.withheld.entries} and"
                f" {conclusion.withheld.parts}",
            )
        note.shows(Step.VERDICTS, "verdicts and findings, concluded again")
        for name in ("verdicts", "findings"):
            if getattr(expected, name) != getattr(self._answer, name):
                note.fails(
                    Step.VERDICTS,
                    f"{name}_differ",
                    f"the entries give other {name} than the answer has",
                )
        self._check_members_known()
        self._check_after_recall(conclusion.after_recall)

    def _check_after_recall(self, found: AfterRecall) -> None:
        if found.surely:
            self._notebook.fails(
                Step.VERDICTS,
                "corrected_after_recall",
                f"events were corrected after a recall was anchored: {_listed(found.surely)}",
                advice="judge by what stood before the recall, and ask who corrected it and why",
            )
        if found.perhaps:
            self._notebook.unknown(
                Step.VERDICTS,
                "recall_perhaps_earlier",
                "earlier checkpoints of a recall's log are not shown, so that these corrections may have been"
                f" anchored after it: {_listed(found.perhaps)}",
                advice="ask another node, or whoever recalled it, since when the recall is anchored",
            )

    def _check_members_known(self) -> None:
        """Judge again with all members that the trust file knows: whose record was left out may hold the number."""
        assert self._header is not None
        network = self._members.network()
        here = {member.member for member in network.members}
        more = [m for m in self._trust.member_records() if m.member not in here]
        if not more or self._answer.verdicts is None:
            return
        wider = msgspec.structs.replace(network, members=(*network.members, *more))
        verdicts = self._expected(self._conclusion(wider)).verdicts
        if verdicts != self._answer.verdicts:
            self._notebook.fails(
                Step.VERDICTS,
                "members_left_out",
                "with the members that the trust file knows, the verdicts are others",
                advice="a record was left out that speaks against the answer: ask another node",
            )

    def _check_not_covered(self) -> None:
        """Check that no active member is passed over in silence."""
        claim = self._answer.completeness
        named = {c.member for c in claim.covered} | set(claim.not_covered)
        known = {m.member for m in self._trust.members}
        network = self._members.network()
        known |= {to_hex(m.member) for m in network.members if m.status is Status.ACTIVE}
        known -= {to_hex(m.member) for m in network.members if m.status is not Status.ACTIVE}
        if claim.grade != NOT_CLAIMED and known - named:
            missing = ", ".join(sorted(known - named)[:4])
            self._notebook.fails(
                Step.COMPLETENESS,
                "member_not_mentioned",
                f"active members are neither covered nor named as not covered: {missing}",
            )
        if claim.grade == AUDITED:
            self._check_audited(claim.auditors)

    def _check_audited(self, claimed: int) -> None:
        """Check that as many members audited each covered log's item index as the answer says."""
        found = index_auditors(s for s in self._sections if s.covered)
        if not claimed:
            self._notebook.fails(
                Step.COMPLETENESS, "auditors_missing", "it claims to be audited, by nobody"
            )
        elif found < claimed:
            self._notebook.fails(
                Step.COMPLETENESS,
                "auditors_too_few",
                f"it claims that {claimed} members audited each log's item index; {found} did",
                advice="take it as asserted by the logs' own members alone",
            )


def _listed(entry_ids: Sequence[bytes]) -> str:
    return ", ".join(to_hex(each) for each in entry_ids[:_LISTED_MAX])
