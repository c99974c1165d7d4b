"""A small HTTP/1.1 load client: keep-alive connections, requests made beforehand, each answer checked.

Run as a process of its own: python -m bench.load HOST PORT TOKEN PATH CLIENTS FILE, where FILE holds the bodies
(4-byte length before each). Prints JSON: requests, seconds, latencies in ms, statuses.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path


def read_bodies(path: Path) -> list[bytes]:
    """Read length-prefixed bodies."""
    data, bodies, at = path.read_bytes(), [], 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        bodies.append(data[at + 4 : at + 4 + size])
        at += 4 + size
    return bodies


def write_bodies(path: Path, bodies: list[bytes]) -> None:
    """Write length-prefixed bodies."""
    path.write_bytes(b"".join(len(b).to_bytes(4, "big") + b for b in bodies))


async def run(
    host: str, port: int, token: str, path: str, clients: int, bodies: list[bytes]
) -> dict[str, object]:
    """Send every body once over ``clients`` connections and return what was measured."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: Bearer {token}\r\n"
        "Accept: application/vnd.sealtrail.receipt+json, application/json;q=0.9\r\n"
        "Content-Type: application/ld+json\r\nContent-Length: "
    ).encode()
    left = iter(bodies)
    latencies: list[float] = []
    statuses: dict[str, int] = {}

    async def client() -> None:
        reader, writer = await asyncio.open_connection(host, port)
        for body in left:
            started = time.perf_counter()
            writer.write(head + str(len(body)).encode() + b"\r\n\r\n" + body)
            answer = await reader.readuntil(b"\r\n\r\n")
            lower = answer.lower()
            mark = lower.find(b"content-length:")
            if mark >= 0:
                await reader.readexactly(int(lower[mark + 15 : lower.index(b"\r\n", mark)]))
            latencies.append((time.perf_counter() - started) * 1000)
            status = answer[9:12].decode()
            statuses[status] = statuses.get(status, 0) + 1
        writer.close()

    started = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(clients)))
    seconds = time.perf_counter() - started
    return {
        "requests": len(latencies),
        "seconds": seconds,
        "latencies_ms": latencies,
        "statuses": statuses,
    }


if __name__ == "__main__":
    host_, port_, token_, path_, clients_, file_ = sys.argv[1:]
    print(
        json.dumps(
            asyncio.run(
                run(host_, int(port_), token_, path_, int(clients_), read_bodies(Path(file_)))
            )
        )
    )
