"""A member changes each of its keys by the command line alone, and nothing that was proven stops being so."""

from __future__ import annotations

import datetime
import json
import re
import signal
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from os import kill
from typing import Any

import pytest

from e2e.devnet_process import START_SECONDS, RunningDevnet, alive, devnet, sealtrail, until
from sealtrail.cli.keyring import KeyFiles
from sealtrail.config import load_config
from sealtrail.log.checkpoint import parse_origin, verify_note
from sealtrail.membership.records import Purpose
from sealtrail.signing import Domain, entry_id, parse_leaf, recover
from sealtrail.store.keystore import load_label

PACK = "https://id.gs1.org/01/09521001001014/21/"
SECONDS_MAX = 60.0


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC).replace(microsecond=0)


def event(serial: str, bizstep: str, **fields: Any) -> dict[str, Any]:
    return {
        "type": "ObjectEvent",
        "eventTime": now().isoformat(),
        "eventTimeZoneOffset": "+00:00",
        "epcList": [PACK + serial],
        "action": "OBSERVE",
        "bizStep": bizstep,
        **fields,
    }


class Organisation:
    """A node of the devnet, its configuration, and what its operator does."""

    def __init__(self, running: RunningDevnet, name: str) -> None:
        self.node = running.node(name)
        self.config = running.directory / "nodes" / name / "sealtrail.toml"
        self.process: subprocess.Popen[bytes] | None = None

    def command(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return sealtrail(*arguments, "--config", str(self.config), check=check)

    def refused(self, code: str, exit_code: int, *arguments: str) -> None:
        result = self.command(*arguments, "--json", check=False)
        assert (json.loads(result.stderr)["error"]["code"], result.returncode) == (code, exit_code)

    def json(self, *arguments: str) -> Any:
        return json.loads(self.command(*arguments, "--json").stdout)

    def register(self, purpose: str) -> str:
        """Make a key and register it; return its public half."""
        file = str(self.config.parent / "keys" / f"{purpose}-next.json")
        made = self.json("keys", "new", purpose, file)
        registered = self.json("keys", "register", purpose, file)
        assert registered["key"]["public"] == made["public"]
        assert registered["key"]["valid_from"] == registered["block"]
        return str(made["public"])

    def use(self, purpose: str) -> None:
        """Name the new key file in the configuration and restart the node."""
        changed, count = re.subn(
            rf'^#?{purpose} = ".*"',
            f'{purpose} = "keys/{purpose}-next.json"',
            self.config.read_text(),
            count=1,
            flags=re.M,
        )
        assert count == 1
        self.stop()
        self.config.write_text(changed)
        self.start()
        until(self.runs, "the node", START_SECONDS)

    def start(self) -> subprocess.Popen[bytes]:
        with (self.config.parent / "again.log").open("ab") as log:
            self.process = subprocess.Popen(self.node["argv"], stdout=log, stderr=log)
        return self.process

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(30)
        elif alive(self.node["pid"]):
            kill(self.node["pid"], signal.SIGTERM)
            until(lambda: not alive(self.node["pid"]), "the node's end")

    def public(self, purpose: str) -> str:
        """Return the public half of the configured key."""
        path = KeyFiles.of(load_config(self.config)).paths[Purpose[purpose.upper()]]
        return "0x" + load_label(path).public.hex()

    def call(self, path: str, body: Any = None) -> Any:
        """Call the node as its user does; return the JSON."""
        request = urllib.request.Request(  # noqa: S310 - http
            self.node["url"] + path,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": f"Bearer {self.node['token']}",
                "Content-Type": "application/json",
            },
        )
        with urllib.request.urlopen(request, timeout=20) as response:  # noqa: S310 - http
            return json.loads(response.read())

    def runs(self) -> bool:
        if self.process is not None:
            assert self.process.poll() is None, (self.config.parent / "again.log").read_text()
        try:
            return bool(self.call("/health"))
        except OSError:
            return False

    def capture(self, event: dict[str, Any]) -> None:
        context = ["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"]
        self.call("/events", {"@context": context, **event})

    def steps(self, serial: str) -> list[dict[str, Any]]:
        answer = self.call("/v1/provenance/" + urllib.parse.quote(PACK + serial, safe=""))
        return [s for s in answer["journey"] if s["kind"] != "missing"]

    def proven(self, serial: str) -> dict[str, Any]:
        """Wait until each step of the pack's journey is chain-proven; return the last one's proof."""

        def found() -> Any:
            steps = self.steps(serial)
            return (
                steps if steps and all(s["entry_grade"] == "chain-proven" for s in steps) else None
            )

        proof: dict[str, Any] = until(found, f"the proof of {serial}", SECONDS_MAX)[-1]["proof"]
        return proof

    def end(self, purpose: str) -> Any:
        """End the key that was replaced."""
        until(lambda: self.call("/v1/status")["anchoring"]["state"] == "current", "the anchors")
        return self.json("keys", "end", purpose, "--yes")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDevnet]:
    with devnet(tmp_path_factory.mktemp("devnet") / "net", "--nodes", "2") as started:
        yield started


