"""The report on a bundle for a terminal. What comes from the bundle can't command the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import click

from sealtrail.cli.output import plain
from sealtrail.cli.verify_report import Checked, iso_time
from sealtrail.cli.verify_words import (
    MARKS,
    OUTCOMES,
    caution,
    completeness_words,
    left_out,
    log_words,
    step_shows,
    trust_words,
    verdict_line,
    withheld_words,
)
from sealtrail.evidence.bundle.report import BundleStep, ShownChain, ShownEntry
from sealtrail.evidence.report import Outcome

_COLOURS = {
    Outcome.HOLDS: "green",
    Outcome.DOES_NOT_HOLD: "red",
    Outcome.COULD_NOT_CHECK: "yellow",
}


def render_text(checked: Checked) -> list[str]:
    """Return the report's lines."""
    report = checked.report
    lines = [_marked(report.outcome, verdict_line(report), bold=True)]
    warning = caution(report)
    if warning:
        lines.append(f"  {warning}")
    for step in report.steps:
        lines += _step(step)
    for title, told in (
        ("Question", _question(checked)),
        ("Chain", _chain(report.chain)),
        ("Logs", _logs(checked)),
        ("Completeness", [completeness_words(report)]),
        ("Verdicts", _verdicts(checked)),
        ("Findings", [f"{code}: {message}" for code, message in report.findings]),
        ("Journey", _journey(report.journey)),
        ("Withheld", [withheld_words(report)]),
        ("Trusted", trust_words(report)),
        ("Files", _files(checked)),
    ):
        lines += _section(title, told)
    return lines


def _section(title: str, told: Iterable[str]) -> Iterator[str]:
    listed = list(told)
    if listed:
        yield ""
        yield click.style(title, bold=True)
    for line in listed:
        yield "  " + plain(line)


def _marked(outcome: Outcome, text: str, *, bold: bool = False) -> str:
    mark = click.style(MARKS[outcome], fg=_COLOURS[outcome], bold=True)
    return f"{mark} {click.style(plain(text), fg=_COLOURS[outcome] if bold else None, bold=bold)}"


def _step(step: BundleStep) -> Iterator[str]:
    outcome = step.outcome
    word = "" if outcome is Outcome.HOLDS else f"  [{OUTCOMES[outcome]}]"
    yield f"{step.number:>4} " + _marked(outcome, f"{step.name:12} {step_shows(step)}{word}")
    for problem in step.problems:
        place = f" ({problem.place})" if problem.place else ""
        yield "       " + _marked(problem.outcome, f"{problem.code}: {problem.reason}{place}")
        if problem.advice:
            yield plain(f"         → {problem.advice}")
    more = left_out(step)
    if more:
        yield f"       … {more}"


def _question(checked: Checked) -> Iterator[str]:
    report = checked.report
    yield f"about      {report.question}"
    if checked.item is not None:
        yield f"asked for  {checked.item}"
    yield f"issued by  {report.issuer}, with {report.made_by}"


def _chain(chain: ShownChain | None) -> Iterator[str]:
    if chain is None:
        yield "no proof block"
        return
    yield f"proof block  {chain.proof_block}, {iso_time(chain.proof_time)}, 0x{chain.proof_hash.hex()}"
    yield f"pinned block {chain.pinned_block} of the trust file"
    yield f"sealed by    {chain.form}: {chain.trusts}"
    for address in chain.sealed_by:
        yield f"             {address}"


def _logs(checked: Checked) -> Iterator[str]:
    report = checked.report
    for log in report.logs:
        yield (
            f"{log.name} (0x{log.member.hex()}): {log_words(log)}, {log.entries} of {log.size} entries shown,"
            f" up to anchor {log.sequence} of {iso_time(log.anchored)}"
        )
        if log.cosigned_by:
            yield f"  cosigned by {', '.join(log.cosigned_by)}"
    if report.not_covered:
        yield "Active members whose logs are not covered: " + ", ".join(report.not_covered)


def _verdicts(checked: Checked) -> Iterator[str]:
    for name, verdict, reasons in checked.report.verdicts:
        why = f"  ({'; '.join(reasons)})" if reasons else ""
        yield f"{name:11} {verdict.replace('_', ' ')}{why}"


def _journey(journey: Iterable[ShownEntry]) -> Iterator[str]:
    for entry in journey:
        what = entry.biz_step or entry.effect or entry.kind
        set_apart = "" if entry.kind == "event" else f" [{entry.kind}]"
        then = f" → {entry.disposition}" if entry.disposition else ""
        yield (
            f"{entry.event_time or '(time unknown)':29} {what}{then}{set_apart},"
            f" {entry.recorded_by or '(unknown)'}, {entry.grade}"
        )
        if entry.findings:
            yield f"{'':29} ! {', '.join(entry.findings)}"


def _files(checked: Checked) -> Iterator[str]:
    report = checked.report
    yield f"verified     {iso_time(checked.verified_at)} by {report.verified_by}"
    yield f"bundle       SHA-256 {checked.bundle_digest.hex()}"
    yield f"signed       SHA-256 {report.digest.hex()} (the bundle without its last line)"
    yield f"trust file   SHA-256 {checked.trust_digest.hex()}"
    yield f"JSON report  SHA-256 {checked.digest.hex()}"
