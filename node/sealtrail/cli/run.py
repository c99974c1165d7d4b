"""``sealtrail run``: one node in this process, until SIGTERM or Ctrl-C."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sealtrail.cli.chain import require_registry
from sealtrail.cli.keyring import open_keys
from sealtrail.cli.log_output import configure_logging
from sealtrail.cli.output import common_options
from sealtrail.cli.target import config_option
from sealtrail.config import Config, load_config
from sealtrail.errors import InputError
from sealtrail.membership.records import Purpose

if TYPE_CHECKING:
    from sealtrail.app import MemberKeys


@click.command("run")
@config_option
@common_options
def run_command(config_path: Path, as_json: bool) -> None:
    """Run the node until it is told to stop (SIGTERM, Ctrl-C). With --json, logs are JSON."""
    config = load_config(config_path)
    configure_logging("json" if as_json else config.log.format, config.log.level)
    require_registry(config.chain)
    if not config.node.member:
        raise InputError(
            "config_setting_missing",
            "`node.member` is not set",
            pointer="node.member",
            advice="it is the address of the operator key; `sealtrail keys show operator`",
        )
    opened = open_keys(config)
    from sealtrail.app import MemberKeys

    keys = MemberKeys(
        event=opened[Purpose.EVENT],
        operator=opened[Purpose.OPERATOR],
        log=opened[Purpose.LOG],
        peer=opened[Purpose.PEER],
        witness=opened.get(Purpose.WITNESS),
    )
    with asyncio.Runner(loop_factory=_loop) as runner:
        runner.run(_run(config, keys))


async def _run(config: Config, keys: MemberKeys) -> None:
    from sealtrail.app import Node

    loop = asyncio.get_running_loop()
    opening = asyncio.ensure_future(Node.open(config, keys))
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, opening.cancel)
    try:
        node = await opening
    except asyncio.CancelledError:
        return  # told to stop before it had started
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, node.stop)
    await node.run()


def _loop() -> asyncio.AbstractEventLoop:
    if sys.platform == "win32":
        return asyncio.new_event_loop()
    import uvloop

    return uvloop.new_event_loop()
