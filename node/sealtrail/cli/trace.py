"""``sealtrail trace ITEM``: an item's journey as a node tells it, each step with what proves it."""

from __future__ import annotations

import urllib.parse
from typing import Any

import click

from sealtrail.cli.output import common_options, plain, print_json
from sealtrail.cli.target import connect, node_options
from sealtrail.errors import UnavailableError, VerificationError

GRADES: dict[str, tuple[str, str | None]] = {
    "chain-proven": ("⛓", "green"),
    "signature-proven": ("✎", "cyan"),
    "peer-asserted": ("…", "yellow"),
    "inferred": ("~", "yellow"),
    "missing": ("∅", "red"),
}
COUNTING = ("event", "missing")
# kinds of steps that count for nothing: mark, colour
SET_APART: dict[str, tuple[str, str | None]] = {
    "refused": ("✗", "red"),
    "corrected": ("↺", None),
    "withheld": ("⌀", "yellow"),
    "extension": ("◇", "yellow"),
}
_VERDICT_COLOURS = {
    "known_matching": "green",
    "complete": "green",
    "fit": "green",
    "ends_only": "yellow",
    "gap": "yellow",
    "unknown": "yellow",
}


@click.command("trace")
@click.argument("item")
@click.option(
    "--as-of", metavar="TIME", help="What was true then (event time), e.g. 2026-03-01T12:00:00Z."
)
@click.option("--known-at", metavar="TIME", help="What was anchored by then.")
@node_options
@common_options
def trace_command(
    item: str, as_of: str | None, known_at: str | None, as_json: bool, **target: Any
) -> int:
    """Ask a node where ITEM has been: an EPC URN, a Digital Link, an element string, or what a scanner sends.

    Exit codes: 0 nothing speaks against it; 1 something does (it is unknown, copied, mismatched …);
    3 nothing does, but it could not be told: the chain could not be asked, content is withheld, an entry's
    key could not be checked, the history is cut, or the node's store is damaged.

    Whether it is fit for use is a verdict of its own, not the exit code; that the node is still looking
    through its store is said, and changes no code.
    """
    client = connect(**target)
    query = {k: v for k, v in (("as_of", as_of), ("known_at", known_at)) if v}
    path = "/v1/provenance/" + urllib.parse.quote(item, safe="")
    answer = client.get(path + ("?" + urllib.parse.urlencode(query) if query else "")).json()
    if as_json:
        print_json(answer)
    else:
        for line in render(answer):
            click.echo(line)
    return exit_code(answer)


def exit_code(answer: dict[str, Any]) -> int:
    """Return 1 if a suspect finding or a verdict speaks against the item, else 3 if something could hide one.

    That it was dispensed, recalled or has expired is an answer, and speaks against nobody.
    """
    verdicts = {name: v["verdict"] for name, v in answer["verdicts"].items()}
    suspect = any(f["class"] == "suspect" for f in answer["findings"])
    if (
        suspect
        or verdicts["identifier"] != "known_matching"
        or verdicts["provenance"] == "conflict"
    ):
        return VerificationError.exit_code
    return UnavailableError.exit_code if _could_not_tell(answer) else 0


def _could_not_tell(answer: dict[str, Any]) -> bool:
    """Tell whether what would speak against the item may be there and not be seen.

    What a damaged event names can't be compared: it may be this item. A store that is still looked through is no
    reason, since it nearly always comes out sound, and every answer after a start would say so.
    """
    return (
        answer["chain"]["status"] != "live"
        or answer["store"]["damaged"] > 0
        or answer["coverage"]["cut"]
        or any(finding["code"] == "content_withheld" for finding in answer["findings"])
        or any(step["entry_grade"] == "peer-asserted" for step in answer["journey"])
    )


def render(answer: dict[str, Any]) -> list[str]:
    """Return the answer for a person."""
    names = answer.get("names", {})
    lines = [click.style(answer["question"]["item"], bold=True)]
    product = names.get(answer["question"]["item"])
    lines += [_described(product)] if product else []
    lines += [""]
    lines += [_verdict(name, v) for name, v in answer["verdicts"].items()]
    if answer["journey"]:
        lines += ["", "Journey"]
        for step in answer["journey"]:
            lines += _step(step, names)
    if answer["findings"]:
        lines += ["", "Findings"]
        for finding in answer["findings"]:
            lines += _finding(finding)
    if answer.get("corrections"):
        lines += ["", "Corrections"]
        for correction in answer["corrections"]:
            lines += _correction(correction)
    if answer.get("candidates"):
        lines += ["", "Similar and known: " + ", ".join(answer["candidates"])]
    return [*lines, "", *_coverage(answer)]


def _verdict(name: str, verdict: dict[str, Any]) -> str:
    word = verdict["verdict"]
    colour = _VERDICT_COLOURS.get(word, "red")
    reasons = f"  ({'; '.join(verdict['reasons'])})" if verdict["reasons"] else ""
    return f"  {name:11} {click.style(word.replace('_', ' '), fg=colour, bold=True)}{reasons}"


def _described(told: dict[str, str]) -> str:
    """Return what master data tells of a product, place or party, in one line."""
    members = ("name", "strength", "form", "pack_size", "manufacturer", "city", "country")
    return plain(", ".join(told[name] for name in members if name in told))


