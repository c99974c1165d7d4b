"""Where a company prefix ends: what a Digital Link leaves out and an EPC URN needs.

The lengths are facts about who was given which digits, so they are an argument: what the operator configured, the
members' numbering rights, and the table that GS1 publishes.

Source: GS1 General Specifications, section 1.4.4; Tag Data Standard, section 7.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from sealtrail.errors import InputError

DIGITS_MIN, DIGITS_MAX = 6, 12
"""Of a company prefix in an EPC URN."""


class CompanyPrefixes:
    """Lengths of company prefixes, by the digits that they begin with; the longest that fits counts."""

    def __init__(
        self,
        lengths: Mapping[str, int],
        otherwise: Callable[[str], int | None] = lambda _: None,
    ) -> None:
        """Take the length of each prefix by its leading digits.

        Args:
            otherwise: tells the length of a prefix that ``lengths`` has not, of the digits that begin with it.

        Raises:
            InputError: ``company_prefix_invalid``: no digits, or a length that no prefix has.
        """
        for leading, length in lengths.items():
            if not (leading.isascii() and leading.isdigit() and len(leading) <= DIGITS_MAX):
                raise InputError(
                    "company_prefix_invalid",
                    f"a company prefix begins with at most {DIGITS_MAX} digits, not {leading[:40]!r}",
                )
            if not DIGITS_MIN <= length <= DIGITS_MAX:
                raise InputError(
                    "company_prefix_invalid",
                    f"the prefixes of {leading} have {DIGITS_MIN} to {DIGITS_MAX} digits, not {length}",
                )
        self._lengths = dict(lengths)
        self._otherwise = otherwise
        self._sizes = sorted({len(leading) for leading in lengths}, reverse=True)

    @classmethod
    def of(cls, prefixes: Iterable[str]) -> CompanyPrefixes:
        """Return the table of whole company prefixes; what can be none, such as one GTIN, is passed over."""
        return cls({p: len(p) for p in prefixes if DIGITS_MIN <= len(p) <= DIGITS_MAX})

    def length(self, digits: str) -> int | None:
        """Return how many of a key's digits are its company prefix; None if that is not known."""
        for size in self._sizes:
            if (length := self._lengths.get(digits[:size])) is not None:
                return length
        length = self._otherwise(digits)
        return length if length is not None and DIGITS_MIN <= length <= DIGITS_MAX else None


NO_PREFIXES = CompanyPrefixes({})
"""Nothing is known."""
