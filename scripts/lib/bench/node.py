"""A node to measure: one devnet of one node, over the public command line."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.load import write_bodies

START_SECONDS = 60


class MeasuredNode:
    """One running node and how to reach it."""

    def __init__(self, directory: Path, described: dict[str, Any]) -> None:
        self.directory = directory
        self.url: str = described["url"]
        self.token: str = described["token"]
        self.pid: int = described["pid"]
        self.gln: str = described["glns"][0]
        self.prefix: str = described["numbering_rights"][0]
        self.host, port = self.url.removeprefix("http://").split(":")
        self.port = int(port)

    @property
    def gtin(self) -> str:
        """A GTIN that the node's member may number."""
        body = "0" + self.prefix + "7".zfill(12 - len(self.prefix))
        total = sum(int(d) * (3 if i % 2 == 0 else 1) for i, d in enumerate(reversed(body)))
        return body + str(-total % 10)

    def get(self, path: str) -> Any:
        """Return a JSON answer of the node."""
        request = urllib.request.Request(
            self.url + path, headers={"Authorization": f"Bearer {self.token}"}
        )
        with urllib.request.urlopen(request, timeout=60) as response:
            return json.load(response)

    def provenance(self, item: str) -> Any:
        """Return an item's provenance."""
        return self.get("/v1/provenance/" + urllib.parse.quote(item, safe=""))

    def load(self, path: str, bodies: list[bytes], clients: int) -> dict[str, Any]:
        """Post the bodies from another process and return what it measured."""
        file = self.directory / "bodies"
        write_bodies(file, bodies)
        result = subprocess.run(
            [
                sys.executable,
                "-m",
                "bench.load",
                self.host,
                str(self.port),
                self.token,
                path,
                str(clients),
                str(file),
            ],
            capture_output=True,
            text=True,
            check=True,
        )
        measured: dict[str, Any] = json.loads(result.stdout)
        refused = {s: n for s, n in measured["statuses"].items() if not s.startswith("2")}
        if refused:
            raise SystemExit(f"the node refused some: {refused}")
        return measured

    def memory_bytes(self) -> int:
        """Return the resident memory of the node and the processes that draft for it."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return sum(_resident_bytes(int(pid)) for pid in (self.pid, *children))

    def store_bytes(self) -> int:
        """Return the size of the node's database on disk."""
        data = self.directory / "devnet" / "nodes"
        return sum(p.stat().st_size for p in data.rglob("*.db*"))


def _resident_bytes(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return 0


@contextmanager
def one_node(directory: Path) -> Iterator[MeasuredNode]:
    """Run a devnet of one node until the end of the block."""
    devnet = directory / "devnet"
    log = (directory / "devnet.log").open("wb")
    process = subprocess.Popen(
        [sys.executable, "-m", "sealtrail.cli", "devnet", "--dir", str(devnet), "--nodes", "1"],
        stdout=log,
        stderr=log,
    )
    try:
        deadline = time.monotonic() + START_SECONDS
        while not (devnet / "devnet.json").exists():
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"the devnet did not start; see {directory / 'devnet.log'}")
            time.sleep(0.1)
        described = json.loads((devnet / "devnet.json").read_text())
        yield MeasuredNode(directory, described["nodes"][0])
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        log.close()