@pytest.fixture(scope="module")
def maker(running: RunningDevnet) -> Iterator[Organisation]:
    organisation = Organisation(running, "manufacturer")
    yield organisation
    organisation.stop()


@pytest.fixture(scope="module")
def buyer(running: RunningDevnet) -> Iterator[Organisation]:
    organisation = Organisation(running, "wholesaler")
    yield organisation
    organisation.stop()


def signer_of(proof: dict[str, Any], running: RunningDevnet) -> str:
    """Return the address that signed the entry of a proof."""
    signed = parse_leaf(bytes.fromhex(proof["leaf"].removeprefix("0x")))
    origin = parse_origin(proof["checkpoint"].split("\n")[0])
    domain = Domain(
        chain_id=running.described["chain"]["chain_id"],
        registry=origin.registry,
        genesis_hash=origin.genesis_hash,
    )
    return "0x" + recover(entry_id(signed.entry, domain), signed.signature).hex()


def sender_of(proof: dict[str, Any], running: RunningDevnet) -> str:
    """Ask the chain who sent the anchor of a proof."""
    hash_ = proof["anchor"]["transaction_hash"]
    question = {"jsonrpc": "2.0", "id": 1, "method": "eth_getTransactionByHash", "params": [hash_]}
    request = urllib.request.Request(  # noqa: S310 - http
        running.described["chain"]["rpc_url"],
        data=json.dumps(question).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=20) as response:  # noqa: S310 - http
        return str(json.loads(response.read())["result"]["from"]).lower()


def require_signed(proof: dict[str, Any], log_key: str) -> None:
    note = proof["checkpoint"]
    verify_note(note, note.split("\n")[0], bytes.fromhex(log_key.removeprefix("0x")))


def shipment(serial: str, receiver: Organisation) -> dict[str, Any]:
    destination = f"https://id.gs1.org/417/{receiver.node['glns'][0]}"
    return event(
        serial,
        "shipping",
        destinationList=[{"type": "possessing_party", "destination": destination}],
    )


def test_a_new_event_key_signs_and_the_old_ones_entries_stay_proven(
    maker: Organisation, running: RunningDevnet
) -> None:
    before = maker.public("event")
    maker.capture(event("E1", "inspecting"))
    assert signer_of(maker.proven("E1"), running) == before
    after = maker.register("event")
    maker.refused("key_in_use", 2, "keys", "end", "event", "--yes")  # never the one to come
    maker.use("event")
    maker.capture(event("E2", "inspecting"))
    assert signer_of(maker.proven("E2"), running) == after
    ended = maker.end("event")
    assert (ended["key"]["public"], ended["key"]["valid_until"]) == (before, ended["block"])
    assert signer_of(maker.proven("E1"), running) == before
    maker.capture(event("E3", "inspecting"))
    assert signer_of(maker.proven("E3"), running) == after


def test_a_new_operator_key_anchors_without_funds(
    maker: Organisation, running: RunningDevnet
) -> None:
    before = maker.public("operator")
    maker.capture(event("O1", "inspecting"))
    assert sender_of(maker.proven("O1"), running) == before
    after = maker.register("operator")
    maker.use("operator")
    maker.capture(event("O2", "inspecting"))
    assert sender_of(maker.proven("O2"), running) == after
    assert maker.end("operator")["key"]["public"] == before
    maker.proven("O1")
    maker.capture(event("O3", "inspecting"))
    assert sender_of(maker.proven("O3"), running) == after
    maker.refused("last_operator_key", 1, "keys", "end", after, "--even-if-in-use", "--yes")
    maker.refused("key_already_ended", 1, "keys", "end", before, "--yes")


def test_a_new_log_key_signs_checkpoints_and_the_old_ones_still_verify(maker: Organisation) -> None:
    before = maker.public("log")
    maker.capture(event("L1", "inspecting"))
    require_signed(maker.proven("L1"), before)
    after = maker.register("log")
    maker.use("log")
    maker.capture(event("L2", "inspecting"))
    require_signed(maker.proven("L2"), after)
    assert maker.end("log")["key"]["public"] == before
    require_signed(maker.proven("L1"), before)
    maker.capture(event("L3", "inspecting"))
    require_signed(maker.proven("L3"), after)


