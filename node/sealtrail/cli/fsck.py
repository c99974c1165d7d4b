"""``sealtrail fsck``: the whole store checked, from recorded bytes to the chain; and mended from what is verified."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from sealtrail.cli.chain import require_registry
from sealtrail.cli.output import common_options, print_json, sign
from sealtrail.cli.target import config_option
from sealtrail.config import Config, load_config
from sealtrail.errors import InputError, IntegrityError, UnavailableError, VerificationError
from sealtrail.services.fsck import chain
from sealtrail.services.fsck.run import Report

_STEPS = 1_000  # of the progress bar
CHAIN_CODES = chain.CODES


@click.command("fsck")
@click.option("--offline", is_flag=True, help="Don't ask the chain; say so.")
@click.option(
    "--processes",
    type=click.IntRange(1, 64),
    help="How many look at the same time. [default: one a core; one for a small store]",
)
@config_option
@common_options
def fsck_command(config_path: Path, offline: bool, processes: int | None, as_json: bool) -> int:
    """Check the whole store: every digest, signature, root, tile and anchor, and every row by what it follows from.

    Reads one snapshot and changes nothing; the node may be running.

    Exit codes: 0 all holds; 1 the store holds, and the chain says otherwise; 3 nothing is wrong, but not all could
    be checked; 4 the store is damaged.
    """
    config = load_store_config(config_path)
    started = time.monotonic()
    with progress_bar("checking", hidden=as_json) as progress:
        report = run(config, offline=offline, processes=processes, progress=progress)
    if as_json:
        print_json({**as_dict(report), "seconds": round(time.monotonic() - started, 3)})
    else:
        show(report)
    return exit_code(report)


def run(
    config: Config,
    *,
    offline: bool,
    processes: int | None,
    progress: Callable[[float, float], None],
) -> Report:
    """Run all checks."""
    from sealtrail.app.store_tools import run_fsck  # imported here: see `sealtrail --help`

    return asyncio.run(run_fsck(config, offline=offline, processes=processes, progress=progress))


def load_store_config(path: Path) -> Config:
    """Read a configuration that says which network and member the store is for.

    Raises:
        InputError: ``config_setting_missing``; as :func:`load_config`.
    """
    config = load_config(path)
    require_registry(config.chain)
    if not config.node.member:
        raise InputError(
            "config_setting_missing", "`node.member` is not set", pointer="node.member"
        )
    return config


def exit_code(report: Report) -> int:
    """Return what a report comes to."""
    if any(fault.code not in CHAIN_CODES for fault in report.faults):
        return IntegrityError.exit_code
    if report.faults:
        return VerificationError.exit_code
    return UnavailableError.exit_code if report.unchecked else 0


def as_dict(report: Report) -> dict[str, Any]:
    """Return a report as JSON has it."""
    return {
        "ok": not report.faults and not report.unchecked,
        "entries": report.entries,
        "events": report.events,
        "faults_total": report.faults_total,
        "faults": report.faults,
        "unchecked": report.unchecked,
    }


def show(report: Report) -> None:
    """Print a report for people: the first bad record first."""
    for fault in report.faults:
        click.echo(f"{sign('problem')} {fault.name}: {fault.message} [{fault.code}]")
    if report.faults_total > len(report.faults):
        click.echo(f"  … and {report.faults_total - len(report.faults)} more")
    for each in report.unchecked:
        click.echo(f"{sign('unknown')} {each.check}: {each.message} [{each.code}]")
    what = f"{report.entries:,} entries, {report.events:,} events"
    if report.faults:
        click.echo(f"{what}: {report.faults_total:,} records are not what they follow from")
        click.echo(
            "  → keep a copy of the data directory as it is; docs/fsck.md says what each code means"
        )
    else:
        click.echo(f"{sign('unknown' if report.unchecked else 'ok')} {what}: nothing is wrong")


@contextmanager
def progress_bar(label: str, *, hidden: bool) -> Iterator[Callable[[float, float], None]]:
    """Show how far something is, on standard error and only to a terminal; give what to tell (done, total)."""
    with click.progressbar(
        length=_STEPS, label=label, file=sys.stderr, hidden=hidden or not sys.stderr.isatty()
    ) as bar:

        def progress(done: float, total: float) -> None:
            step = int(_STEPS * done / total) if total else _STEPS
            bar.update(max(0, step - bar.pos))

        yield progress
