"""What a devnet's folder remembers: which chain, which nodes, which ports and tokens.

Kept in ``plan.json``, readable by its owner only (it holds the nodes' tokens in clear).
"""

from __future__ import annotations

import os
import random
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec

from sealtrail.cli.token import new_token
from sealtrail.errors import ConflictError, InputError, UnavailableError
from sealtrail.gs1.check_digit import check_digit

NODES_MAX = 20
PLAN_NAME = "plan.json"
ChainKind = Literal["embedded", "anvil", "rpc"]

# GS1 keeps prefix 952 for demonstrations and examples: nobody's products are numbered so.
PREFIX = "9521{:03d}"
CAST: Sequence[tuple[str, tuple[str, ...]]] = (
    ("manufacturer", ("manufacturer",)),
    ("wholesaler", ("distributor",)),
    ("pharmacy", ("dispenser",)),
    ("regulator", ("regulator",)),
    ("carrier", ("carrier",)),
    ("hospital", ("dispenser",)),
    ("auditor", ("auditor",)),
)
_WITHOUT_GOODS = ("regulator", "auditor")


class PlannedNode(msgspec.Struct, frozen=True, kw_only=True):
    """One node of the devnet."""

    name: str
    roles: tuple[str, ...]
    glns: tuple[str, ...]
    numbering_rights: tuple[str, ...]
    port: int
    token: str

    @property
    def url(self) -> str:
        """Where the node is reached."""
        return f"http://127.0.0.1:{self.port}"


class PlannedChain(msgspec.Struct, frozen=True, kw_only=True):
    """The chain; ``port`` is 0 for one that runs without us."""

    kind: ChainKind
    port: int
    rpc_url: str


class PlannedNetwork(msgspec.Struct, frozen=True, kw_only=True):
    """What was deployed on the chain, and what was found out about it."""

    chain_id: int
    genesis_hash: str
    registry: str
    anchors: str
    start_block: int
    fees: str
    finality: str


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """A devnet; ``network`` is None until its contracts stand on the chain."""

    type: Literal["sealtrail/devnet-plan/1"] = "sealtrail/devnet-plan/1"
    chain: PlannedChain
    nodes: tuple[PlannedNode, ...]
    network: PlannedNetwork | None = None


def load_plan(directory: Path) -> Plan | None:
    """Return the folder's plan, or None in a new folder.

    Raises:
        InputError: ``devnet_plan_malformed``; the folder is something else (``devnet_not_ours``).
    """
    path = directory / PLAN_NAME
    try:
        return msgspec.json.decode(path.read_bytes(), type=Plan)
    except FileNotFoundError:
        if directory.is_dir() and any(f.name != "devnet.lock" for f in directory.iterdir()):
            raise InputError(
                "devnet_not_ours",
                f"{directory} is not empty and holds no devnet",
                advice="choose a new folder, or one that an earlier devnet made",
            ) from None
        return None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, OSError) as e:
        raise InputError("devnet_plan_malformed", f"{path}: {e}", pointer=str(path)) from e


def save_plan(directory: Path, plan: Plan) -> None:
    """Write the plan durably, whole or not at all."""
    write_private(
        directory / PLAN_NAME, msgspec.json.format(msgspec.json.encode(plan), indent=2) + b"\n"
    )


def write_private(path: Path, content: bytes) -> None:
    """Write a file of mode 0600 durably; a reader sees the old or the new one, whole."""
    partial = path.with_name(path.name + ".partial")
    with open(partial, "wb", opener=lambda p, flags: os.open(p, flags, 0o600)) as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def make_plan(kind: ChainKind, rpc_url: str | None, nodes: int, base_port: int | None) -> Plan:
    """Return the plan of a new devnet.

    Raises:
        InputError: ``devnet_rpc_url_missing``. UnavailableError: ``devnet_no_free_ports``.
    """
    if (kind == "rpc") != (rpc_url is not None):
        raise InputError(
            "devnet_rpc_url_missing" if rpc_url is None else "devnet_rpc_url_unused",
            "--rpc-url goes with --chain rpc, and only with it",
        )
    first = base_port or _free_range(nodes + 1)
    chain_port = 0 if rpc_url else first
    url = rpc_url or f"http://127.0.0.1:{chain_port}"
    chain = PlannedChain(kind=kind, port=chain_port, rpc_url=url)
    return Plan(
        chain=chain, nodes=tuple(_node(n, first + 1 + n, new_token()) for n in range(nodes))
    )


def continue_plan(
    plan: Plan, kind: ChainKind | None, rpc_url: str | None, nodes: int | None
) -> Plan:
    """Return the plan of an existing folder, with further nodes if more are asked for.

    Raises:
        ConflictError: it runs on another chain (``devnet_other_chain``).
    """
    if kind not in (None, plan.chain.kind) or rpc_url not in (None, plan.chain.rpc_url):
        raise ConflictError(
            "devnet_other_chain",
            f"this folder's devnet runs on {plan.chain.kind} ({plan.chain.rpc_url})",
            advice="leave out --chain and --rpc-url, or choose another folder",
        )
    have = len(plan.nodes)
    if nodes is None or nodes <= have:
        return plan
    first = _free_range(nodes - have)
    more = tuple(_node(have + n, first + n, new_token()) for n in range(nodes - have))
    return msgspec.structs.replace(plan, nodes=plan.nodes + more)


def gln_of_prefix(prefix: str, reference: int) -> str:
    """Return the GLN with this location reference under a company prefix."""
    body = prefix + str(reference).zfill(12 - len(prefix))
    return body + check_digit(body)


def _node(index: int, port: int, token: str) -> PlannedNode:
    name, roles = CAST[index % len(CAST)]
    again = index // len(CAST)
    prefix = PREFIX.format(index + 1)
    return PlannedNode(
        name=f"{name}{again + 1}" if again else name,
        roles=roles,
        glns=(gln_of_prefix(prefix, 1), gln_of_prefix(prefix, 2)),
        numbering_rights=() if name in _WITHOUT_GOODS else (prefix,),
        port=port,
        token=token,
    )


def _free_range(count: int) -> int:
    """Return the first of ``count`` free ports in a row, below those that systems hand out."""
    for _ in range(200):
        first = random.randrange(20_000, 32_000 - count)  # noqa: S311 - any will do
        if all(port_is_free(first + n) for n in range(count)):
            return first
    raise UnavailableError("devnet_no_free_ports", f"found no {count} free ports in a row")


def port_is_free(port: int) -> bool:
    """Tell whether one could listen on this port of the loopback interface now."""
    with socket.socket() as probe:
        # as servers do: a port in TIME_WAIT is free
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
