"""``sealtrail capture FILE…``: EPCIS documents to a node, with progress, and resumable.

A document larger than a node takes at once is cut between events, each event's own bytes untouched.
What was accepted is noted in a journal, so that a second run sends only what is missing; that the
journal is behind (a crash between answer and note) does no harm, because a duplicate is none.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import msgspec

from sealtrail.cli.capture_files import FileCapture
from sealtrail.cli.capture_journal import Journal
from sealtrail.cli.capture_sender import Outcome, Sender
from sealtrail.cli.capture_watch import Taken, Watch
from sealtrail.cli.document_files import find_files
from sealtrail.cli.documents import open_regular
from sealtrail.cli.output import common_options, plain, print_json, say, sign
from sealtrail.cli.target import connect, node_options
from sealtrail.errors import InputError

_ALL_EVENTS = 10**9


@click.command("capture")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path, allow_dash=True))
@click.option(
    "--batch-events",
    default=500,
    show_default=True,
    type=click.IntRange(1, 100_000),
    help="Most events that are sent at once.",
)
@click.option(
    "--all-or-nothing",
    is_flag=True,
    help="Refuse a whole document for one bad event; documents are not cut.",
)
@click.option(
    "--journal",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where to note what was accepted. Default: in your state folder, one per node.",
)
@click.option("--imported", is_flag=True, help="History from before joining: exempt from lateness.")
@click.option("--no-journal", is_flag=True, help="Send everything, note nothing.")
@click.option(
    "--watch",
    "folder",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Take what arrives in this folder, until Ctrl-C.",
)
@click.option("--once", is_flag=True, help="With --watch: take what is there, and end.")
@click.option(
    "--interval",
    type=click.FloatRange(0.05, 3_600),
    default=2.0,
    show_default=True,
    help="With --watch: seconds from one look at the folder to the next.",
)
@node_options
@common_options
def capture_command(
    files: tuple[Path, ...],
    batch_events: int,
    all_or_nothing: bool,
    journal: Path | None,
    no_journal: bool,
    imported: bool,
    folder: Path | None,
    once: bool,
    interval: float,
    as_json: bool,
    **target: Any,
) -> int:
    """Send EPCIS documents to a node; `-` reads standard input.

    A file is a document in JSON or XML, or one in JSON a line, or an archive of documents (.zip, .tar, .tar.gz, .gz).
    Of a folder, the documents (.json, .jsonl, .ndjson, .jsonld, .xml) and archives in it and below it are sent.

    With --watch, what arrives in a folder is sent, and moved into its folder done, or refused with the reason beside
    it. While the node is away, files wait where they are.
    """
    if (folder is None) == (not files) or (once and folder is None):
        raise InputError("usage", "name files, or a folder with --watch (--once goes with it)")

    def sender() -> Sender:
        client = connect(**target)
        notes = None if no_journal else Journal.open(journal, client)
        return Sender(client, notes, all_or_nothing=all_or_nothing, imported=imported)

    most = _ALL_EVENTS if all_or_nothing else batch_events
    if folder is not None:
        return _watch(folder, sender, most, once=once, interval=interval, as_json=as_json)
    return _capture(list(find_files(files)), sender(), most, as_json=as_json)


def _capture(files: list[Path], sender: Sender, batch_events: int, *, as_json: bool) -> int:
    outcomes: list[Outcome] = []
    with click.progressbar(
        length=_bytes(files),
        label="capturing",
        file=sys.stderr,
        hidden=as_json or not sys.stderr.isatty(),
    ) as bar:
        capture = FileCapture(sender, batch_events, bar.update)
        for file in files:
            outcomes += capture.capture(file)
    if as_json:
        print_json({"files": outcomes})
    elif not outcomes:
        say("there are no documents")
    for outcome in () if as_json else outcomes:
        _show(outcome)
    return InputError.exit_code if any(o.errors for o in outcomes) else 0


def _bytes(files: list[Path]) -> int:
    return sum(f.stat().st_size for f in files if f.exists()) or 1


def _watch(
    folder: Path,
    sender: Callable[[], Sender],
    batch_events: int,
    *,
    once: bool,
    interval: float,
    as_json: bool,
) -> int:
    connected: list[FileCapture] = []
    refused = False

    def capture(path: Path) -> list[Outcome]:
        if not connected:  # the node may be away at first
            connected.append(FileCapture(sender(), batch_events, lambda _: None, open_regular))
        return connected[0].capture(path)

    def tell(taken: Taken) -> None:
        nonlocal refused
        refused = refused or taken.refused
        if as_json:
            click.echo(msgspec.json.encode(taken).decode())
        for outcome in () if as_json else taken.documents:
            _show(outcome)

    quiet = as_json or not sys.stderr.isatty()
    say(f"watching {folder}; Ctrl-C ends it", quiet=quiet or once)
    with _stopped_by_signals() as stop:
        watch = Watch(
            folder,
            capture,
            tell=tell,
            tell_waiting=lambda why: say(f"waiting for the node: {plain(why)}", quiet=as_json),
            interval_seconds=interval,
            stop=stop,
        )
        watch.run(once=once)
    return InputError.exit_code if once and refused else 0


@contextmanager
def _stopped_by_signals() -> Iterator[threading.Event]:
    """Give an event that Ctrl-C and SIGTERM set, so that the file at hand is finished; a second one interrupts."""
    stop = threading.Event()

    def handle(*_: object) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _show(outcome: Outcome) -> None:
    mark = sign("problem" if outcome.errors else "ok")
    skipped = f", {outcome.skipped} sent before" if outcome.skipped else ""
    click.echo(
        f"{mark} {plain(outcome.file)}: {outcome.captured} captured{skipped}, {len(outcome.errors)} refused"
    )
    for e in outcome.errors[:20]:
        line = f"line {e['line']} " if "line" in e else ""
        what = f"{line}{e.get('pointer', '')} {e.get('detail') or e.get('title')} [{e.get('code')}]"
        say(f"    {plain(what)}")
    if len(outcome.errors) > 20:
        say(f"    … and {len(outcome.errors) - 20} more; --json lists all")
