"""Plays the demo through the public command line and HTTP only; started by scripts/demo."""

from __future__ import annotations

import argparse
import datetime
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from story import Chapter, Party, Story

SEALTRAIL = [sys.executable, "-m", "sealtrail.cli"]
START_SECONDS = 150.0
SETTLE_SECONDS = 40

Json = dict[str, Any]


class DemoError(Exception):
    """Something did not come out as it should."""


class Screen:
    """What the demo shows: headings, lines, and marks for what came out as it should."""

    def __init__(self) -> None:
        self._colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        self._started = time.monotonic()

    def _paint(self, text: str, code: str) -> str:
        return f"\033[{code}m{text}\033[0m" if self._colour else text

    def heading(self, text: str) -> None:
        seconds = time.monotonic() - self._started
        print(f"\n{self._paint(text, '1')}  {self._paint(f'[{seconds:.0f} s]', '2')}", flush=True)

    def line(self, text: str = "") -> None:
        print(f"  {text}" if text else "", flush=True)

    def ok(self, text: str) -> None:
        self.line(f"{self._paint('✓', '32')} {text}")


class Network:
    """The devnet's public face: devnet.json, the command line, HTTP."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.devnet = directory / "devnet"
        self.described: Json = json.loads((self.devnet / "devnet.json").read_text())

    def node(self, name: str) -> Json:
        return next(node for node in self.described["nodes"] if node["name"] == name)

    def party(self, name: str) -> Party:
        node = self.node(name)
        gln = node["glns"][0]
        rights = node["numbering_rights"]
        return Party(name=name, gln=gln, prefix=rights[0] if rights else gln[:7])

    def capture(self, chapter: Chapter, path: Path) -> None:
        path.write_text(json.dumps(chapter.document, indent=2) + "\n")
        node = self.node(chapter.who)
        sealtrail("capture", str(path), "--node", node["url"], "--token", node["token"])

    def provenance(self, name: str, item: str) -> Json:
        node = self.node(name)
        path = "/v1/provenance/" + urllib.parse.quote(item, safe="")
        request = urllib.request.Request(
            node["url"] + path, headers={"Authorization": f"Bearer {node['token']}"}
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                answer: Json = json.load(response)
                return answer
        except urllib.error.HTTPError as error:
            raise DemoError(f"GET {path} answered {error.code}: {error.read()[:500]!r}") from error


def sealtrail(*arguments: str) -> str:
    """Run the public command line and return what it prints."""
    result = subprocess.run([*SEALTRAIL, *arguments], capture_output=True, text=True, check=False)
    if result.returncode:
        raise DemoError(
            f"sealtrail {' '.join(arguments[:2])} … ended with {result.returncode}:\n{result.stderr.strip()}"
        )
    return result.stdout


def until(what: str, seconds: float, condition: Callable[[], bool]) -> None:
    """Wait on a condition; asking is the only way to know what other processes have done."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise DemoError(f"after {seconds:.0f} s still not so: {what}")
        time.sleep(0.2)


