"""The report on a bundle as one HTML file: for reading, printing, and keeping with the bundle.

No script, no other resource, and a policy that would refuse both; all text is escaped. Every mark has its words beside
it, so that it reads the same in black and white, and aloud. No clock: the time of verification is an argument.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape

from sealtrail.cli.output import plain
from sealtrail.cli.verify_report import Checked, iso_time
from sealtrail.cli.verify_style import STYLE
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
from sealtrail.evidence.bundle.report import BundleReport, BundleStep, Problem, ShownEntry
from sealtrail.evidence.report import Outcome

_CLASSES = {
    Outcome.HOLDS: "holds",
    Outcome.DOES_NOT_HOLD: "fails",
    Outcome.COULD_NOT_CHECK: "unknown",
}
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def render_html(checked: Checked) -> bytes:
    """Return the file's bytes."""
    report = checked.report
    title = f"Evidence report: {report.question}"
    body = [
        _headline(checked),
        _section("Steps", _steps(report)),
        _section("What was asked", _facts(_question(checked))),
        _section("Chain", _facts(_chain(report))),
        _section("Logs", _logs(report)),
        _section("Completeness", _paragraphs([completeness_words(report)])),
        _section("Verdicts", _verdicts(report)),
        _section("Journey", _journey(report)),
        _section("Findings", _findings(report)),
        _section("Withheld", _paragraphs([withheld_words(report)])),
        _section("What is trusted", _list(trust_words(report))),
        _section("Files", _facts(_files(checked))),
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{_text(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
        f"<h1>Evidence report</h1>\n{''.join(body)}</main>\n</body>\n</html>\n"
    ).encode()


def _text(value: object) -> str:
    """Return text as HTML: escaped, and nothing in it that doesn't print (such marks turn the order of a line)."""
    return escape(plain(str(value)))


def _section(title: str, content: str) -> str:
    if not content:
        return ""
    return f"<section>\n<h2>{_text(title)}</h2>\n{content}</section>\n"


def _headline(checked: Checked) -> str:
    report = checked.report
    warning = caution(report)
    return (
        f'<div class="verdict {_CLASSES[report.outcome]}">\n<p><strong>{_mark(report.outcome)}'
        f"{_text(verdict_line(report))}</strong></p>\n"
        f"{_paragraphs([warning] if warning else [])}</div>\n"
        f"{_facts([('About', report.question), ('Verified', iso_time(checked.verified_at))])}"
    )


def _mark(outcome: Outcome) -> str:
    return f'<span class="mark" aria-hidden="true">{MARKS[outcome]}</span> '


# -- the parts ---------------------------------------------------------------------------------------


def _steps(report: BundleReport) -> str:
    return f'<ol class="steps">\n{"".join(_step(step) for step in report.steps)}</ol>\n'


def _step(step: BundleStep) -> str:
    problems = [_problem(each) for each in step.problems]
    more = left_out(step)
    if more:
        problems.append(f"<li>… {_text(more)}</li>\n")
    return (
        f'<li class="{_CLASSES[step.outcome]}">{_outcome(step.outcome)} <code>{_text(step.name)}</code>'
        f" {_text(step_shows(step))}"
        + (f'\n<ul class="problems">\n{"".join(problems)}</ul>\n' if problems else "")
        + "</li>\n"
    )


def _problem(problem: Problem) -> str:
    return (
        f'<li class="{_CLASSES[problem.outcome]}">{_outcome(problem.outcome)}: {_text(problem.reason)}'
        f" <code>{_text(problem.code)}</code>"
        + (f"<br>Where: {_text(problem.place)}" if problem.place else "")
        + (f"<br>What to do: {_text(problem.advice)}" if problem.advice else "")
        + "</li>\n"
    )


def _outcome(outcome: Outcome) -> str:
    return f"{_mark(outcome)}<strong>{_text(OUTCOMES[outcome])}</strong>"


def _question(checked: Checked) -> Iterator[tuple[str, str]]:
    report = checked.report
    yield "The bundle is about", report.question
    yield "Asked for", checked.item or "nothing in particular"
    if checked.min_block is not None:
        yield "At least up to block", str(checked.min_block)
    yield "Issued by", report.issuer
    yield "Made with", report.made_by


def _chain(report: BundleReport) -> Iterator[tuple[str, str]]:
    chain = report.chain
    if chain is None:
        yield "Proof block", "none"
        return
    yield "Proof block", f"{chain.proof_block}, of {iso_time(chain.proof_time)}"
    yield "Its hash", "0x" + chain.proof_hash.hex()
    yield "Sealed by", f"{chain.form}: {chain.trusts}"
    yield "Validators that sealed", ", ".join(chain.sealed_by) or "none"
    yield "Needed", f"{chain.needed} of {chain.validators}"
    yield "Pinned block of the trust file", str(chain.pinned_block)


def _logs(report: BundleReport) -> str:
    rows = [
        (
            log.name,
            "0x" + log.member.hex(),
            log_words(log),
            f"{log.entries} of {log.size}",
            f"{log.sequence}, {iso_time(log.anchored)}",
            ", ".join(log.cosigned_by) or "nobody",
        )
        for log in report.logs
    ]
    heads = ("Member", "Address", "Shown", "Entries", "Up to anchor", "Cosigned by")
    left = ", ".join(report.not_covered) or "none"
    return _table("Logs that entries are shown of", heads, rows, "No log is shown.") + _paragraphs(
        [f"Active members whose logs are not covered: {left}."]
    )


def _verdicts(report: BundleReport) -> str:
    rows = [
        (name, verdict.replace("_", " "), "; ".join(reasons))
        for name, verdict, reasons in report.verdicts
    ]
    return _table("Verdicts on the item", ("On", "Verdict", "Reasons"), rows, "")


def _journey(report: BundleReport) -> str:
    heads = ("Time of the event", "What", "Disposition", "Recorded by", "Grade", "Entry")
    rows = [_journey_row(entry) for entry in report.journey]
    return _table("Events on the item, in the order of their times", heads, rows, "")


def _journey_row(entry: ShownEntry) -> tuple[str, ...]:
    what = entry.biz_step or entry.effect or entry.kind
    if entry.kind != "event":
        what = f"{what} ({entry.kind})"
    if entry.findings:
        what = f"{what}; findings: {', '.join(entry.findings)}"
    return (
        entry.event_time or "unknown",
        what,
        entry.disposition or "",
        entry.recorded_by or "unknown",
        entry.grade,
        "" if entry.entry_id is None else "0x" + entry.entry_id.hex(),
    )


def _findings(report: BundleReport) -> str:
    return _table("Findings of the rules", ("Code", "Message"), report.findings, "")


def _files(checked: Checked) -> Iterator[tuple[str, str]]:
    report = checked.report
    yield "Verified", iso_time(checked.verified_at)
    yield "Verified with", report.verified_by
    yield "SHA-256 of the bundle", checked.bundle_digest.hex()
    yield "SHA-256 of the bundle without its last line, as signed", report.digest.hex()
    yield "SHA-256 of the trust file", checked.trust_digest.hex()
    yield "SHA-256 of the report as JSON", checked.digest.hex()


# -- forms -------------------------------------------------------------------------------------------


def _facts(facts: Iterable[tuple[str, str]]) -> str:
    rows = "".join(f"<dt>{_text(name)}</dt><dd>{_text(value)}</dd>\n" for name, value in facts)
    return f"<dl>\n{rows}</dl>\n"


def _paragraphs(texts: Iterable[str]) -> str:
    return "".join(f"<p>{_text(each)}</p>\n" for each in texts)


def _list(texts: Iterable[str]) -> str:
    return f"<ul>\n{''.join(f'<li>{_text(each)}</li>' for each in texts)}</ul>\n"


def _table(caption: str, heads: Sequence[str], rows: Iterable[Sequence[str]], empty: str) -> str:
    """Return a table whose first column names each row; the text for none."""
    listed = list(rows)
    if not listed:
        return _paragraphs([empty] if empty else [])
    head = "".join(f'<th scope="col">{_text(each)}</th>' for each in heads)
    body = "".join(
        f'<tr><th scope="row">{_text(first)}</th>{"".join(f"<td>{_text(c)}</td>" for c in others)}</tr>\n'
        for first, *others in listed
    )
    return (
        f"<table>\n<caption>{_text(caption)}</caption>\n<thead><tr>{head}</tr></thead>\n"
        f"<tbody>\n{body}</tbody>\n</table>\n"
    )
