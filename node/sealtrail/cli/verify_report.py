"""What ``sealtrail verify`` reports: the verifier's answer, with which files it was about, and its one form in JSON.

The JSON report's SHA-256 stands in the report for people, so that the two can be matched. No clock: when it was
verified is an argument.

Source: docs/auditing.md has the form.
"""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import msgspec

from sealtrail.evidence.bundle.report import BundleReport
from sealtrail.evidence.bundle.trust import TrustFile

FORMAT = "sealtrail/report/1"


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """A report, and what it was made from.

    ``bundle_digest`` and ``trust_digest`` are SHA-256 of the files; ``item`` (canonical) and ``min_block`` what was
    asked for; ``verified_at`` Unix seconds.
    """

    report: BundleReport
    trust: TrustFile
    bundle_digest: bytes
    trust_digest: bytes
    item: str | None
    min_block: int | None
    verified_at: int

    @property
    def digest(self) -> bytes:
        """SHA-256 of the JSON report."""
        return sha256(encode_report(self)).digest()


def encode_report(checked: Checked) -> bytes:
    """Return the JSON report: indented for people, always the same bytes for the same report."""
    encoded = msgspec.json.encode(_document(checked), order="sorted")
    return msgspec.json.format(encoded, indent=2) + b"\n"


def iso_time(seconds: int) -> str:
    """Return Unix seconds as RFC 3339, UTC; of a time beyond the calendar the number."""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return f"{seconds} s after 1970"


def _document(checked: Checked) -> dict[str, Any]:
    report = checked.report
    told: dict[str, Any] = _plain(report)
    told["verdicts"] = {
        name: {"verdict": verdict, "reasons": list(reasons)}
        for name, verdict, reasons in report.verdicts
    }
    told["findings"] = [{"code": code, "message": message} for code, message in report.findings]
    if report.chain is not None:
        told["chain"]["trusts"] = report.chain.trusts
    signed = told.pop("digest")
    return told | {
        "format": FORMAT,
        "outcome": str(report.outcome),
        "exit_code": report.exit_code,
        "verified_at": iso_time(checked.verified_at),
        "asked": {"item": checked.item, "min_block": checked.min_block},
        "bundle": {
            "sha256": checked.bundle_digest.hex(),
            "signed_sha256": signed.removeprefix("0x"),
        },
        "trust": {
            "sha256": checked.trust_digest.hex(),
            "network": _plain(checked.trust.network),
            "pinned": _plain(checked.trust.pinned),
        },
    }


def _plain(value: Any) -> Any:
    """Return a value as JSON has it: structs as objects, bytes as ``0x`` hex."""
    if isinstance(value, msgspec.Struct):
        return {name: _plain(each) for name, each in msgspec.structs.asdict(value).items()}
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value
