"""``sealtrail export``: recorded events out of a node, as EPCIS documents for others."""

from __future__ import annotations

import sys
import urllib.parse
from pathlib import Path
from typing import Any

import click

from sealtrail.cli.export_files import Exporter, Outcome, Parties
from sealtrail.cli.export_master_data import fetch_vocabularies
from sealtrail.cli.export_spool import Asked, Spool
from sealtrail.cli.node_client import NodeClient
from sealtrail.cli.output import common_options, plain, print_json, say, sign
from sealtrail.cli.target import connect, node_options
from sealtrail.epcis.views import Form
from sealtrail.errors import InputError
from sealtrail.gs1 import parse_item

_FORMS: dict[str, Form] = {"json": "json-2.0", "xml": "xml-2.0", "xml-1.2": "xml-1.2"}
_EPC_FORMATS = {
    "recorded": "Never_Translates",
    "urn": "Always_EPC_URN",
    "digital-link": "Always_GS1_Digital_Link",
}
_CLASSES = ("gtin", "lgtin")
_SPOOL = ".events"
_LEFT_OUT_SHOWN = 20


@click.command("export")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    help="The file to write; with --events-per-file, the folder.",
)
@click.option(
    "--form",
    "form_name",
    type=click.Choice(list(_FORMS)),
    default="json",
    show_default=True,
    help="EPCIS 2.0 as JSON or XML, or EPCIS 1.2.",
)
@click.option(
    "--query", metavar="QUERY", help="Events that match, e.g. 'EQ_bizStep=shipping&EQ_action=ADD'."
)
@click.option(
    "--param",
    "params",
    metavar="NAME=VALUE",
    multiple=True,
    help="One query parameter, not percent-encoded; repeatable.",
)
@click.option("--item", help="Events that name this item, in any spelling.")
@click.option("--from", "since", metavar="TIME", help="Events that happened then or later.")
@click.option("--until", metavar="TIME", help="Events that happened before.")
@click.option(
    "--events-per-file", type=click.IntRange(min=1), help="Write files of so many into a folder."
)
@click.option(
    "--epc-format",
    type=click.Choice(list(_EPC_FORMATS)),
    help="How identifiers are spelt. [default: urn for xml-1.2, else recorded]",
)
@click.option("--sender", help="Who sends the documents: an identifier of a party or place.")
@click.option("--receiver", help="Who they are for; goes with --sender.")
@click.option(
    "--master-data",
    is_flag=True,
    help="Say in the header what the node knows of the products, places and parties that the events name.",
)
@click.option("--skip", is_flag=True, help="Leave out events that the form has no words for.")
@node_options
@common_options
def export_command(
    output: Path,
    form_name: str,
    query: str | None,
    params: tuple[str, ...],
    item: str | None,
    since: str | None,
    until: str | None,
    events_per_file: int | None,
    epc_format: str | None,
    sender: str | None,
    receiver: str | None,
    master_data: bool,
    skip: bool,
    as_json: bool,
    **target: Any,
) -> int:
    """Write the events that a node recorded, all or those that match, as EPCIS documents.

    What was recorded is not changed; for evidence of it, see `sealtrail evidence`.

    A run that was interrupted goes on where it was if it is started again in the same way; no file is there before
    all of it is.
    """
    parties = _parties(sender, receiver)
    if master_data and parties is None and form_name == "xml-1.2":
        raise InputError(
            "usage",
            "in EPCIS 1.2, --master-data goes with --sender and --receiver: its header has both",
        )
    client = connect(**target)
    if epc_format is None:
        epc_format = "urn" if form_name == "xml-1.2" else "recorded"
    asked = Asked(
        node=client.url,
        query=_query(query, params, item, since, until),
        epc_format=_EPC_FORMATS[epc_format],
    )
    spool = Spool(_spool_path(output, events_per_file), asked)
    _fetch(spool, client, quiet=as_json)
    exporter = Exporter(
        spool,
        _FORMS[form_name],
        parties,
        vocabularies=fetch_vocabularies(client, spool) if master_data else (),
        skip=skip,
    )
    if events_per_file is None:
        exporter.to_file(output)
    else:
        exporter.to_folder(output, events_per_file)
    spool.remove()
    _report(exporter.outcome, as_json)
    return 0


def _query(
    query: str | None,
    params: tuple[str, ...],
    item: str | None,
    since: str | None,
    until: str | None,
) -> str:
    pairs = urllib.parse.parse_qsl(query or "", keep_blank_values=True)
    for param in params:
        name, equals, value = param.partition("=")
        if not equals:
            raise InputError("usage", f"--param takes NAME=VALUE, not {param[:80]!r}")
        pairs.append((name, value))
    if item is not None:
        found = parse_item(item)
        name = "MATCH_anyEPCClass" if found.scheme in _CLASSES else "MATCH_anyEPC"
        pairs.append((name, found.canonical))
    pairs += [(n, v) for n, v in (("GE_eventTime", since), ("LT_eventTime", until)) if v]
    return urllib.parse.urlencode(pairs)


def _parties(sender: str | None, receiver: str | None) -> Parties | None:
    if sender is None and receiver is None:
        return None
    if sender is None or receiver is None:
        raise InputError("usage", "--sender and --receiver go together")
    return Parties(sender=sender, receiver=receiver)


def _spool_path(output: Path, events_per_file: int | None) -> Path:
    """Return where to keep what has come; makes the folder that files go into."""
    if events_per_file is None:
        if output.is_dir():
            raise InputError(
                "file_unwritable",
                f"{output} is a folder",
                pointer=str(output),
                advice="name a file, or give --events-per-file",
            )
        return output.with_name(output.name + _SPOOL)
    try:
        output.mkdir(parents=True, exist_ok=True)
        earlier = next(output.glob("events-*"), None)
    except OSError as error:
        raise InputError(
            "file_unwritable", f"{output}: {error.strerror or error}", pointer=str(output)
        ) from error
    path = output / _SPOOL
    if earlier is not None and not path.exists():
        raise InputError(
            "export_exists",
            f"{output} has files of an export, such as {earlier.name}: two would be mixed",
            pointer=str(output),
            advice="name another folder",
        )
    return path


def _fetch(spool: Spool, client: NodeClient, *, quiet: bool) -> None:
    shown = not quiet and sys.stderr.isatty()

    def tell(count: int) -> None:
        if shown:
            click.echo(f"\r{count} events came", err=True, nl=False)

    spool.fetch(client, tell)
    if shown:
        click.echo(err=True)


def _report(outcome: Outcome, as_json: bool) -> None:
    if as_json:
        print_json(outcome)
        return
    for file in outcome.files:
        click.echo(f"{file.file}: {file.events} events, {file.bytes} bytes, SHA-256 {file.sha256}")
    mark = sign("unknown" if outcome.left_out else "ok")
    described = f", {outcome.elements} elements of master data in each" if outcome.elements else ""
    click.echo(f"{mark} {outcome.events} events in {len(outcome.files)} files{described}")
    if outcome.left_out:
        say(f"{outcome.left_out} events left out:")
        for each in outcome.left_out_events[:_LEFT_OUT_SHOWN]:
            say(f"    {plain(f'{each.event_id} {each.pointer}')} [{each.code}]")
        if outcome.left_out > _LEFT_OUT_SHOWN:
            say("    … and more; --json lists the first 1,000")
