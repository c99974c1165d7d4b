"""A process that drafts, and what the node and it tell each other, in MessagePack.

The setup has keys in it: they reach the process through its standard input, and stand in no argument and no
environment.
"""

from __future__ import annotations

import asyncio
import logging
import os
import traceback
from typing import Any, BinaryIO

import msgspec

from sealtrail.epcis import Limits
from sealtrail.epcis.masterdata import VocabularyElement
from sealtrail.errors import InputError, TooLargeError, UnavailableError, UnsupportedMediaError
from sealtrail.services.child_process import (
    CLOSE_SECONDS_MAX,
    ChildProcess,
    next_message,
    put_message,
    run_child,
)
from sealtrail.services.recording.drafts import Body, DocumentHead, Draft, Drafted, Drafter
from sealtrail.signing import Domain, EventSigner, Kind

# The slowest documents within the limits take some thirty seconds on a slow core.
_EXCHANGE_SECONDS_MAX = 120.0
# Drafting changes nothing: a process that was killed from outside costs a second try, and no refusal.
_ATTEMPTS = 2

_log = logging.getLogger(__name__)


class DraftingSetup(msgspec.Struct, frozen=True, array_like=True):
    """What a process drafts with; ``event_key`` is the member's private key."""

    domain: Domain
    member: bytes
    item_salt: bytes
    event_key: bytes
    limits: Limits

    def drafter(self) -> Drafter:
        """Return the drafter for this setup."""
        return Drafter(
            domain=self.domain,
            member=self.member,
            item_salt=self.item_salt,
            signer=EventSigner(self.event_key),
            random=os.urandom,
        )


class DraftingTask(msgspec.Struct, frozen=True, array_like=True):
    """Documents to draft, each with the kind of its entries, all of one record time."""

    documents: list[tuple[Body, Kind]]
    record_time_ms: int


class Refusal(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """An ``InputError`` on its way between processes."""

    name: str
    code: str
    message: str
    pointer: str | None
    advice: str | None
    context: dict[str, Any]

    @classmethod
    def of(cls, error: InputError) -> Refusal:
        """Return an error in this form."""
        return cls(
            type(error).__name__,
            error.code,
            error.message,
            error.pointer,
            error.advice,
            error.context,
        )

    def error(self) -> InputError:
        """Return the error again."""
        return _REFUSALS[self.name](
            self.code, self.message, pointer=self.pointer, advice=self.advice, **self.context
        )


_REFUSALS = {each.__name__: each for each in (InputError, TooLargeError, UnsupportedMediaError)}


class DraftedDocument(msgspec.Struct, frozen=True, array_like=True):
    """What became of a document: ``drafts``, or the ``refusal`` of all of it, or a ``fault`` of this program."""

    drafts: list[Draft | Refusal]
    refusal: Refusal | None = None
    fault: str | None = None
    head: DocumentHead = DocumentHead()
    master_data: list[VocabularyElement | Refusal] = []
    created_ms: int | None = None

    def drafted(self) -> Drafted:
        """Return the document as drafted.

        Raises:
            InputError: the document itself was refused.
        """
        if self.refusal is not None:
            raise self.refusal.error()
        return Drafted(
            self.head,
            [each.error() if isinstance(each, Refusal) else each for each in self.drafts],
            [each.error() if isinstance(each, Refusal) else each for each in self.master_data],
            self.created_ms,
        )


class DraftingWorker:
    """The node's side of one process; started when it is first needed, and again after it has died."""

    def __init__(self, setup: DraftingSetup, *, seconds_max: float = _EXCHANGE_SECONDS_MAX) -> None:
        self._process = ChildProcess(__name__, msgspec.msgpack.encode(setup))
        self._seconds_max = seconds_max
        self._turn = asyncio.Lock()
        self._closed = False

    def start(self) -> None:
        """Start the process, without waiting for it."""
        self._process.start()

    async def draft(self, task: DraftingTask) -> list[DraftedDocument]:
        """Return what became of each document of a task.

        Raises:
            UnavailableError: the process died over it, twice, or can't be started (``drafting_stopped``); it did not
                answer in time and was ended (``drafting_timeout``); or the node is stopping (``node_stopping``).
        """
        async with self._turn:
            for _ in range(_ATTEMPTS):
                if self._closed:
                    raise UnavailableError("node_stopping", "the node is stopping")
                try:
                    async with asyncio.timeout(self._seconds_max):
                        return _decode_answer(
                            await self._process.exchange(msgspec.msgpack.encode(task))
                        )
                except TimeoutError:  # before OSError, which it is one of
                    _log.error("a process that drafts documents hangs; it is ended")
                    await self._process.end(seconds_max=0)
                    raise UnavailableError(
                        "drafting_timeout",
                        f"the documents were not read within {self._seconds_max:g} seconds",
                        advice="send them in smaller parts",
                    ) from None
                except (OSError, asyncio.IncompleteReadError) as error:
                    _log.error("a process that drafts documents has died: %s", error)
                    await self._process.end()
        raise UnavailableError(
            "drafting_stopped", "the process that reads documents has died; try again"
        )

    async def close(self) -> None:
        """Let the process finish what it is at, for some seconds, and end it: nothing in it was acknowledged."""
        self._closed = True
        try:
            async with asyncio.timeout(CLOSE_SECONDS_MAX):
                async with self._turn:
                    await self._process.end()
        except TimeoutError:
            await self._process.end(seconds_max=0)


_decode_setup = msgspec.msgpack.Decoder(DraftingSetup).decode
_decode_task = msgspec.msgpack.Decoder(DraftingTask).decode
_decode_answer = msgspec.msgpack.Decoder(list[DraftedDocument]).decode


def serve(tasks: BinaryIO, answers: BinaryIO) -> None:
    """Draft what comes until nothing comes any more: the process's side."""
    setup = _decode_setup(next_message(tasks))
    drafter = setup.drafter()
    while message := next_message(tasks):
        task = _decode_task(message)
        drafted = [
            _drafted(drafter, document, kind, task.record_time_ms, setup.limits)
            for document, kind in task.documents
        ]
        put_message(answers, msgspec.msgpack.encode(drafted))


def _drafted(
    drafter: Drafter, document: Body, kind: Kind, record_time_ms: int, limits: Limits
) -> msgspec.Raw:
    try:
        drafted = _draft(drafter, document, kind, record_time_ms, limits)
        return msgspec.Raw(msgspec.msgpack.encode(drafted))
    except Exception:  # noqa: BLE001 - the outermost place of this process: the node logs it, and tells of a fault
        fault = DraftedDocument([], fault=ascii(traceback.format_exc()))
        return msgspec.Raw(msgspec.msgpack.encode(fault))


def _draft(
    drafter: Drafter, document: Body, kind: Kind, record_time_ms: int, limits: Limits
) -> DraftedDocument:
    try:
        drafted = drafter.draft_document(
            document, kind=kind, record_time_ms=record_time_ms, limits=limits
        )
    except InputError as error:
        return DraftedDocument([], Refusal.of(error))
    return DraftedDocument(
        [Refusal.of(each) if isinstance(each, InputError) else each for each in drafted.events],
        head=drafted.head,
        master_data=[
            Refusal.of(each) if isinstance(each, InputError) else each
            for each in drafted.master_data
        ],
        created_ms=drafted.created_ms,
    )


if __name__ == "__main__":
    run_child(serve)
