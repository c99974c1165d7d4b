"""Parts read directly come out as those that are read field by field."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sealtrail.epcis import parts
from sealtrail.epcis.fields import read_list, read_uri
from sealtrail.errors import InputError

TYPES = st.sampled_from(["po", "owning_party", "cbv:SDT-location", "urn:acme:own", "nonsense", ""])
IDENTIFIERS = st.sampled_from(
    ["urn:epc:id:pgln:9521234.54320", "https://id.gs1.org/417/9521234543206", "urn:a:b", "no uri"]
)
ANYTHING = TYPES | IDENTIFIERS | st.none() | st.integers() | st.lists(TYPES, max_size=2)
NAMES = ("type", "bizTransaction", "source", "destination", "other")
OBJECTS = st.dictionaries(st.sampled_from(NAMES), TYPES | IDENTIFIERS | ANYTHING, max_size=3)
ORDINARY = st.sampled_from(NAMES[1:4]).flatmap(
    lambda name: st.fixed_dictionaries({"type": TYPES, name: IDENTIFIERS})
)


def outcome(read: Callable[[Any], Any], value: Any) -> Any:
    try:
        return read(value)
    except InputError as error:
        return error.code, error.pointer, error.message


def check(value: Any, name: str, required: tuple[str, ...], readers: Any, read: Any) -> None:
    slowly = {"type": readers["type"], name: read_uri}

    def one_by_one(part: Any) -> tuple[Any, Any]:
        fields = parts.read_object(part, slowly, required)
        return fields.get("type"), fields[name]

    expected = outcome(lambda listed: read_list(listed, one_by_one), [value])
    found = outcome(read, [value])
    if len(found) == 1:
        found = ((found[0].type, found[0].id),)
    assert found == expected


@given(ORDINARY | OBJECTS | ANYTHING)
def test_a_typed_part_is_what_its_fields_are_one_by_one(value: Any) -> None:
    check(value, "bizTransaction", ("bizTransaction",), parts._TRANSACTION, parts.read_transactions)
    check(value, "source", ("type", "source"), parts._SOURCE, parts.read_sources)
    check(
        value, "destination", ("type", "destination"), parts._DESTINATION, parts.read_destinations
    )
