"""anvil behind the same command: same accounts, same readiness, its own limits.

anvil is no durable chain: what it mined since its last dump is lost when it is killed. That is what this
back end is good for: testing against a chain that forgets, or reorganises.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import shutil
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp

from sealtrail_localchain.accounts import DEVELOPMENT_MNEMONIC
from sealtrail_localchain.chain import DEFAULT_PERIOD_SECONDS, Settings
from sealtrail_localchain.directory import Directory, write_durably
from sealtrail_localchain.errors import LocalChainError
from sealtrail_localchain.genesis import DEFAULT_CHAIN_ID
from sealtrail_localchain.run import Listen, ready_content, stop_signals

STATE_NAME = "anvil-state.json"
GENESIS_TIME_NAME = "anvil-genesis-time"
DUMP_EVERY_SECONDS = 10
READY_SECONDS_MAX = 30.0
POLL_SECONDS = 0.05
BINARY_VARIABLE = "SEALTRAIL_ANVIL"
_PR_SET_PDEATHSIG = 1  # <sys/prctl.h>


async def run_anvil(
    path: Path, listen: Listen, settings: Settings, announce: Callable[[dict[str, Any]], None]
) -> None:
    """Run anvil over ``path`` until SIGTERM or SIGINT; it then dumps its state.

    Raises:
        LocalChainError: no anvil here, the directory or the port cannot be used, or anvil ended.
    """
    binary = find_anvil()
    directory = Directory(path, backend="anvil")
    try:
        stopped = stop_signals()
        port = listen.port or _free_port(listen.host)
        command = _command(binary, directory.path, listen.host, port, settings)
        # its own session: a Ctrl-C at the terminal reaches us only, and anvil is ended below
        process = await asyncio.create_subprocess_exec(
            *command, start_new_session=True, preexec_fn=_end_with_parent
        )
        try:
            await _serve(process, directory, _url(listen.host, port), stopped, announce)
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGINT)
                await process.wait()
    finally:
        directory.release()


def find_anvil() -> str:
    """Return the anvil binary: ``SEALTRAIL_ANVIL``, else from PATH.

    Raises:
        LocalChainError: there is none; says how to get one.
    """
    found = os.environ.get(BINARY_VARIABLE) or shutil.which("anvil")
    if found is None or shutil.which(found) is None:
        raise LocalChainError(
            "anvil_missing",
            "no anvil binary was found"
            + (f" at {found} ({BINARY_VARIABLE})" if found else " on PATH"),
            advice="install it (npm install -g @foundry-rs/anvil, or Foundry), set"
            f" {BINARY_VARIABLE} to it, or use --backend embedded",
            exit_code=3,
        )
    return found


def _genesis_time(path: Path) -> int:
    """Return when the chain began (Unix seconds); a chain whose state is gone begins now.

    anvil makes a block 0 at every start and dumps it beside the true one; a later start then takes either.
    With the same time each time they are the same block.
    """
    file = path / GENESIS_TIME_NAME
    if (path / STATE_NAME).exists() and file.exists():
        return int(file.read_text())
    now = int(time.time())
    write_durably(file, f"{now}\n", mode=0o644)
    return now


def _command(binary: str, path: Path, host: str, port: int, settings: Settings) -> list[str]:
    period = settings.period_seconds or DEFAULT_PERIOD_SECONDS
    # Automine under load mines empty blocks without end, and unpruned history fills the home directory.
    return [
        *(binary, "--quiet", "--host", host, "--port", str(port)),
        *("--chain-id", str(settings.chain_id or DEFAULT_CHAIN_ID)),
        *("--mnemonic", DEVELOPMENT_MNEMONIC, "--hardfork", "london"),
        *("--block-time", str(period), "--prune-history", "--slots-in-an-epoch", "1"),
        *("--state", str(path / STATE_NAME), "--state-interval", str(DUMP_EVERY_SECONDS)),
        *("--timestamp", str(_genesis_time(path))),
    ]


async def _serve(
    process: asyncio.subprocess.Process,
    directory: Directory,
    url: str,
    stopped: asyncio.Event,
    announce: Callable[[dict[str, Any]], None],
) -> None:
    ended = asyncio.create_task(process.wait())
    stop = asyncio.create_task(stopped.wait())
    ready = asyncio.create_task(_first_answer(url))
    try:
        await asyncio.wait({ended, stop, ready}, return_when=asyncio.FIRST_COMPLETED)
        if ready.done():
            chain_id, genesis_hash = ready.result()
            content = ready_content("anvil", url, chain_id, genesis_hash=genesis_hash)
            directory.announce(content)
            announce(content)
            await asyncio.wait({ended, stop}, return_when=asyncio.FIRST_COMPLETED)
        if ended.done():
            raise LocalChainError(
                "anvil_ended",
                f"anvil ended with code {process.returncode}",
                advice="its own message above says why; a taken port needs another --port",
                exit_code=3,
            )
    finally:
        for task in (ended, stop, ready):
            task.cancel()


async def _first_answer(url: str) -> tuple[int, str]:
    """Ask until anvil answers, and set its clock; return its chain id and genesis hash."""
    async with aiohttp.ClientSession() as session, asyncio.timeout(READY_SECONDS_MAX):
        while True:
            try:
                chain_id = await _ask(session, url, "eth_chainId")
                genesis = await _ask(session, url, "eth_getBlockByNumber", "0x0", False)
                # it counts on from the time of block 0
                await _ask(session, url, "evm_setTime", int(time.time()))
            except aiohttp.ClientError:
                await asyncio.sleep(POLL_SECONDS)
            else:
                return int(chain_id, 16), str(genesis["hash"])


async def _ask(session: aiohttp.ClientSession, url: str, method: str, *args: Any) -> Any:
    request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(args)}
    async with session.post(url, json=request) as answer:
        return (await answer.json())["result"]


def _end_with_parent() -> None:
    """Have the kernel stop anvil if this process is killed: it would keep the port for ever."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGINT)


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _free_port(host: str) -> int:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port