@contextmanager
def devnet(directory: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run `sealtrail devnet` over the directory until it has said that all is ready; stop it at the end."""
    described = directory / "devnet" / "devnet.json"
    described.unlink(missing_ok=True)
    log = (directory / "devnet.log").open("wb")
    command = [*SEALTRAIL, "devnet", "--dir", str(directory / "devnet"), "--nodes", "3"]
    process = subprocess.Popen(command, stdout=log, stderr=log)

    def ready() -> bool:
        if process.poll() is not None:
            raise DemoError(
                f"the devnet ended early:\n{(directory / 'devnet.log').read_text()[-3000:]}"
            )
        return described.exists()

    try:
        until("chain and nodes are ready", START_SECONDS, ready)
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
        log.close()


def play(network: Network, story: Story, screen: Screen) -> None:
    """Tell the story chapter by chapter, each through the command line of whoever records it."""
    documents = network.directory / "story"
    documents.mkdir(exist_ok=True)
    screen.heading("A lot of packs travels")
    for number, chapter in enumerate(story.chapters(), 1):
        _tell(network, chapter, documents / f"{story.lot}-{number}.json", screen)


def _tell(network: Network, chapter: Chapter, path: Path, screen: Screen) -> None:
    network.capture(chapter, path)
    count = len(chapter.document["epcisBody"]["eventList"])
    screen.ok(f"{chapter.who:<13} {chapter.title}  ({count} event{'s' if count > 1 else ''})")


def trace_the_pack(network: Network, story: Story, screen: Screen) -> None:
    """Ask the pharmacy's node for a pack's provenance; every recorded step is to be proven by the chain."""
    screen.heading("The pharmacy asks: where has this pack been, and can you prove it?")

    def proven() -> bool:
        answer = network.provenance("pharmacy", story.traced)
        return answer["verdicts"]["provenance"]["verdict"] == "complete" and all(
            step["entry_grade"] == "chain-proven" for step in answer["journey"] if step["entry_id"]
        )

    until("every step of the pack is proven by the chain", SETTLE_SECONDS, proven)
    node = network.node("pharmacy")
    print(sealtrail("trace", story.traced, "--node", node["url"], "--token", node["token"]), end="")
    verdicts = network.provenance("pharmacy", story.traced)["verdicts"]
    expect(verdicts, "identifier", "known_matching")
    expect(verdicts, "provenance", "complete")
    expect(verdicts, "fitness", "fit")
    screen.ok("known, complete to its manufacturer, fit; every recorded step anchored")


def prove_it_to_an_auditor(network: Network, story: Story, screen: Screen) -> None:
    """One file, one trust file, no node and no network: the same answer, and that there are no other events."""
    screen.heading("An auditor has one file, and asks nobody")
    node = network.node("pharmacy")
    where = ("--node", node["url"], "--token", node["token"])
    trust, bundle = network.directory / "trust.json", network.directory / "pack.evidence.jsonl"
    sealtrail("trust", "export", "-o", str(trust), *where)
    sealtrail("evidence", story.traced, "-o", str(bundle), *where)
    verify = ("verify", str(bundle), "--trust", str(trust), "--item", story.traced)
    print(sealtrail(*verify).partition("\n\n")[0])
    report = json.loads(sealtrail(*verify, "--json"))
    if report["completeness"] != "index-asserted":
        raise DemoError(f"not all logs say that there is no other event: {report['completeness']}")
    screen.ok("verified offline; no event left out of the logs of all three")


def catch_the_copy(network: Network, story: Story, screen: Screen) -> None:
    """A pack with the serial number of a dispensed one turns up; the pharmacy's node must say so."""
    screen.heading("A copied serial number")
    for number, chapter in enumerate(story.copied_serial(), 1):
        _tell(
            network,
            chapter,
            network.directory / "story" / f"{story.lot}-copy-{number}.json",
            screen,
        )

    def caught() -> bool:
        return bool(suspicions(network.provenance("pharmacy", story.dispensed)))

    until("the pharmacy's node suspects the copy", SETTLE_SECONDS, caught)
    answer = network.provenance("pharmacy", story.dispensed)
    for finding in suspicions(answer):
        screen.line(f"  {finding['code']}: {finding['message']}")
    expect(answer["verdicts"], "fitness", "not_fit")
    screen.ok("caught")


def catch_the_invention(network: Network, story: Story, screen: Screen) -> None:
    """A serial number that was never commissioned is not known."""
    screen.heading("A serial number that was never commissioned")
    answer = network.provenance("pharmacy", story.never_commissioned)
    for finding in answer["findings"]:
        screen.line(f"  {finding['code']}: {finding['message']}")
    expect(answer["verdicts"], "identifier", "unknown")
    screen.ok("caught")


def suspicions(answer: Json) -> list[Json]:
    """Return the findings that say: this may be a falsified pack."""
    return [finding for finding in answer["findings"] if finding["class"] == "suspect"]


def expect(verdicts: Json, name: str, value: str) -> None:
    """Insist on a verdict."""
    found = verdicts[name]["verdict"]
    if found != value:
        raise DemoError(f"the {name} verdict is {found!r}, expected {value!r}: {verdicts[name]}")


def show_how_to_go_on(network: Network, story: Story, screen: Screen, *, kept: bool) -> None:
    """Print URLs and commands that can be pasted."""
    screen.heading("Going on by hand")
    if not kept:
        screen.line("The same again, staying up:  scripts/demo --keep")
        return
    program = Path(sys.executable).parent / "sealtrail"
    where = f"--devnet {network.devnet} --as pharmacy"
    screen.line(f"{program} trace '{story.traced}' {where}")
    screen.line(f"{program} trace '{story.dispensed}' {where} --json")
    screen.line(f"{program} status {where}")
    screen.line(
        f"{program} capture {network.directory}/story/*-1.json --devnet {network.devnet} --as wholesaler"
    )
    for node in network.described["nodes"]:
        screen.line()
        screen.line(f"{node['name']}: {node['url']}")
        screen.line(f"  curl -H 'Authorization: Bearer {node['token']}' {node['url']}/v1/status")
    screen.line()
    screen.line(
        f"chain: {network.described['chain']['rpc_url']}; logs and data: {network.directory}"
    )


def run(directory: Path, *, keep: bool) -> None:
    """Play everything over this directory."""
    screen = Screen()
    screen.heading("Starting a chain and three nodes")
    with devnet(directory) as process:
        network = Network(directory)
        for node in network.described["nodes"]:
            screen.ok(f"{node['name']:<13} {node['url']}  member {node['member']}")
        story = Story(
            manufacturer=network.party("manufacturer"),
            wholesaler=network.party("wholesaler"),
            pharmacy=network.party("pharmacy"),
            now=datetime.datetime.now(datetime.UTC),
            run=int(time.time()) % 100_000,
        )
        play(network, story, screen)
        trace_the_pack(network, story, screen)
        catch_the_copy(network, story, screen)
        catch_the_invention(network, story, screen)
        prove_it_to_an_auditor(network, story, screen)
        show_how_to_go_on(network, story, screen, kept=keep)
        if keep:
            screen.line("Ctrl-C stops everything.")
            process.wait()
    screen.heading("Everything came out as it should.")


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/demo", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="stay up afterwards")
    parser.add_argument("--dir", type=Path, help="where everything lives; default: temporary")
    arguments = parser.parse_args()
    directory = arguments.dir or Path(tempfile.mkdtemp(prefix="sealtrail-demo-"))
    directory.mkdir(parents=True, exist_ok=True)
    try:
        run(directory.resolve(), keep=arguments.keep)
    except DemoError as error:
        print(f"\nThe demo failed: {error}\nWhat it left: {directory}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return 130 if not arguments.keep else 0
    if arguments.dir is None:
        shutil.rmtree(directory, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
