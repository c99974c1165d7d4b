"""``sealtrail member list``: who is a member, as the chain says."""

from __future__ import annotations

import asyncio
from typing import Any

import click

from sealtrail.cli.chain import open_rpc
from sealtrail.cli.member_request import role_names
from sealtrail.cli.output import common_options, print_json
from sealtrail.cli.own_record import open_ledger
from sealtrail.cli.target import config_option
from sealtrail.config import ChainSettings, load_config
from sealtrail.membership.encoding import parse_record
from sealtrail.membership.records import MemberRecord


async def fetch_members(chain: ChainSettings) -> list[MemberRecord]:
    """Return the latest record of every member, by name.

    Raises:
        InputError: no network is configured. UnavailableError: the chain could not be asked.
    """
    async with open_rpc(chain) as rpc:
        ledger = await open_ledger(rpc, chain)
        head = await ledger.head()
        _, records = await ledger.changes(chain.start_block, head.number)
    latest = {r.member: parse_record(r.record, block=r.block_number) for r in records}
    return sorted(latest.values(), key=lambda m: m.name)


@click.command("list")
@config_option
@common_options
def member_list(config_path: Any, as_json: bool) -> None:
    """List the network's members, as the chain has them now."""
    members = asyncio.run(fetch_members(load_config(config_path).chain))
    if as_json:
        print_json([_as_json(m) for m in members])
        return
    for m in members:
        click.echo(
            f"0x{m.member.hex()}  {m.status.name.lower():9} {m.name}  [{', '.join(role_names(m.roles))}]"
        )


def _as_json(member: MemberRecord) -> dict[str, Any]:
    return {
        "member": "0x" + member.member.hex(),
        "name": member.name,
        "status": member.status.name.lower(),
        "roles": role_names(member.roles),
        "node_url": member.node_url,
        "glns": member.glns,
        "numbering_rights": [r.digits for r in member.rights],
        "keys": [
            {
                "purpose": k.purpose.name.lower(),
                "public": "0x" + k.public.hex(),
                "valid_from": k.valid_from,
                "valid_until": k.valid_until,
                "compromised_since": k.compromised_since,
            }
            for k in member.keys
        ],
        "version": member.version,
    }
