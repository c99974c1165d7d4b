"""``sealtrail network``: found a network on a chain that runs already."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click
import msgspec

from sealtrail.cli.account_key import load_account_key, passphrase_file_option
from sealtrail.cli.chain import (
    ChainFacts,
    choose_fees,
    fees_option,
    fetch_chain_facts,
    open_rpc,
    rpc_url_option,
)
from sealtrail.cli.output import common_options, print_json, say
from sealtrail.config import ChainSettings
from sealtrail.errors import InputError
from sealtrail.ledger import registry_calls
from sealtrail.ledger.anchor_calls import decode_address
from sealtrail.ledger.envelope import OperatorKey
from sealtrail.ledger.fees import FeeMode
from sealtrail.ledger.rpc import Rpc
from sealtrail.ledger.transactions import send_and_wait
from sealtrail.ledger.wire import encode_bytes, parse_bytes

RECOVERY_DELAY_BLOCKS = 40_320  # a week of blocks of 15 seconds


class Founded(msgspec.Struct, frozen=True, kw_only=True):
    """A network's contracts; ``block`` is the one that holds their deployment."""

    registry: bytes
    anchors: bytes
    block: int


async def deploy_network(
    rpc: Rpc,
    key: OperatorKey,
    *,
    stewards: list[bytes],
    fees: FeeMode,
    recovery_delay_blocks: int = RECOVERY_DELAY_BLOCKS,
) -> Founded:
    """Deploy the registry, which makes its Anchors contract.

    Raises:
        UnavailableError: the chain could not be asked, or takes no transaction.
        VerificationError: it refuses the deployment.
    """
    identity = await rpc.identity()
    receipt = await send_and_wait(
        rpc,
        key=key,
        to=None,
        payload=registry_calls.deployment(
            stewards, identity.genesis_hash, recovery_delay_blocks=recovery_delay_blocks
        ),
        fees=fees,
    )
    registry = receipt.contract or b""
    return Founded(
        registry=registry,
        anchors=await fetch_anchors_address(rpc, registry),
        block=receipt.block_number,
    )


async def fetch_anchors_address(rpc: Rpc, registry: bytes) -> bytes:
    """Ask a registry for its Anchors contract.

    Raises:
        UnavailableError: there is no registry (``rpc_garbage``), or the chain can't be asked.
    """
    question = {"to": encode_bytes(registry), "data": encode_bytes(registry_calls.anchors())}
    answer = await rpc.call("eth_call", question, "latest")
    return decode_address(parse_bytes(answer, "Registry.anchors"))


@click.group("network")
def network_group() -> None:
    """Found a network: deploy its contracts."""


@network_group.command("deploy")
@rpc_url_option
@click.option(
    "--deployer-key",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="Key file of the account that deploys: this program's, any wallet's, or hex digits.",
)
@click.option(
    "--steward",
    "stewards",
    multiple=True,
    help="Address of a steward; may be repeated. Default: the deployer alone.",
)
@fees_option
@click.option(
    "--recovery-delay-blocks",
    type=click.IntRange(1),
    default=RECOVERY_DELAY_BLOCKS,
    show_default=True,
    help="Blocks between announcing a member's recovered key and its taking effect.",
)
@passphrase_file_option("deployer")
@common_options
def network_deploy(
    rpc_url: str,
    deployer_key: Path,
    stewards: tuple[str, ...],
    fees: str,
    recovery_delay_blocks: int,
    passphrase_file: Path | None,
    as_json: bool,
) -> None:
    """Deploy a network's contracts, once, and print what every member configures."""
    key = load_account_key(deployer_key, passphrase_file)
    addresses = [parse_address(s) for s in stewards] or [key.address]
    chain = ChainSettings(rpc_urls=[rpc_url])

    async def deploy() -> tuple[ChainFacts, FeeMode, Founded]:
        facts = await fetch_chain_facts(chain)
        async with open_rpc(chain) as rpc:
            mode = await choose_fees(rpc, key.address, fees)
            founded = await deploy_network(
                rpc,
                key,
                stewards=addresses,
                fees=mode,
                recovery_delay_blocks=recovery_delay_blocks,
            )
        return facts, mode, founded

    say("deploying …", quiet=as_json)
    facts, mode, founded = asyncio.run(deploy())
    values = {
        "chain_id": facts.identity.chain_id,
        "genesis_hash": encode_bytes(facts.identity.genesis_hash),
        "registry": encode_bytes(founded.registry),
        "start_block": founded.block,
        "fees": mode.value,
    }
    if as_json:
        print_json({**values, "anchors": encode_bytes(founded.anchors)})
        return
    click.echo("The network is founded. Each member configures, under [chain]:")
    for name, value in values.items():
        click.echo(f"{name} = {msgspec.json.encode(value).decode()}")


def parse_address(text: str) -> bytes:
    """Return an address of 20 bytes from its hex.

    Raises:
        InputError: ``address_malformed``.
    """
    try:
        address = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        address = b""
    if len(address) != 20:
        raise InputError("address_malformed", f"{text!r} is no address: 0x and 40 hex digits")
    return address