def _step(step: dict[str, Any], names: dict[str, dict[str, str]]) -> list[str]:
    own = step["event_type"] if step["kind"] == "extension" else None
    what = own or step["biz_step"] or step["effect"] or step["event_type"] or step["kind"]
    where = step["read_point"] or step["biz_location"] or ""
    who = _name(step["recorded_by"]) or "-"
    line = f"  {step['event_time'] or '(time unknown)':29} {what:16} {who:14} {_standing(step)}"
    lines = [click.style(line, dim=True) if step["kind"] == "corrected" else line]
    if where in names:
        where = f"{_described(names[where])} ({where})"
    holder = _name(step["custodian_after"], names)
    details = [
        f"at {where}" if where else "",
        f"custodian {holder}" if holder else "",
        f"on its way to {_name(step['in_transit_to'], names)}" if step["in_transit_to"] else "",
        f"in {' in '.join(step['containers'])}" if step["containers"] else "",
    ]
    text = ", ".join(d for d in details if d)
    if text:
        lines.append(f"  {'':29} {click.style(text, dim=True)}")
    for check in step["checks"]:
        why = check.get("reason") or check.get("code") or ""
        lines.append(f"  {'':29} {check['step']}: {check['outcome']}: {why}")
    if step["findings"]:
        lines.append(f"  {'':29} " + click.style("! " + ", ".join(step["findings"]), fg="red"))
    return lines


def _correction(correction: dict[str, Any]) -> list[str]:
    """Return what was declared, what holds instead, and the verdicts before and after."""
    reason = correction["reason"] or "no reason given"
    when = correction["declared_at"] or "(time unknown)"
    lines = [f"  {when:29} {correction['event_id']}: {reason}"]
    if not correction["taken_out"]:
        lines.append(f"  {'':29} takes nothing out: {', '.join(correction['findings'])}")
    for corrective in correction["corrective_events"]:
        held = "recorded" if corrective["entries"] else "not recorded here"
        lines.append(f"  {'':29} instead: {corrective['event_id']} ({held})")
    before, after = correction["verdicts_before"], correction["verdicts_after"]
    for name, verdict in (before or {}).items():
        if verdict != after[name]:
            words = (_worded(verdict), _worded(after[name]))
            lines.append(f"  {'':29} {name}: {words[0]} before, {words[1]} since")
    return lines


def _worded(verdict: dict[str, Any]) -> str:
    word = str(verdict["verdict"]).replace("_", " ")
    return f"{word} ({'; '.join(verdict['reasons'])})" if verdict["reasons"] else word


def _standing(step: dict[str, Any]) -> str:
    """Return what a step is worth: its grade; or that it counts for nothing, and then never like a fact."""
    counts, entry_grade = step["kind"] in COUNTING, step["entry_grade"]
    word = step["grade"] if counts else step["kind"]
    mark, colour = (GRADES if counts else SET_APART).get(word, ("?", "red"))
    text = click.style(f"{mark} {word}", fg=colour)
    if entry_grade is None:
        return text
    if word != entry_grade:
        # that the item was in the container is inferred; the container's entry has a grade of its own
        text += f", its entry {entry_grade}"
    return text + _anchor(step)


def _anchor(step: dict[str, Any]) -> str:
    anchor = (step.get("proof") or {}).get("anchor")
    if not anchor:
        return ""
    return f" (anchor {anchor['sequence']}, block {anchor['block_number']})"


def _finding(finding: dict[str, Any]) -> list[str]:
    colour = "red" if finding["class"] == "suspect" else "yellow"
    return [
        f"  {click.style(finding['class'], fg=colour):10} {finding['code']}: {finding['message']}",
        f"  {'':10} → {finding['hint']}",
    ]


def _coverage(answer: dict[str, Any]) -> list[str]:
    chain, coverage = answer["chain"], answer["coverage"]
    if chain["status"] == "live":
        checked = f"Checked against chain {chain['chain_id']} up to block {chain['block_number']}, just now."
    else:
        checked = (
            f"The chain could not be asked ({chain['failure']}): as of {chain['checked_at']},"
            f" block {chain['block_number']}."
        )
    covered = ", ".join(f"{log['name']} ({log['events']})" for log in coverage["covered"])
    missing = ", ".join(str(log["name"]) for log in coverage["not_covered"])
    lines = [checked, f"Covered: {covered or 'no log'}. Not covered: {missing or 'none'}."]
    lines.append(f"Completeness: {coverage['completeness']}.")
    if coverage["cut"]:
        lines.append("More was recorded than one answer takes: the history above is cut.")
    return [*lines, *_store(answer["store"])]


def _store(store: dict[str, Any]) -> list[str]:
    lines = []
    if store["status"] != "checked":
        done = f"{store['checked_events']} of {store['events'] or '?'}"
        lines.append(
            f"The node is still looking through its store ({done} events): one may be missing here."
        )
    if store["damaged"]:
        lines.append(f"The node's store is damaged at {store['damaged']} events.")
    return lines


def _name(party: dict[str, Any] | None, names: dict[str, dict[str, str]] | None = None) -> str:
    if not party:
        return ""
    told = (names or {}).get(party["gln"] or party["id"], {})
    return plain(str(party["name"] or told.get("name") or party["gln"] or party["id"]))
