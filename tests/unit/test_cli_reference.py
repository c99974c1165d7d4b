"""The command line's documentation: every command and every flag stands in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from sealtrail.cli.main import COMMANDS, sealtrail

DOCUMENTATION = Path(__file__).resolve().parents[2] / "docs" / "cli.md"
EVERYWHERE = {"--json", "--debug", "--help"}


def commands(
    group: click.Group = sealtrail, path: tuple[str, ...] = ("sealtrail",)
) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


def section(path: str) -> str:
    _, found, rest = DOCUMENTATION.read_text().partition(f"### `{path}")
    assert found, f"docs/cli.md has no section on {path}"
    return rest.partition("\n### ")[0]


@pytest.mark.parametrize(("path", "command"), list(commands()))
def test_a_command_and_all_its_flags_are_documented(path: str, command: click.Command) -> None:
    text = section(path)
    flags = {o for p in command.params if isinstance(p, click.Option) for o in p.opts}
    missing = [f for f in flags - EVERYWHERE if f.startswith("--") and f"`{f}" not in text]
    assert not missing, f"{path}: not in docs/cli.md: {missing}"


@pytest.mark.parametrize(("path", "command"), list(commands()))
def test_a_command_s_exit_codes_are_documented_in_its_own_words(
    path: str, command: click.Command
) -> None:
    paragraphs = [" ".join(text.split()) for text in (command.help or "").split("\n\n")]
    for paragraph in paragraphs:
        if paragraph.startswith("Exit codes:"):
            assert paragraph in section(path)


@pytest.mark.parametrize(("path", "command"), list(commands()))
def test_a_command_prints_json_and_says_what_it_does(path: str, command: click.Command) -> None:
    assert "--json" in {o for p in command.params for o in p.opts}
    assert command.help, path
    for option in command.params:
        if isinstance(option, click.Option):
            assert option.help, f"{path} {option.name}"


def test_no_section_documents_a_command_that_is_gone() -> None:
    known = {path for path, _ in commands()}
    for line in DOCUMENTATION.read_text().splitlines():
        if line.startswith("### `sealtrail"):
            words = line.removeprefix("### `").split("`")[0].split()
            names = [w for w in words if w.islower()]
            assert " ".join(names) in known, line


def test_the_one_line_of_each_command_is_in_the_table() -> None:
    for entry in COMMANDS.values():
        assert entry.summary.endswith(".")
