"""What `scan` shows a person."""

from __future__ import annotations

import pytest

from sealtrail.cli import main


def test_what_a_scanner_sent_commands_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    envelope = "[)>\x1e06\x1d9N111234567842\x1dQ\x9b2Jx\x1dZ\u202eab\x1dS12\x1e\x04"
    assert main(["scan", envelope]) == 0
    told = capsys.readouterr().out
    assert r"Z \u202eab" in told
    assert all(line.isprintable() for line in told.splitlines())
