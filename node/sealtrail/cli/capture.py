"""``sealtrail capture FILE…``: EPCIS documents to a node, with progress, and resumable.

A document larger than a node takes at once is cut between events, each event's own bytes untouched.
What was accepted is noted in a journal, so that a second run sends only what is missing; that the
journal is behind (a crash between answer and note) does no harm, because a duplicate is none.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import msgspec

from sealtrail.cli.capture_journal import Journal
from sealtrail.cli.documents import Part, split_documents
from sealtrail.cli.node_client import NodeClient
from sealtrail.cli.output import common_options, print_json, say, sign
from sealtrail.cli.target import connect, node_options
from sealtrail.errors import InputError, SealtrailError, UnavailableError

JOB_TIMEOUT_SECONDS = 600.0
_POLL_SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.25)


class Outcome(msgspec.Struct, kw_only=True):
    """What became of one file's events."""

    file: str
    events: int = 0
    captured: int = 0
    skipped: int = 0
    errors: list[dict[str, Any]] = []


@click.command("capture")
@click.argument(
    "files",
    nargs=-1,
    required=True,
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
)
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
@node_options
@common_options
def capture_command(
    files: tuple[Path, ...],
    batch_events: int,
    all_or_nothing: bool,
    journal: Path | None,
    no_journal: bool,
    imported: bool,
    as_json: bool,
    **target: Any,
) -> int:
    """Send EPCIS documents (JSON or XML, or JSON with a document a line) to a node; `-` reads standard input."""
    client = connect(**target)
    notes = None if no_journal else Journal.open(journal, client)
    sender = Sender(client, notes, all_or_nothing=all_or_nothing, imported=imported)
    outcomes = []
    with click.progressbar(
        length=_bytes(files),
        label="capturing",
        file=sys.stderr,
        hidden=as_json or not sys.stderr.isatty(),
    ) as bar:
        for file in files:
            outcome = Outcome(file=str(file))
            outcomes.append(outcome)
            for part in split_documents(file, 10**9 if all_or_nothing else batch_events):
                sender.send(part, outcome)
                bar.update(part.file_bytes)
    return _report(outcomes, as_json)


def _bytes(files: tuple[Path, ...]) -> int:
    return sum(f.stat().st_size for f in files if f.exists()) or 1


class Sender:
    """Sends parts of documents one after the other."""

    def __init__(
        self,
        client: NodeClient,
        journal: Journal | None,
        *,
        all_or_nothing: bool,
        imported: bool,
    ) -> None:
        self._client = client
        self._journal = journal
        self._behaviour = "rollback" if all_or_nothing else "proceed"
        self._kind = "imported" if imported else "event"

    def send(self, part: Part, outcome: Outcome) -> None:
        """Send one part and count what became of it.

        Raises:
            UnavailableError: the node is gone; a second run goes on from here.
        """
        outcome.events += part.events
        noted = f"{self._kind}:{part.digest}"
        if self._journal is not None and noted in self._journal:
            outcome.skipped += part.events
            return
        try:
            job = self._job(part)
        except UnavailableError:
            raise
        except SealtrailError as e:
            outcome.errors += [_shifted(each, part) for each in _problems(e)]
            return
        errors = [_shifted(e, part) for e in job.get("errors", [])]
        outcome.errors += errors
        outcome.captured += part.events - len(errors) if job.get("success") or errors else 0
        if self._journal is not None and job.get("success"):
            self._journal.note(noted, part.events)

    def _job(self, part: Part) -> dict[str, Any]:
        answer = self._client.post(
            f"/capture?kind={self._kind}",
            part.document,
            Content_Type=part.media_type,
            GS1_Capture_Error_Behaviour=self._behaviour,
            Prefer="return=representation",
        )
        if answer.body:
            job: dict[str, Any] = answer.json()
            if not job.get("running"):
                return job
        location = answer.headers.get("location", "")
        path = "/capture/" + location.rstrip("/").rpartition("/")[2]
        return self._finished(path)

    def _finished(self, path: str) -> dict[str, Any]:
        deadline = time.monotonic() + JOB_TIMEOUT_SECONDS
        for pause in _pauses():
            job: dict[str, Any] = self._client.get(path).json()
            if not job.get("running"):
                return job
            if time.monotonic() > deadline:
                break
            time.sleep(pause)
        raise UnavailableError(
            "capture_job_slow", f"the node still works on {path}; ask again later"
        )


def _pauses() -> Iterator[float]:
    yield from _POLL_SECONDS
    while True:
        yield _POLL_SECONDS[-1]


def _problems(error: SealtrailError) -> list[dict[str, Any]]:
    """Return each refused event's problem, or the document's own."""
    listed = error.context.get("errors")
    if isinstance(listed, list) and all(isinstance(each, dict) for each in listed):
        return listed
    own = {"code": error.code, "detail": error.message, "pointer": error.pointer}
    return [{name: value for name, value in own.items() if value is not None}]


def _shifted(problem: dict[str, Any], part: Part) -> dict[str, Any]:
    """Return a problem whose pointer leads into the file, not into the part that was sent."""
    if part.xml is not None:
        return part.xml.shifted(problem)
    pointer = problem.get("pointer")
    problem = {**problem, "line": part.line} if part.line else dict(problem)
    if isinstance(pointer, str) and pointer.startswith(part.list_pointer + "/"):
        index, slash, rest = pointer.removeprefix(part.list_pointer + "/").partition("/")
        if index.isdigit():
            problem["pointer"] = f"{part.list_pointer}/{int(index) + part.first}{slash}{rest}"
    return problem


def _report(outcomes: list[Outcome], as_json: bool) -> int:
    if as_json:
        print_json({"files": outcomes})
    for outcome in () if as_json else outcomes:
        mark = sign("problem" if outcome.errors else "ok")
        skipped = f", {outcome.skipped} sent before" if outcome.skipped else ""
        click.echo(
            f"{mark} {outcome.file}: {outcome.captured} captured{skipped}, {len(outcome.errors)} refused"
        )
        for e in outcome.errors[:20]:
            line = f"line {e['line']} " if "line" in e else ""
            say(
                f"    {line}{e.get('pointer', '')} {e.get('detail') or e.get('title')} [{e.get('code')}]"
            )
        if len(outcome.errors) > 20:
            say(f"    … and {len(outcome.errors) - 20} more; --json lists all")
    return InputError.exit_code if any(o.errors for o in outcomes) else 0
