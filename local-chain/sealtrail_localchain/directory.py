"""A chain's directory: its lock, its signer's key, its database, and the file a starter waits for.

| file | what |
|---|---|
| ``chain.db`` | everything on chain (SQLite, with ``-wal`` and ``-shm`` beside it while running) |
| ``signer.key`` | the sealing key, hexadecimal, mode 0600: whoever has it can seal other blocks |
| ``backend`` | which back end made the directory: one never goes on with the other's chain |
| ``chain.lock`` | locked by the running process; the lock goes with the process, the file stays |
| ``chain.json`` | written when the chain answers, removed at a clean stop |
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from pathlib import Path
from typing import Any

import coincurve

from sealtrail_localchain.errors import LocalChainError

DATABASE_NAME = "chain.db"
_LOCK_NAME = "chain.lock"
_KEY_NAME = "signer.key"
_READY_NAME = "chain.json"
_BACKEND_NAME = "backend"


class Directory:
    """The directory of one chain, locked for this process until :meth:`release`."""

    def __init__(self, path: Path, *, backend: str) -> None:
        self.path = path
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(path / _LOCK_NAME, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise LocalChainError(
                "directory_unusable",
                f"cannot use {path}: {error.strerror}",
                advice="name a directory that this user may write to",
            ) from error
        self._take_lock()
        self._check_backend(backend)
        # left behind by a kill: it would tell a starter that the chain is ready
        self.ready_file.unlink(missing_ok=True)

    def _take_lock(self) -> None:
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(self._lock, 20, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(self._lock)
            raise LocalChainError(
                "directory_in_use",
                f"{self.path} belongs to a chain that is running (process {holder})",
                advice="stop that process, or use another --dir",
            ) from error
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, f"{os.getpid()}\n".encode(), 0)

    def _check_backend(self, backend: str) -> None:
        path = self.path / _BACKEND_NAME
        if not path.exists():
            write_durably(path, backend + "\n", mode=0o644)
        elif (found := path.read_text().strip()) != backend:
            raise LocalChainError(
                "directory_of_other_backend",
                f"{self.path} holds a chain of the {found} back end, not of {backend}",
                advice=f"use --backend {found}, or another --dir",
            )

    @property
    def database(self) -> Path:
        return self.path / DATABASE_NAME

    @property
    def ready_file(self) -> Path:
        return self.path / _READY_NAME

    def signing_key(self) -> coincurve.PrivateKey:
        """Load the sealing key, making a random one in a new directory.

        It is on disk before the genesis block that names it: a crash in between leaves a key without
        a chain, and the next start goes on with it.
        """
        path = self.path / _KEY_NAME
        if not path.exists():
            write_durably(path, secrets.token_bytes(32).hex() + "\n", mode=0o600)
        try:
            return coincurve.PrivateKey(bytes.fromhex(path.read_text().strip()))
        except (ValueError, OSError) as error:
            raise LocalChainError(
                "signer_key_unreadable",
                f"{path} holds no private key of 32 bytes in hexadecimal",
                advice="restore it from a copy; without it this chain cannot go on",
                exit_code=4,
            ) from error

    def announce(self, content: dict[str, Any]) -> None:
        """Write ``chain.json``: from now on a client gets answers."""
        write_durably(self.ready_file, json.dumps(content, indent=2) + "\n", mode=0o644)

    def release(self) -> None:
        self.ready_file.unlink(missing_ok=True)
        os.close(self._lock)


def write_durably(path: Path, content: str, *, mode: int) -> None:
    """Replace a file by one that is whole or not there, whenever the machine stops."""
    draft = path.with_name(path.name + ".new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
