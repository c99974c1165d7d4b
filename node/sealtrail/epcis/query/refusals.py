"""How a query is refused: each refusal names its parameter."""

from __future__ import annotations

from sealtrail.errors import InputError


def refusal(what: str, name: str, message: str, *, advice: str | None = None) -> InputError:
    """Return the error that refuses a parameter: ``query_parameter_<what>``, its name in ``pointer``."""
    return InputError(f"query_parameter_{what}", message, pointer=name[:200], advice=advice)


def unknown(name: str) -> InputError:
    """Return the error for a parameter that the standard does not have."""
    return refusal("unknown", name, f"{name[:200]!r} is no parameter of an event query")


def invalid(name: str, message: str) -> InputError:
    """Return the error for a value that the parameter does not take."""
    return refusal("invalid", name, f"{name[:200]} {message}")
