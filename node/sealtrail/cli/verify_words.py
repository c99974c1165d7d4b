"""What the report on a bundle says in words, on the terminal and in HTML alike.

Source: docs/protocol.md section 20; docs/auditing.md says more of each.
"""

from __future__ import annotations

from sealtrail.evidence.bundle.report import BundleReport, BundleStep, BundleStepName, ShownLog
from sealtrail.evidence.report import Outcome

Name = BundleStepName

MARKS = {Outcome.HOLDS: "✓", Outcome.DOES_NOT_HOLD: "✗", Outcome.COULD_NOT_CHECK: "?"}
OUTCOMES = {
    Outcome.HOLDS: "holds",
    Outcome.DOES_NOT_HOLD: "does not hold",
    Outcome.COULD_NOT_CHECK: "could not be checked",
}

ASKS = {
    Name.FORM: "The file is whole, and in the form of a bundle",
    Name.NETWORK: "It is of the network that the trust file is for",
    Name.CHAIN: "Its blocks are sealed for good by validators that the trust file has",
    Name.MEMBERS: "Members' records are those of the registry, none left out",
    Name.ISSUER: "Its issuer signed it",
    Name.QUESTION: "It is about what was asked for",
    Name.LOGS: "Checkpoints follow from the entries, and each log's key signed them",
    Name.ANCHORS: "Each checkpoint is anchored on the chain",
    Name.ENTRIES: "Each entry is what its member signed, by a key that was valid then",
    Name.TIMES: "Record times fit the anchors",
    Name.COSIGNATURES: "Witnesses' cosignatures are right, and as many as the trust file demands",
    Name.ITEM_INDEX: "Lists of items lead to the logs' indexes, and all that is on them is here",
    Name.COMPLETENESS: "What is said to be complete is",
    Name.VERDICTS: "Verdicts and findings follow from the entries",
}


def verdict_line(report: BundleReport) -> str:
    """Return the one line that matters most."""
    outcome = report.outcome
    if outcome is Outcome.HOLDS:
        return "The bundle holds."
    at = [f"{s.number} {s.name}" for s in report.steps if s.outcome is outcome]
    steps = f"step{'s' if len(at) > 1 else ''} {', '.join(at)}"
    if outcome is Outcome.DOES_NOT_HOLD:
        return f"The bundle does not hold: {steps}."
    return f"Not all could be checked: {steps}. Nothing was found to be wrong."


def caution(report: BundleReport) -> str | None:
    """Return what has to be said before anything is told that the bundle says; None if it holds."""
    if report.outcome is Outcome.DOES_NOT_HOLD:
        return "Something here is not what it claims to be: what the bundle tells is shown, and not to be relied on."
    if report.outcome is Outcome.COULD_NOT_CHECK:
        return "What could not be checked is neither right nor wrong: read below what is missing for it."
    return None


def step_shows(step: BundleStep) -> str:
    """Return what a step asks, and what it looked at."""
    return ASKS[step.name] + (f": {step.shown}" if step.shown else "")


def left_out(step: BundleStep) -> str | None:
    """Return how many problems of a step are not spelt out."""
    more = step.count - len(step.problems)
    return f"and {more} more of this step" if more > 0 else None


def completeness_words(report: BundleReport) -> str:
    """Return what is claimed of there being no other events, and whose word that is."""
    by_name = {step.name: step.outcome for step in report.steps}
    if report.completeness == "none":
        if by_name[Name.COMPLETENESS] is Outcome.HOLDS:
            return "Not asked for: whether there are other events is not what this bundle is about."
        return "Not claimed: there may be other events, in these logs and in others."
    needed = (Name.CHAIN, Name.LOGS, Name.ANCHORS, Name.ITEM_INDEX, Name.COMPLETENESS)
    if any(by_name[name] is Outcome.DOES_NOT_HOLD for name in needed):
        return (
            f"Claimed ({report.completeness}), and it does not hold: events may have been left out."
        )
    whole = (
        "The covered logs name no other events on the item, its lot and class, and each container while it was"
        " inside, up to the anchors above"
    )
    if report.completeness == "index-audited":
        return f"{whole}: index-audited, others have recomputed the logs' indexes."
    return (
        f"{whole}: index-asserted, that each log's index leaves out none of its entries is the word of the member"
        " that keeps it."
    )


def trust_words(report: BundleReport) -> list[str]:
    """Return what is taken on trust, a sentence each."""
    chain = report.chain
    words = []
    if chain is not None:
        words.append(
            f"That the chain is what these say, and that they don't rewrite it together: {chain.trusts}."
        )
    words.append(
        "The trust file: network, validators and their operators' names are taken from it."
    )
    words.append("What events say, and when they happened, is the word of who recorded them.")
    if report.completeness == "index-asserted":
        words.append("Each covered member's own index of its log.")
    return words


def log_words(log: ShownLog) -> str:
    """Return whether a log answers whole, or shows some entries, and who audited its item index."""
    if not log.covered:
        return "some entries"
    by = ", ".join(log.index_audited_by)
    return f"whole answer, its item index audited by {by}" if by else "whole answer"


def withheld_words(report: BundleReport) -> str:
    """Return how much is not shown."""
    if not report.withheld_entries and not report.withheld_parts:
        return "Nothing that the bundle has entries of."
    return (
        f"{report.withheld_entries} entries of which only the sealed hash is shown,"
        f" {report.withheld_parts} shown in part."
    )
