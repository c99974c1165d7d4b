"""``sealtrail evidence``: a bundle that proves an answer to someone with no node and no network."""

from __future__ import annotations

import urllib.parse
from pathlib import Path
from typing import Any

import click

from sealtrail.cli.download import download
from sealtrail.cli.output import common_options, print_json, say
from sealtrail.cli.target import connect, node_options
from sealtrail.errors import InputError


@click.command("evidence")
@click.argument("item", required=False)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="Where to put the bundle.",
)
@click.option(
    "--whole",
    is_flag=True,
    help="Show whole events: other items that they name, and business documents.",
)
@click.option(
    "--query", metavar="QUERY", help="About the events that match, e.g. 'EQ_bizStep=shipping'."
)
@click.option("--log", "whole_log", is_flag=True, help="About the node's whole log, or a part.")
@click.option("--first", type=click.IntRange(min=0), help="With --log: the first leaf.")
@click.option("--until", type=click.IntRange(min=1), help="With --log: the leaf behind the last.")
@node_options
@common_options
def evidence_command(
    item: str | None,
    output: Path,
    whole: bool,
    query: str | None,
    whole_log: bool,
    first: int | None,
    until: int | None,
    as_json: bool,
    **target: Any,
) -> int:
    """Have a node prove where ITEM has been, in one file: an EPC URN, a Digital Link, an element string; or a lot.

    Give the file to whoever asks, and let him verify it: `sealtrail verify FILE --trust TRUST` needs no network.
    Of the events it has what concerns the item: other items that they name, and business documents, are withheld unless
    --whole is given.

    With --query it is about the events that match an EPCIS query, as the node knows them: nothing is said of others.

    With --log the file has the entries of the node's own log instead, for an audit.
    """
    asked = (item is not None) + (query is not None) + whole_log
    if asked != 1 or (not whole_log and (first or until)) or (whole and item is None):
        raise InputError(
            "usage",
            "name an item, or give --query, or --log",
            advice="see `sealtrail evidence --help`",
        )
    client = connect(**target)
    if item is not None:
        path = (
            "/v1/evidence/" + urllib.parse.quote(item, safe="") + ("?whole=true" if whole else "")
        )
    elif query is not None:
        path = "/v1/query-evidence?" + urllib.parse.quote(query, safe="=&%+:;,/?@!~*'()")
    else:
        part = {k: v for k, v in (("first", first), ("until", until)) if v is not None}
        path = "/v1/log-evidence?" + urllib.parse.urlencode(part)
    done = download(client, path, output, quiet=as_json)
    if as_json:
        print_json({"file": str(output), "bytes": done.bytes_count, "sha256": done.sha256})
    else:
        click.echo(f"{output}: {done.bytes_count} bytes, SHA-256 {done.sha256}")
        say("Verify it with: sealtrail verify", quiet=False)
    return 0
