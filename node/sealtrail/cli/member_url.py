"""``sealtrail member set-url``: where the other members' nodes find this one."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from sealtrail.cli.operator_act import operator_act, reason_option
from sealtrail.cli.output import common_options, print_json, say, sign
from sealtrail.cli.own_record import change_own_record, open_operator
from sealtrail.cli.target import config_option
from sealtrail.config import load_config
from sealtrail.evidence.audit_record import Action
from sealtrail.ledger import registry_calls
from sealtrail.peers.client import PlainHttp, check_url


@click.command("set-url")
@click.argument("url")
@reason_option
@config_option
@common_options
def member_set_url(url: str, reason: str | None, config_path: Path, as_json: bool) -> None:
    """Put URL into the registry as where this member's node is reached, and wait until that is final.

    The operator key of the configuration signs it. The node must have the same URL as its http.public_url.
    """
    config = load_config(config_path)
    url = url.rstrip("/")
    # what no peer would call is refused here: the contract can't tell
    check_url(url, PlainHttp.allowed_to(url, anywhere=config.peers.plain_http))
    with operator_act(config, Action.MEMBER_CHANGE, reason, f"node URL {url}"):
        change = asyncio.run(
            change_own_record(
                config,
                open_operator(config),
                lambda own: registry_calls.set_node_url(own.record, url),
            )
        )
    if as_json:
        print_json(change.as_json(node_url=change.record.node_url))
        return
    click.echo(
        f"{sign('ok')} The registry has {change.record.node_url} since block {change.block}."
    )
    if url != config.public_url:
        say(
            f'Next: set `public_url = "{url}"` under [http] in {config_path}, and restart the node:'
        )
        say("it refuses requests that were signed for another URL.")
