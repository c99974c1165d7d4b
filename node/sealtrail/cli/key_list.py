"""``sealtrail keys list --registry``: the member's keys as the registry has them, beside the configured ones."""

from __future__ import annotations

import asyncio
from typing import Any

import click

from sealtrail.cli.key_choice import key_json, keys_in_use, public_hex, standing
from sealtrail.cli.output import print_json, sign
from sealtrail.cli.own_record import OwnRecord, fetch_own_record
from sealtrail.config import Config
from sealtrail.errors import VerificationError
from sealtrail.membership.records import Key, Purpose


def list_registered(config: Config, *, as_json: bool) -> None:
    """Print every registered key, and the configured ones that are not registered.

    Raises:
        click.exceptions.Exit: with 1, a configured key is not one to sign with now.
        SealtrailError: as :func:`fetch_own_record` and :func:`keys_in_use`.
    """
    in_use = keys_in_use(config)
    own = asyncio.run(fetch_own_record(config))
    missing = [
        Key(purpose=purpose, public=public, valid_from=0)
        for purpose, public in in_use.items()
        if own.record.key(purpose, public) is None
    ]
    if as_json:
        print_json(_as_json(own, in_use, missing))
    else:
        _show(own, in_use, missing)
    block = own.head.number
    configured = [k for k in own.record.keys if in_use.get(k.purpose) == k.public]
    if missing or any(not k.valid_at(block) or k.compromised_since for k in configured):
        raise click.exceptions.Exit(VerificationError.exit_code)


def _as_json(own: OwnRecord, in_use: dict[Purpose, bytes], missing: list[Key]) -> dict[str, Any]:
    block = own.head.number
    return {
        "member": "0x" + own.record.member.hex(),
        "block": block,
        "keys": [
            {
                **key_json(key, n),
                "valid": key.valid_at(block),
                "configured": in_use.get(key.purpose) == key.public,
            }
            for n, key in enumerate(own.record.keys)
        ],
        "not_registered": [
            {"purpose": k.purpose.name.lower(), "public": public_hex(k)} for k in missing
        ],
    }


def _show(own: OwnRecord, in_use: dict[Purpose, bytes], missing: list[Key]) -> None:
    block = own.head.number
    for key in own.record.keys:
        configured = in_use.get(key.purpose) == key.public
        fit = key.valid_at(block) and not key.compromised_since
        mark = sign("ok") if fit else sign("problem") if configured else " "
        use = "configured; " if configured else ""
        name = key.purpose.name.lower()
        click.echo(f"{mark} {name:9} {public_hex(key)}  {use}{standing(key, block)}")
    for key in missing:
        name = key.purpose.name.lower()
        click.echo(f"{sign('problem')} {name:9} {public_hex(key)}  configured; NOT REGISTERED")
