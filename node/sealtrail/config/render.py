"""The settings table as text: the TOML of ``sealtrail init``, the reference in the documentation."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Any

import msgspec

from sealtrail.config.load import TABLES
from sealtrail.config.settings import SECTIONS
from sealtrail.config.table import Setting, section_doc, section_type, settings_of

WIDTH = 100


def render_toml(values: Mapping[str, Mapping[str, Any]]) -> str:
    """Return a configuration file with every setting explained.

    Args:
        values: by section and setting, what differs from the defaults; the rest is commented out.
    """
    parts = ["# Configuration of a Sealtrail node. What is commented out has the default shown.\n"]
    for section in SECTIONS:
        parts.append(f"\n# {section_doc(section)}\n[{section}]\n")
        for name, setting in settings_of(section_type(section)).items():
            parts.append(_setting(section, setting, values.get(section, {}).get(name)))
    return "".join(parts)


def render_reference() -> str:
    """Return the Markdown tables of every setting (the body of ``docs/configuration.md``)."""
    parts = []
    for section in SECTIONS:
        parts.append(f"## `[{section}]`\n\n{section_doc(section)}\n\n")
        parts.append(_table(section_type(section)))
        for (owner, name), table in TABLES.items():
            if owner == section:
                parts.append(f"### `[[{owner}.{name}]]`\n\n{(table.__doc__ or '').strip()}\n\n")
                parts.append(_table(table))
    return "\n".join("".join(parts).split("\n")).rstrip() + "\n"


def toml_value(value: Any) -> str:
    """Return a value in TOML. JSON's strings, numbers, booleans and lists are TOML's too."""
    return msgspec.json.encode(value).decode().replace('","', '", "')


def _setting(section: str, setting: Setting, value: Any) -> str:
    doc = textwrap.fill(setting.doc, WIDTH, initial_indent="# ", subsequent_indent="# ")
    if (section, setting.name) in TABLES:
        return f"{doc}\n" + "".join(_tables(f"{section}.{setting.name}", value or []))
    mark, shown = ("#", setting.default) if value is None else ("", value)
    return f"{doc}\n{mark}{setting.name} = {toml_value(shown)}\n"


def _tables(name: str, rows: list[Mapping[str, Any]]) -> list[str]:
    return [
        f"[[{name}]]\n" + "".join(f"{k} = {toml_value(v)}\n" for k, v in row.items())
        for row in rows
    ]


def _table(struct: type[msgspec.Struct]) -> str:
    rows = [
        f"| `{s.name}` | {_default(s)} | {s.doc.replace('|', '&#124;')} |\n"
        for s in settings_of(struct).values()
    ]
    return "| setting | default | meaning |\n|---|---|---|\n" + "".join(rows) + "\n"


def _default(setting: Setting) -> str:
    return (
        "required" if setting.default is msgspec.NODEFAULT else f"`{toml_value(setting.default)}`"
    )
