"""``sealtrail masterdata``: what products, places and parties are called, put at a node and asked of it."""

from __future__ import annotations

import sys
import urllib.parse
from pathlib import Path
from typing import Any

import click

from sealtrail.cli.group import Entry, LazyGroup
from sealtrail.cli.node_client import follow_pages, with_query
from sealtrail.cli.output import common_options, plain, print_json, sign
from sealtrail.cli.target import connect, node_options
from sealtrail.epcis import detect_media_type
from sealtrail.errors import InputError

PATH = "/v1/masterdata"
_COMMANDS = {
    "put": Entry(__name__, "masterdata_put", "Put a document of master data at a node."),
    "list": Entry(__name__, "masterdata_list", "List what a node knows."),
    "show": Entry(__name__, "masterdata_show", "Show what a node knows of one identifier."),
}


@click.group("masterdata", cls=LazyGroup, entries=_COMMANDS)
def masterdata_group() -> None:
    """Put and ask for master data: names of products, places and parties, and what stands below what."""


@click.command("put")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True))
@click.option(
    "--valid-from",
    metavar="TIME",
    help="Since when it holds, e.g. 2026-03-01T00:00:00Z; also a time to come. [default: now]",
)
@node_options
@common_options
def masterdata_put(file: Path, valid_from: str | None, as_json: bool, **target: Any) -> None:
    """Put the vocabularies in FILE at a node, all of them or none; `-` reads standard input.

    FILE is JSON (an EPCIS document without events, its header, or a list of vocabularies) or XML (an EPCIS document
    without events, or an EPCISMasterDataDocument). What the node knows already makes no new version.
    """
    document = _read(file)
    client = connect(**target)
    answer = client.put(
        with_query(PATH, {"valid_from": valid_from}),
        document,
        Content_Type=detect_media_type(document),
    ).json()
    if as_json:
        print_json(answer)
        return
    new = sum(each["new"] for each in answer["elements"])
    known = len(answer["elements"]) - new
    click.echo(f"{sign('ok')} {new} new, {known} known before; since {answer['valid_from']}")


@click.command("list")
@click.option("--type", "vocabulary", metavar="URI", help="Only this vocabulary.")
@click.option("--at", metavar="TIME", help="What holds then. [default: now]")
@node_options
@common_options
def masterdata_list(vocabulary: str | None, at: str | None, as_json: bool, **target: Any) -> None:
    """List all elements that hold, by vocabulary and identifier."""
    client = connect(**target)
    found: list[dict[str, Any]] = []
    asked = {"type": vocabulary, "at": at, "perPage": "1000"}
    for answer in follow_pages(client, PATH, asked):
        found += answer.json()["elements"]
    if as_json:
        print_json(found)
        return
    for each in found:
        click.echo(f"{plain(each['id'])}  {_called(each)}")


@click.command("show")
@click.argument("identifier")
@click.option("--at", metavar="TIME", help="What holds then. [default: now]")
@node_options
@common_options
def masterdata_show(identifier: str, at: str | None, as_json: bool, **target: Any) -> None:
    """Show what holds of IDENTIFIER, by whose word, and how often it was said otherwise.

    IDENTIFIER is an EPC URN, a Digital Link or any other URI.
    """
    client = connect(**target)
    path = f"{PATH}/{urllib.parse.quote(identifier, safe='')}"
    answer = client.get(with_query(path, {"at": at})).json()
    if as_json:
        print_json(answer)
        return
    click.echo(click.style(plain(answer["id"]), bold=True))
    for element in answer["elements"]:
        for line in _element(element):
            click.echo(line)
    if not answer["elements"]:
        click.echo(f"  nothing holds at {answer['at']}")
    click.echo(f"  {len(answer['versions'])} versions; --json shows them")


def _read(file: Path) -> bytes:
    try:
        return sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise InputError(
            "file_unreadable", f"{file}: {error.strerror}", pointer=str(file)
        ) from error


def _called(element: dict[str, Any]) -> str:
    """Return the first attribute that is a name, and the vocabulary."""
    named = (
        str(each["attribute"])
        for each in element["attributes"]
        if each["id"].lower().endswith("name")
    )
    return plain(f"{next(named, '')}  {element['type']}".strip())


def _element(element: dict[str, Any]) -> list[str]:
    until = f" until {element['valid_until']}" if element["valid_until"] else ""
    lines = ["", f"  {plain(element['type'])}, since {element['valid_from']}{until}"]
    lines += [f"    {plain(a['id'])}: {plain(str(a['attribute']))}" for a in element["attributes"]]
    lines += [f"    below it: {plain(each)}" for each in element["children"]]
    by = element["stated_by"]
    right = {True: ", who numbers it", False: ", who does not number it", None: ""}
    job = f", in the header of capture {element['capture_job']}" if element["capture_job"] else ""
    lines.append(f"    by {plain(by['name'] or by['member'])}{right[element['by_right']]}{job}")
    return lines
