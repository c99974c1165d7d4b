"""``sealtrail audit``: who read or wrote what, when and why."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from sealtrail.cli.group import Entry, LazyGroup
from sealtrail.cli.node_client import follow_pages, with_query
from sealtrail.cli.output import common_options, print_json, say, sign
from sealtrail.cli.target import connect, node_options
from sealtrail.errors import ConflictError, InputError, UnavailableError

_OWN = "sealtrail.cli.audit_own"
_COMMANDS = {
    "list": Entry(__name__, "audit_list", "List records of a node's audit trail."),
    "export": Entry(__name__, "audit_export", "Export what is recorded about an entry or item."),
    "verify": Entry(_OWN, "audit_verify", "Verify an export, or this node's whole trail."),
    "who": Entry(_OWN, "audit_who", "Say who is behind a pseudonym."),
    "forget": Entry(_OWN, "audit_forget", "Erase who is behind a name's pseudonyms."),
}


@click.group("audit", cls=LazyGroup, entries=_COMMANDS)
def audit_group() -> None:
    """List, export and verify the audit trail; look up and erase names."""


def _subject_options(command: Any) -> Any:
    for option in (
        click.option("--until", metavar="TIME", help="Only before then."),
        click.option("--from", "since", metavar="TIME", help="Only since then."),
        click.option("--item", help="About this item, in any spelling."),
        click.option("--entry", help="About the entry with this id."),
    ):
        command = option(command)
    return command


@click.command("list")
@_subject_options
@click.option("--action", help="Only this action, such as capture or provenance.")
@click.option("--actor", help="Only by this pseudonym, member (peer:0x…), node or nobody.")
@click.option(
    "--outcome", help="Only with this outcome: done, partly, refused, unavailable, failed."
)
@click.option(
    "--limit",
    type=click.IntRange(1, 100_000),
    default=100,
    show_default=True,
    help="At most so many.",
)
@node_options
@common_options
def audit_list(
    entry: str | None,
    item: str | None,
    since: str | None,
    until: str | None,
    action: str | None,
    actor: str | None,
    outcome: str | None,
    limit: int,
    as_json: bool,
    **target: Any,
) -> None:
    """List records of a node's audit trail, newest first. That you read them is recorded as well."""
    client = connect(**target)
    asked = {
        "entry": entry,
        "item": item,
        "from": since,
        "until": until,
        "action": action,
        "actor": actor,
        "outcome": outcome,
    }
    found: list[dict[str, Any]] = []
    for answer in follow_pages(client, "/v1/audit", {**asked, "perPage": str(min(limit, 1000))}):
        found += answer.json()["records"]
        if len(found) >= limit:
            break
    del found[limit:]
    if as_json:
        print_json(found)
        return
    for each in found:
        click.echo(record_line(each["time"], each["record"], each["digest"] is not None))


def record_line(time: str, record: dict[str, Any], in_digest: bool) -> str:
    """Return a record on one line; marked if a digest in the log covers it."""
    mark = "⛓" if in_digest else "…"
    parts = [mark, time, record["actor"], record["action"], record["outcome"]]
    parts += [f"[{record['code']}]"] if "code" in record else []
    parts += [f"{record['times']} times"] if "times" in record else []
    parts += [f"– {record['reason']}"] if "reason" in record else []
    return " ".join(parts)


@click.command("export")
@_subject_options
@click.option(
    "-o",
    "--out",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="File to write; not overwritten.",
)
@node_options
@common_options
def audit_export(
    entry: str | None,
    item: str | None,
    since: str | None,
    until: str | None,
    out: Path,
    as_json: bool,
    **target: Any,
) -> None:
    """Export what is recorded about an entry or an item: each record in its own bytes and in words, its inclusion in
    a digest, that entry's proof, and the entry itself. `sealtrail audit verify` checks the file.
    """
    if (entry is None) == (item is None):
        raise InputError("usage", "about what?", advice="give --entry ID or --item ITEM")
    client = connect(**target)
    asked = {"entry": entry, "item": item, "from": since, "until": until}
    data = client.get(with_query("/v1/audit/export", asked), Accept="application/jsonl").body
    _write_new(out, data)
    records = data.count(b'"line":"record"')
    if as_json:
        print_json({"file": str(out), "bytes": len(data), "records": records})
        return
    click.echo(f"{sign('ok')} Wrote {out}: {records} records.")
    say(f"Check it with `sealtrail audit verify {out}`.")


def _write_new(path: Path, data: bytes) -> None:
    try:
        with open(path, "xb", opener=_owner_only) as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError as error:
        raise ConflictError(
            "file_exists", f"{path} exists and is not overwritten", pointer=str(path)
        ) from error
    except OSError as error:
        raise UnavailableError(
            "file_unwritable", f"{path}: {error.strerror}", pointer=str(path)
        ) from error


def _owner_only(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
