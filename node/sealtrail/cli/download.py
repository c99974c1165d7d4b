"""Downloads a node's answer into a file: whole, or not at all."""

from __future__ import annotations

import os
import sys
from hashlib import sha256
from pathlib import Path

import click
import msgspec

from sealtrail.cli.node_client import NodeClient
from sealtrail.errors import InputError

_TOLD_EVERY_BYTES = 4_000_000


class Downloaded(msgspec.Struct, frozen=True):
    """How much came, and its SHA-256 in hex."""

    bytes_count: int
    sha256: str


def download(client: NodeClient, path: str, output: Path, *, quiet: bool) -> Downloaded:
    """Ask for ``path`` and put what comes into ``output``, in place of what was there.

    It is written beside first: an answer that breaks off leaves nothing.

    Raises:
        SealtrailError: what the node answered as a problem; ``node_unreachable``; ``answer_broken_off``.
        InputError: ``file_unwritable``.
    """
    beside = output.with_name(output.name + ".part")
    digest, count, counter = sha256(), 0, _Counter(quiet)
    try:
        with beside.open("wb") as file:
            for chunk in client.stream(path):
                file.write(chunk)
                digest.update(chunk)
                count += len(chunk)
                counter.tell(count)
            counter.end()
            file.flush()
            os.fsync(file.fileno())
        beside.replace(output)
    except OSError as error:
        raise InputError(
            "file_unwritable", f"{output}: {error.strerror or error}", pointer=str(output)
        ) from error
    finally:
        beside.unlink(missing_ok=True)
    return Downloaded(count, digest.hexdigest())


class _Counter:
    """Tells a person how much has come; how much there will be nobody knows before the end."""

    def __init__(self, quiet: bool) -> None:
        self._shown = not quiet and sys.stderr.isatty()
        self._next = _TOLD_EVERY_BYTES

    def tell(self, count: int) -> None:
        if self._shown and count >= self._next:
            click.echo(f"\rreceived {count // 1_000_000} MB", err=True, nl=False)
            self._next = count + _TOLD_EVERY_BYTES

    def end(self) -> None:
        if self._shown and self._next > _TOLD_EVERY_BYTES:
            click.echo(err=True)
