"""``sealtrail devnet``: a chain and some nodes on this machine, under one command.

Order of start: chain, contracts, each node's files and membership, node processes, ``devnet.json``.
Order of stop: ``devnet.json`` away, nodes, chain; so that no node sees its chain go first.
A child that dies on its own is reported and left dead, the others go on (docs/decisions/0060).
"""

from __future__ import annotations

import asyncio
import fcntl
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from sealtrail.cli.chain import fees_option
from sealtrail.cli.devnet_network import Devnet
from sealtrail.cli.devnet_plan import (
    NODES_MAX,
    continue_plan,
    load_plan,
    make_plan,
    save_plan,
)
from sealtrail.cli.output import common_options, print_json, say, sign
from sealtrail.errors import UnavailableError

DEVNET_NAME = "devnet.json"


@click.command("devnet")
@click.option(
    "--dir",
    "directory",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the devnet; an existing one goes on with its keys, ports and data.",
)
@click.option("--nodes", type=click.IntRange(1, NODES_MAX), help="How many nodes. [default: 3]")
@click.option(
    "--chain",
    "kind",
    type=click.Choice(["embedded", "anvil", "rpc"]),
    help="Which chain: our own, anvil, or one that already runs. [default: embedded]",
)
@click.option("--rpc-url", help="The chain that already runs; with --chain rpc.")
@click.option(
    "--deployer-key",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Key file of who deploys and is the steward; needed with --chain rpc.",
)
@fees_option
@click.option(
    "--finality",
    help="When a block is final: instant, signers, finalized or 'depth N'. [default: found out]",
)
@click.option(
    "--base-port",
    type=click.IntRange(1024, 65_000),
    help="Port of the chain; the nodes' follow it. [default: some that are free]",
)
@common_options
def devnet_command(
    directory: Path,
    nodes: int | None,
    kind: str | None,
    rpc_url: str | None,
    deployer_key: Path | None,
    fees: str,
    finality: str | None,
    base_port: int | None,
    as_json: bool,
) -> None:
    """Run a chain and some nodes on this machine, until Ctrl-C.

    DIR/devnet.json tells scripts where everything is; it is there while all is ready.
    """
    directory = directory.absolute()
    directory.mkdir(parents=True, exist_ok=True)
    with _only_one(directory):
        (directory / DEVNET_NAME).unlink(missing_ok=True)
        plan = load_plan(directory)
        if plan is None:
            plan = make_plan(kind or "embedded", rpc_url, nodes or 3, base_port)  # type: ignore[arg-type]
            save_plan(directory, plan)
        else:
            plan = continue_plan(plan, kind, rpc_url, nodes)  # type: ignore[arg-type]
            save_plan(directory, plan)
        devnet = Devnet(directory, plan, deployer_key, fees=fees, finality=finality)
        asyncio.run(_run(devnet, directory, as_json=as_json))


@contextmanager
def _only_one(directory: Path) -> Iterator[None]:
    with (directory / "devnet.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as e:
            raise UnavailableError(
                "devnet_running", f"a devnet runs in {directory} already", advice="stop it first"
            ) from e
        yield


async def _run(devnet: Devnet, directory: Path, *, as_json: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop.set)
    try:
        ready = await _unless(stop, devnet.start())
        if ready is None:
            return
        devnet.write(directory / DEVNET_NAME)
        _announce(devnet, directory, as_json=as_json)
        watch = asyncio.create_task(devnet.watch())
        await stop.wait()
        watch.cancel()
    finally:
        (directory / DEVNET_NAME).unlink(missing_ok=True)
        say("stopping …")
        await devnet.stop()
        say("stopped")


async def _unless(stop: asyncio.Event, work: Any) -> bool | None:
    """Do the work and return True; None if ``stop`` came first."""
    task, stopped = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if not task.done():
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return None
    task.result()
    return True


def _announce(devnet: Devnet, directory: Path, *, as_json: bool) -> None:
    if as_json:
        print_json(devnet.describe())
        return
    click.echo(f"\n{sign('ok')} Ready. {directory / DEVNET_NAME} says where everything is.\n")
    for node in devnet.describe()["nodes"]:
        click.echo(f"  {node['name']:14} {node['url']}  {', '.join(node['roles'])}")
    first = devnet.plan.nodes[0].name
    where = f"--devnet {directory} --as {first}"
    click.echo("\nTry, in another terminal:\n")
    click.echo(f"  sealtrail status {where}")
    click.echo(f"  sealtrail capture {where} FILE.json")
    click.echo(f"  sealtrail trace {where} 'urn:epc:id:sgtin:…'\n")
    click.echo("Ctrl-C stops everything.")
