"""Validators and their history as JSON, both ways: octets in hex after ``0x``, everything present, nothing else."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any, TypeVar, get_args

from sealtrail.chainproof.consensus import NUMBER_MAX, Form, FormName, Validators, Vote
from sealtrail.chainproof.limits import VALIDATORS_MAX
from sealtrail.chainproof.validators import Interval, ValidatorHistory
from sealtrail.chainproof.wire import parse_data, parse_list, parse_object, show
from sealtrail.errors import InputError

_ADDRESS, _DIGEST = 20, 32
_INTERVALS_MAX = 1_000_000

_FORM_NAMES: tuple[FormName, ...] = get_args(FormName)

_T = TypeVar("_T")


def validators_to_json(state: Validators) -> dict[str, Any]:
    """Return the state as JSON values."""
    return {
        "form": _form_to_json(state.form),
        "number": state.number,
        "hash": show(state.hash),
        "time": state.time,
        "members": [show(m) for m in state.members],
        "votes": [
            {"voter": show(v.voter), "subject": show(v.subject), "admit": v.admit, "sure": v.sure}
            for v in state.votes
        ],
        "recent": [show(r) for r in state.recent],
    }


def validators_from_json(value: Any) -> Validators:
    """Return the state that :func:`validators_to_json` made the value of.

    Raises:
        InputError: it is none in that form (``validators_malformed``).
    """
    return _parsed(value, _validators, validators_to_json)


def history_to_json(history: ValidatorHistory) -> dict[str, Any]:
    """Return the history as JSON values."""
    return {
        "form": _form_to_json(history.form),
        "intervals": [
            {"first_block": i.first_block, "members": [show(m) for m in i.members]}
            for i in history.intervals
        ],
    }


def history_from_json(value: Any) -> ValidatorHistory:
    """Return the history that :func:`history_to_json` made the value of.

    Raises:
        InputError: it is none in that form, or its intervals are not in order (``validators_malformed``).
    """
    history = _parsed(value, _history, history_to_json)
    if any(a.first_block >= b.first_block for a, b in pairwise(history.intervals)):
        raise InputError("validators_malformed", "a history's intervals are not in ascending order")
    return history


def form_from_json(value: Any) -> Form:
    """Return the consensus that is named.

    Raises:
        InputError: it is none that is known (``validators_malformed``).
    """
    shown = parse_object(value, "a form")
    name, epoch = shown.get("name"), _number(shown.get("epoch"), "epoch")
    for known in _FORM_NAMES:
        if name == known and epoch >= 1:
            return Form(name=known, epoch=epoch)
    raise InputError("validators_malformed", f"no consensus {name!r} with epochs of {epoch}")


def _parsed(value: Any, parse: Callable[[Any], _T], encode: Callable[[_T], Any]) -> _T:
    try:
        parsed = parse(parse_object(value, "validators"))
    except InputError as error:
        raise InputError("validators_malformed", error.message) from error
    # one form: what was there besides, or spelled otherwise, is refused here
    if encode(parsed) != value:
        raise InputError("validators_malformed", "these validators are not in their one form")
    return parsed


def _validators(shown: dict[str, Any]) -> Validators:
    return Validators(
        form=form_from_json(shown.get("form")),
        number=_number(shown.get("number"), "number"),
        hash=parse_data(shown.get("hash"), "hash", length=_DIGEST),
        time=_number(shown.get("time"), "time"),
        members=_members(shown.get("members")),
        votes=tuple(
            _vote(vote)
            for vote in parse_list(shown.get("votes"), "votes", count_max=VALIDATORS_MAX**2)
        ),
        recent=_addresses(shown.get("recent"), "recent"),
    )


def _history(shown: dict[str, Any]) -> ValidatorHistory:
    intervals = parse_list(shown.get("intervals"), "intervals", count_max=_INTERVALS_MAX)
    return ValidatorHistory(
        form=form_from_json(shown.get("form")), intervals=tuple(_interval(i) for i in intervals)
    )


def _interval(value: Any) -> Interval:
    shown = parse_object(value, "an interval")
    return Interval(
        first_block=_number(shown.get("first_block"), "first_block"),
        members=_members(shown.get("members")),
    )


def _form_to_json(form: Form) -> dict[str, Any]:
    return {"name": form.name, "epoch": form.epoch}


def _vote(value: Any) -> Vote:
    shown = parse_object(value, "a vote")
    admit, sure = shown.get("admit"), shown.get("sure")
    if not isinstance(admit, bool) or not isinstance(sure, bool):
        raise InputError("validators_malformed", "a vote's admit and sure are true or false")
    voter = parse_data(shown.get("voter"), "voter", length=_ADDRESS)
    return Vote(voter, parse_data(shown.get("subject"), "subject", length=_ADDRESS), admit, sure)


def _members(value: Any) -> tuple[bytes, ...]:
    members = _addresses(value, "members")
    if any(a >= b for a, b in pairwise(members)):
        raise InputError("validators_malformed", "members are not in ascending order, each once")
    return members


def _addresses(value: Any, what: str) -> tuple[bytes, ...]:
    listed = parse_list(value, what, count_max=VALIDATORS_MAX)
    return tuple(parse_data(address, what, length=_ADDRESS) for address in listed)


def _number(value: Any, what: str) -> int:
    if type(value) is not int or not 0 <= value <= NUMBER_MAX:
        raise InputError("validators_malformed", f"{what} is no number from 0 to 2^53 - 1")
    return value
