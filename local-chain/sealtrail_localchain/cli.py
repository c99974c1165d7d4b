"""The command line: ``python -m sealtrail_localchain``."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sealtrail_localchain.accounts import WARNING
from sealtrail_localchain.anvil import run_anvil
from sealtrail_localchain.chain import DEFAULT_IDLE_PERIOD_SECONDS, Settings
from sealtrail_localchain.errors import LocalChainError
from sealtrail_localchain.export import export_blocks, export_genesis
from sealtrail_localchain.run import Listen, run_embedded
from sealtrail_localchain.server import is_loopback

_DESCRIPTION = """\
Run an Ethereum-compatible chain for development on this machine, or export it.

  python -m sealtrail_localchain --dir DIR --port 8545          run (the default command)
  python -m sealtrail_localchain genesis --dir DIR FILE         write the genesis file for geth
  python -m sealtrail_localchain export --dir DIR FILE          write all blocks for geth import
"""
_EPILOG = """\
exit codes: 0 stopped as asked, 2 wrong arguments or directory, 3 try again (port taken), 4 damaged store
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code."""
    given = list(sys.argv[1:] if argv is None else argv)
    if given and given[0] in ("export", "genesis"):
        parser, action = _file_parser(given[0]), _write_file
        given_args = parser.parse_args(given[1:])
    else:
        parser, action = _run_parser(), _run
        given_args = parser.parse_args(given)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    try:
        action(given_args)
    except LocalChainError as error:
        _show_error(error, as_json=given_args.json)
        return error.exit_code
    return 0


def _run_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sealtrail_localchain",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_common(parser)
    parser.add_argument("--port", type=_port, default=8545, help="default 8545; 0: a free one")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
    parser.add_argument(
        "--allow-remote",
        action="store_true",
        help="listen on an address that others can reach: anybody there can spend from the funded accounts",
    )
    parser.add_argument("--chain-id", type=_positive, help="for a new chain (31337)")
    parser.add_argument(
        "--period",
        type=_natural,
        metavar="S",
        help="for a new chain: least seconds between two blocks (1); 0: as fast as possible",
    )
    parser.add_argument(
        "--idle-period",
        type=_natural,
        default=DEFAULT_IDLE_PERIOD_SECONDS,
        metavar="S",
        help=f"an empty block after S seconds without one ({DEFAULT_IDLE_PERIOD_SECONDS}); 0: never",
    )
    parser.add_argument(
        "--backend", choices=("embedded", "anvil"), default="embedded", help="(embedded)"
    )
    return parser


def _file_parser(command: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"python -m sealtrail_localchain {command}")
    _add_common(parser)
    parser.add_argument("file", type=Path, metavar="FILE", help="file to write")
    parser.set_defaults(command=command)
    return parser


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dir", type=Path, required=True, help="the chain's directory")
    parser.add_argument("--json", action="store_true", help="one line of JSON, errors included")


def _natural(text: str) -> int:
    value = int(text)
    if value < 0:
        raise ValueError
    return value


def _positive(text: str) -> int:
    value = int(text)
    if not 0 < value < 2**53:
        raise ValueError
    return value


def _port(text: str) -> int:
    value = int(text)
    if not 0 <= value < 2**16:
        raise ValueError
    return value


def _run(args: argparse.Namespace) -> None:
    listen = Listen(host=args.host, port=args.port, remote_allowed=args.allow_remote)
    if not listen.remote_allowed and not is_loopback(listen.host):
        raise LocalChainError(
            "remote_not_allowed",
            f"{listen.host} can be reached from other machines",
            advice="listen on 127.0.0.1, or add --allow-remote if whoever reaches the port may"
            " spend from the funded accounts",
        )
    settings = Settings(
        chain_id=args.chain_id,
        period_seconds=args.period,
        idle_period_seconds=args.idle_period,
    )
    show = _show_json if args.json else _show_banner
    run = run_anvil if args.backend == "anvil" else run_embedded
    asyncio.run(run(args.dir, listen, settings, show))


def _write_file(args: argparse.Namespace) -> None:
    if args.command == "genesis":
        written = {"file": str(args.file), "bytes": export_genesis(args.dir, args.file)}
        said = f"wrote the genesis file {args.file}; next: geth init {args.file}"
    else:
        written = {
            "file": str(args.file),
            "blocks": export_blocks(args.dir, args.file, _progress()),
        }
        said = f"wrote {written['blocks']} blocks to {args.file}; next: geth import {args.file}"
    print(json.dumps(written) if args.json else said)  # noqa: T201 - this is the command's output


def _progress() -> Callable[[int, int], None]:
    """Return a progress line on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        return lambda done, total: None

    def show(done: int, total: int) -> None:
        if done % 500 == 0 or done == total:
            end = "\n" if done == total else ""
            print(f"\r{done} of {total} blocks", end=end, file=sys.stderr, flush=True)  # noqa: T201

    return show


def _show_json(content: dict[str, Any]) -> None:
    print(json.dumps(content), flush=True)  # noqa: T201 - this is the command's output


def _show_banner(content: dict[str, Any]) -> None:
    accounts = content["development_accounts"]["accounts"]
    lines = [
        f"Sealtrail local chain ({content['backend']}), chain id {content['chain_id']}",
        "",
        f"{WARNING.upper()}:",
        *(f"  {one['address']}  {one['private_key']}" for one in accounts),
        "",
        f"JSON-RPC at {content['rpc_url']}   (Ctrl-C stops)",
    ]
    print("\n".join(lines), flush=True)  # noqa: T201 - this is the command's output


def _show_error(error: LocalChainError, *, as_json: bool) -> None:
    if as_json:
        shown = {"error": {"code": error.code, "message": error.message, "advice": error.advice}}
        print(json.dumps(shown), file=sys.stderr)  # noqa: T201
        return
    print(f"error: {error.message} [{error.code}]", file=sys.stderr)  # noqa: T201
    if error.advice:
        print(f"  {error.advice}", file=sys.stderr)  # noqa: T201
