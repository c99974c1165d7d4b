"""Working state: jobs, deliveries, cursors, nonces, checked against what they refer to. Nothing proven rests on it.

Times, counts and random names have nothing to be compared with but what is possible at all.
"""

from __future__ import annotations

from typing import Any

import msgspec

from sealtrail.errors import SealtrailError
from sealtrail.log.tree import HASH_BYTES, split_hashes
from sealtrail.membership.records import Purpose
from sealtrail.peers.signatures import NONCE_CHARACTERS_MAX, PeerKeyId
from sealtrail.services.fsck.check import Check
from sealtrail.services.fsck.faults import Findings
from sealtrail.services.fsck.scope import Scope
from sealtrail.services.receipts import TIME_MS_MAX
from sealtrail.store.deliveries import UNTIL_ANCHORED, Stage
from sealtrail.store.events import known_entries

_JOB, _DELIVERY, _CURSOR, _NONCE = "capture_job", "delivery", "delivery_cursor", "peer_nonce"
_BEHAVIOURS = frozenset({"rollback", "proceed"})
_JOBS_PORTION = 1_000
_JOB_ID_CHARACTERS = frozenset("0123456789abcdef")


def look_at_jobs(scope: Scope, first: int, last: int) -> Findings:
    """Check the capture jobs of these rows."""
    found = Findings()
    for row in scope.connection.execute(
        "SELECT job_row, job_id, created_ms, finished_ms, success, error_behaviour, errors, entry_ids"
        " FROM capture_job WHERE job_row >= ? AND job_row < ?",
        (first, last),
    ):
        _check_job(scope, found, row)
    return found


def _check_job(scope: Scope, found: Findings, row: tuple[Any, ...]) -> None:
    job_row, job_id, created, finished, success, behaviour, errors, entry_ids = row
    key = {"job_row": job_row}

    def wrong(column: str, message: str) -> None:
        found.add("job_contradicts", _JOB, key, message, column=column)

    if len(job_id) != 32 or not _JOB_ID_CHARACTERS.issuperset(job_id):
        wrong("job_id", f"no job id: {job_id[:40]!r}")
    if not 0 < created <= finished <= TIME_MS_MAX:
        wrong("created_ms", f"created at {created}, finished at {finished}")
    if behaviour not in _BEHAVIOURS:
        wrong("error_behaviour", f"no behaviour: {behaviour[:40]!r}")
    try:
        refusals: list[dict[str, Any]] | None = msgspec.json.decode(
            errors, type=list[dict[str, Any]]
        )
    except (msgspec.DecodeError, RecursionError) as error:
        refusals = None
        wrong("errors", f"no list of problems: {error}")
    if refusals is not None and success != (0 if refusals else 1):
        wrong("success", f"success {success} with {len(refusals)} errors")
    ids = split_hashes(entry_ids)
    unknown = set(ids) - known_entries(scope.connection, ids)
    if unknown or len(entry_ids) % HASH_BYTES:
        wrong("entry_ids", f"{len(unknown)} of its {len(ids)} entries are of no event")


def look_at_deliveries(scope: Scope, first: int, last: int) -> Findings:
    """Check deliveries, their cursor, and nonces."""
    found = Findings()
    _check_deliveries(scope, found)
    _check_disclosed(scope, found)
    _check_cursor(scope, found)
    _check_nonces(scope, found)
    return found


def _check_deliveries(scope: Scope, found: Findings) -> None:
    stages = set(Stage)
    for number, stage, attempts, next_ms, delivered_ms, first in scope.connection.execute(
        "SELECT delivery_id, stage, attempts, next_ms, delivered_ms, EXISTS (SELECT 1 FROM delivery AS f"
        "  WHERE f.recipient = delivery.recipient AND f.entry_id = delivery.entry_id"
        "  AND f.stage = 'announced') FROM delivery"
    ):
        key = {"delivery_id": number}
        if stage not in stages:
            found.add("state_unknown", _DELIVERY, key, f"stage {stage!r}", column="stage")
        elif not first:
            message = "the entry was never announced to this member"
            found.add("delivery_contradicts", _DELIVERY, key, message)
        if attempts < 0:
            found.add(
                "delivery_contradicts", _DELIVERY, key, f"{attempts} attempts", column="attempts"
            )
        if not 0 < next_ms <= TIME_MS_MAX and next_ms != UNTIL_ANCHORED:
            message = f"next at {next_ms} ms"
            found.add("delivery_contradicts", _DELIVERY, key, message, column="next_ms")
        if delivered_ms is not None and not 0 < delivered_ms <= TIME_MS_MAX:
            message = f"delivered at {delivered_ms} ms"
            found.add("delivery_contradicts", _DELIVERY, key, message, column="delivered_ms")


def _check_disclosed(scope: Scope, found: Findings) -> None:
    """What was delivered was noted as disclosed before."""
    for event_row, recipient in scope.connection.execute(
        "SELECT event.event_row, recipient FROM delivery JOIN event USING (entry_id)"
        " WHERE delivered_ms IS NOT NULL AND stage = 'announced'"
        " EXCEPT SELECT event_row, recipient FROM disclosed"
    ):
        key = {"event_row": event_row, "recipient": recipient}
        message = "the event was delivered to this member, and is not noted as disclosed"
        found.add("disclosure_missing", "disclosed", key, message)


def _check_cursor(scope: Scope, found: Findings) -> None:
    """The cursor moves in the transaction that notes deliveries: none is of an event behind it."""
    row = scope.connection.execute("SELECT event_row FROM delivery_cursor WHERE id = 1").fetchone()
    lowest = scope.count(
        "SELECT max(event_row) FROM event WHERE entry_id IN (SELECT entry_id FROM delivery)"
    )
    highest = scope.count("SELECT max(event_row) FROM event")
    at = row[0] if row else 0
    if not lowest <= at <= highest:
        message = f"at event {at}, expected {lowest} to {highest}"
        found.add("cursor_differs", _CURSOR, {"id": 1}, message, column="event_row")


def _check_nonces(scope: Scope, found: Findings) -> None:
    for key_id, nonce, expires_ms in scope.connection.execute(
        "SELECT key_id, nonce, expires_ms FROM peer_nonce"
    ):
        key = {"key_id": key_id, "nonce": nonce}
        if not _is_registered(scope, key_id):
            found.add("nonce_contradicts", _NONCE, key, "by no peer key that the registry has")
        if not 0 < len(nonce) <= NONCE_CHARACTERS_MAX or not 0 < expires_ms <= TIME_MS_MAX:
            found.add("nonce_contradicts", _NONCE, key, f"expires at {expires_ms} ms")


def _is_registered(scope: Scope, text: str) -> bool:
    try:
        key = PeerKeyId.parse(text)
        if isinstance(scope.view, SealtrailError):
            return True  # nobody's keys are known here
        record = scope.view.record(key.member, None)
    except SealtrailError:
        return False
    return record is not None and record.key(Purpose.PEER, key.public) is not None


JOBS = Check(
    name="capture jobs",
    tables=(_JOB,),
    look=look_at_jobs,
    span=lambda scope: (0, scope.count("SELECT max(job_row) + 1 FROM capture_job")),
    portion=_JOBS_PORTION,
    weight=0.05,
)
DELIVERIES = Check(
    name="deliveries",
    tables=(_DELIVERY, "delivery_unproven", _CURSOR, "disclosed", _NONCE),
    look=look_at_deliveries,
    span=lambda scope: (0, scope.count("SELECT count(*) FROM delivery")),
    weight=0.05,
)
