"""What the verifier of a bundle says: fourteen numbered steps, each with its outcome and the reasons for it.

Source: docs/protocol.md section 20 has the steps in the same numbers.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from sealtrail.errors import SealtrailError, UnavailableError
from sealtrail.evidence.report import Outcome

PROBLEMS_MAX = 50  # that are spelt out for one step; all are counted


class BundleStepName(StrEnum):
    """The steps in their order."""

    FORM = "form"
    NETWORK = "network"
    CHAIN = "chain"
    MEMBERS = "members"
    ISSUER = "issuer"
    QUESTION = "question"
    LOGS = "logs"
    ANCHORS = "anchors"
    ENTRIES = "entries"
    TIMES = "times"
    COSIGNATURES = "cosignatures"
    ITEM_INDEX = "item_index"
    COMPLETENESS = "completeness"
    VERDICTS = "verdicts"


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """Why a step does not hold, or could not be checked; ``place`` says where in the bundle."""

    outcome: Outcome
    code: str
    reason: str
    advice: str | None = None
    place: str | None = None


class BundleStep(msgspec.Struct, frozen=True, kw_only=True):
    """One step: its outcome, what was looked at, and the problems (``count`` of them, the first spelt out)."""

    number: int
    name: BundleStepName
    outcome: Outcome
    shown: str
    problems: tuple[Problem, ...] = ()
    count: int = 0


class Notebook:
    """Collects what is found, step by step, while a bundle is read."""

    def __init__(self) -> None:
        self._problems: dict[BundleStepName, list[Problem]] = {n: [] for n in BundleStepName}
        self._counts: dict[tuple[BundleStepName, Outcome], int] = {}
        self._shown: dict[BundleStepName, str] = {}

    def fails(
        self,
        step: BundleStepName,
        code: str,
        reason: str,
        *,
        place: str | None = None,
        advice: str | None = None,
    ) -> None:
        """Note that a step does not hold."""
        self.step(step, Outcome.DOES_NOT_HOLD, code, reason, place=place, advice=advice)

    def unknown(
        self,
        step: BundleStepName,
        code: str,
        reason: str,
        *,
        place: str | None = None,
        advice: str | None = None,
    ) -> None:
        """Note that something of a step could not be checked."""
        self.step(step, Outcome.COULD_NOT_CHECK, code, reason, place=place, advice=advice)

    def step(
        self,
        step: BundleStepName,
        outcome: Outcome,
        code: str,
        reason: str,
        *,
        place: str | None = None,
        advice: str | None = None,
    ) -> None:
        """Note why a step came out so."""
        key = (step, outcome)
        self._counts[key] = self._counts.get(key, 0) + 1
        kept = self._problems[step]
        first_failure = outcome is Outcome.DOES_NOT_HOLD and self._counts[key] == 1
        if len(kept) < PROBLEMS_MAX or first_failure:
            kept.append(
                Problem(outcome=outcome, code=code, reason=reason, place=place, advice=advice)
            )

    def error(self, step: BundleStepName, error: SealtrailError, place: str | None = None) -> None:
        """Note an error: what could not be asked could not be checked, anything else does not hold."""
        note = self.unknown if isinstance(error, UnavailableError) else self.fails
        note(step, error.code, error.message, place=place or error.pointer, advice=error.advice)

    def shows(self, step: BundleStepName, text: str) -> None:
        """Note in a sentence what a step looked at."""
        self._shown[step] = text

    def failed(self, step: BundleStepName) -> bool:
        """Tell whether a step is known not to hold."""
        return (step, Outcome.DOES_NOT_HOLD) in self._counts

    def steps(self) -> tuple[BundleStep, ...]:
        """Return all steps in order."""
        return tuple(self._step(n, name) for n, name in enumerate(BundleStepName, start=1))

    def _step(self, number: int, name: BundleStepName) -> BundleStep:
        fails = self._counts.get((name, Outcome.DOES_NOT_HOLD), 0)
        unknown = self._counts.get((name, Outcome.COULD_NOT_CHECK), 0)
        outcome = Outcome.HOLDS
        if fails:
            outcome = Outcome.DOES_NOT_HOLD
        elif unknown:
            outcome = Outcome.COULD_NOT_CHECK
        return BundleStep(
            number=number,
            name=name,
            outcome=outcome,
            shown=self._shown.get(name, ""),
            problems=tuple(self._problems[name]),
            count=fails + unknown,
        )


class ShownEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One step of the journey, as the report tells it."""

    event_time: str | None
    kind: str
    effect: str | None
    biz_step: str | None
    disposition: str | None
    recorded_by: str | None
    grade: str
    entry_id: bytes | None
    findings: tuple[str, ...] = ()


class ShownLog(msgspec.Struct, frozen=True, kw_only=True):
    """A log as far as the bundle goes: up to which anchor, when; who cosigned it, who audited its item index."""

    member: bytes
    name: str
    covered: bool
    entries: int
    sequence: int
    size: int
    anchored: int  # Unix seconds
    cosigned_by: tuple[str, ...] = ()
    index_audited_by: tuple[str, ...] = ()


class ShownChain(msgspec.Struct, frozen=True, kw_only=True):
    """What the answer rests on: whose seals, how many were needed, and what is trusted thereby."""

    form: str
    proof_block: int
    proof_hash: bytes
    proof_time: int
    pinned_block: int
    sealed_by: tuple[str, ...]
    operators: tuple[str, ...]
    needed: int
    validators: int

    @property
    def trusts(self) -> str:
        """Say in a sentence what is trusted."""
        if self.form == "none":
            return "a chain without seals: the trust file's block hash alone"
        if len(self.operators) == 1:
            return f"single operator: {self.operators[0]}"
        return f"{self.needed} of {self.validators} validators: {', '.join(self.operators)}"


class BundleReport(msgspec.Struct, frozen=True, kw_only=True):
    """The verifier's answer on one bundle.

    ``digest`` is SHA-256 of the bundle without its last line; ``verified_by`` the program that verified it.
    """

    digest: bytes
    question: str
    issuer: str
    made_by: str
    verified_by: str
    steps: tuple[BundleStep, ...]
    chain: ShownChain | None
    logs: tuple[ShownLog, ...]
    not_covered: tuple[str, ...]
    completeness: str
    verdicts: tuple[tuple[str, str, tuple[str, ...]], ...]
    findings: tuple[tuple[str, str], ...]
    journey: tuple[ShownEntry, ...]
    entries: int
    withheld_entries: int
    withheld_parts: int

    @property
    def outcome(self) -> Outcome:
        """Return what all steps come to."""
        outcomes = {step.outcome for step in self.steps}
        for each in (Outcome.DOES_NOT_HOLD, Outcome.COULD_NOT_CHECK):
            if each in outcomes:
                return each
        return Outcome.HOLDS

    @property
    def exit_code(self) -> int:
        """Return the exit code: 0 all hold, 1 one does not, 3 none fails but one could not be checked."""
        return {Outcome.HOLDS: 0, Outcome.DOES_NOT_HOLD: 1, Outcome.COULD_NOT_CHECK: 3}[
            self.outcome
        ]
