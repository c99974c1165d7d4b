"""Command groups that import a command's module when it is called, not before.

``sealtrail hash`` and ``--help`` must not wait for web3, aiohttp or the database.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import click
import msgspec


class Entry(msgspec.Struct, frozen=True):
    """A command that is not imported yet: where it is, and its line in ``--help``."""

    module: str
    attribute: str
    summary: str


class LazyGroup(click.Group):
    """A group over a table of :class:`Entry`."""

    def __init__(self, *args: Any, entries: Mapping[str, Entry], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.entries = entries

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the table's order, which is the reader's."""
        return list(self.entries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return a command."""
        entry = self.entries.get(cmd_name)
        if entry is None:
            return None
        command = getattr(importlib.import_module(entry.module), entry.attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{entry.module}.{entry.attribute} is no command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing one."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in self.entries.items()])