def test_partners_take_packages_of_a_new_peer_key(maker: Organisation, buyer: Organisation) -> None:
    before = maker.public("peer")
    maker.capture(shipment("P1", buyer))
    buyer.proven("P1")
    maker.register("peer")
    maker.use("peer")
    maker.capture(shipment("P2", buyer))
    buyer.proven("P2")
    assert maker.end("peer")["key"]["public"] == before
    maker.capture(shipment("P3", buyer))
    buyer.proven("P3")
    buyer.proven("P1")


def test_the_registry_lists_all_keys_and_which_are_configured(maker: Organisation) -> None:
    listed = maker.json("keys", "list", "--registry")
    configured = {k["purpose"] for k in listed["keys"] if k["configured"] and k["valid"]}
    assert configured == {"event", "operator", "log", "peer", "witness"}
    assert all(k["valid"] or k["valid_until"] <= listed["block"] for k in listed["keys"])
    assert listed["not_registered"] == []
    assert maker.command("doctor").returncode == 0


def test_what_the_registry_refuses_has_a_name_and_advice(maker: Organisation) -> None:
    file = str(maker.config.parent / "keys" / "log.json")
    maker.refused("key_already_registered", 1, "keys", "register", "log", file)
    maker.refused("key_file_other_purpose", 2, "keys", "register", "event", file)
    maker.refused("key_in_use", 2, "keys", "end", maker.public("peer"), "--yes")
    passed = ["--at-block", "1", "--even-if-in-use"]
    maker.refused("block_has_passed", 2, "keys", "end", maker.public("peer"), *passed)


def test_a_report_of_compromise_taints_what_was_anchored_since_and_nothing_before(
    buyer: Organisation,
) -> None:
    key = buyer.public("event")
    buyer.capture(event("C1", "inspecting"))
    anchor = buyer.proven("C1")["anchor"]
    anchored = datetime.datetime.fromisoformat(anchor["block_time"])
    since = until(lambda: now() > anchored and now(), "a later second").isoformat()
    malformed, to_come = "yesterday", "2999-01-01T00:00:00Z"
    buyer.refused("since_malformed", 2, "keys", "compromised", key, "--since", malformed)
    buyer.refused("since_in_future", 2, "keys", "compromised", key, "--since", to_come)

    reported = buyer.json("keys", "compromised", key, "--since", since, "--yes")["key"]
    assert anchor["block_number"] < reported["compromised_since"] <= reported["compromise_reported"]
    assert buyer.command("keys", "list", "--registry", check=False).returncode == 1
    assert "COMPROMISED" in buyer.command("doctor", check=False).stdout
    later = ["--since", str(reported["compromised_since"])]
    buyer.refused("compromise_block_wrong", 1, "keys", "compromised", key, *later)
    buyer.capture(event("C2", "inspecting"))
    until(lambda: "event_key_compromised" in checks_of(buyer, "C2"), "the anchor")
    buyer.proven("C1")

    buyer.register("event")
    buyer.use("event")
    assert buyer.end("event")["key"]["public"] == key
    buyer.capture(event("C3", "inspecting"))
    buyer.proven("C3")
    buyer.proven("C1")
    assert buyer.command("doctor").returncode == 0


def checks_of(organisation: Organisation, serial: str) -> list[str]:
    (step,) = organisation.steps(serial)
    return [check["code"] for check in step["checks"]]


def test_a_member_moves_its_node(buyer: Organisation) -> None:
    assert buyer.json("member", "set-url", "http://127.0.0.1:1/elsewhere")["node_url"].endswith(
        "/elsewhere"
    )
    fix = next(
        f["fix"]
        for f in json.loads(buyer.command("doctor", "--json", check=False).stdout)["findings"]
        if f["check"] == "member" and f["state"] == "problem"
    )
    buyer.command(*fix.split("`")[1].split()[1:])
    assert buyer.command("doctor").returncode == 0
    buyer.refused("node_url_refused", 1, "member", "set-url", "http://127.0.0.1:1/" + "x" * 300)
    buyer.refused("peer_url_refused", 2, "member", "set-url", "ftp://127.0.0.1/")


def test_a_node_says_that_a_key_of_its_own_was_ended_and_does_not_start_with_it(
    maker: Organisation,
) -> None:
    key = maker.public("peer")
    maker.json("keys", "end", "peer", "--even-if-in-use", "--yes")
    (fault,) = until(lambda: maker.call("/v1/status")["keys"]["faults"], "the follower")
    assert key in fault
    with pytest.raises(urllib.error.HTTPError, match="503"):
        maker.call("/ready")
    maker.stop()
    assert maker.start().wait(START_SECONDS) == 2
    assert "key_not_registered" in (maker.config.parent / "again.log").read_text()
