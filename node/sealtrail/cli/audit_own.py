"""``sealtrail audit verify``, ``who`` and ``forget``: on a file, or on the database of the node of this machine."""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path

import click

from sealtrail.cli.operator_act import given_reason, leave_note, reason_option
from sealtrail.cli.output import common_options, confirm, print_json, say, sign
from sealtrail.cli.target import config_option
from sealtrail.config import Config, load_config
from sealtrail.errors import InputError, NotFoundError, UnavailableError
from sealtrail.evidence.audit_check import ExportReport, Statement, verify_export
from sealtrail.evidence.audit_export import EXPORT_BYTES_MAX
from sealtrail.evidence.audit_record import Action
from sealtrail.services.audit_trail.check import TrailReport, check_trail
from sealtrail.services.audit_trail.operator_acts import take_in
from sealtrail.store import audit_names
from sealtrail.store.beside import read_beside
from sealtrail.store.database import Database
from sealtrail.store.identity import require_identity

COULD_NOT_TELL = 3
TAKEN_IN_SECONDS_MAX = 15.0
_SHOWN_MAX = 20


@click.command("verify")
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
@reason_option
@config_option
@common_options
def audit_verify(file: Path | None, reason: str | None, config_path: Path, as_json: bool) -> None:
    """Verify FILE, an export; without one, the whole audit trail of this node, and name the first bad record.

    FILE is checked as far as it goes; its anchors against the chain as the node of --config followed it, if there is
    one.

    Exit codes: 0 holds; 1 does not; 2 no export; 3 what is there holds, but not all could be checked.
    """
    if file is None:
        _verify_own(load_config(config_path), reason, as_json)
        return
    data = _read(file)
    config = load_config(config_path) if config_path.exists() else None
    if config is not None and config.database.exists():
        report = read_beside(config.database, lambda c: _with_chain(c, config, data))
    else:
        report = verify_export(data, None)
    _show_export(report, as_json)
    if report.faults:
        raise click.exceptions.Exit(1)
    if report.open:
        raise click.exceptions.Exit(COULD_NOT_TELL)


def _with_chain(connection: sqlite3.Connection, config: Config, data: bytes) -> ExportReport:
    from sealtrail.app.network_check import anchors_address
    from sealtrail.services.chain.network import FollowedNetworks, NetworkIdentity

    identity = require_identity(connection)
    networks = FollowedNetworks(
        NetworkIdentity(
            chain_id=identity.chain_id,
            genesis_hash=identity.genesis_hash,
            registry=identity.registry,
            anchors=anchors_address(identity.registry),
        )
    )
    report = verify_export(data, networks.view(connection))
    header = report.header
    if (header.chain_id, header.genesis_hash, header.registry) != (
        identity.chain_id,
        "0x" + identity.genesis_hash.hex(),
        "0x" + identity.registry.hex(),
    ):
        # of another network: what this node followed says nothing of it
        return verify_export(data, None)
    return report


def _verify_own(config: Config, reason: str | None, as_json: bool) -> None:
    checked = given_reason(config, Action.AUDIT_VERIFY, reason)
    report = read_beside(config.database, lambda c: check_trail(c, require_identity(c).domain))
    code = report.fault.code if report.fault else None
    leave_note(config, Action.AUDIT_VERIFY, checked, f"{report.records} records", code=code)
    _show_own(report, as_json)
    if report.fault is not None:
        raise click.exceptions.Exit(1)


def _show_own(report: TrailReport, as_json: bool) -> None:
    if as_json:
        print_json(report)
        return
    open_ = report.records - report.in_digests
    fault = report.fault
    if fault is None:
        click.echo(f"{sign('ok')} {report.records} records, each chained to the one before.")
        click.echo(
            f"{sign('ok')} {report.in_digests} of them under {report.digests} digests in the log."
        )
    else:
        click.echo(f"{sign('problem')} Record {fault.record}: {fault.reason} [{fault.code}]")
        click.echo(f"  The {min(fault.record, report.records)} records before it hold.")
    if open_ and fault is None:
        click.echo(
            f"{sign('unknown')} {open_} under none yet: only the chain of hashes holds them."
        )


