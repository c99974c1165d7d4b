"""The devnet's child processes: started, watched, stopped; none outlives the devnet."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from sealtrail.cli.devnet_plan import port_is_free
from sealtrail.errors import UnavailableError

READY_TIMEOUT_SECONDS = 60.0
STOP_TIMEOUT_SECONDS = 20.0
_POLL_SECONDS = 0.05
_PR_SET_PDEATHSIG = 1
_LOG_LINES_SHOWN = 15


class Child:
    """One process, its output in a log file."""

    def __init__(self, name: str, argv: Sequence[str], port: int, log_file: Path) -> None:
        self.name = name
        self.argv = list(argv)
        self.port = port
        self.log_file = log_file
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        """Process id; 0 if it was never started."""
        return self._process.pid if self._process else 0

    @property
    def returncode(self) -> int | None:
        """Exit code, negative for a signal; None while it runs."""
        return self._process.returncode if self._process else None

    async def start(self) -> None:
        """Start the process, once its port is free (an earlier one may still be stopping).

        Raises:
            UnavailableError: ``port_in_use``.
        """
        try:
            await _until(lambda: _now(port_is_free(self.port)), STOP_TIMEOUT_SECONDS)
        except TimeoutError:
            raise UnavailableError(
                "port_in_use",
                f"{self.name}: port {self.port} is taken by another process",
                advice="stop what listens there; an earlier devnet, perhaps",
            ) from None
        self.log_file.parent.mkdir(parents=True, exist_ok=True)
        with self.log_file.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self.argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # a session of its own: Ctrl-C reaches the devnet alone, which stops all in order
                start_new_session=True,
                preexec_fn=_die_with_parent if sys.platform == "linux" else None,
            )

    async def ready(self, probe: Callable[[], Awaitable[bool]]) -> None:
        """Wait until ``probe`` says that the process is ready.

        Raises:
            UnavailableError: it ended before (``child_died``), or is not ready in time (``child_not_ready``).
        """

        async def ready_or_dead() -> bool:
            return self.returncode is not None or await probe()

        try:
            await _until(ready_or_dead, READY_TIMEOUT_SECONDS)
        except TimeoutError:
            raise UnavailableError(
                "child_not_ready",
                f"{self.name} is not ready after {READY_TIMEOUT_SECONDS:g} seconds; {self.last_words()}",
            ) from None
        if self.returncode is not None:
            raise UnavailableError(
                "child_died", f"{self.name} {self.ending()}; {self.last_words()}"
            )

    async def ended(self) -> None:
        """Wait until the process has ended."""
        if self._process is not None:
            await self._process.wait()

    async def stop(self) -> None:
        """Ask the process to stop, and make it if it does not."""
        if self._process is None or self._process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(self._process.wait(), STOP_TIMEOUT_SECONDS)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()

    def ending(self) -> str:
        """Return how the process ended, in words."""
        code = self.returncode or 0
        if code < 0:
            return f"was ended by {signal.Signals(-code).name}"
        return f"ended with exit code {code}"

    def last_words(self) -> str:
        """Return the end of its log, for a message."""
        try:
            lines = self.log_file.read_text(errors="replace").splitlines()
        except OSError:
            lines = []
        shown = "\n    ".join(lines[-_LOG_LINES_SHOWN:]) or "nothing"
        return f"its log ({self.log_file}) ends:\n    {shown}"


async def _until(condition: Callable[[], Awaitable[bool]], timeout_seconds: float) -> None:
    async with asyncio.timeout(timeout_seconds):
        # another process's state: there is nothing to be notified by
        while not await condition():  # noqa: ASYNC110
            await asyncio.sleep(_POLL_SECONDS)


async def _now(value: bool) -> bool:
    return value


def _die_with_parent() -> None:
    """Have the kernel stop this process when the devnet dies without stopping it (kill -9)."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
