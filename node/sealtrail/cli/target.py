"""Which node a command talks to: flags, environment, a devnet's folder, or the configuration."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec

from sealtrail.cli.node_client import NodeClient
from sealtrail.config import load_config
from sealtrail.errors import InputError, NotFoundError

F = TypeVar("F", bound=Callable[..., Any])
DEFAULT_CONFIG = "sealtrail.toml"


def config_option(command: F) -> F:
    """Add ``--config``."""
    return click.option(
        "--config",
        "config_path",
        type=click.Path(path_type=Path, dir_okay=False),
        envvar="SEALTRAIL_CONFIG",
        default=DEFAULT_CONFIG,
        show_default=True,
        help="The node's configuration file (or SEALTRAIL_CONFIG).",
    )(command)


def node_options(command: F) -> F:
    """Add the options that name a node; :func:`connect` reads them."""
    for option in (
        click.option(
            "--reason",
            envvar="SEALTRAIL_REASON",
            help="Why; stands in the node's audit trail (or SEALTRAIL_REASON).",
        ),
        click.option("--as", "devnet_node", metavar="NAME", help="Which of the devnet's nodes."),
        click.option(
            "--devnet",
            "devnet_dir",
            type=click.Path(path_type=Path, file_okay=False),
            help="Talk to a node of the devnet in this folder; see --as.",
        ),
        click.option(
            "--token", envvar="SEALTRAIL_TOKEN", help="Bearer token (or SEALTRAIL_TOKEN)."
        ),
        click.option("--node", "node_url", help="URL of the node (or SEALTRAIL_NODE)."),
    ):
        command = option(command)
    return config_option(command)


def connect(
    *,
    node_url: str | None,
    token: str | None,
    devnet_dir: Path | None,
    devnet_node: str | None,
    config_path: Path,
    reason: str | None = None,
) -> NodeClient:
    """Return a client for the node that the options, the environment or the configuration name.

    Raises:
        InputError: ``devnet_node_unknown``, ``node_url_invalid``; as :func:`load_config`.
        NotFoundError: ``devnet_not_running``, ``node_not_named``.
    """
    if devnet_dir is not None:
        node = _devnet_node(devnet_dir, devnet_node)
        return NodeClient(node_url or node["url"], token or node["token"], reason)
    if devnet_node is not None:
        raise InputError("usage", "--as names a node of a devnet", advice="give --devnet DIR too")
    url = node_url or os.environ.get("SEALTRAIL_NODE") or _configured_url(config_path)
    return NodeClient(url, token, reason)


def load_devnet(directory: Path) -> dict[str, Any]:
    """Read ``devnet.json`` of a running devnet.

    Raises:
        NotFoundError: ``devnet_not_running``.
        InputError: ``devnet_file_malformed``.
    """
    path = directory / "devnet.json"
    try:
        found = msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except OSError as e:
        raise NotFoundError(
            "devnet_not_running",
            f"no {path}: the devnet is not running, or not ready yet",
            advice=f"start it with `sealtrail devnet --dir {directory}`",
        ) from e
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
        raise InputError("devnet_file_malformed", f"{path}: {e}", pointer=str(path)) from e
    return found


def _devnet_node(directory: Path, name: str | None) -> dict[str, Any]:
    nodes: list[dict[str, Any]] = load_devnet(directory)["nodes"]
    names = [str(n["name"]) for n in nodes]
    if name is None and len(nodes) == 1:
        return nodes[0]
    for node in nodes:
        if node["name"] == name:
            return node
    raise InputError(
        "devnet_node_unknown",
        f"the devnet has no node {name!r}" if name else "which node of the devnet?",
        advice="give --as with one of: " + ", ".join(names),
    )


def _configured_url(path: Path) -> str:
    if not path.exists() and path == Path(DEFAULT_CONFIG):
        raise NotFoundError(
            "node_not_named",
            "which node? None is named and there is no sealtrail.toml here",
            advice="give --node URL (or SEALTRAIL_NODE), --devnet DIR --as NAME, or --config FILE",
        )
    return load_config(path).public_url
