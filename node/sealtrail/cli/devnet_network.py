"""The devnet as one thing: its chain and nodes started in order, described, watched, stopped."""

from __future__ import annotations

import asyncio
import http.client
import sys
from pathlib import Path
from typing import Any

import msgspec

from sealtrail.cli.chain import open_rpc
from sealtrail.cli.devnet_plan import Plan, PlannedNode, save_plan, write_private
from sealtrail.cli.devnet_processes import Child
from sealtrail.cli.devnet_setup import (
    admit_node,
    chain_settings,
    found_network,
    fund_operator,
    init_node,
    node_directory,
    steward_key,
)
from sealtrail.cli.init import CONFIG_NAME
from sealtrail.cli.output import say, sign
from sealtrail.config import Config
from sealtrail.errors import InputError, UnavailableError
from sealtrail.ledger.envelope import OperatorKey

READY_PATH = "/ready"


class Devnet:
    """Chain and nodes of one folder."""

    def __init__(
        self,
        directory: Path,
        plan: Plan,
        deployer_key: Path | None,
        *,
        fees: str,
        finality: str | None,
    ) -> None:
        self.directory = directory
        self.plan = plan
        self._deployer_key = deployer_key
        self._fees = fees
        self._finality = finality
        self._chain = _chain_child(directory, plan)
        self._steward_key: OperatorKey | None = None
        self._nodes: list[Child] = []
        self._configs: list[Config] = []

    async def start(self) -> None:
        """Bring everything up; return when all answer as ready.

        Raises:
            SealtrailError: a step failed; what runs by then is for :meth:`stop`.
        """
        await self._start_chain()
        await self._start_network()
        await self._start_members()
        await self._start_nodes()

    async def stop(self) -> None:
        """Stop the nodes, then the chain."""
        await asyncio.gather(*(n.stop() for n in self._nodes))
        if self._chain is not None:
            await self._chain.stop()

    async def watch(self) -> None:
        """Tell of every child that ends on its own, and how to start it again."""
        children = [*self._nodes, *([self._chain] if self._chain else [])]
        await asyncio.gather(*(_tell_of_end(c) for c in children))

    def describe(self) -> dict[str, Any]:
        """Return what ``devnet.json`` says."""
        network = self.plan.network
        if network is None:
            raise RuntimeError("described before it was started")
        chain = self._chain
        return {
            "chain": {
                "rpc_url": self.plan.chain.rpc_url,
                "chain_id": network.chain_id,
                "pid": chain.pid if chain else None,
                "argv": chain.argv if chain else None,
            },
            "registry": network.registry,
            "anchors": network.anchors,
            "nodes": [
                _described(node, child, config)
                for node, child, config in zip(
                    self.plan.nodes, self._nodes, self._configs, strict=True
                )
            ],
        }

    def write(self, path: Path) -> None:
        """Write ``devnet.json``, whole or not at all."""
        content = msgspec.json.format(msgspec.json.encode(self.describe()), indent=2)
        write_private(path, content + b"\n")

    async def _start_chain(self) -> None:
        if self._chain is not None:
            say(f"starting the chain ({self.plan.chain.kind}) …")
            await self._chain.start()
            await self._chain.ready(self._chain_answers)
        elif not await self._chain_answers():
            raise UnavailableError(
                "chain_unreachable", f"no chain answers at {self.plan.chain.rpc_url}"
            )

    async def _chain_answers(self) -> bool:
        async with open_rpc(chain_settings(self.plan)) as rpc:
            try:
                await rpc.identity()
            except UnavailableError as e:
                if e.code == "wrong_chain":
                    raise
                return False
        return True

    async def _start_network(self) -> None:
        if self.plan.network is not None:
            await self._require_registry(self.plan.network.registry)
            return
        say("deploying the contracts …")
        network = await found_network(
            self.plan, self._steward(), fees=self._fees, finality=self._finality
        )
        self.plan = msgspec.structs.replace(self.plan, network=network)
        save_plan(self.directory, self.plan)
        say(f"  registry {network.registry}, fees {network.fees}, finality {network.finality}")

    async def _require_registry(self, registry: str) -> None:
        async with open_rpc(chain_settings(self.plan)) as rpc:
            code = await rpc.call("eth_getCode", registry, "latest")
        if code in ("0x", None):
            raise InputError(
                "devnet_chain_lost",
                f"the chain at {self.plan.chain.rpc_url} has no registry at {registry} any more",
                advice="it was started anew without its data; begin a devnet in a new folder",
            )

    async def _start_members(self) -> None:
        for node in self.plan.nodes:
            is_new = not (node_directory(self.directory, node) / CONFIG_NAME).exists()
            if is_new:
                say(f"making {node.name} …")
            config = init_node(self.directory, self.plan, node)
            self._configs.append(config)
            if not await self._is_admitted(config):
                key = self._steward()
                await fund_operator(self.plan, config, key)
                await admit_node(self.plan, node, config, key)
                say(f"  {node.name} is a member: {config.node.member}")

    async def _is_admitted(self, config: Config) -> bool:
        from sealtrail.cli.devnet_setup import is_member

        async with open_rpc(config.chain) as rpc:
            registry = bytes.fromhex(config.chain.registry.removeprefix("0x"))
            return await is_member(rpc, registry, config.member)

    async def _start_nodes(self) -> None:
        say("starting the nodes …")
        for node in self.plan.nodes:
            child = _node_child(self.directory, node)
            self._nodes.append(child)
            await child.start()
        await asyncio.gather(
            *(
                child.ready(lambda node=node: asyncio.to_thread(_answers, node))  # type: ignore[misc]
                for node, child in zip(self.plan.nodes, self._nodes, strict=True)
            )
        )

    def _steward(self) -> OperatorKey:
        if self._steward_key is None:  # read once, and only if there is something to vote for
            self._steward_key = steward_key(self.directory, self.plan, self._deployer_key)
        return self._steward_key


def _chain_child(directory: Path, plan: Plan) -> Child | None:
    if plan.chain.kind == "rpc":
        return None
    argv = [sys.executable, "-m", "sealtrail_localchain"]
    argv += ["--dir", str(directory / "chain"), "--port", str(plan.chain.port)]
    if plan.chain.kind == "anvil":
        argv += ["--backend", "anvil"]
    return Child("the chain", argv, plan.chain.port, directory / "chain.log")


def _node_child(directory: Path, node: PlannedNode) -> Child:
    folder = node_directory(directory, node)
    argv = [sys.executable, "-m", "sealtrail.cli", "run", "--config", str(folder / CONFIG_NAME)]
    return Child(node.name, argv, node.port, folder / "node.log")


def _answers(node: PlannedNode) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", node.port, timeout=5)
    try:
        connection.request("GET", READY_PATH)
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


async def _tell_of_end(child: Child) -> None:
    await child.ended()
    say(
        f"{sign('problem')} {child.name} (process {child.pid}) {child.ending()}; see {child.log_file}"
    )
    say(f"  start it again by hand with: {' '.join(child.argv)}")


def _described(node: PlannedNode, child: Child, config: Config) -> dict[str, Any]:
    return {
        "name": node.name,
        "member": config.node.member,
        "roles": node.roles,
        "numbering_rights": node.numbering_rights,
        "glns": node.glns,
        "url": node.url,
        "token": node.token,
        "pid": child.pid,
        "argv": child.argv,
        "data_dir": str(config.data_dir),
    }
