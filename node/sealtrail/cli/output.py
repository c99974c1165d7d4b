"""What the command line prints: text for people, one JSON value with ``--json``; errors on stderr."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click
import msgspec

from sealtrail.errors import SealtrailError

F = TypeVar("F", bound=Callable[..., Any])

SIGNS = {"ok": ("✓", "green"), "problem": ("✗", "red"), "unknown": ("?", "yellow")}


def common_options(command: F) -> F:
    """Add what every command has: ``--json`` and ``--debug`` (read by :mod:`sealtrail.cli.main`)."""
    command = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")(
        command
    )
    return click.option(
        "--debug", is_flag=True, expose_value=False, help="Show a traceback when something fails."
    )(command)


def print_json(value: Any) -> None:
    """Print one JSON value, indented; bytes as ``0x`` hex."""
    click.echo(msgspec.json.format(msgspec.json.encode(value, enc_hook=str), indent=2).decode())


def say(text: str = "", *, quiet: bool = False) -> None:
    """Tell a person how work goes on, on stderr, so that stdout stays the result alone."""
    if not quiet:
        click.echo(text, err=True)


def confirm(question: str, *, agreed: bool) -> None:
    """Ask whether to go on, unless that was agreed to by a flag.

    Raises:
        click.Abort: no.
    """
    if not agreed and not click.confirm(question, err=True):
        raise click.Abort


def sign(state: str) -> str:
    """Return the coloured mark of ``ok``, ``problem`` or ``unknown`` (could not check)."""
    mark, colour = SIGNS[state]
    return click.style(mark, fg=colour, bold=True)


def print_error(error: SealtrailError, *, as_json: bool) -> None:
    """Print an error that has a name."""
    print_problem(
        error.code,
        error.message,
        pointer=error.pointer,
        advice=error.advice,
        as_json=as_json,
        **error.context,
    )


def print_problem(
    code: str,
    message: str,
    *,
    pointer: str | None = None,
    advice: str | None = None,
    as_json: bool,
    **context: Any,
) -> None:
    """Print what went wrong: on stderr, as JSON if that was asked for."""
    if as_json:
        members = {"code": code, "message": message, "pointer": pointer, "advice": advice}
        problem = {"error": {k: v for k, v in members.items() if v is not None} | context}
        click.echo(msgspec.json.encode(problem, enc_hook=str).decode(), err=True)
        return
    coloured = sys.stderr.isatty()
    label = click.style("error", fg="red", bold=True) if coloured else "error"
    place = f" at {pointer}" if pointer and pointer not in message else ""
    click.echo(f"{label}: {plain(f'{message}{place}')} [{code}]", err=True)
    if advice:
        click.echo(f"  → {plain(advice)}", err=True)


def spelt(path: object) -> str:
    """Return a path or name as text that can be written down: octets that are no UTF-8 spelt out."""
    return str(path).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def plain(text: str) -> str:
    """Return text with what doesn't print spelt out, ends of lines too.

    What others wrote is shown so: it can't command a terminal, turn the order of a line or feign one.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
