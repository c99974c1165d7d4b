"""The settings table as text: the file of ``init`` is a configuration, and the documentation is complete."""

from __future__ import annotations

from pathlib import Path

from sealtrail.config import Config, parse_config
from sealtrail.config.load import TABLES
from sealtrail.config.render import render_reference, render_toml
from sealtrail.config.table import all_settings

DOCUMENTATION = Path(__file__).resolve().parents[2] / "docs" / "configuration.md"
FILE = Path("/x/sealtrail.toml")


def test_the_rendered_file_with_nothing_set_gives_the_defaults() -> None:
    config = parse_config(render_toml({}).encode(), FILE)
    assert config == Config(path=FILE)


def test_every_setting_stands_in_the_rendered_file_with_its_meaning() -> None:
    text = render_toml({})
    for section, setting in all_settings():
        assert setting.doc
        assert f"\n#{setting.name} = " in text or (section, setting.name) in TABLES


def test_what_is_set_is_read_back() -> None:
    token = {"name": 'a "b"', "sha256": "0" * 64, "scopes": ["capture", "query"]}
    text = render_toml(
        {
            "node": {"name": 'quo"te \\ und Ümlaut'},
            "chain": {"rpc_urls": ["http://a", "http://b"], "finality": "depth 3"},
            "auth": {"tokens": [token]},
            "anchoring": {"beat_seconds": 2.5},
        }
    )
    config = parse_config(text.encode(), FILE)
    assert config.node.name == 'quo"te \\ und Ümlaut'
    assert config.chain.rpc_urls == ["http://a", "http://b"]
    assert config.auth.tokens[0].name == 'a "b"'
    assert config.anchoring.beat_seconds == 2.5


def test_the_default_shown_for_each_setting_is_accepted_when_uncommented() -> None:
    lines = render_toml({}).splitlines()
    live = [
        line[1:] if line.startswith("#") and not line.startswith("# ") else line for line in lines
    ]
    assert parse_config("\n".join(live).encode(), FILE) == Config(path=FILE)


def test_the_documentation_holds_the_table_as_it_is_now() -> None:
    # to bring it up to date, replace its tables by what render_reference() returns
    assert render_reference() in DOCUMENTATION.read_text()
