"""``sealtrail doctor``: everything around a node checked, one line each, with the fix beside what is wrong.

Three outcomes, never mixed: ``ok``, ``problem`` (it is wrong), ``unknown`` (could not be checked).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import click

from sealtrail.cli.doctor_checks import CHECKS
from sealtrail.cli.doctor_finding import Check, Finding, finding_of
from sealtrail.cli.output import common_options, print_json, sign
from sealtrail.cli.target import config_option
from sealtrail.config import Config, load_config
from sealtrail.errors import SealtrailError, UnavailableError, VerificationError


@click.command("doctor")
@config_option
@common_options
def doctor_command(config_path: Path, as_json: bool) -> int:
    """Check configuration, keys, chain, registry, clock, ports, peers, witnesses, disk and store; name the fix.

    Exit codes: 0 all is well; 1 something is wrong; 3 nothing is wrong, but not all could be checked.
    """
    findings: list[Finding] = []
    try:
        config = load_config(config_path)
    except SealtrailError as e:
        findings.append(finding_of("configuration", e))
        _print(findings, as_json)
        return VerificationError.exit_code
    findings.append(Finding(check="configuration", state="ok", message=str(config.path)))
    if not as_json:
        _show(findings[0])
    for finding in _run(CHECKS, config):
        findings.append(finding)
        if not as_json:
            _show(finding)
    if as_json:
        _print(findings, as_json)
    states = {f.state for f in findings}
    if "problem" in states:
        return VerificationError.exit_code
    return UnavailableError.exit_code if "unknown" in states else 0


def _run(checks: dict[str, Check], config: Config) -> Iterator[Finding]:
    for name, check in checks.items():
        try:
            yield from asyncio.run(check(config))
        except SealtrailError as e:
            yield finding_of(name, e)


def _show(finding: Finding) -> None:
    click.echo(f"{sign(finding.state)} {finding.check:14} {finding.message}")
    if finding.fix and finding.state != "ok":
        click.echo(f"  {'':14} → {finding.fix}")


def _print(findings: list[Finding], as_json: bool) -> None:
    if as_json:
        states = {f.state for f in findings}
        print_json({"ok": states == {"ok"}, "findings": findings})
        return
    for finding in findings:
        _show(finding)
