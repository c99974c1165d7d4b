"""``sealtrail verify FILE --trust TRUST``: whether an evidence bundle holds. Needs no node and no network.

All is decided by :func:`sealtrail.evidence.bundle.verify.verify_bundle`; here are files, a progress bar and three forms
of one report.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import click

from sealtrail import __version__
from sealtrail.cli.output import common_options, say
from sealtrail.cli.verify_files import (
    STANDARD_INPUT,
    BundleSource,
    check_outputs,
    load_trust,
    open_bundle,
    write_output,
)
from sealtrail.cli.verify_html import render_html
from sealtrail.cli.verify_jobs import entries_ahead
from sealtrail.cli.verify_report import Checked, encode_report
from sealtrail.cli.verify_text import render_text
from sealtrail.errors import InputError, TooLargeError
from sealtrail.evidence.bundle.form import BundleLimits
from sealtrail.evidence.bundle.report import BundleReport
from sealtrail.evidence.bundle.verify import verify_bundle
from sealtrail.gs1 import parse_item

LIMITS = BundleLimits()
_PROGRESS_BYTES = 1 << 18  # a bar is drawn again after that many
_FILE = click.Path(path_type=Path)


@click.command("verify")
@click.argument("file", type=_FILE)
@click.option(
    "--trust", type=_FILE, help="Trust file: the network and validators that you believe. Needed."
)
@click.option("--item", help="The item that the bundle must be about, in any form.")
@click.option(
    "--min-block",
    type=click.IntRange(0, 2**53 - 1),
    help="The oldest proof block that is good enough. [default: the trust file's pinned block]",
)
@click.option("--html", type=_FILE, help="Write the report for people to this file, too.")
@click.option("--report", type=_FILE, help="Write the report as JSON to this file, too.")
@click.option(
    "--jobs",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="Processes that read the entries of a bundle on a log.",
)
@common_options
def verify_command(
    file: Path,
    trust: Path | None,
    item: str | None,
    min_block: int | None,
    html: Path | None,
    report: Path | None,
    jobs: int,
    as_json: bool,
) -> int:
    """Verify the evidence bundle FILE ("-": standard input) offline, in fourteen steps.

    Exit codes: 0 all steps hold; 1 a step does not hold; 2 the file is no bundle, or another input is at fault;
    3 no step fails, but one could not be checked.
    """
    known, trust_digest = load_trust(trust)
    wanted = None if item is None else _item(item)
    outputs = [path for path in (html, report) if path is not None]
    check_outputs(outputs, [path for path in (file, trust) if path not in (None, STANDARD_INPUT)])
    with entries_ahead(jobs) as ahead:
        verifier = partial(
            verify_bundle,
            trust=known,
            item=wanted,
            min_block=min_block,
            program=f"sealtrail {__version__}",
            limits=LIMITS,
            ahead=ahead,
        )
        found, digest = _verify(file, verifier, quiet=as_json)
    checked = Checked(
        report=found,
        trust=known,
        bundle_digest=digest,
        trust_digest=trust_digest,
        item=wanted,
        min_block=min_block,
        verified_at=int(time.time()),
    )
    _print(checked, as_json)
    if report is not None:
        write_output(report, encode_report(checked))
    if html is not None:
        write_output(html, render_html(checked))
    return found.exit_code


def _item(text: str) -> str:
    item = parse_item(text)
    if item.expiry is not None or (item.lot is not None and item.serial is not None):
        say(
            "note: lot and expiry of --item are not compared; `sealtrail trace` of a node does that"
        )
    return item.canonical


def _verify(
    path: Path, verifier: Callable[..., BundleReport], *, quiet: bool
) -> tuple[BundleReport, bytes]:
    """Return the report, and the SHA-256 of the file.

    Raises:
        InputError: ``bundle_malformed`` and others of the file's.
    """
    with (
        open_bundle(path, LIMITS.line_bytes_max) as source,
        _progress(source, quiet) as progress,
    ):
        try:
            return verifier(source, progress=progress), source.digest
        except TooLargeError:
            raise
        except InputError as e:
            raise source.explain(e) from e


@contextmanager
def _progress(source: BundleSource, quiet: bool) -> Iterator[Callable[[int], None]]:
    """Show on a terminal how much of the file was read; of a pipe nobody knows."""
    hidden = quiet or source.size is None or not sys.stderr.isatty()
    with click.progressbar(
        length=source.size or 1, label="verifying", file=sys.stderr, hidden=hidden
    ) as bar:
        shown = 0

        def progress(read: int) -> None:
            nonlocal shown
            if read - shown >= _PROGRESS_BYTES or read == source.size:
                bar.update(read - shown)
                shown = read

        yield progress


def _print(checked: Checked, as_json: bool) -> None:
    if as_json:
        click.echo(encode_report(checked).decode(), nl=False)
        return
    for line in render_text(checked):
        click.echo(line)
