"""Where a passphrase comes from: a file, an environment variable, or the person at the terminal."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path

from sealtrail.errors import InputError, NotFoundError

PASSPHRASE_BYTES_MAX = 4096


def load_passphrase(
    file: Path | None,
    variable: str,
    environment: Mapping[str, str],
    prompt: Callable[[], str] | None,
) -> str | None:
    """Return the passphrase from the first source there is; None if there is none.

    Args:
        file: wins if given; one trailing newline is not part of the passphrase.
        prompt: asks the person; None where nobody is there to answer.

    Raises:
        NotFoundError: ``passphrase_file_missing``.
        InputError: ``passphrase_file_unreadable``, ``passphrase_file_open_to_others``,
            ``passphrase_empty``.
    """
    if file is not None:
        passphrase = _from_file(file)
    elif variable in environment:
        passphrase = environment[variable]
    elif prompt is not None:
        passphrase = prompt()
    else:
        return None
    if not passphrase:
        raise InputError("passphrase_empty", "the passphrase is empty")
    return passphrase


def _from_file(path: Path) -> str:
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            text = file.read(PASSPHRASE_BYTES_MAX)
        passphrase = text.decode("utf-8")
    except FileNotFoundError as e:
        raise NotFoundError(
            "passphrase_file_missing",
            f"no passphrase file at {path}",
            pointer=str(path),
            advice="make it (mode 0600), or clear keys.passphrase_file",
        ) from e
    except (OSError, UnicodeDecodeError) as e:
        raise InputError("passphrase_file_unreadable", f"{path}: {e}", pointer=str(path)) from e
    if mode & 0o077:
        raise InputError(
            "passphrase_file_open_to_others",
            f"{path} has mode {mode:04o}; expected 0600",
            pointer=str(path),
            advice=f"chmod 600 {path}",
        )
    return passphrase.removesuffix("\n").removesuffix("\r")
