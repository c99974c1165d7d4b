"""One tree of errors, sorted by whose fault they are.

Each class maps once to an HTTP status and to an exit code.
"Could not check" (:class:`UnavailableError`) is never "does not hold" (:class:`VerificationError`).
This module knows nothing of HTTP or of the command line beyond those two numbers.
"""

from __future__ import annotations

from typing import Any, ClassVar


class SealtrailError(Exception):
    """Any error with a name. Never raised itself.

    Args:
        code: stable, lower_snake_case name of the finding, e.g. ``event_time_missing``; an API.
        message: what was found and what was expected, with values, never secrets.
        pointer: RFC 6901 JSON pointer (or file, line, setting) of the place at fault, if there is one.
        advice: what the reader can do next.
        context: further members for a problem document (JSON values only).
    """

    status: ClassVar[int] = 500
    exit_code: ClassVar[int] = 4

    def __init__(
        self,
        code: str,
        message: str,
        *,
        pointer: str | None = None,
        advice: str | None = None,
        **context: Any,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.pointer = pointer
        self.advice = advice
        self.context = context

    def __str__(self) -> str:
        place = f" at {self.pointer}" if self.pointer else ""
        return f"{self.code}{place}: {self.message}"


class InputError(SealtrailError):
    """The caller's data is malformed: his to mend, and the same call will fail again."""

    status, exit_code = 400, 2


class UnauthorizedError(InputError):
    """No credentials, or none that are known."""

    status = 401


class ForbiddenError(InputError):
    """Known, but not allowed to."""

    status = 403


class NotAcceptableError(InputError):
    """Nothing that the caller accepts can be produced."""

    status = 406


class TooLargeError(InputError):
    """Over a limit; the message gives the limit and its unit."""

    status = 413


class UnsupportedMediaError(InputError):
    """A media type that this node does not read."""

    status = 415


class RateLimitedError(InputError):
    """Too many calls; try again later."""

    status = 429


class NotFoundError(SealtrailError):
    """Well-formed, but unknown here."""

    status, exit_code = 404, 2


class ConflictError(SealtrailError):
    """Contradicts what is already recorded (same id, other content)."""

    status, exit_code = 409, 2


class VerificationError(SealtrailError):
    """Read and understood, and it does not hold."""

    status, exit_code = 422, 1


class UnavailableError(SealtrailError):
    """Could not ask (chain, peer, disk busy): says nothing about what was asked; try again."""

    status, exit_code = 503, 3


class IntegrityError(SealtrailError):
    """Our own store contradicts itself: stop and look."""

    status, exit_code = 500, 4
