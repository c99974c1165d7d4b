"""One record of the audit trail: who did what, when, about what, how it ended and why; and its one byte form.

People stand in it as pseudonyms: who is behind one is kept outside of the trail, and can be erased there.

Source: docs/protocol.md section 17; 21 CFR 11.10(e) and 11.50, EU GMP Annex 11 sections 9 and 12.4 for what it has.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import StrEnum
from hashlib import sha256
from typing import Annotated

import msgspec
from msgspec import Meta

from sealtrail.errors import InputError

FIRST_PREVIOUS = bytes(32)  # what the first record is chained to
RECORD_BYTES_MAX = 1 << 20
ENTRIES_MAX = 1_000  # entries, and items, that one record lists; what was more is counted
RUNS_MAX = 20_000  # runs of leaves; more only where as many events had been recorded before, in another order
REASON_CHARACTERS_MAX = 500
SALT_BYTES = 16

NODE = "node"
NOBODY = "nobody"  # not known: a request without a token, or with one that is not known


class Action(StrEnum):
    """What was done."""

    CAPTURE = "capture"
    READ_JOB = "read_job"
    QUERY = "query"
    READ_EVENT = "read_event"
    READ_ENTRY = "read_entry"
    PROVENANCE = "provenance"
    EVIDENCE = "evidence"
    READ_LOG = "read_log"
    LOG_SECTION = "log_section"
    COPIES = "copies"
    PACKAGE_RECEIVED = "package_received"
    PACKAGE_SENT = "package_sent"
    QUERY_CHANGE = "query_change"
    SUBSCRIPTION_CHANGE = "subscription_change"
    NOTIFY = "notify"
    TOKEN_USE = "token_use"  # noqa: S105 - a token that may not do what was asked, or is none
    REQUEST = "request"  # one that reached nothing, or none of the others
    AUDIT_READ = "audit_read"
    AUDIT_EXPORT = "audit_export"
    AUDIT_VERIFY = "audit_verify"
    AUDIT_WHO = "audit_who"
    FORGET = "forget"
    KEY_CHANGE = "key_change"
    MEMBER_CHANGE = "member_change"
    CONFIG_CHANGE = "config_change"
    START = "start"
    STOP = "stop"


class Ending(StrEnum):
    """How it ended. ``partly``: some events of a document were refused, the others recorded."""

    DONE = "done"
    PARTLY = "partly"
    REFUSED = "refused"
    UNAVAILABLE = "unavailable"
    FAILED = "failed"


class Meaning(StrEnum):
    """What the member's signature under the entries means (21 CFR 11.50(a)(3))."""

    AUTHOR = "author"
    IMPORTER = "importer"


Hex16 = Annotated[str, Meta(pattern=r"^[0-9a-f]{32}\Z")]
Hex32 = Annotated[str, Meta(pattern=r"^0x[0-9a-f]{64}\Z")]
Count = Annotated[int, Meta(ge=0, le=2**53 - 1)]
RunLength = Annotated[int, Meta(ge=1, le=1 << 20)]
Actor = Annotated[
    str,
    Meta(pattern=r"^((user|operator):[0-9a-f]{32}|peer:0x[0-9a-f]{40}|node|nobody)\Z"),
]
Text = Annotated[str, Meta(max_length=REASON_CHARACTERS_MAX)]


