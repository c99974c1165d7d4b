"""What has come of an export so far, in a file beside the output: a run that was interrupted goes on from there.

The first line tells what was asked, of which node. Then come pages: a line for each event, in JSON, and behind them a
line, a list, that tells where the next page begins. What stands behind the last such line is no whole page, and is
asked for again.
"""

from __future__ import annotations

import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import orjson

from sealtrail.cli.node_client import Answer, NodeClient, circling, next_page_token
from sealtrail.errors import InputError, UnavailableError

PER_PAGE = 1_000


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What an export is of: ``query`` is percent-encoded; ``epc_format`` as the header GS1-EPC-Format has it."""

    node: str
    query: str
    epc_format: str


class _Page(msgspec.Struct, frozen=True, array_like=True):
    """The end of a page: how many events there are so far, and the token of the next page; None behind the last."""

    events: int
    following: str | None


class Spool:
    """Events that a node gave, in the order in which it gave them."""

    def __init__(self, path: Path, asked: Asked) -> None:
        self.path = path
        self._asked = asked
        # of all pages so far: where one leads back to another there is no end
        self._tokens: set[str] = set()

    def fetch(self, client: NodeClient, tell: Callable[[int], None]) -> int:
        """Ask for the pages that are not there yet, and return how many events there are.

        Args:
            tell: told after each page how many have come.

        Raises:
            SealtrailError: what the node answered as a problem; ``node_unreachable``: a second run goes on from here.
            InputError: ``file_unwritable``.
        """
        try:
            with self.path.open("a+b") as file:
                page = self._resume(file)
                if page is None:
                    return self._from_the_start(file, client, tell)
                tell(page.events)
                try:
                    return self._go_on(file, client, page, tell)
                except InputError as error:
                    if error.code != "page_token_invalid":
                        raise
                    return self._from_the_start(file, client, tell)
        except OSError as error:
            raise InputError(
                "file_unwritable", f"{self.path}: {error.strerror or error}", pointer=str(self.path)
            ) from error

    def events(self) -> Iterator[dict[str, Any]]:
        """Yield the events, each with its ``@context``."""
        with self.path.open("rb") as file:
            file.readline()
            for line in file:
                if line[:1] == b"{":
                    yield orjson.loads(line)

    def remove(self) -> None:
        """Remove the file: all of it is in the output."""
        self.path.unlink(missing_ok=True)

    def _resume(self, file: BinaryIO) -> _Page | None:
        """Cut off what is no whole page, and return the last one's end; None if there is none to go on from."""
        file.seek(0)
        if _decode(file.readline(), Asked) != self._asked:
            return None
        last, end = None, file.tell()
        for line in iter(file.readline, b""):
            if line[:1] == b"[" and line[-1:] == b"\n" and (page := _decode(line, _Page)):
                last, end = page, file.tell()
                if page.following is not None:
                    self._tokens.add(page.following)
        file.truncate(end)
        file.seek(end)
        return last

    def _from_the_start(
        self, file: BinaryIO, client: NodeClient, tell: Callable[[int], None]
    ) -> int:
        file.seek(0)
        file.truncate()
        self._tokens.clear()
        file.write(msgspec.json.encode(self._asked) + b"\n")
        return self._go_on(file, client, None, tell)

    def _go_on(
        self,
        file: BinaryIO,
        client: NodeClient,
        page: _Page | None,
        tell: Callable[[int], None],
    ) -> int:
        count = 0 if page is None else page.events
        while page is None or page.following is not None:
            answer = client.get(self._path(page), GS1_EPC_Format=self._asked.epc_format)
            events = _events_of(answer)
            count += len(events)
            page = _Page(count, next_page_token(answer))
            self._require_leads_on(page, events)
            lines = [orjson.dumps(event) for event in events] + [msgspec.json.encode(page)]
            file.write(b"\n".join(lines) + b"\n")
            file.flush()
            tell(count)
        return count

    def _require_leads_on(self, page: _Page, events: list[dict[str, Any]]) -> None:
        """Refuse pages that have no end."""
        if page.following is None:
            return
        if not events:  # a node puts one event at least on a page that leads on
            raise UnavailableError("node_garbage", "a page without events leads to another one")
        if page.following in self._tokens:
            raise circling("/events")
        self._tokens.add(page.following)

    def _path(self, page: _Page | None) -> str:
        query = f"perPage={PER_PAGE}" + (f"&{self._asked.query}" if self._asked.query else "")
        if page is not None and page.following is not None:
            query += f"&nextPageToken={urllib.parse.quote(page.following, safe='')}"
        return f"/events?{query}"


def _decode(line: bytes, kind: Any) -> Any:
    try:
        return msgspec.json.decode(line, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _events_of(answer: Answer) -> list[dict[str, Any]]:
    """Return the events of an answer, each with its own context."""
    document = answer.json()
    try:
        context = document["@context"]
        events = document["epcisBody"]["queryResults"]["resultsBody"]["eventList"]
        return [{"@context": context, **event} for event in events]
    except (KeyError, TypeError) as error:
        raise UnavailableError(
            "node_garbage", f"the node's answer is no EPCISQueryDocument: {error!r}"
        ) from error
