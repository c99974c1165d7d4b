"""``sealtrail init``: a folder with a commented configuration and five new keys."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import msgspec

from sealtrail.cli.keyring import PURPOSES, terminal_prompt
from sealtrail.cli.output import common_options, print_json, say
from sealtrail.cli.token import new_token, token_entry
from sealtrail.config import parse_config
from sealtrail.config.render import render_toml
from sealtrail.config.settings import SCOPES, ChainSettings, KeysSettings
from sealtrail.errors import ConflictError, InputError
from sealtrail.membership.records import Purpose
from sealtrail.store.keystore import generate_private_key, load_key, load_label, save_key
from sealtrail.store.passphrase import load_passphrase

CONFIG_NAME = "sealtrail.toml"
Settings = Mapping[str, Mapping[str, Any]]


class Initialised(msgspec.Struct, frozen=True, kw_only=True):
    """What :func:`initialise` made; ``public`` holds each purpose's address or public key as hex."""

    config_path: Path
    member: str
    public: dict[str, str]


def initialise(directory: Path, settings: Settings, *, passphrase: str | None) -> Initialised:
    """Make keys and configuration of a node; ``passphrase`` None keeps keys in clear (devnet).

    The configuration is written last: a crash before leaves keys, and a second try takes them over.

    Raises:
        ConflictError: ``config_exists``.
        InputError: a setting is wrong (as :func:`parse_config`), a key left over does not open.
    """
    config_path = directory / CONFIG_NAME
    if config_path.exists():
        raise ConflictError(
            "config_exists",
            f"{config_path} exists and is not overwritten",
            advice="choose another folder, or move the old one away",
        )
    parse_config(render_toml(settings).encode(), config_path)  # refuse before anything is written
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    public = _make_keys(directory, settings.get("keys", {}), passphrase)
    member = public["operator"]
    complete = {**settings, "node": {**settings.get("node", {}), "member": member}}
    _write(config_path, render_toml(complete))
    return Initialised(config_path=config_path, member=member, public=public)


def _make_keys(directory: Path, names: Mapping[str, Any], passphrase: str | None) -> dict[str, str]:
    defaults = KeysSettings()
    public = {}
    for purpose in PURPOSES:
        name = purpose.name.lower()
        path = directory / names.get(name, getattr(defaults, name))
        public[name] = "0x" + _make_key(path, purpose, passphrase).hex()
    return public


def _make_key(path: Path, purpose: Purpose, passphrase: str | None) -> bytes:
    if path.exists():  # left by a try that did not get as far as the configuration
        load_key(path, purpose, passphrase=passphrase, allow_plaintext=passphrase is None)
    else:
        save_key(path, purpose, generate_private_key(purpose), passphrase=passphrase)
    return load_label(path).public


