"""What a check of the store finds: faults, each with the record at fault, and what could not be checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias

import msgspec

Value: TypeAlias = int | float | str | bytes | None
Key: TypeAlias = Mapping[str, Value]


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One record that is not what it follows from.

    ``code`` is stable (docs/fsck.md); ``table`` and ``key`` name the record, ``column`` what of it is wrong where
    that is known; ``message`` says what was found and what was expected. Digests in keys are ``0x`` hex.
    """

    code: str
    table: str
    key: dict[str, int | str]
    message: str
    column: str | None = None

    @property
    def name(self) -> str:
        """The record in words."""
        key = ", ".join(f"{name} {value}" for name, value in self.key.items())
        place = f"{self.table}.{self.column}" if self.column else self.table
        return f"{place} ({key})" if key else place


class Unchecked(msgspec.Struct, frozen=True, kw_only=True):
    """Something that could not be checked, and why: says neither that it holds nor that it does not."""

    check: str
    code: str
    message: str


class Findings(msgspec.Struct, kw_only=True):
    """What one look found; ``carried`` is for the check's own last step."""

    faults: list[Fault] = []
    unchecked: list[Unchecked] = []
    carried: bytes = b""

    def add(
        self, code: str, table: str, key: Key, message: str, *, column: str | None = None
    ) -> None:
        """Add a fault."""
        plain = {name: spelt(value) for name, value in key.items()}
        text = str(spelt(message))
        self.faults.append(Fault(code=code, table=table, key=plain, message=text, column=column))

    def differs(
        self, table: str, key: Key, column: str, found: object, expected: object, *, code: str
    ) -> None:
        """Add a fault of a column that has another value than it follows to have."""
        message = f"found {shown(found)}, expected {shown(expected)}"
        self.add(code, table, key, message, column=column)

    def skip(self, check: str, code: str, message: str) -> None:
        """Note that something could not be checked."""
        self.unchecked.append(Unchecked(check=check, code=code, message=message))

    def take(self, other: Findings) -> None:
        """Take another look's findings in."""
        self.faults += other.faults
        self.unchecked += other.unchecked


_SHOWN_CHARACTERS_MAX = 100


def spelt(value: Value) -> int | str:
    """Return a key's value as it is printed."""
    if value is None:
        return "-"
    if isinstance(value, str):  # bytes that are no UTF-8 came as surrogates
        return value.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    if isinstance(value, float):
        return repr(value)
    return "0x" + value.hex() if isinstance(value, bytes) else value


def shown(value: object) -> str:
    """Return a value as a message has it: short, bytes as hex."""
    text = "0x" + value.hex() if isinstance(value, bytes) else repr(value)
    if len(text) <= _SHOWN_CHARACTERS_MAX:
        return text
    size = f"{len(value)} bytes" if isinstance(value, bytes) else f"{len(text)} characters"
    return f"{text[:_SHOWN_CHARACTERS_MAX]}… ({size})"


def distinct(unchecked: Iterable[Unchecked]) -> list[Unchecked]:
    """Return each thing that could not be checked once: many looks say the same."""
    return list({(u.check, u.code): u for u in unchecked}.values())
