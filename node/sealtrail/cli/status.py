"""``sealtrail status``: what a node says about itself."""

from __future__ import annotations

from typing import Any

import click

from sealtrail.cli.output import common_options, print_json
from sealtrail.cli.target import connect, node_options


@click.command("status")
@node_options
@common_options
def status_command(as_json: bool, **target: Any) -> None:
    """Ask a node how it is: its member, log, anchors and chain."""
    client = connect(**target)
    found = client.get("/v1/status").json()
    if as_json:
        print_json(found)
        return
    click.echo(f"Node {client.url}")
    for line in _lines(found, 1):
        click.echo(line)


def _lines(value: Any, depth: int) -> list[str]:
    """Return nested JSON as indented ``name: value`` lines."""
    pad = "  " * depth
    lines: list[str] = []
    for name, inner in value.items() if isinstance(value, dict) else enumerate(value):
        label = str(name).replace("_", " ")
        if isinstance(inner, dict | list) and inner:
            lines += [f"{pad}{label}:", *_lines(inner, depth + 1)]
        else:
            lines.append(f"{pad}{label}: {'-' if inner in (None, [], {}) else inner}")
    return lines
