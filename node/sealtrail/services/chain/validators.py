"""Follows the chain's validators from block 0 through every header, and so knows whose seals count.

What a bundle's reader must be told to trust is a recent block and the validators there; they are worth something
only if somebody counted every vote since block 0. Only final blocks are followed, so a reorganisation is none of
this service's business unless the chain takes back what was final. It works beside everything else and waits
between its portions; stopped anywhere, it goes on where it was.

Write order: headers are checked, then the state and its changes are stored in one transaction. A crash before that
loses a portion of checking, which is done again.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from typing import Literal

import msgspec

from sealtrail.chainproof.consensus import Form, Validators
from sealtrail.chainproof.validators import (
    Change,
    ValidatorHistory,
    block_hash,
    follow_run,
    validators_at_genesis,
)
from sealtrail.errors import IntegrityError, SealtrailError, UnavailableError, VerificationError
from sealtrail.ports import ChainProofs, Head
from sealtrail.services.pace import BackOff
from sealtrail.store import validators as store
from sealtrail.store.database import Database
from sealtrail.store.validators import Followed

_log = logging.getLogger(__name__)

_HEADERS_AT_ONCE = 64
_PAUSE_SECONDS = 0.02  # between portions: captures and answers come first

State = Literal[
    "starting", "following", "unavailable", "no_seals", "unsupported", "validators_contradicted"
]
_UNSUPPORTED = frozenset({"consensus_unsupported", "validators_in_contract"})


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """What the service says of itself.

    ``unavailable``: could not ask; ``unsupported``: a consensus whose validators headers don't show;
    ``validators_contradicted``: the endpoint shows a header that does not follow.
    """

    state: State = "starting"
    form: Form | None = None
    block: int | None = None
    members: tuple[bytes, ...] = ()
    failure: SealtrailError | None = None


class Pinned(msgspec.Struct, frozen=True, kw_only=True):
    """What a trust file is made of: a final block, and who may seal the chain as followed up to there."""

    form: Form
    history: ValidatorHistory
    number: int
    hash: bytes
    time: int
    validators: Validators


def load_pinned(connection: sqlite3.Connection) -> Pinned | None:
    """Return the newest block whose validators were followed, with their history; all of one store snapshot.

    None on a chain without seals, on one that is not supported, and before the first portion.

    Raises:
        IntegrityError: what is stored is not what was stored (``store_corrupt``).
    """
    followed = store.load_followed(connection)
    if followed is None or followed.state is None:
        return None
    state = followed.state
    return Pinned(
        form=followed.form,
        history=store.load_history(connection, followed.form),
        number=state.number,
        hash=state.hash,
        time=state.time,
        validators=state,
    )


class ValidatorFollower:
    """The service; start :meth:`run` once, or call :meth:`follow_to` with a block that is final.

    Args:
        final: the newest block that is known to be final; None while none is.
        genesis_hash: the hash of block 0, which names the chain.
        random: numbers from 0 to 1, for the back-off.
    """

    def __init__(
        self,
        database: Database,
        proofs: ChainProofs,
        *,
        final: Callable[[], Head | None],
        genesis_hash: bytes,
        random: Callable[[], float],
        poll_seconds: float = 1.0,
    ) -> None:
        self._database = database
        self._proofs = proofs
        self._final = final
        self._genesis_hash = genesis_hash
        self._back_off = BackOff(random)
        self._poll_seconds = poll_seconds
        self._followed: Followed | None = None
        self.progress = Progress()

    async def run(self, stop: asyncio.Event) -> None:
        """Follow until ``stop`` is set; a chain that is away or lies is waited out."""
        while not stop.is_set():
            seconds = self._poll_seconds
            final = self._final()
            if final is not None and await self._try(final, stop):
                self._back_off.succeeded()
            elif final is not None:
                seconds = self._back_off.failed()
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), seconds)

    async def follow_to(self, final: Head, stop: asyncio.Event | None = None) -> None:
        """Follow up to a final block, or until ``stop`` is set.

        Raises:
            UnavailableError: the chain could not be asked, moved, or has validators that headers don't show.
            VerificationError: a header does not follow; the code says why.
        """
        followed = await self._begin()
        while followed.state is not None and followed.state.number < final.number:
            followed = await self._portion(followed.state, final)
            if stop is not None and stop.is_set():
                return
            if followed.state is not None and followed.state.number < final.number:
                await asyncio.sleep(_PAUSE_SECONDS)
        if followed.state is not None and followed.state.number == final.number:
            await self._check_tip(followed.state, final)

    async def _try(self, final: Head, stop: asyncio.Event) -> bool:
        try:
            await self.follow_to(final, stop)
        except VerificationError as error:
            self._note("validators_contradicted", error)
        except UnavailableError as error:
            known = error.code in _UNSUPPORTED
            self._note("unsupported" if known else "unavailable", error)
        else:
            followed = self._followed
            done = followed is not None and followed.state is None
            self._note("no_seals" if done else "following", None)
            return True
        return False

    async def _begin(self) -> Followed:
        """Return how far this node has followed; the first time, that is block 0."""
        form = await self._proofs.form()
        if self._followed is None:
            self._followed = await self._load()
        if self._followed is not None and self._followed.form != form:
            _log.warning("the chain's epoch is another than before; following its validators anew")
            await self._forget()
        if self._followed is None:
            return await self._save(*await self._from_genesis(form))
        return self._followed

    async def _load(self) -> Followed | None:
        try:
            return await self._database.read(store.load_followed)
        except IntegrityError as error:
            # the chain has all of it again: no reason to stop a node
            _log.critical("%s", error)
            await self._forget()
            return None

    async def _from_genesis(self, form: Form) -> tuple[Followed, tuple[Change, ...]]:
        if form.name == "none":
            return Followed(form=form, state=None), ()
        genesis = (await self._proofs.headers(0, 0))[0]
        if block_hash(genesis, form) != self._genesis_hash:
            raise UnavailableError("wrong_chain", "block 0 is another than the configuration's")
        state = validators_at_genesis(genesis, form)
        first = Change(first_block=1, members=state.members, number=0, hash=state.hash)
        return Followed(form=form, state=state), (first,)

    async def _portion(self, state: Validators, final: Head) -> Followed:
        last = min(state.number + _HEADERS_AT_ONCE, final.number)
        headers = await self._proofs.headers(state.number + 1, last)
        if headers[0].parent_hash != state.hash:
            await self._start_over(state)
        if last == final.number and block_hash(headers[-1], state.form) != final.hash:
            raise UnavailableError(
                "chain_moved", f"block {last} is another than a moment ago; read again"
            )
        # in a thread: a portion takes some milliseconds, most of them without the interpreter's lock
        after, changes = await asyncio.to_thread(follow_run, state, headers)
        for change in changes:
            _log.info(
                "the chain has %d validators from block %d on",
                len(change.members),
                change.first_block,
            )
        return await self._save(Followed(form=state.form, state=after), changes)

    async def _check_tip(self, state: Validators, final: Head) -> None:
        if state.hash != final.hash:
            await self._start_over(state)

    async def _start_over(self, state: Validators) -> None:
        """Forget everything if the block that was followed last is no longer the chain's; then say so.

        Raises:
            UnavailableError: always: nothing was learnt (``chain_moved``).
        """
        present = (await self._proofs.headers(state.number, state.number))[0]
        if block_hash(present, state.form) != state.hash:
            # What was final is no more: chain.finality is too weak, or the chain was set back.
            _log.critical(
                "block %d is no longer the one that was final; following the validators anew",
                state.number,
            )
            await self._forget()
        raise UnavailableError(
            "chain_moved", f"the chain around block {state.number} is another than a moment ago"
        )

    async def _save(self, followed: Followed, changes: tuple[Change, ...]) -> Followed:
        await self._database.write(lambda c: store.save_followed(c, followed, changes))
        self._followed = followed
        return followed

    async def _forget(self) -> None:
        await self._database.write(store.forget)
        self._followed = None

    def _note(self, state: State, error: SealtrailError | None) -> None:
        before, followed = self.progress, self._followed
        position = None if followed is None else followed.state
        self.progress = Progress(
            state=state,
            form=None if followed is None else followed.form,
            block=None if position is None else position.number,
            members=() if position is None else position.members,
            failure=error,
        )
        told = before.failure.code if before.failure else None
        if before.state == state and told == (error.code if error else None):
            return
        if state == "validators_contradicted":
            _log.critical("validators_contradicted: %s", error)
        elif error is not None:
            _log.warning("the chain's validators are not followed: %s", error)
        elif before.state != "starting" or state == "no_seals":
            _log.info("the chain's validators: %s", state)
