"""``sealtrail-verify``: the verifier of evidence bundles as a program of its own.

What the distribution sealtrail-verify ships, with the few packages that it needs; the code of ``sealtrail verify``.
"""

from __future__ import annotations

from collections.abc import Sequence

import click

from sealtrail import __version__
from sealtrail.cli.main import run
from sealtrail.cli.verify import verify_command

NAME = "sealtrail-verify"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code. Never raises."""
    command = click.Command(
        NAME,
        callback=verify_command.callback,
        params=[*verify_command.params],
        help=verify_command.help,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )
    return run(click.version_option(__version__, prog_name=NAME)(command), NAME, arguments)
