"""``sealtrail fsck``: the whole store checked, from recorded bytes to the chain; and mended from what is verified."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from sealtrail.cli.chain import require_registry
from sealtrail.cli.keyring import open_keys
from sealtrail.cli.output import common_options, print_json, say, sign
from sealtrail.cli.target import config_option
from sealtrail.config import Config, load_config
from sealtrail.errors import InputError, IntegrityError, UnavailableError, VerificationError
from sealtrail.membership.records import Purpose
from sealtrail.services.fsck import chain
from sealtrail.services.fsck.repair import Mend
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
@click.option("--repair", is_flag=True, help="Show what can be mended; with --yes, mend it.")
@click.option("--yes", is_flag=True, help="With --repair: mend without asking.")
@config_option
@common_options
def fsck_command(
    config_path: Path,
    offline: bool,
    processes: int | None,
    repair: bool,
    yes: bool,
    as_json: bool,
) -> int:
    """Check the whole store: every digest, signature, root, tile and anchor, and every row by what it follows from.

    Reads one snapshot and changes nothing; the node may be running. To mend, it must be stopped; other members' nodes
    are asked for what can't be computed anew, unless --offline.

    Exit codes: 0 all holds; 1 the store holds, and the chain says otherwise; 3 nothing is wrong, but not all could
    be checked; 4 the store is damaged.
    """
    config = load_store_config(config_path)
    started = time.monotonic()
    with progress_bar("checking", hidden=as_json) as progress:
        report = run(config, offline=offline, processes=processes, progress=progress)
    mends: Sequence[Mend] = ()
    if not as_json:
        show(report)
    if repair and report.faults:
        mends, mended = mend(config, report, offline=offline, yes=yes, as_json=as_json)
        if mended:
            with progress_bar("checking again", hidden=as_json) as progress:
                report = run(config, offline=offline, processes=processes, progress=progress)
            if not report.faults:
                config.store_check_file.unlink(missing_ok=True)  # what it found is no more
            if not as_json:
                show(report)
    if as_json:
        found = {**as_dict(report), "seconds": round(time.monotonic() - started, 3)}
        print_json({**found, "repairs": mends} if repair else found)
    return exit_code(report)


def mend(
    config: Config, report: Report, *, offline: bool, yes: bool, as_json: bool
) -> tuple[Sequence[Mend], bool]:
    """Show what can be mended and, if that is agreed to, mend it; tell whether anything was."""
    from sealtrail.app.store_tools import make_plan, run_repair  # imported here: see `--help`

    plan = make_plan(config, report)
    if not as_json:
        show_mends(plan.mends, "would be mended")
    possible = any(each.source != "none" for each in plan.mends)
    agreed = yes or (possible and not as_json and sys.stdin.isatty() and click.confirm("mend?"))
    if not agreed or not possible:
        say("nothing was changed; --repair --yes mends", quiet=as_json)
        return plan.mends, False
    peer_key = None
    if plan.wanted and not offline:
        peer_key = open_keys(config, Purpose.PEER)[Purpose.PEER]
    done = asyncio.run(run_repair(config, plan, peer_key, lambda text: say(text, quiet=as_json)))
    if not as_json:
        show_mends(done, "mended")
    return done, any(each.done for each in done)


def show_mends(mends: Sequence[Mend], word: str) -> None:
    """Print what is, or was, done about each fault."""
    for each in mends:
        fit = each.done if word == "mended" else each.source != "none"
        state = word if fit else "stays as it is"
        click.echo(f"{sign('ok' if fit else 'problem')} {each.fault.name}: {state}: {each.reason}")


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