class Subject(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """What it was about.

    ``entries``: ids of entries that were shown or received. ``leaves``: runs (first, count) of leaves of this log that
    a capture recorded, or had recorded before. Counts are there if there were more than are listed.
    ``items``: item keys of what was asked for. ``note``: of an operator's act, the note that it came by.
    """

    entries: Annotated[tuple[Hex32, ...], Meta(max_length=ENTRIES_MAX)] = ()
    entries_count: Count | None = None
    leaves: Annotated[tuple[tuple[Count, RunLength], ...], Meta(max_length=RUNS_MAX)] = ()
    leaves_count: Count | None = None
    items: Annotated[tuple[Hex32, ...], Meta(max_length=ENTRIES_MAX)] = ()
    items_count: Count | None = None
    job: Hex16 | None = None
    member: Annotated[str, Meta(pattern=r"^0x[0-9a-f]{40}\Z")] | None = None
    note: Hex16 | None = None
    what: Text | None = None


class Input(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """What came in: SHA-256 and size of the body; where it was at fault; whether its bytes were kept."""

    digest: Hex32
    size: Count
    pointer: Text | None = None
    kept: bool = False


class AuditRecord(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """One record. ``n`` counts from 0 without a gap; ``salt`` is random, so that no neighbour can be guessed.

    ``route``: method and pattern of the request. ``times``: so many that were alike, of nobody, since ``time_ms``.
    Who makes one leaves ``n`` and ``salt`` to whoever appends it.
    """

    n: int = -1
    salt: str = ""
    time_ms: Count
    actor: Actor
    action: Action
    outcome: Ending
    code: Text | None = None
    reason: Text | None = None
    meaning: Meaning | None = None
    route: Text | None = None
    subject: Subject | None = None
    input: Input | None = None
    times: Annotated[int, Meta(ge=1, le=2**53 - 1)] = 1


_NUMBER_MAX = 2**53 - 1
_decode = msgspec.json.Decoder(AuditRecord).decode
_is_salt = re.compile(r"[0-9a-f]{32}").fullmatch


def encode_record(record: AuditRecord) -> bytes:
    """Return the record's bytes: RFC 8785, for its names are ASCII and its numbers whole."""
    return msgspec.json.encode(record, order="sorted")


def parse_record(octets: bytes) -> AuditRecord:
    """Read a record.

    Raises:
        InputError: ``audit_record_malformed``; also if it is not in the one form that it has.
    """
    if len(octets) > RECORD_BYTES_MAX:
        raise InputError("audit_record_malformed", f"over {RECORD_BYTES_MAX} bytes")
    try:
        record = _decode(octets)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(
            "audit_record_malformed", f"no record of an audit trail: {error}"
        ) from None
    numbered = 0 <= record.n <= _NUMBER_MAX and _is_salt(record.salt)
    if not numbered or encode_record(record) != octets:
        raise InputError("audit_record_malformed", "the record is not in the one form that it has")
    return record


def chain_hash(previous: bytes, octets: bytes) -> bytes:
    """Return the hash of a record: it covers the record before, and so all that came before."""
    return sha256(previous + octets).digest()


def check_reason(text: str) -> str:
    """Return a reason as a user gave it, without blanks around.

    Raises:
        InputError: ``reason_too_long``, ``reason_malformed`` (control characters, not UTF-8), ``reason_empty``.
    """
    reason = text.strip()
    if len(reason) > REASON_CHARACTERS_MAX:
        raise InputError(
            "reason_too_long",
            f"the reason has {len(reason)} characters, at most {REASON_CHARACTERS_MAX} are kept",
        )
    if not reason.isprintable() or not is_text(reason):
        raise InputError("reason_malformed", "the reason holds characters that are no text")
    if not reason:
        raise InputError("reason_empty", "the reason is empty")
    return reason


def is_text(text: str) -> bool:
    """Tell whether it can be written as UTF-8: no halves of characters."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def clipped(text: str | None) -> str | None:
    """Return a text of our own making (a code, a pointer) as a record may hold it."""
    if text is None:
        return None
    if text.isascii():
        return text if len(text) <= REASON_CHARACTERS_MAX else text[:REASON_CHARACTERS_MAX]
    return text.encode("utf-8", "replace").decode()[:REASON_CHARACTERS_MAX]


def explain(record: AuditRecord, *, member: str, time: Callable[[int], str]) -> str:
    """Return in words what a record says, for whoever reads an export.

    Args:
        member: whose trail it is.
        time: spells a time in milliseconds.
    """
    parts = [f"{time(record.time_ms)}: {record.actor} – {_DONE[record.action]} – {record.outcome}"]
    if record.code:
        parts.append(f"({record.code})")
    if record.times > 1:
        parts.append(f"{record.times} times")
    if record.reason:
        parts.append(f"because: {record.reason}")
    if record.meaning is not None:
        parts.append(f"; the signature of member {member} means: {_MEANING[record.meaning]}")
    return " ".join(parts)


_MEANING = {
    Meaning.AUTHOR: "recorded as its author, who vouches for what it says",
    Meaning.IMPORTER: "taken over from an earlier system; the author is not this signature's owner",
}
_DONE = {
    Action.CAPTURE: "handed in events to be recorded",
    Action.READ_JOB: "read capture jobs",
    Action.QUERY: "searched events",
    Action.READ_EVENT: "read an event",
    Action.READ_ENTRY: "read an entry and its proof",
    Action.PROVENANCE: "asked where an item has been",
    Action.EVIDENCE: "had evidence made",
    Action.READ_LOG: "read the log",
    Action.LOG_SECTION: "was given complete lists of the log",
    Action.COPIES: "was given copies of entries",
    Action.PACKAGE_RECEIVED: "sent a package to this node",
    Action.PACKAGE_SENT: "gave entries to another member",
    Action.QUERY_CHANGE: "made or deleted a named query",
    Action.SUBSCRIPTION_CHANGE: "changed a subscription",
    Action.NOTIFY: "sent events to a subscriber",
    Action.TOKEN_USE: "was turned away at the door",
    Action.REQUEST: "sent a request",
    Action.AUDIT_READ: "read the audit trail",
    Action.AUDIT_EXPORT: "exported from the audit trail",
    Action.AUDIT_VERIFY: "verified the audit trail",
    Action.AUDIT_WHO: "looked up who is behind a pseudonym",
    Action.FORGET: "erased who was behind a pseudonym",
    Action.KEY_CHANGE: "changed a key",
    Action.MEMBER_CHANGE: "changed the member's record",
    Action.CONFIG_CHANGE: "the configuration was another than at the start before",
    Action.START: "the node was started",
    Action.STOP: "the node was stopped",
}