def _write(path: Path, text: str) -> None:
    """Write durably and at once: the file is there whole or not at all."""
    partial = path.with_suffix(".partial")
    with open(partial, "w", encoding="utf-8", opener=_owner_only) as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def _owner_only(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def pin_chain(settings: ChainSettings) -> dict[str, Any]:
    """Return the chain's section with what the chain says of itself filled in.

    Raises:
        UnavailableError: no endpoint answers (``chain_unreachable``, …).
        VerificationError: it is another chain than was given (``wrong_chain``).
    """
    from sealtrail.cli.chain import fetch_chain_facts  # brings aiohttp

    facts = asyncio.run(fetch_chain_facts(settings))
    return {
        "chain_id": facts.identity.chain_id,
        "genesis_hash": "0x" + facts.identity.genesis_hash.hex(),
        "fees": facts.fees,
    }


@click.command("init")
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@click.option("--name", default="node", show_default=True, help="Name of this node on screens.")
@click.option(
    "--rpc-url", "rpc_urls", multiple=True, help="JSON-RPC endpoint of the chain; may be repeated."
)
@click.option("--registry", help="Address of the network's Registry contract.")
@click.option("--chain-id", type=int, help="Chain id; asked of the chain if not given.")
@click.option("--genesis-hash", help="Hash of block 0; asked of the chain if not given.")
@click.option("--start-block", type=int, help="Block in which the contracts were deployed.")
@click.option("--finality", help="instant, signers, finalized or 'depth N'.")
@click.option("--fees", type=click.Choice(["eip1559", "legacy", "free"]), help="How to pay.")
@click.option("--beat-seconds", type=float, help="Time from one anchor to the next.")
@click.option("--host", help="Address to listen on.")
@click.option("--port", type=int, help="Port to listen on.")
@click.option("--public-url", help="URL under which users and peers reach the node.")
@click.option(
    "--passphrase-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File with the keys' passphrase; else SEALTRAIL_PASSPHRASE, else you are asked.",
)
@click.option("--devnet-plaintext-keys", is_flag=True, help="Keep keys in clear: on a devnet only.")
@common_options
def init_command(
    directory: Path,
    name: str,
    passphrase_file: Path | None,
    devnet_plaintext_keys: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Make the configuration, the keys and a first token of a node in DIRECTORY."""
    passphrase = None
    if not devnet_plaintext_keys:
        passphrase = _new_passphrase(passphrase_file)
    token = new_token()
    settings = {
        "node": {"name": name},
        "chain": _chain(options),
        "anchoring": _given(options, "beat_seconds"),
        "http": _given(options, "host", "port", "public_url"),
        "auth": {"tokens": [token_entry("admin", token, list(SCOPES))]},
        "keys": _keys(passphrase_file, devnet_plaintext_keys),
    }
    made = initialise(directory, settings, passphrase=passphrase)
    if as_json:
        print_json({"config": str(made.config_path), "keys": made.public, "token": token})
        return
    _explain(made, token, settings["chain"])


def _given(options: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {n: options[n] for n in names if options[n] is not None}


def _chain(options: Mapping[str, Any]) -> dict[str, Any]:
    given = _given(
        options, "registry", "chain_id", "genesis_hash", "start_block", "finality", "fees"
    )
    if not options["rpc_urls"]:
        return given
    given["rpc_urls"] = list(options["rpc_urls"])
    if {"chain_id", "genesis_hash", "fees"} <= given.keys():
        return given
    checked = parse_config(render_toml({"chain": given}).encode(), Path(CONFIG_NAME)).chain
    return {**pin_chain(checked), **given}


def _keys(passphrase_file: Path | None, plaintext: bool) -> dict[str, Any]:
    keys: dict[str, Any] = {"devnet_plaintext": True} if plaintext else {}
    if passphrase_file is not None and not plaintext:
        keys["passphrase_file"] = str(passphrase_file.absolute())
    return keys


def _new_passphrase(file: Path | None) -> str:
    passphrase = load_passphrase(
        file, KeysSettings().passphrase_env, os.environ, terminal_prompt(confirm=True)
    )
    if passphrase is None:
        raise InputError(
            "passphrase_missing",
            "the keys need a passphrase and there is no terminal to ask at",
            advice="give --passphrase-file FILE, or set SEALTRAIL_PASSPHRASE",
        )
    return passphrase


def _explain(made: Initialised, token: str, chain: Mapping[str, Any]) -> None:
    click.echo(f"Made {made.config_path} and five keys. This member is {made.member}.")
    click.echo(f"Token of user `admin` (shown only now): {token}")
    say("Keep a copy of the keys' folder and of the passphrase apart from this machine.")
    say("\nNext:")
    if not {"rpc_urls", "registry"} <= chain.keys():
        say(f"  fill in rpc_urls and registry under [chain] in {made.config_path}")
    say(f"  sealtrail member request --config {made.config_path} …   makes a file for the stewards")
    say(f"  sealtrail run --config {made.config_path}                once they admitted you")
