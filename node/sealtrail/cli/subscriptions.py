"""``sealtrail subscriptions``: who is sent events as they are recorded, and how that goes."""

from __future__ import annotations

import urllib.parse
from typing import Any

import click

from sealtrail.cli.group import Entry, LazyGroup
from sealtrail.cli.node_client import follow_pages
from sealtrail.cli.output import common_options, plain, print_json, sign
from sealtrail.cli.target import connect, node_options
from sealtrail.errors import UnavailableError

_COMMANDS = {
    "list": Entry(__name__, "subscriptions_list", "List subscriptions, and how it stands."),
    "test": Entry(__name__, "subscriptions_test", "Send a consumer a document without events."),
    "resume": Entry(__name__, "subscriptions_resume", "Try a suspended subscription again."),
}
_SIGNS = {"active": "ok", "failing": "unknown", "suspended": "problem"}


@click.group("subscriptions", cls=LazyGroup, entries=_COMMANDS)
def subscriptions_group() -> None:
    """List, try out and resume subscriptions to named queries."""


@click.command("list")
@node_options
@common_options
def subscriptions_list(as_json: bool, **target: Any) -> None:
    """List the node's subscriptions by webhook: where to, how far behind, and why one fails."""
    client = connect(**target)
    found: list[dict[str, Any]] = []
    for answer in follow_pages(client, "/v1/subscriptions", {"perPage": "1000"}):
        found += answer.json()["subscriptions"]
    if as_json:
        print_json(found)
        return
    for each in found:
        click.echo(_line(each))
        if "failure" in each:
            click.echo(f"    {plain(each['failure'])}")


@click.command("test")
@click.argument("subscription_id", metavar="ID")
@node_options
@common_options
def subscriptions_test(subscription_id: str, as_json: bool, **target: Any) -> None:
    """Send the consumer of subscription ID a document without events now, and say whether it took that."""
    client = connect(**target)
    found = client.post(_place(subscription_id, "test"), b"").json()
    failure = found["failure"]
    if failure is not None:
        raise UnavailableError(failure["code"], failure["detail"], advice=failure.get("advice"))
    if as_json:
        print_json(found)
        return
    click.echo(f"{sign('ok')} The consumer took it.")


@click.command("resume")
@click.argument("subscription_id", metavar="ID")
@node_options
@common_options
def subscriptions_resume(subscription_id: str, as_json: bool, **target: Any) -> None:
    """Try subscription ID again, from where it was: what was recorded meanwhile is delivered."""
    client = connect(**target)
    found = client.post(_place(subscription_id, "resume"), b"").json()
    if as_json:
        print_json(found)
        return
    click.echo(_line(found))


def _line(each: dict[str, Any]) -> str:
    how = "stream" if each.get("stream") else "schedule"
    told = (
        f"{each['subscriptionID']} {each['state']}, {each['queryName']} ({how}) to {each['dest']}:"
        f" {each['lag_events']} events behind"
    )
    return f"{sign(_SIGNS[each['state']])} {plain(told)}"


def _place(subscription_id: str, what: str) -> str:
    return f"/v1/subscriptions/{urllib.parse.quote(subscription_id, safe='')}/{what}"
