"""A process that works for the node, and how they talk: length-prefixed messages over its standard streams.

The first message is the setup: what is secret in it stands in no argument and no environment. Then a task, an
answer, and so on. The process ends when its standard input does, and so with the node, however that ends.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from contextlib import suppress
from typing import BinaryIO

_LENGTH_BYTES = 4
_BUFFERED_BYTES = 1 << 20
CLOSE_SECONDS_MAX = 5.0


class ChildProcess:
    """The node's side; one exchange at a time. Started when it is first needed, and again after it has died."""

    def __init__(self, module: str, setup: bytes) -> None:
        self._module = module
        self._setup = setup
        self._starting: asyncio.Task[Process] | None = None

    def start(self) -> None:
        """Start the process, without waiting for it."""
        if self._starting is None:
            self._starting = asyncio.ensure_future(self._start())

    async def exchange(self, task: bytes) -> bytes:
        """Send a task and return its answer.

        Raises:
            OSError: the process is gone, or can't be started; :meth:`end` it before the next.
            asyncio.IncompleteReadError: it went while it was at it; as before.
        """
        self.start()
        assert self._starting is not None
        process = await self._starting
        assert process.stdin is not None
        assert process.stdout is not None
        if process.returncode is not None or process.stdin.is_closing():
            raise BrokenPipeError("it had ended before")
        process.stdin.write(_framed(task))
        await process.stdin.drain()
        size = int.from_bytes(await process.stdout.readexactly(_LENGTH_BYTES), "big")
        return await process.stdout.readexactly(size)

    async def end(self, *, seconds_max: float = CLOSE_SECONDS_MAX) -> None:
        """Let the process finish what it is at, for that long, and end it."""
        starting, self._starting = self._starting, None
        if starting is None:
            return
        with suppress(OSError):
            process = await starting
            assert process.stdin is not None
            process.stdin.close()
            try:
                async with asyncio.timeout(seconds_max):
                    await process.wait()
            except TimeoutError:
                with suppress(ProcessLookupError):
                    process.kill()
                await process.wait()

    async def _start(self) -> Process:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", self._module),
            stdin=PIPE,
            stdout=PIPE,
            limit=_BUFFERED_BYTES,
        )
        assert process.stdin is not None
        process.stdin.write(_framed(self._setup))
        return process


def _framed(message: bytes) -> bytes:
    return len(message).to_bytes(_LENGTH_BYTES, "big") + message


def next_message(stream: BinaryIO) -> bytes:
    """Return the next message; nothing if the stream ends before or within it: the node is gone."""
    size = int.from_bytes(stream.read(_LENGTH_BYTES), "big")
    message = stream.read(size)
    return message if len(message) == size else b""


def put_message(stream: BinaryIO, message: bytes) -> None:
    """Send a message."""
    stream.write(_framed(message))
    stream.flush()


def run_child(serve: Callable[[BinaryIO, BinaryIO], None]) -> None:
    """Be the process: run ``serve(tasks, answers)`` until it returns; never returns itself."""
    # The node stops this process by closing its input, after its last answer: not a signal to the whole group.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    with suppress(BrokenPipeError):  # the node is gone
        serve(sys.stdin.buffer, sys.stdout.buffer)
    os._exit(0)
