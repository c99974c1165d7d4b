"""Three node processes and a chain: a shipment arrives though its sender was killed and its receiver was down."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import urllib.request
from pathlib import Path
from typing import Any

from e2e.devnet_process import alive, devnet, until

SECONDS_MAX = 60.0
PALLET = "urn:example:pallet:1"


def call(node: dict[str, Any], path: str, body: Any = None) -> Any:
    """Call a node with its token; return the JSON."""
    request = urllib.request.Request(  # noqa: S310 - http
        node["url"] + path,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {node['token']}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=20) as response:  # noqa: S310 - http
        return json.loads(response.read() or b"null")


def end(process_id: int) -> None:
    os.kill(process_id, signal.SIGKILL)
    until(lambda: not alive(process_id), "its end")


def shipment(receiver: dict[str, Any]) -> dict[str, Any]:
    return {
        "@context": ["https://ref.gs1.org/standards/epcis/epcis-context.jsonld"],
        "type": "ObjectEvent",
        "action": "OBSERVE",
        "bizStep": "shipping",
        "epcList": [PALLET],
        "eventTime": "2026-01-01T10:00:00.000Z",
        "eventTimeZoneOffset": "+01:00",
        "destinationList": [
            {
                "type": "possessing_party",
                "destination": f"https://id.gs1.org/417/{receiver['glns'][0]}",
            }
        ],
    }


def test_a_shipment_survives_the_killing_of_both_ends(tmp_path: Path) -> None:
    with devnet(tmp_path / "net", "--nodes", "2") as running:
        sender, receiver = running.node("manufacturer"), running.node("wholesaler")
        end(receiver["pid"])
        call(sender, "/events", shipment(receiver))
        waiting = until(
            lambda: [d for d in call(sender, "/v1/status")["deliveries"] if d["attempts"]],
            "an attempt",
        )
        assert waiting[0]["recipient"] == receiver["member"].lower()
        assert waiting[0]["last_error"].startswith("peer_unreachable")
        end(sender["pid"])

        started = [
            subprocess.Popen(node["argv"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            for node in (receiver, sender)
        ]
        try:
            until(lambda: arrived(receiver, PALLET), "the shipment", SECONDS_MAX)
            until(lambda: not deliveries(sender), "the proof's delivery", SECONDS_MAX)
        finally:
            for process in started:
                process.terminate()
                process.wait(30)


def arrived(node: dict[str, Any], item: str) -> bool:
    try:
        found = call(node, "/events")
    except OSError:
        return False
    events = found["epcisBody"]["queryResults"]["resultsBody"]["eventList"]
    return any(item in event.get("epcList", ()) for event in events)


def deliveries(node: dict[str, Any]) -> Any:
    return call(node, "/v1/status")["deliveries"]


def test_status_and_metrics_show_what_waits_for_whom(tmp_path: Path) -> None:
    with devnet(tmp_path / "net", "--nodes", "2") as running:
        sender, receiver = running.node("manufacturer"), running.node("wholesaler")
        end(receiver["pid"])
        call(sender, "/events", shipment(receiver))
        until(lambda: measured(sender, "sealtrail_delivery_failures_total") > 0, "an attempt")
        (waiting,) = deliveries(sender)
        assert (waiting["recipient"], waiting["waiting"]) == (receiver["member"].lower(), 2)
        assert measured(sender, "sealtrail_deliveries_waiting") == 2


def measured(node: dict[str, Any], name: str) -> float:
    request = urllib.request.Request(  # noqa: S310 - http
        node["url"] + "/metrics", headers={"Authorization": f"Bearer {node['token']}"}
    )
    with urllib.request.urlopen(request, timeout=20) as response:  # noqa: S310 - http
        lines = response.read().decode().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(name + " "))
