"""Sends parts of documents to a node's capture interface, and counts what became of them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import msgspec

from sealtrail.cli.capture_journal import Journal
from sealtrail.cli.documents import Part
from sealtrail.cli.node_client import NodeClient
from sealtrail.errors import (
    ConflictError,
    ForbiddenError,
    InputError,
    RateLimitedError,
    SealtrailError,
    UnauthorizedError,
    UnavailableError,
    VerificationError,
)

JOB_TIMEOUT_SECONDS = 600.0
_POLL_SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.25)
_OF_DOCUMENTS = (InputError, ConflictError, VerificationError)
_OF_WHO_ASKS = (UnauthorizedError, ForbiddenError, RateLimitedError)
_OF_THE_REASON = "reason_"  # the node asks for --reason, or does not take the one that is given


class Outcome(msgspec.Struct, kw_only=True):
    """What became of one file's events."""

    file: str
    events: int = 0
    captured: int = 0
    skipped: int = 0
    errors: list[dict[str, Any]] = []


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
            SealtrailError: what is no fault of the document: the node is gone, busy or another one, or does not take
                this from whoever asks. A second run goes on from here.
        """
        outcome.events += part.events
        noted = f"{self._kind}:{part.digest}"
        if self._journal is not None and noted in self._journal:
            outcome.skipped += part.events
            return
        try:
            job = self._job(part)
        except SealtrailError as e:
            if not _is_of_document(e):
                raise
            outcome.errors += [_shifted(each, part) for each in problems_of(e)]
            return
        errors = [_shifted(e, part) for e in job.get("errors", [])]
        outcome.errors += errors
        # not what is left of the events without errors: one may be about the header
        outcome.captured += len(job.get("receipts", ()))
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


def _is_of_document(error: SealtrailError) -> bool:
    return (
        isinstance(error, _OF_DOCUMENTS)
        and not isinstance(error, _OF_WHO_ASKS)
        and not error.code.startswith(_OF_THE_REASON)
    )


def problems_of(error: SealtrailError) -> list[dict[str, Any]]:
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
