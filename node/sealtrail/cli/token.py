"""``sealtrail token``: bearer tokens for the users of a node."""

from __future__ import annotations

import hashlib
import secrets
from typing import Any

import click

from sealtrail.cli.output import common_options, print_json
from sealtrail.config.render import toml_value
from sealtrail.config.settings import SCOPES

PREFIX = "st_"


def new_token() -> str:
    """Return a token with 256 random bits."""
    return PREFIX + secrets.token_urlsafe(32)


def token_entry(name: str, token: str, scopes: list[str]) -> dict[str, Any]:
    """Return the token's table for ``[[auth.tokens]]``: its hash, never itself.

    One SHA-256 is enough: there is nothing to guess in 256 random bits.
    """
    return {"name": name, "sha256": hashlib.sha256(token.encode()).hexdigest(), "scopes": scopes}


@click.group("token")
def token_group() -> None:
    """Make tokens for the users of a node."""


@token_group.command("new")
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice(SCOPES),
    help="What the token may do; may be repeated. Default: everything.",
)
@common_options
def token_new(name: str, scopes: tuple[str, ...], as_json: bool) -> None:
    """Make a bearer token for NAME, and the lines that let it in."""
    token = new_token()
    entry = token_entry(name, token, list(scopes or SCOPES))
    if as_json:
        print_json({"token": token, "entry": entry})
        return
    click.echo(f"Token (shown only now): {token}\n")
    click.echo("For the node's configuration; restart the node afterwards:\n\n[[auth.tokens]]")
    for key, value in entry.items():
        click.echo(f"{key} = {toml_value(value)}")
