"""Keys of accounts that are no member's own: deployers and stewards, from whatever wallet they come.

Read are key files of this program, Web3 Secret Storage of any wallet, and a file of 64 hex digits.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec

from sealtrail.cli.keyring import terminal_prompt
from sealtrail.cli.output import say
from sealtrail.errors import InputError, NotFoundError
from sealtrail.ledger.envelope import OperatorKey
from sealtrail.membership.records import Purpose
from sealtrail.store.keystore import FILE_BYTES_MAX, open_document, public_of
from sealtrail.store.passphrase import load_passphrase

PASSPHRASE_VARIABLE = "SEALTRAIL_PASSPHRASE"  # noqa: S105 - a name, no secret


F = TypeVar("F", bound=Callable[..., Any])


def passphrase_file_option(whose: str) -> Callable[[F], F]:
    """Return what adds ``--passphrase-file`` for :func:`load_account_key`."""
    return click.option(
        "--passphrase-file",
        type=click.Path(path_type=Path, dir_okay=False),
        help=f"File with the {whose} key's passphrase.",
    )


def load_account_key(path: Path, passphrase_file: Path | None = None) -> OperatorKey:
    """Read an account's key; warns where others can read the file.

    Raises:
        NotFoundError: ``key_file_missing``.
        InputError: ``key_file_malformed``, ``passphrase_missing``, ``passphrase_wrong``, …
    """
    text = _read(path)
    if re.fullmatch(r"\s*(0x)?[0-9a-fA-F]{64}\s*", text):
        return _key(path, bytes.fromhex(text.strip().removeprefix("0x")))
    try:
        document = msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
        raise InputError(
            "key_file_malformed",
            f"{path} is neither 64 hex digits nor a key file in JSON",
            pointer=str(path),
        ) from e
    passphrase = None
    if "private_key" not in document:
        passphrase = load_passphrase(
            passphrase_file, PASSPHRASE_VARIABLE, os.environ, terminal_prompt()
        )
    return _key(path, open_document(path, document, passphrase))


def _key(path: Path, private: bytes) -> OperatorKey:
    if len(private) != 32:
        raise InputError("key_file_malformed", f"{path} holds no 32-byte key", pointer=str(path))
    public_of(Purpose.OPERATOR, private)  # refuses what is no key on the curve
    return OperatorKey(private)


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            text = file.read(FILE_BYTES_MAX).decode("utf-8", "replace")
    except FileNotFoundError as e:
        raise NotFoundError("key_file_missing", f"no key file at {path}", pointer=str(path)) from e
    except OSError as e:
        raise InputError("key_file_unreadable", f"{path}: {e.strerror}", pointer=str(path)) from e
    if mode & 0o077:
        say(click.style("warning:", fg="yellow") + f" others can read {path}; chmod 600 {path}")
    return text
