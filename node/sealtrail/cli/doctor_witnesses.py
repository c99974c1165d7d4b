"""What ``sealtrail doctor`` says of witnesses: whom this node asks, and whether it is one itself."""

from __future__ import annotations

import asyncio
import http.client
import urllib.parse

from sealtrail.cli.doctor_finding import Finding
from sealtrail.cli.keyring import KeyFiles
from sealtrail.cli.member_list import fetch_members
from sealtrail.config import Config
from sealtrail.errors import InputError
from sealtrail.log.cosignature import parse_witness
from sealtrail.membership.records import MemberRecord, Purpose, Status

TIMEOUT_SECONDS = 5.0
CHECK = "witness"


async def check_witnesses(config: Config) -> list[Finding]:
    """Count the partners that may cosign, and see whether the other witnesses answer."""
    members = await fetch_members(config.chain)
    partners = [m.name for m in members if m.member != config.member and _is_witness(m)]
    findings = [_own(config), _partners(config, partners)]
    for other in config.witnesses.others:
        findings.append(await _other(other.url, other.verifier_key))
    return findings


def _is_witness(member: MemberRecord) -> bool:
    return member.status is Status.ACTIVE and any(
        k.purpose is Purpose.WITNESS and not k.valid_until and not k.compromised_since
        for k in member.keys
    )


def _own(config: Config) -> Finding:
    if Purpose.WITNESS in KeyFiles.of(config).paths:
        return Finding(check=CHECK, state="ok", message="this node cosigns partners' checkpoints")
    message = "this node is no witness: it has no witness key"
    return Finding(check=CHECK, state="ok", message=message)


def _partners(config: Config, names: list[str]) -> Finding:
    if config.witnesses.ask == "none" or not names:
        found = "no member is asked to cosign this log's checkpoints"
    else:
        found = f"members that may cosign this log's checkpoints: {', '.join(sorted(names))}"
    return Finding(check=CHECK, state="ok", message=found)


async def _other(url: str, key: str) -> Finding:
    try:
        name = parse_witness(key).name
    except InputError as e:
        message = f"{url}: {e.message}"
        return Finding(check=CHECK, state="problem", message=message, fix=e.advice)
    if await asyncio.to_thread(_answers, url):
        return Finding(check=CHECK, state="ok", message=f"{name} answers at {url}")
    return Finding(
        check=CHECK,
        state="unknown",
        message=f"{name} does not answer at {url}",
        fix="checkpoints go without its cosignature until it does; see witnesses.others",
    )


def _answers(url: str) -> bool:
    """Tell whether anything speaks HTTP there; an empty request is refused by every witness."""
    parts = urllib.parse.urlsplit(url)
    make = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = make(parts.hostname or "", parts.port, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("POST", parts.path.rstrip("/") + "/add-checkpoint", body=b"")
        return connection.getresponse().status < 500
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
