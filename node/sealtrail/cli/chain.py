"""The chain, as commands of one run use it: opened, asked, closed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import click
import msgspec

from sealtrail.config import ChainSettings
from sealtrail.errors import InputError
from sealtrail.ledger.fees import FeeMode, detect_fees
from sealtrail.ledger.rpc import ChainIdentity, Rpc

F = TypeVar("F", bound=Callable[..., Any])
FEES_AUTO = "auto"


def fees_option(command: F) -> F:
    """Add ``--fees``; :func:`choose_fees` reads it."""
    return click.option(
        "--fees",
        type=click.Choice([FEES_AUTO, *(mode.value for mode in FeeMode)]),
        default=FEES_AUTO,
        show_default=True,
        help="How transactions pay.",
    )(command)


def rpc_url_option(command: F) -> F:
    """Add ``--rpc-url``, of a chain that no configuration names."""
    return click.option("--rpc-url", required=True, help="JSON-RPC endpoint of the chain.")(command)


async def choose_fees(rpc: Rpc, payer: bytes, fees: str) -> FeeMode:
    """Return how an account pays: as told, or as the chain seems to want it of this account.

    Raises:
        UnavailableError: the chain can't be asked.
    """
    return await detect_fees(rpc, payer) if fees == FEES_AUTO else FeeMode(fees)


class ChainFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a chain says of itself; ``fees`` is how transactions on it seem to pay."""

    identity: ChainIdentity
    fees: str


def expected_identity(chain: ChainSettings) -> ChainIdentity | None:
    """Return what the configuration pins; None as long as it pins nothing."""
    if not chain.chain_id or not chain.genesis_hash:
        return None
    return ChainIdentity(
        chain_id=chain.chain_id,
        genesis_hash=bytes.fromhex(chain.genesis_hash.removeprefix("0x")),
    )


@asynccontextmanager
async def open_rpc(chain: ChainSettings) -> AsyncIterator[Rpc]:
    """Open the configured endpoints, and close them at the end."""
    rpc = Rpc(
        chain.rpc_urls, expected=expected_identity(chain), timeout_seconds=chain.timeout_seconds
    )
    try:
        yield rpc
    finally:
        await rpc.close()


async def fetch_chain_facts(chain: ChainSettings) -> ChainFacts:
    """Ask the endpoints who they are and how they are paid.

    Raises:
        UnavailableError: none answers as the chain that is pinned.
    """
    async with open_rpc(chain) as rpc:
        identity = await rpc.identity()
        return ChainFacts(identity=identity, fees=(await detect_fees(rpc)).value)


def require_registry(chain: ChainSettings) -> bytes:
    """Return the registry's address.

    Raises:
        InputError: ``config_setting_missing``.
    """
    for name in ("rpc_urls", "chain_id", "genesis_hash", "registry"):
        if not getattr(chain, name):
            raise InputError(
                "config_setting_missing",
                f"`chain.{name}` is not set",
                pointer=f"chain.{name}",
                advice="the network's stewards know it; `sealtrail init --rpc-url` asks the chain",
            )
    return bytes.fromhex(chain.registry.removeprefix("0x"))


def fee_mode(chain: ChainSettings) -> FeeMode:
    """Return how this configuration pays for transactions."""
    return FeeMode(chain.fees)
