"""How steps are made: one shared value for each that holds, a reasoned one otherwise."""

from __future__ import annotations

from sealtrail.evidence.report import STEP_NUMBERS, Outcome, Step, StepName

HOLDS = {name: Step(number, name, Outcome.HOLDS) for name, number in STEP_NUMBERS.items()}


def does_not_hold(name: StepName, code: str, reason: str, advice: str | None = None) -> Step:
    """Return the step as read, recomputed and found to differ."""
    return Step(STEP_NUMBERS[name], name, Outcome.DOES_NOT_HOLD, code, reason, advice)


def could_not_check(name: StepName, code: str, reason: str, advice: str | None = None) -> Step:
    """Return the step as one that lacks what it needs: says nothing about what it would find."""
    return Step(STEP_NUMBERS[name], name, Outcome.COULD_NOT_CHECK, code, reason, advice)
