"""What an operator does on the command line goes into the node's audit trail: by a note that the node takes in."""

from __future__ import annotations

import os
import pwd
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from sealtrail.config import Config
from sealtrail.errors import InputError, SealtrailError, UnavailableError
from sealtrail.evidence.audit_record import Action, Ending, check_reason, clipped
from sealtrail.store.operator_notes import OperatorNote, save_note

F = TypeVar("F", bound=Callable[..., Any])


def reason_option(command: F) -> F:
    """Add ``--reason``."""
    return click.option(
        "--reason",
        envvar="SEALTRAIL_REASON",
        help="Why; stands in the node's audit trail (or SEALTRAIL_REASON).",
    )(command)


@contextmanager
def operator_act(config: Config, action: Action, reason: str | None, what: str) -> Iterator[None]:
    """Record what is done inside, and how it ended. Where there is no database there is no trail, and no record.

    Raises:
        InputError: ``reason_required``; as :func:`check_reason`.
        UnavailableError: no note can be left (``operator_note_unwritable``); nothing was done then.
    """
    checked = given_reason(config, action, reason)
    if not config.database.exists():
        yield
        return
    _require_writable(config.data_dir)
    outcome, code = Ending.DONE, None
    try:
        yield
    except click.Abort:  # the operator said no: nothing was done
        raise
    except SealtrailError as error:
        unavailable = isinstance(error, UnavailableError)
        outcome, code = Ending.UNAVAILABLE if unavailable else Ending.REFUSED, error.code
        leave_note(config, action, checked, what, outcome=outcome, code=code)
        raise
    except BaseException as error:  # interrupted, say: it may have been done
        code = type(error).__name__
        leave_note(config, action, checked, what, outcome=Ending.FAILED, code=code)
        raise
    leave_note(config, action, checked, what, outcome=outcome)


def given_reason(config: Config, action: Action, reason: str | None) -> str | None:
    """Return the reason, checked.

    Raises:
        InputError: ``reason_required``; as :func:`check_reason`.
    """
    if reason is not None:
        return check_reason(reason)
    if action in config.audit.reason_required_for:
        raise InputError(
            "reason_required",
            f"this node's configuration wants a reason for {action}",
            pointer="--reason",
            advice="give --reason TEXT",
        )
    return None


def leave_note(
    config: Config,
    action: Action,
    reason: str | None,
    what: str | None,
    *,
    outcome: Ending = Ending.DONE,
    code: str | None = None,
    forget: str | None = None,
) -> Path:
    """Leave a note of an act, by whoever is logged in; return its file."""
    note = OperatorNote(
        note_id=secrets.token_hex(16),
        time_ms=time.time_ns() // 1_000_000,
        name=operator_name(),
        action=action,
        outcome=outcome,
        code=clipped(code),
        reason=reason,
        what=clipped(what),
        forget=forget,
    )
    return save_note(config.operator_notes, note)


def operator_name() -> str:
    """Return who is logged in, as the system knows him and not as the environment says."""
    user = os.getuid()
    try:
        name = pwd.getpwuid(user).pw_name
    except KeyError:
        name = f"uid {user}"
    behind = os.environ.get("SUDO_USER", "") if user == 0 else ""
    full = f"{name} for {behind}" if behind else name
    return full.encode("utf-8", "replace").decode()[:200]


def _require_writable(folder: Path) -> None:
    if not os.access(folder, os.W_OK):
        raise UnavailableError(
            "operator_note_unwritable",
            f"{folder} can't be written, and what is done would not stand in the audit trail",
            advice="run this as the user that the node runs as",
        )
