"""The README's five-minute tour, command by command, as a new user would paste it."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TOUR = re.compile(r"^```bash tour\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def free_port() -> int:
    """Return a port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_the_readmes_tour_works_as_written(tmp_path: Path) -> None:
    readme = (ROOT / "README.md").read_text().replace("8099", str(free_port()))
    commands = TOUR.findall(readme)
    assert len(commands) >= 7
    script = "set -e\ntrap 'kill $(jobs -p) 2>/dev/null || true; wait' EXIT\n" + "\n".join(commands)
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
    }
    tour = subprocess.Popen(
        ["bash", "-c", script],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        printed, complained = tour.communicate(timeout=480)
    finally:
        with suppress(ProcessLookupError):  # what a tour that broke off left running
            os.killpg(tour.pid, signal.SIGKILL)
    said = printed + complained
    assert tour.returncode == 0, said[-4000:]
    assert "complete" in printed
    assert "chain-proven" in printed
    assert "unknown_item" in printed
    assert "City Clinic is an active member" in said