def _show_export(report: ExportReport, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "member": report.header.member,
                "entry": report.header.entry,
                "item": report.header.item,
                "records": len(report.records),
                "in_digests": report.in_digests,
                "anchored": report.anchored,
                "faults": report.faults,
                "open": report.open,
            }
        )
        return
    about = report.header.entry or report.header.item
    click.echo(f"Audit trail of member {report.header.member} about {about}")
    click.echo(
        f"  {len(report.records)} records, {report.in_digests} of them in a digest,"
        f" {report.anchored} in one that the chain proves"
    )
    _statements("problem", report.faults)
    _statements("unknown", report.open)
    if not report.faults:
        click.echo(f"{sign('ok')} Nothing in it contradicts itself.")
    say("That no record was left out of the file only the member's whole trail shows.")


def _statements(state: str, statements: tuple[Statement, ...]) -> None:
    for each in statements[:_SHOWN_MAX]:
        click.echo(f"{sign(state)} line {each.line}: {each.reason} [{each.code}]")
    if len(statements) > _SHOWN_MAX:
        click.echo(f"  … and {len(statements) - _SHOWN_MAX} more; --json has all")


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(EXPORT_BYTES_MAX + 1)
    except OSError as error:
        raise InputError(
            "file_unreadable", f"{path}: {error.strerror}", pointer=str(path)
        ) from error


@click.command("who")
@click.argument("pseudonym")
@reason_option
@config_option
@common_options
def audit_who(pseudonym: str, reason: str | None, config_path: Path, as_json: bool) -> None:
    """Say who is behind PSEUDONYM, as records of this node's audit trail have it. That you asked is recorded first."""
    config = load_config(config_path)
    checked = given_reason(config, Action.AUDIT_WHO, reason)
    known = read_beside(config.database, lambda c: audit_names.load_name(c, pseudonym))
    leave_note(config, Action.AUDIT_WHO, checked, pseudonym)
    if known is None:
        raise NotFoundError(
            "pseudonym_unknown",
            f"nobody is known behind {pseudonym[:80]}: it was never given, or the name was erased",
        )
    if as_json:
        print_json(known)
    else:
        click.echo(known.name)


@click.command("forget")
@click.argument("name")
@reason_option
@click.option("--yes", is_flag=True, help="Do not ask whether to go on.")
@config_option
@common_options
def audit_forget(
    name: str, reason: str | None, yes: bool, config_path: Path, as_json: bool
) -> None:
    """Erase who is behind the pseudonyms of NAME: a token's name, or an operator's. A reason must be given.

    The records stay, and nobody can tell any more whose they are; that they were made so is recorded.
    """
    config = load_config(config_path)
    if reason is None:
        raise InputError(
            "reason_required", "say why", pointer="--reason", advice="give --reason TEXT"
        )
    checked = given_reason(config, Action.FORGET, reason)
    known = read_beside(config.database, lambda c: audit_names.pseudonyms_of(c, name))
    if not known:
        raise NotFoundError("audit_name_unknown", f"the audit trail knows no {name[:80]!r}")
    confirm(f"Erase for good who is behind {', '.join(known)}?", agreed=yes or as_json)
    note = leave_note(config, Action.FORGET, checked, None, forget=name)
    _have_it_taken_in(config, note)
    if as_json:
        print_json({"forgotten": known})
        return
    click.echo(f"{sign('ok')} Nobody is known behind {', '.join(known)} any more.")
    if any(token.name == name for token in config.auth.tokens):
        say("A token of that name is still configured: whoever uses it gets a new pseudonym.")
    say("Backups made before still have the name.")


def _have_it_taken_in(config: Config, note: Path) -> None:
    """Wait until the node has taken the note in; where none runs, take it in here."""
    deadline = time.monotonic() + TAKEN_IN_SECONDS_MAX
    while note.exists():
        try:
            database = Database.open(config.database)
        except UnavailableError as error:
            if error.code != "store_in_use":
                raise
        else:
            try:
                take_in(
                    config.operator_notes,
                    database.write_sync,
                    random=os.urandom,
                    now_ms=time.time_ns() // 1_000_000,
                )
            finally:
                database.close()
        if time.monotonic() > deadline:
            raise UnavailableError(
                "operator_note_waits",
                "the node has not taken this in yet",
                advice="it will as soon as it can write its store; look with `sealtrail audit who`",
            )
        time.sleep(0.1)
