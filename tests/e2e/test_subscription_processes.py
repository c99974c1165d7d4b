"""A subscription to a node of a devnet, as somebody who tries it out makes one; and the commands for it."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import requests

from capture_events import document, event
from e2e.devnet_process import RunningDevnet, devnet, until


class Hook(ThreadingHTTPServer):
    """A consumer of the standard library's."""

    def __init__(self) -> None:
        self.status, self.bodies = 200, list[dict[str, Any]]()
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}/hook"


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        hook: Hook = self.server  # type: ignore[assignment]
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if hook.status == 200:
            hook.bodies.append(json.loads(body))
        self.send_response(hook.status)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDevnet]:
    with devnet(tmp_path_factory.mktemp("devnet"), "--nodes", "1") as running:
        yield running


@pytest.fixture
def hook() -> Iterator[Hook]:
    with Hook() as hook:
        threading.Thread(target=hook.serve_forever, daemon=True).start()
        yield hook
        hook.shutdown()


def post(running: RunningDevnet, place: str, body: bytes) -> Any:
    node = running.node("manufacturer")
    response = requests.post(
        node["url"] + place,
        data=body,
        headers={"Authorization": f"Bearer {node['token']}", "Content-Type": "application/json"},
        timeout=30,
    )
    assert response.ok, response.text
    return response.json() if response.content else None


def test_a_devnet_s_node_delivers_to_this_machine_and_the_commands_say_so(
    running: RunningDevnet, hook: Hook
) -> None:
    query = {"name": "shipped", "query": {"EQ_bizStep": ["shipping"]}}
    post(running, "/queries", json.dumps(query).encode())
    wanted = json.dumps({"dest": hook.url, "stream": True}).encode()
    made = post(running, "/queries/shipped/subscriptions", wanted)
    post(running, "/capture", document(event(1), event(2, bizStep="shipping", action="OBSERVE")))
    until(lambda: hook.bodies, "a delivery")
    results = hook.bodies[0]["epcisBody"]["queryResults"]
    assert [e["bizStep"] for e in results["resultsBody"]["eventList"]] == ["shipping"]
    shown = running.run("manufacturer", "subscriptions", "list").stdout
    assert f"{made['subscriptionID']} active, shipped (stream) to {hook.url}" in shown
    (listed,) = running.json("manufacturer", "subscriptions", "list")
    assert listed["subscriptionID"] == made["subscriptionID"]
    tried = running.run("manufacturer", "subscriptions", "test", made["subscriptionID"])
    assert "The consumer took it" in tried.stdout
    status = running.json("manufacturer", "status")["subscriptions"]
    assert (status["active"], status["suspended"]) == (1, 0)


def test_a_consumer_that_is_gone_is_suspended_and_goes_on_when_resumed(
    running: RunningDevnet, hook: Hook
) -> None:
    hook.status = 410
    post(running, "/queries", json.dumps({"name": "all", "query": {}}).encode())
    wanted = json.dumps({"dest": hook.url, "stream": True}).encode()
    made = post(running, "/queries/all/subscriptions", wanted)["subscriptionID"]
    post(running, "/capture", document(event(3)))

    def suspended() -> bool:
        listed = running.json("manufacturer", "subscriptions", "list")
        return any(e["subscriptionID"] == made and e["state"] == "suspended" for e in listed)

    until(suspended, "the suspension")
    refused = running.run("manufacturer", "subscriptions", "test", made, check=False)
    assert refused.returncode == 3
    assert "consumer_gone" in refused.stderr
    hook.status = 200
    assert "active" in running.run("manufacturer", "subscriptions", "resume", made).stdout
    until(lambda: hook.bodies, "the delivery")
    assert (
        running.run("manufacturer", "subscriptions", "resume", "none", check=False).returncode == 2
    )


def test_a_node_that_stops_says_goodbye_to_open_feeds(running: RunningDevnet) -> None:
    node = running.node("manufacturer")
    post(running, "/queries", json.dumps({"name": "open", "query": {}}).encode())
    host, port = node["url"].removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=60) as feed:
        feed.sendall(
            f"GET /queries/open/events?stream=true HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nAuthorization: Bearer {node['token']}\r\n"
            "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n".encode()
        )
        reader = feed.makefile("rb")
        assert b"101" in reader.readline()
        while reader.readline().strip():
            pass
        os.kill(node["pid"], signal.SIGTERM)
        opcode, size = reader.read(2)
        assert opcode == 0x88  # RFC 6455 section 5.2: the last frame of a message, close
        assert reader.read(size)[:2] == (1000).to_bytes(2, "big")
