"""Running the embedded chain until a signal stops it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sealtrail_localchain.accounts import WARNING, checksum_address, development_accounts
from sealtrail_localchain.chain import Chain, Settings, open_chain
from sealtrail_localchain.directory import Directory
from sealtrail_localchain.pyevm import PyEvmEngine
from sealtrail_localchain.server import RpcServer


@dataclass(frozen=True, slots=True, kw_only=True)
class Listen:
    """Where to answer. ``remote_allowed``: whoever reaches the port controls the chain's money."""

    host: str
    port: int
    remote_allowed: bool


def ready_content(backend: str, rpc_url: str, chain_id: int, **more: Any) -> dict[str, Any]:
    """Return what ``chain.json`` and the ready line hold, for either back end."""
    return {
        "ready": True,
        "backend": backend,
        "rpc_url": rpc_url,
        "chain_id": chain_id,
        "pid": os.getpid(),
        **more,
        "development_accounts": {
            "warning": WARNING,
            "accounts": [
                {
                    "address": checksum_address(account.address),
                    "private_key": "0x" + account.private_key.hex(),
                }
                for account in development_accounts()
            ],
        },
    }


async def run_embedded(
    path: Path, listen: Listen, settings: Settings, announce: Callable[[dict[str, Any]], None]
) -> None:
    """Serve the chain in ``path``; return after SIGTERM or SIGINT, everything stored.

    ``announce`` is called once with the ready content, after ``chain.json`` is written.

    Raises:
        LocalChainError: the directory or the port cannot be used.
    """
    directory = Directory(path, backend="embedded")
    try:
        chain = open_chain(directory.database, directory.signing_key(), PyEvmEngine(), settings)
        try:
            await _serve(directory, chain, listen, announce)
        finally:
            chain.close()
    finally:
        directory.release()


async def _serve(
    directory: Directory, chain: Chain, listen: Listen, announce: Callable[[dict[str, Any]], None]
) -> None:
    server = RpcServer(chain, remote_allowed=listen.remote_allowed)
    stopped = stop_signals()
    try:
        port = await server.start(listen.host, listen.port)
        content = _ready(chain, listen.host, port)
        directory.announce(content)
        announce(content)
        await _until_stopped(chain, stopped)
    finally:
        await server.stop()


def stop_signals() -> asyncio.Event:
    """Return an event that SIGTERM and SIGINT set from now on."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    return stopped


async def _until_stopped(chain: Chain, stopped: asyncio.Event) -> None:
    blocks = asyncio.create_task(chain.make_blocks())
    stop = asyncio.create_task(stopped.wait())
    await asyncio.wait({blocks, stop}, return_when=asyncio.FIRST_COMPLETED)
    stop.cancel()
    if blocks.done():
        blocks.result()  # no more blocks is no way to go on: show why and end
    blocks.cancel()


def _ready(chain: Chain, host: str, port: int) -> dict[str, Any]:
    shown = f"[{host}]" if ":" in host else host
    return ready_content(
        "embedded",
        f"http://{shown}:{port}",
        chain.genesis.chain_id,
        genesis_hash="0x" + chain.genesis_hash.hex(),
        signer=checksum_address(chain.genesis.signer),
        head_number=chain.head.number,
    )
