"""``sealtrail keys register``, ``end`` and ``compromised``: a member changes its own keys in the registry."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime
from pathlib import Path

import click

from sealtrail.cli.chain import open_rpc
from sealtrail.cli.key_choice import (
    choose_key_to_end,
    find_key,
    key_json,
    keys_in_use,
    public_hex,
    require_unneeded,
    standing,
)
from sealtrail.cli.keyring import PURPOSES, KeyFiles, configured_passphrase
from sealtrail.cli.operator_act import operator_act, reason_option
from sealtrail.cli.output import common_options, confirm, print_json, say, sign
from sealtrail.cli.own_record import (
    OwnRecord,
    RecordChange,
    change_own_record,
    fetch_own_record,
    open_ledger,
    open_operator,
    poll,
)
from sealtrail.cli.target import config_option
from sealtrail.config import Config, load_config
from sealtrail.errors import InputError
from sealtrail.evidence.audit_record import Action
from sealtrail.ledger import registry_calls
from sealtrail.ledger.chain import ChainLedger
from sealtrail.ledger.envelope import OperatorKey
from sealtrail.membership.records import Key, Purpose
from sealtrail.store.keystore import load_key, load_label, public_of

_NEXT_BLOCK_SECONDS_MAX = 20.0
_YES = click.option("--yes", is_flag=True, help="Do not ask whether to go on.")


@click.command("register")
@click.argument("purpose", type=click.Choice([p.name.lower() for p in PURPOSES]))
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@reason_option
@config_option
@common_options
def keys_register(
    purpose: str, file: Path, reason: str | None, config_path: Path, as_json: bool
) -> None:
    """Put the key in FILE into the registry as one of this member's, and wait until that is final.

    The operator key of the configuration signs it. The keys before stay valid until they are ended.
    """
    config = load_config(config_path)
    operator, public = _open_both(config, Purpose[purpose.upper()], file)
    with operator_act(
        config, Action.KEY_CHANGE, reason, f"register {purpose} key 0x{public.hex()}"
    ):
        change = asyncio.run(
            change_own_record(
                config,
                operator,
                lambda own: registry_calls.add_key(own.record, Purpose[purpose.upper()], public),
            )
        )
    position = len(change.record.keys) - 1
    _report(change, position, as_json)
    if not as_json:
        say(f'Next: set `{purpose} = "{_as_setting(config, file)}"` under [keys] in {config_path},')
        say("restart the node, and look with `sealtrail doctor`. The key before stays valid;")
        say(f"when what it signed is anchored and final, end it: `sealtrail keys end {purpose}`.")


def _open_both(config: Config, purpose: Purpose, file: Path) -> tuple[OperatorKey, bytes]:
    """Return the operator key and a file's public half: the file is opened, so that its label is not just believed."""
    paths = {Purpose.OPERATOR: KeyFiles.of(config).paths[Purpose.OPERATOR]}
    encrypted = any(load_label(p).encrypted for p in (*paths.values(), file))
    passphrase = configured_passphrase(config) if encrypted else None
    plaintext = config.keys.devnet_plaintext
    added = load_key(file, purpose, passphrase=passphrase, allow_plaintext=plaintext)
    operator = load_key(
        paths[Purpose.OPERATOR], Purpose.OPERATOR, passphrase=passphrase, allow_plaintext=plaintext
    )
    return OperatorKey(operator), public_of(purpose, added)


def _as_setting(config: Config, file: Path) -> str:
    folder = config.path.parent
    found = file.absolute()
    return str(found.relative_to(folder) if found.is_relative_to(folder) else found)


@click.command("end")
@click.argument("key")
@click.option(
    "--at-block",
    type=click.IntRange(1),
    help="First block at which it is no longer valid. Default: the block that takes this.",
)
@click.option(
    "--even-if-in-use",
    is_flag=True,
    help="End it although the configuration names it, or what it signed is not all anchored.",
)
@_YES
@reason_option
@config_option
@common_options
def keys_end(
    key: str,
    at_block: int | None,
    even_if_in_use: bool,
    yes: bool,
    reason: str | None,
    config_path: Path,
    as_json: bool,
) -> None:
    """End the validity of KEY: a public key; or a purpose, for the key that was replaced by the configured one.

    What it signed and is anchored by then stays proven; what is not, never will be. So a key is refused that the
    configuration names, or that signed something which no final anchor covers yet.
    """
    config = load_config(config_path)
    in_use = {} if even_if_in_use else keys_in_use(config)
    own = asyncio.run(fetch_own_record(config))
    position = choose_key_to_end(own.record, key, block=own.head.number, in_use=in_use)
    chosen = own.record.keys[position]
    _require_future(at_block, own.head.number)
    if not (even_if_in_use or require_unneeded(config, chosen)):
        say(
            "No database here: could not look whether all that it signed is anchored.",
            quiet=as_json,
        )
    when = f"at block {at_block}" if at_block else "now"
    confirm(f"End {_name(chosen)} {when}?", agreed=yes or as_json)
    with operator_act(config, Action.KEY_CHANGE, reason, f"end {_name(chosen)} {when}"):
        change = asyncio.run(
            change_own_record(
                config,
                open_operator(config),
                # keys are only ever appended: a position stays the same key's
                lambda own: registry_calls.end_key(own.record, position, valid_until=at_block or 0),
            )
        )
    _report(change, position, as_json)


