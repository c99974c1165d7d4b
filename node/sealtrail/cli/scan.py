"""``sealtrail scan TEXT``: what a scan says. Needs no node."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import Any

import click

from sealtrail.cli.output import common_options, plain, print_json
from sealtrail.gs1 import CompanyPrefixes
from sealtrail.services.answers.company_prefixes import configured_lengths, published_length
from sealtrail.services.answers.scan_view import scan_view

_TEXT_BYTES_MAX = 4096


@click.command("scan")
@click.argument("text")
@click.option(
    "--company-prefix",
    "prefixes",
    multiple=True,
    metavar="DIGITS",
    help="A company prefix that GS1's table has not, for URNs; may be repeated.",
)
@common_options
def scan_command(text: str, prefixes: tuple[str, ...], as_json: bool) -> int:
    """Say what TEXT means: what a scanner sent, an element string, a Digital Link, an EPC URN or a bare number.

    "-" reads one scan from standard input, control characters and all.

    Exit codes: 0 it names an item; 2 it can't be read, can be read in several ways, or names none.
    """
    if text == "-":
        text = sys.stdin.buffer.read(_TEXT_BYTES_MAX).decode("utf-8", "replace")
    view = scan_view(
        text,
        prefixes=CompanyPrefixes(configured_lengths(prefixes), published_length),
        today=datetime.now(UTC).date(),
    )
    if as_json:
        print_json(view)
    else:
        for line in _render(view):
            click.echo(line)
    return 0 if view["item"] else 2


def _render(view: dict[str, Any]) -> list[str]:
    item = view["item"]
    lines = [click.style(item["canonical"], bold=True) if item else "names no item"]
    if not item:
        lines.append(f"  {view['no_item']['detail']}")
    for element in view["elements"]:
        title = element["title"] or "not known here"
        shown = f"  ({element['ai']}) {element['value']}  {title}"
        lines.append(shown + (f" = {element['date']}" if "date" in element else ""))
    lines += [f"  {name} {value}" for name, value in view["data_identifiers"].items()]
    lines += [f"  {n['name']} {n['value']} (in {n['source']})" for n in view["national_numbers"]]
    for name in ("digital_link", "urn"):
        if view[name]:
            lines.append(f"  {name.replace('_', ' ')}: {view[name]}")
    lines += [f"  note: {note}" for note in view["notes"]]
    lines += [f"  problem: {problem['detail']}" for problem in view["problems"]]
    # what a scanner sent may hold anything
    return [lines[0], *map(plain, lines[1:])]
