"""``sealtrail keys``: the key files of a node."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from sealtrail.cli.group import Entry, LazyGroup
from sealtrail.cli.keyring import PURPOSES, KeyFiles, configured_passphrase, open_keys
from sealtrail.cli.operator_act import operator_act, reason_option
from sealtrail.cli.output import common_options, print_json, say, sign
from sealtrail.cli.target import config_option
from sealtrail.config import load_config
from sealtrail.errors import SealtrailError
from sealtrail.evidence.audit_record import Action
from sealtrail.membership.records import Purpose
from sealtrail.store.keystore import generate_private_key, load_label, save_key

_NAMES = [p.name.lower() for p in Purpose]


_CHANGES = "sealtrail.cli.key_changes"
_COMMANDS = {
    "list": Entry(__name__, "keys_list", "List this node's keys, or what the registry has."),
    "show": Entry(__name__, "keys_show", "Show the public half of one key."),
    "new": Entry(__name__, "keys_new", "Make a key in a file."),
    "register": Entry(_CHANGES, "keys_register", "Put a key into the registry."),
    "end": Entry(_CHANGES, "keys_end", "End a key's validity in the registry."),
    "compromised": Entry(_CHANGES, "keys_compromised", "Report that others may have had a key."),
}


@click.group("keys", cls=LazyGroup, entries=_COMMANDS)
def keys_group() -> None:
    """List, show and make keys; register and end them."""


@click.command("list")
@click.option("--check", is_flag=True, help="Open each key too, with the passphrase.")
@click.option(
    "--registry", is_flag=True, help="List what the registry has, and which of it is configured."
)
@config_option
@common_options
def keys_list(config_path: Path, check: bool, registry: bool, as_json: bool) -> None:
    """List this node's keys: what each is for, where it is, and its public half.

    Exit code 1, with --registry: a configured key is not in the registry, not valid now, or reported compromised.
    """
    config = load_config(config_path)
    if check:
        open_keys(config)
    if registry:
        from sealtrail.cli.key_list import list_registered  # imported here: it needs web3

        list_registered(config, as_json=as_json)
        return
    rows = [_row(purpose, path) for purpose, path in KeyFiles.of(config).paths.items()]
    if as_json:
        print_json(rows)
    else:
        for row in rows:
            click.echo(_line(row, check))
    faults = [row for row in rows if "error" in row]
    if faults:
        raise click.exceptions.Exit(2)


def _row(purpose: Purpose, path: Path) -> dict[str, Any]:
    row: dict[str, Any] = {"purpose": purpose.name.lower(), "path": str(path)}
    try:
        label = load_label(path)
    except SealtrailError as e:
        return row | {"error": {"code": e.code, "message": e.message, "advice": e.advice}}
    return row | {"public": "0x" + label.public.hex(), "encrypted": label.encrypted}


def _line(row: dict[str, Any], checked: bool) -> str:
    if "error" in row:
        return f"{sign('problem')} {row['purpose']:9} {row['error']['message']}"
    state = "opened" if checked else "encrypted" if row["encrypted"] else "NOT ENCRYPTED (devnet)"
    return f"{sign('ok')} {row['purpose']:9} {row['public']}  {state}  {row['path']}"


@click.command("show")
@click.argument("purpose", type=click.Choice([p.name.lower() for p in PURPOSES]))
@config_option
@common_options
def keys_show(purpose: str, config_path: Path, as_json: bool) -> None:
    """Show the public half of one key. Private keys are never shown."""
    config = load_config(config_path)
    path = config.resolve(getattr(config.keys, purpose))
    label = load_label(path)
    if as_json:
        public = "0x" + label.public.hex()
        print_json({"purpose": purpose, "path": str(path), "public": public})
    else:
        click.echo("0x" + label.public.hex())


@click.command("new")
@click.argument("purpose", type=click.Choice(_NAMES))
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@reason_option
@config_option
@common_options
def keys_new(
    purpose: str, file: Path, reason: str | None, config_path: Path, as_json: bool
) -> None:
    """Make a key for PURPOSE in FILE, under the passphrase of the configuration.

    It counts for nothing until the registry has it (`sealtrail keys register`) and the configuration names it.
    """
    config = load_config(config_path)
    passphrase = None if config.keys.devnet_plaintext else _passphrase(config)
    kind = Purpose[purpose.upper()]
    with operator_act(config, Action.KEY_CHANGE, reason, f"new {purpose} key in a file"):
        save_key(file, kind, generate_private_key(kind), passphrase=passphrase)
    public = "0x" + load_label(file).public.hex()
    if as_json:
        print_json({"purpose": purpose, "path": str(file), "public": public})
    else:
        click.echo(f"Made {file}: {public}")
        say(f"Next: `sealtrail keys register {purpose} {file}`.")


def _passphrase(config: Any) -> str:
    from sealtrail.errors import InputError

    passphrase = configured_passphrase(config)
    if passphrase is None:
        raise InputError(
            "passphrase_missing",
            "the new key needs a passphrase and there is no terminal to ask at",
            advice="set keys.passphrase_file, or the variable that keys.passphrase_env names",
        )
    return passphrase
