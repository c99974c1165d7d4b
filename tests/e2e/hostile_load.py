"""Clients that never give up, processes that are killed under them, and what counts afterwards."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import random
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import aiohttp

from e2e.devnet_process import alive, until

PACK = "https://id.gs1.org/01/09521001001014/21/"
TIME = "2026-03-01T10:00:00Z"


def pack_event(serial: str, **more: Any) -> dict[str, Any]:
    """Return a commissioning of one pack; the same serial gives the same content."""
    return {
        "type": "ObjectEvent",
        "eventTime": TIME,
        "eventTimeZoneOffset": "+00:00",
        "epcList": [PACK + serial],
        "action": "ADD",
        "bizStep": "commissioning",
        "disposition": "active",
        "readPoint": {"id": "https://id.gs1.org/414/9521001000017"},
        **more,
    }


def document(events: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the events as an EPCISDocument."""
    return {
        "@context": ["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"],
        "type": "EPCISDocument",
        "schemaVersion": "2.0",
        "creationDate": TIME,
        "epcisBody": {"eventList": events},
    }


def bare(event: dict[str, Any]) -> dict[str, Any]:
    """Return the event with its context, as POST /events takes it."""
    context = ["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"]
    return {"@context": context, **event}


class Clients:
    """Sends documents and single events until each is acknowledged; keeps the receipts by serial."""

    def __init__(self, node: dict[str, Any], *, prefix: str, per_document: int = 100) -> None:
        self.receipts: dict[str, dict[str, Any]] = {}
        self.retries = 0
        self.unexpected: list[str] = []
        self._url = node["url"]
        self._headers = {
            "Authorization": f"Bearer {node['token']}",
            "Prefer": "return=representation",
            "Accept": "application/vnd.sealtrail.receipt+json, application/json;q=0.9",
        }
        self._prefix = prefix
        self._per_document = per_document
        self._numbers = itertools.count()
        self._stop = asyncio.Event()

    async def run(self, *, documents: int, singles: int, kills: Any) -> None:
        """Load the node with that many clients until ``kills`` (a coroutine) has ended."""
        timeout = aiohttp.ClientTimeout(total=20)
        async with aiohttp.ClientSession(headers=self._headers, timeout=timeout) as session:
            tasks = [asyncio.ensure_future(self._documents(session)) for _ in range(documents)]
            tasks += [asyncio.ensure_future(self._singles(session)) for _ in range(singles)]
            try:
                await kills
            finally:
                self._stop.set()
                await asyncio.gather(*tasks)

    async def again(self) -> list[dict[str, Any]]:
        """Send every acknowledged event once more, and return the receipts in the order of serials."""
        serials = sorted(self.receipts)
        async with aiohttp.ClientSession(headers=self._headers) as session:
            found: list[dict[str, Any]] = []
            for at in range(0, len(serials), 1000):
                part = serials[at : at + 1000]
                answer = await self._send(
                    session, "/capture", document([pack_event(s) for s in part])
                )
                found += answer["receipts"]
        return found

    async def _documents(self, session: aiohttp.ClientSession) -> None:
        while not self._stop.is_set():
            serials = [self._serial() for _ in range(self._per_document)]
            answer = await self._send(
                session, "/capture", document([pack_event(s) for s in serials])
            )
            self.receipts.update(zip(serials, answer["receipts"], strict=True))

    async def _singles(self, session: aiohttp.ClientSession) -> None:
        while not self._stop.is_set():
            serial = self._serial()
            self.receipts[serial] = await self._send(session, "/events", bare(pack_event(serial)))

    async def _send(self, session: aiohttp.ClientSession, path: str, body: Any) -> Any:
        while True:
            try:
                async with session.post(self._url + path, json=body) as response:
                    answer = await response.json(content_type=None)
            except (aiohttp.ClientError, TimeoutError, json.JSONDecodeError):
                self.retries += 1
                await asyncio.sleep(
                    0.05
                )  # the node is down: a client's back-off, not a wait of the test
                continue
            if response.status in (201, 202):
                return answer
            if response.status != 503:
                self.unexpected.append(f"{response.status} {answer}")
            await asyncio.sleep(0.05)

    def _serial(self) -> str:
        return f"{self._prefix}{next(self._numbers)}"


class Victim:
    """A process of the devnet that is killed and started again by its argv."""

    def __init__(self, described: dict[str, Any]) -> None:
        self._argv: list[str] = described["argv"]
        self._pid: int = described["pid"]
        self._process: subprocess.Popen[bytes] | None = None

    def kill(self) -> None:
        os.kill(self._pid, signal.SIGKILL)
        if self._process is not None:
            self._process.wait(10)
        until(lambda: not alive(self._pid), "the killed process's end")

    def start(self) -> None:
        self._process = subprocess.Popen(
            self._argv, cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self._pid = self._process.pid

    def ended(self) -> int | None:
        return None if self._process is None else self._process.poll()

    def close(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self._process.wait(30)


@contextmanager
def victims(*described: dict[str, Any]) -> Iterator[list[Victim]]:
    """Give processes to kill, and stop those that were started again."""
    found = [Victim(each) for each in described]
    try:
        yield found
    finally:
        for each in found:
            each.close()


async def kill_at_random(found: list[Victim], *, rounds: int, random_: random.Random) -> None:
    """Kill one or several of them, again and again, with moments of life between."""
    for _ in range(rounds):
        await asyncio.sleep(random_.uniform(0.05, 1.5))  # the moment of the kill is what is tried
        chosen = random_.sample(found, random_.randint(1, len(found)))
        for victim in chosen:
            await asyncio.to_thread(victim.kill)
            await asyncio.sleep(random_.uniform(0, 0.3))
        random_.shuffle(chosen)
        for victim in chosen:
            victim.start()
            await asyncio.sleep(random_.uniform(0, 1.0))
