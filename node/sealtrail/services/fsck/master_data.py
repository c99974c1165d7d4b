"""Master data: each version against the digest that was kept with it; until when it holds, and what it is found by."""

from __future__ import annotations

from typing import Any, NamedTuple

from sealtrail.epcis.masterdata import VocabularyElement
from sealtrail.services.fsck.check import Check
from sealtrail.services.fsck.faults import Findings
from sealtrail.services.fsck.scope import Scope
from sealtrail.store.masterdata_rows import (
    Begun,
    Statement,
    attribute_rows,
    child_rows,
    decode_element,
    ends_of,
    version_digest,
)
from sealtrail.store.mending import Following

_VERSION, _CHILD, _ATTRIBUTE = "vocabulary_version", "version_child", "version_attribute"
_PORTION = 1_000
_COLUMNS = (
    "version, vocabulary, id, valid_from_ms, valid_until_ms, recorded_ms, source, member, job_id,"
    " body, digest"
)
_DERIVED = {_CHILD: ("version", "child"), _ATTRIBUTE: ("version", "name", "value")}


class Row(NamedTuple):
    """A row of ``vocabulary_version``."""

    version: int
    vocabulary: str
    id: str
    valid_from_ms: int
    valid_until_ms: int | None
    recorded_ms: int
    source: Any
    member: bytes
    job_id: str | None
    body: str
    digest: bytes

    @property
    def sound(self) -> bool:
        """Tell whether it is what was recorded."""
        statement = Statement(
            source=self.source,
            member=self.member,
            valid_from_ms=self.valid_from_ms,
            recorded_ms=self.recorded_ms,
            job_id=self.job_id,
        )
        try:
            found = version_digest(self.vocabulary, self.id, self.body, statement)
        except UnicodeEncodeError:  # bytes that are no UTF-8 came as surrogates
            return False
        return found == self.digest

    @property
    def element(self) -> VocabularyElement:
        """The element; of a sound row only."""
        return decode_element(self.vocabulary, self.id, self.body)


def look(scope: Scope, first: int, last: int) -> Findings:
    """Check the versions with these numbers, and in the first portion what is found by versions that are not there."""
    found = Findings()
    ends: dict[tuple[str, str], dict[int, int | None]] = {}
    for row in _rows(scope, "version >= ? AND version < ?", (first, last)):
        key = (row.id, row.vocabulary)
        if not row.sound:
            message = "it is not what was recorded"
            found.add("master_data_damaged", _VERSION, {"version": row.version}, message)
            continue
        if key not in ends:
            ends[key] = _ends(scope, key)
        _check_derived(scope, found, row, ends[key].get(row.version))
    if first <= 1:
        _check_orphans(scope, found)
    return found


def _rows(scope: Scope, condition: str, values: tuple[Any, ...]) -> list[Row]:
    statement = f"SELECT {_COLUMNS} FROM {_VERSION} WHERE {condition} ORDER BY version"
    return [Row(*row) for row in scope.connection.execute(statement, values)]


def _ends(scope: Scope, key: tuple[str, str]) -> dict[int, int | None]:
    rows = _rows(scope, "id = ? AND vocabulary = ?", key)
    return ends_of(Begun(r.version, r.valid_from_ms, r.source) for r in rows)


def _check_derived(scope: Scope, found: Findings, row: Row, end: int | None) -> None:
    if row.valid_until_ms != end:
        found.differs(
            _VERSION,
            {"version": row.version},
            "valid_until_ms",
            row.valid_until_ms,
            end,
            code="master_data_row_differs",
        )
    expected = derived_rows(row)
    for table, names in _DERIVED.items():
        stored = set(
            scope.connection.execute(
                f"SELECT {', '.join(names)} FROM {table} WHERE version = ?", (row.version,)
            )
        )
        for each in stored ^ set(expected[table]):
            word = "missing" if each not in stored else "not what the version says"
            place = dict(zip(names, each, strict=True))
            found.add("master_data_row_differs", table, place, f"the row is {word}")


def derived_rows(row: Row) -> dict[str, list[tuple[Any, ...]]]:
    """Return table → rows that follow from a sound version."""
    element = row.element
    return {
        _CHILD: [*child_rows(row.version, element)],
        _ATTRIBUTE: [*attribute_rows(row.version, element)],
    }


def _check_orphans(scope: Scope, found: Findings) -> None:
    for table, names in _DERIVED.items():
        for row in scope.connection.execute(
            f"SELECT {', '.join(names)} FROM {table}"
            f" WHERE version NOT IN (SELECT version FROM {_VERSION})"
        ):
            place = dict(zip(names, row, strict=True))
            found.add("master_data_row_differs", table, place, "its version is not there")


def following(scope: Scope) -> list[Following] | None:
    """Return for each version what follows from all of them; None if one is damaged: others may follow from it."""
    rows = _rows(scope, "1", ())
    if not all(row.sound for row in rows):
        return None
    ends: dict[tuple[str, str], dict[int, int | None]] = {}
    found = []
    for row in rows:
        key = (row.id, row.vocabulary)
        if key not in ends:
            ends[key] = _ends(scope, key)
        end = ends[key][row.version]
        found.append(Following(row.version, end, derived_rows(row)))
    return found


CHECK = Check(
    name="master data",
    tables=(_VERSION, _CHILD, _ATTRIBUTE),
    look=look,
    span=lambda scope: (0, scope.count(f"SELECT max(version) + 1 FROM {_VERSION}")),
    portion=_PORTION,
    weight=0.1,
)
