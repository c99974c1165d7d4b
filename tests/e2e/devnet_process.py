"""A devnet as a user starts it: the command in a process of its own, devnet.json read back."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SEALTRAIL = [sys.executable, "-m", "sealtrail.cli"]
START_SECONDS = 180.0


def sealtrail(
    *arguments: str, check: bool = True, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run the command line to its end."""
    result = subprocess.run(
        [*SEALTRAIL, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        env=os.environ | environment,
        check=False,
    )
    assert not check or result.returncode == 0, result.stdout + result.stderr
    return result


def until(condition: Callable[[], Any], what: str, seconds: float = 30.0) -> Any:
    """Return the condition's first true value."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError(f"waited {seconds} seconds for {what}")


class RunningDevnet:
    """The devnet's process and what it said when it was ready."""

    def __init__(self, directory: Path, process: subprocess.Popen[str]) -> None:
        self.directory = directory
        self.process = process
        self.described: dict[str, Any] = {}

    def wait_ready(self) -> None:
        path = self.directory / "devnet.json"

        def ready() -> bool:
            assert self.process.poll() is None, self.process.communicate()[1]
            return path.exists()

        until(ready, "the devnet", START_SECONDS)
        self.described = json.loads(path.read_text())

    def node(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = next(n for n in self.described["nodes"] if n["name"] == name)
        return found

    def run(
        self, name: str, *arguments: str, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        return sealtrail(
            *arguments,
            "--devnet",
            str(self.directory),
            "--as",
            name,
            check=check,
            XDG_STATE_HOME=str(self.directory / "state"),
        )

    def json(self, name: str, *arguments: str) -> Any:
        return json.loads(self.run(name, *arguments, "--json").stdout)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(60)


@contextmanager
def devnet(directory: Path, *options: str) -> Iterator[RunningDevnet]:
    """Start a devnet, wait until it is ready, and stop it at the end."""
    process = subprocess.Popen(
        [*SEALTRAIL, "devnet", "--dir", str(directory), *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    running = RunningDevnet(directory, process)
    try:
        running.wait_ready()
        yield running
    finally:
        running.stop()
        if process.stderr:
            process.stderr.close()


def alive(pid: int) -> bool:
    """Tell whether a process runs (one that waits to be reaped does not)."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
