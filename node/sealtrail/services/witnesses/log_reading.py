"""Reads another member's log by tiles into a mirror, only what is new, in memory that does not grow with it.

Nothing that comes is believed: each entry's keys are compared with what its leaf signs as they come; whether the leaves
are the log's shows only when their root is compared with a signed checkpoint's, which is the caller's to do.
What was read stays read, however a reading ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import ParamSpec, TypeVar

import msgspec

from sealtrail.errors import (
    IntegrityError,
    SealtrailError,
    TooLargeError,
    UnavailableError,
)
from sealtrail.log.item_index import BASE_POSTINGS, Run, parts_of
from sealtrail.log.tiles import (
    ENTRIES,
    KEYS,
    TILE_WIDTH,
    KeyBundleReader,
    TileName,
    parse_entry_bundle,
)
from sealtrail.peers.client import PeerClient
from sealtrail.services.own_log.index_process import Merging
from sealtrail.signing import LEAF_BYTES
from sealtrail.store.index_mirror import IndexMirror

P = ParamSpec("P")
T = TypeVar("T")

ITEM_KEYS_MAX = 200_000  # of one entry: more than the most items and lots that an event may name
ENTRY_BUNDLE_BYTES_MAX = TILE_WIDTH * (2 + LEAF_BYTES)
KEY_BUNDLE_BYTES_MAX = TILE_WIDTH * (4 + 32 * ITEM_KEYS_MAX)
# What is read again after a crash, and how many short runs are open at a time.
SAVED_AFTER_BUNDLES = 64
SAVED_AFTER_POSTINGS = 64 * BASE_POSTINGS


class ReadingLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What one reading may take."""

    seconds: float = 300.0  # of the peer's answers; the next reading goes on from there
    postings_max: int = 100_000_000  # of one log, some 50 bytes of disk each


class LogReading:
    """One member's log, being read: made for one reading.

    Args:
        node_url: the member's node, out of the registry.
    """

    def __init__(
        self, client: PeerClient, node_url: str, mirror: IndexMirror, limits: ReadingLimits
    ) -> None:
        self._client = client
        self._node_url = node_url
        self._mirror = mirror
        self._limits = limits
        self._merging = Merging(mirror.folder, mirror.shelf.log_id)

    async def read_to(self, size: int) -> None:
        """Read the leaves up to that tree size, and make every run that stands under their index's root.

        Raises:
            InputError, VerificationError: what the peer shows is malformed, or not what its entries sign.
            TooLargeError: the log names more items than this node keeps (``log_too_large``).
            UnavailableError: the peer does not answer, or not all of it in time (``log_reading_cut``).
            IntegrityError: a run is damaged (``item_run_damaged``).
        """
        mirror = self._mirror
        deadline = asyncio.get_running_loop().time() + self._limits.seconds
        saved_at = (mirror.size, mirror.postings)
        try:
            while mirror.size < size:
                await self._read_bundle(size, deadline)
                leaves, postings = mirror.size - saved_at[0], mirror.postings - saved_at[1]
                if leaves >= SAVED_AFTER_BUNDLES * TILE_WIDTH or postings >= SAVED_AFTER_POSTINGS:
                    await self._keep()
                    saved_at = (mirror.size, mirror.postings)
            await self._keep()
        except SealtrailError:
            await in_thread(mirror.save)
            raise
        finally:
            await self._merging.close()

    async def _read_bundle(self, size: int, deadline: float) -> None:
        """Take the leaves of the bundle in which the next one is, as far as the tree goes."""
        index = self._mirror.size // TILE_WIDTH
        width = min(TILE_WIDTH, size - index * TILE_WIDTH)
        try:
            async with asyncio.timeout_at(deadline):
                name = TileName(row=ENTRIES, index=index, width=width)
                entries = bytearray()
                async with aclosing(self._file(name, ENTRY_BUNDLE_BYTES_MAX)) as chunks:
                    async for chunk in chunks:
                        entries += chunk
                leaves = parse_entry_bundle(bytes(entries), width)
                await self._read_keys(index, leaves)
        except TimeoutError as error:
            raise UnavailableError(
                "log_reading_cut",
                f"{self._mirror.size} of {size} leaves were read in the time that one log has",
                advice="the next reading goes on from there",
            ) from error

    async def _read_keys(self, index: int, leaves: Sequence[bytes]) -> None:
        name = TileName(row=KEYS, index=index, width=len(leaves))
        reader = KeyBundleReader(len(leaves), keys_max=ITEM_KEYS_MAX)
        known, at = self._mirror.size - index * TILE_WIDTH, 0
        async with aclosing(self._file(name, KEY_BUNDLE_BYTES_MAX)) as chunks:
            async for chunk in chunks:
                found = reader.feed(chunk)
                new = max(0, known - at)  # those before were taken from a smaller bundle
                pairs = list(zip(leaves[at + new :], found[new:], strict=False))
                at += len(found)
                if pairs:
                    await in_thread(self._take, pairs)
        reader.finish()

    def _take(self, pairs: Sequence[tuple[bytes, bytes]]) -> None:
        for leaf, item_keys in pairs:
            self._mirror.take(leaf, item_keys)
        if self._mirror.postings > self._limits.postings_max:
            raise TooLargeError(
                "log_too_large",
                f"over {self._limits.postings_max} items named",
                advice="see audits.postings_max, and the room on the disk",
            )

    def _file(self, name: TileName, bytes_max: int) -> AsyncGenerator[bytes, None]:
        return self._client.read_log(self._node_url, f"tile/{name}", bytes_max)

    async def _keep(self) -> None:
        """Save the state, then merge. A crash between the two: the runs that were to be merged are still there."""
        await in_thread(self._mirror.save)
        for run in self._mirror.missing():
            await self._build(run)
        await in_thread(self._mirror.tidy)

    async def _build(self, run: Run) -> None:
        if self._mirror.shelf.get(run) is not None:
            return
        if run.postings <= BASE_POSTINGS:
            raise IntegrityError("item_run_damaged", f"the run from {run.first} on is not there")
        for part in parts_of(run):
            await self._build(part)
        await self._merging.merge(run)
        self._mirror.shelf.add(run)


async def in_thread(fn: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run ``fn`` in a thread. A cancelled caller waits until it is done: a mirror is for one thread at a time."""
    task = asyncio.ensure_future(asyncio.to_thread(fn, *args, **kwargs))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise
