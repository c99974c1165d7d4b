"""The files of ``sealtrail verify``: a bundle read line by line, a trust file, and where reports are written to.

What is wrong with a file is told with what to do about it: most of what is refused here is a file that was mixed up
with another, or a download that was cut.
"""

from __future__ import annotations

import os
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

from sealtrail.errors import InputError, NotFoundError, SealtrailError
from sealtrail.evidence.bundle.trust import TRUST_BYTES_MAX, TrustFile, parse_trust

STANDARD_INPUT = Path("-")

_GET_TRUST = (
    "a trust file says which network and validators you believe: make one with `sealtrail trust export` on a node of"
    " your own, or get one from somebody you trust by a way other than the bundle's (docs/auditing.md)"
)
_GET_BUNDLE = "a bundle is what `sealtrail evidence` makes, one JSON object a line"
_KINDS = (
    (b"\x1f\x8b", "it is compressed: gunzip -c FILE | sealtrail verify - --trust TRUST"),
    (b"PK\x03\x04", "it is a ZIP archive: unpack it first"),
    (b"%PDF", f"it is a PDF; {_GET_BUNDLE}"),
    (b"<", f"it is a web page or XML, perhaps of a download that asked to log in; {_GET_BUNDLE}"),
    (b"\xef\xbb\xbf", "it begins with a byte order mark: a text editor has saved it; get it again"),
    (b"\xff\xfe", "a text editor has saved it as UTF-16; get it again"),
)


class BundleSource:
    """A bundle's lines as the verifier takes them, and what is to be known of the file behind them.

    ``digest`` is SHA-256 over all that was read, ``size`` the file's length in bytes, None where that says nothing
    (a pipe).
    """

    def __init__(self, file: BinaryIO, name: str, line_bytes_max: int) -> None:
        self._file = file
        self._name = name
        self._line_bytes_max = line_bytes_max
        self._hash = sha256()
        self._begin = b""
        self._ends_whole = True
        status = os.fstat(file.fileno())
        self.size = status.st_size if stat.S_ISREG(status.st_mode) else None

    @property
    def digest(self) -> bytes:
        """SHA-256 over what was read."""
        return self._hash.digest()

    def __iter__(self) -> Iterator[bytes]:
        """Yield the lines, none longer by more than a byte than may be.

        Raises:
            InputError: ``file_unreadable``.
        """
        while line := self._line():
            self._hash.update(line)
            self._begin = self._begin or line[:64]
            self._ends_whole = line.endswith(b"\n")
            yield line

    def _line(self) -> bytes:
        try:
            return self._file.readline(self._line_bytes_max + 1)
        except OSError as e:
            raise _unreadable(self._name, e) from e

    def explain(self, error: InputError) -> InputError:
        """Return the error with advice that fits the file: what it may be instead, or that its end is missing."""
        return InputError(
            error.code,
            f"{self._name}: {error.message}",
            pointer=error.pointer,
            advice=error.advice or self._advice(),
        )

    def _advice(self) -> str:
        if not self._begin:
            return f"the file is empty; {_GET_BUNDLE}"
        if b'"sealtrail/trust/1"' in self._begin or self._begin.startswith(b"{\n"):
            return (
                "this looks like a trust file; the bundle comes first, the trust file after --trust"
            )
        for begin, advice in _KINDS:
            if self._begin.startswith(begin):
                return advice
        if not self._ends_whole:
            return "its last line has no end: the file was cut on the way; get it again and compare the sizes"
        if b'"sealtrail/evidence/1"' in self._begin:
            return "it was changed, or made by a faulty program: get it again, and ask its issuer"
        return _GET_BUNDLE


@contextmanager
def open_bundle(path: Path, line_bytes_max: int) -> Iterator[BundleSource]:
    """Open a bundle; ``-`` is standard input.

    Raises:
        NotFoundError: ``file_missing``.
        InputError: ``file_unreadable``.
    """
    if path == STANDARD_INPUT:
        if sys.stdin is None:
            raise InputError("file_unreadable", "there is no standard input", pointer="-")
        yield BundleSource(sys.stdin.buffer, "standard input", line_bytes_max)
        return
    with _open(path) as file:
        yield BundleSource(file, str(path), line_bytes_max)


def load_trust(path: Path | None) -> tuple[TrustFile, bytes]:
    """Return a trust file and the SHA-256 of its bytes.

    Raises:
        InputError: ``trust_missing`` (none was named), ``trust_malformed``, ``file_unreadable``.
        NotFoundError: ``file_missing``.
        TooLargeError: ``trust_too_large``.
    """
    if path is None:
        raise InputError(
            "trust_missing",
            "no trust file was named: nothing of a bundle is believed without one",
            pointer="--trust",
            advice=f"name it with --trust; {_GET_TRUST}",
        )
    try:
        with _open(path) as file:
            data = file.read(TRUST_BYTES_MAX + 1)
    except NotFoundError as e:
        raise NotFoundError(e.code, e.message, pointer=e.pointer, advice=_GET_TRUST) from e
    except OSError as e:
        raise _unreadable(str(path), e) from e
    try:
        return parse_trust(data), sha256(data).digest()
    except SealtrailError as e:
        raise type(e)(
            e.code, f"{path}: {e.message}", pointer=e.pointer, advice=_trust_advice(data, e.advice)
        ) from e


def check_outputs(outputs: list[Path], inputs: list[Path]) -> None:
    """See before the work is done that reports can be written, and that none would overwrite what was to be verified.

    Raises:
        InputError: ``output_is_input``, ``output_unwritable``, ``output_twice``.
    """
    for n, path in enumerate(outputs):
        if any(_same(path, other) for other in inputs):
            raise InputError(
                "output_is_input",
                f"{path} would be overwritten, and it is to be read",
                pointer=str(path),
            )
        if path in outputs[:n]:
            raise InputError("output_twice", f"two reports can't both be {path}", pointer=str(path))
        if path.is_dir() or not path.parent.is_dir():
            raise InputError(
                "output_unwritable",
                f"{path} can't be written: it is a folder, or in none that exists",
                pointer=str(path),
            )


def write_output(path: Path, data: bytes) -> None:
    """Write a report whole or not at all.

    Raises:
        InputError: ``output_unwritable``.
    """
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".verify-", delete=False) as file:
            try:
                file.write(data)
                file.close()
                Path(file.name).chmod(0o666 & ~_umask())
                Path(file.name).replace(path)
            except OSError:
                with suppress(OSError):
                    Path(file.name).unlink()
                raise
    except OSError as e:
        raise InputError(
            "output_unwritable", f"{path} can't be written: {e.strerror}", pointer=str(path)
        ) from e


def _open(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except FileNotFoundError as e:
        raise NotFoundError("file_missing", f"there is no file {path}", pointer=str(path)) from e
    except (OSError, ValueError) as e:
        raise _unreadable(str(path), e) from e


def _unreadable(name: str, error: Exception) -> InputError:
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return InputError("file_unreadable", f"{name} can't be read: {reason}", pointer=name)


def _trust_advice(data: bytes, advice: str | None) -> str:
    if b'"sealtrail/evidence/1"' in data[:256]:
        return "this is a bundle; the trust file comes after --trust, the bundle before it"
    if not data:
        return f"the file is empty; {_GET_TRUST}"
    if not data.rstrip().endswith(b"}"):
        return f"it is no JSON object, or was cut; {_GET_TRUST}"
    return advice or _GET_TRUST


def _same(path: Path, other: Path) -> bool:
    with suppress(OSError, ValueError):
        return path.samefile(other)
    return path == other


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
