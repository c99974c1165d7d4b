"""Consumers of subscriptions, as their owners would run them, and a client that subscribes them."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web

from capture_events import document, event
from capture_node import TOKEN, CaptureNode

WAIT_SECONDS = 20.0


@dataclass
class Received:
    """One request that a consumer got."""

    body: bytes
    headers: dict[str, str]

    @property
    def results(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)["epcisBody"]["queryResults"]
        return found

    @property
    def events(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.results["resultsBody"]["eventList"]
        return found

    @property
    def key(self) -> str:
        return self.headers["Idempotency-Key"]


@dataclass
class Consumer:
    """Takes what is posted, unless ``answer`` says otherwise: it gives the status of each request."""

    url: str = ""
    received: list[Received] = field(default_factory=list)
    answer: Callable[[Received], Awaitable[web.StreamResponse | int]] | None = None
    came: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def take(self, request: web.Request) -> web.StreamResponse:
        got = Received(await request.read(), dict(request.headers))
        result = 200 if self.answer is None else await self.answer(got)
        async with self.came:
            self.received.append(got)
            self.came.notify_all()
        return web.Response(status=result) if isinstance(result, int) else result

    @property
    def serials(self) -> list[str]:
        """Return the serial of each event's first EPC, in the order in which they came."""
        return [each["epcList"][0].rpartition(".")[2] for r in self.received for each in r.events]

    async def until(self, condition: Callable[[Consumer], Any]) -> None:
        """Return when it holds; it is looked at whenever a request has come."""
        async with asyncio.timeout(WAIT_SECONDS), self.came:
            await self.came.wait_for(lambda: bool(condition(self)))


@asynccontextmanager
async def consumer(
    tls: ssl.SSLContext | None = None, *, host: str = "127.0.0.1", port: int = 0, **more: Any
) -> AsyncIterator[Consumer]:
    """Run a consumer on loopback."""
    made = Consumer(**more)
    application = web.Application(client_max_size=64 << 20)
    application.router.add_post("/{tail:.*}", made.take)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, host, port, ssl_context=tls)
    await site.start()
    made.url = f"{'http' if tls is None else 'https'}://{host}:{runner.addresses[0][1]}/take"
    try:
        yield made
    finally:
        await runner.cleanup()


def client_of(url: str, token: str = TOKEN) -> aiohttp.ClientSession:
    """Return a session with a node's user's token."""
    return aiohttp.ClientSession(url, headers={"Authorization": f"Bearer {token}"})


async def make_query(client: aiohttp.ClientSession, name: str = "all", **query: Any) -> None:
    """Make a named query."""
    async with client.post("/queries", json={"name": name, "query": query}) as response:
        assert response.status == 201, await response.text()


async def subscribe(
    client: aiohttp.ClientSession, dest: str, query: str = "all", **controls: Any
) -> dict[str, Any]:
    """Subscribe a consumer; to a stream, unless controls say otherwise."""
    wanted = {"dest": dest, **(controls or {})}
    if "schedule" not in wanted:
        wanted["stream"] = True
    async with client.post(f"/queries/{query}/subscriptions", json=wanted) as response:
        assert response.status == 201, await response.text()
        made: dict[str, Any] = await response.json()
        return made


async def record(node: CaptureNode, *serials: int | str, **more: Any) -> None:
    """Record an event of each of these packs."""
    await node.capture.capture(document(*(event(serial, **more) for serial in serials)))


async def until_shown(
    client: aiohttp.ClientSession, condition: Callable[[dict[str, Any]], Any]
) -> dict[str, Any]:
    """Return the first subscription, as the operator sees it, once the condition holds of it."""
    async with asyncio.timeout(WAIT_SECONDS):
        while True:
            async with client.get("/v1/subscriptions") as response:
                shown: dict[str, Any] = (await response.json())["subscriptions"][0]
            if condition(shown):
                return shown
            await asyncio.sleep(0.02)


async def until(condition: Callable[[], Any]) -> None:
    """Return when it holds."""
    async with asyncio.timeout(WAIT_SECONDS):
        while not condition():  # noqa: ASYNC110 - of what runs elsewhere there is no event
            await asyncio.sleep(0.01)
