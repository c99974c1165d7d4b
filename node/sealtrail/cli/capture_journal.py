"""What a node has accepted from this machine: one line of JSON for each part that was sent.

A journal belongs to one log (its origin names chain, registry and member), so that a new devnet at an
old URL does not pass for the node that has it all.
"""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import msgspec

from sealtrail.cli.node_client import NodeClient
from sealtrail.errors import InputError


class _Line(msgspec.Struct, frozen=True, kw_only=True):
    part: str
    events: int
    unix_seconds: int


class Journal:
    """Digests of the parts that a node accepted."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._parts = set(_read(path))

    @classmethod
    def open(cls, path: Path | None, client: NodeClient) -> Journal:
        """Open the journal at ``path``, or the one kept for this node's log.

        Raises:
            SealtrailError: the node does not say whose log it keeps.
        """
        return cls(path or _state_folder() / f"{_log_name(client)}.jsonl")

    def __contains__(self, digest: str) -> bool:
        return digest in self._parts

    def note(self, digest: str, events: int) -> None:
        """Note that a part was accepted.

        Raises:
            InputError: ``journal_not_writable``.
        """
        self._parts.add(digest)
        line = _Line(part=digest, events=events, unix_seconds=int(time.time()))
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("ab") as file:
                file.write(msgspec.json.encode(line) + b"\n")
        except OSError as e:
            raise InputError(
                "journal_not_writable",
                f"{self._path}: {e.strerror}",
                advice="name another file with --journal, or go without: --no-journal",
            ) from e


def _read(path: Path) -> list[str]:
    found = []
    try:
        with path.open("rb") as file:
            for text in file:
                try:
                    found.append(msgspec.json.decode(text, type=_Line).part)
                except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                    continue  # half a line, from a crash: that part is sent again
    except FileNotFoundError:
        return []
    except OSError as e:
        raise InputError("journal_unreadable", f"{path}: {e.strerror}", pointer=str(path)) from e
    return found


def _state_folder() -> Path:
    base = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(base).expanduser() / "sealtrail" / "capture"


def _log_name(client: NodeClient) -> str:
    origin = str(client.get("/v1/status").json().get("origin", client.url))
    return hashlib.sha256(origin.encode()).hexdigest()[:24]