def _require_future(at_block: int | None, head: int) -> None:
    if at_block is not None and at_block <= head:
        raise InputError(
            "block_has_passed",
            f"the chain is at block {head}; a key can't be ended at {at_block}",
            pointer="--at-block",
            advice="leave it out to end the key now; `sealtrail keys compromised` is for what lies back",
        )


@click.command("compromised")
@click.argument("public")
@click.option(
    "--since",
    required=True,
    metavar="TIME|BLOCK",
    help="Since when others may have had it: a block, or a time like 2026-03-01T12:00:00Z.",
)
@_YES
@reason_option
@config_option
@common_options
def keys_compromised(
    public: str, since: str, yes: bool, reason: str | None, config_path: Path, as_json: bool
) -> None:
    """Report that others may have had the key PUBLIC; it can't be taken back, and does not end the key.

    Entries that an event key signed and that were anchored since then count as unproven from now on. Requests
    signed with a peer key are refused at once by other members.
    """
    config = load_config(config_path)
    own, block = asyncio.run(_since(config, since))
    position = find_key(own.record, public)
    chosen = own.record.keys[position]
    say(f"Report {_name(chosen)}", quiet=as_json)
    say(f"  compromised since block {block}, of {own.head.number}", quiet=as_json)
    confirm("This can't be taken back. Report it?", agreed=yes or as_json)
    what = f"report {_name(chosen)} compromised since block {block}"
    with operator_act(config, Action.KEY_CHANGE, reason, what):
        change = asyncio.run(
            change_own_record(
                config,
                open_operator(config),
                lambda own: registry_calls.report_compromised(own.record, position, since=block),
            )
        )
    _report(change, position, as_json)
    if not as_json:
        name = chosen.purpose.name.lower()
        say(
            f"Next: `sealtrail keys new {name} FILE`, `sealtrail keys register {name} FILE`, name it"
        )
        say(
            f"in the configuration, restart the node, and `sealtrail keys end {public_hex(chosen)}`."
        )


async def _since(config: Config, text: str) -> tuple[OwnRecord, int]:
    own = await fetch_own_record(config)
    if text.isascii() and text.isdigit():
        return own, int(text)
    seconds = _unix_seconds(text)
    if seconds > time.time():
        raise InputError("since_in_future", f"{text} lies in the future", pointer="--since")
    async with open_rpc(config.chain) as rpc:
        ledger = await open_ledger(rpc, config.chain)
        block = await first_block_at(ledger, seconds, own.head.number)

        async def is_there() -> bool:
            return (await ledger.head()).number >= block

        # The registry takes no report about a block to come; where blocks come when needed, the report makes it.
        await poll(is_there, seconds_max=_NEXT_BLOCK_SECONDS_MAX)
    return own, block


def _unix_seconds(text: str) -> float:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as e:
        raise InputError(
            "since_malformed", f"{text!r} is no block and no time", pointer="--since"
        ) from e
    if moment.tzinfo is None:
        raise InputError(
            "since_malformed", f"{text} says no offset: end it with Z or +01:00", pointer="--since"
        )
    return moment.timestamp()


async def first_block_at(ledger: ChainLedger, unix_seconds: float, newest: int) -> int:
    """Return the first block made at that time or later; the one after ``newest`` if there is none yet.

    Raises:
        UnavailableError: the chain could not be asked.
    """
    first, after = 1, newest + 1
    while first < after:
        middle = (first + after) // 2
        block = await ledger.block(middle)
        if block is not None and block.time < unix_seconds:
            first = middle + 1
        else:
            after = middle
    return first


def _name(key: Key) -> str:
    return f"the {key.purpose.name.lower()} key {public_hex(key)}"


def _report(change: RecordChange, position: int, as_json: bool) -> None:
    key = change.record.keys[position]
    if as_json:
        print_json(change.as_json(key=key_json(key, position)))
        return
    words = standing(key, change.block)
    click.echo(f"{sign('ok')} In the registry, at position {position}: {_name(key)}, {words}.")
