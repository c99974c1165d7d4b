"""Versions of master data: what holds when, what was put over what headers say, and what is below what."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealtrail.epcis.masterdata import Attribute, VocabularyElement
from sealtrail.store import masterdata
from sealtrail.store.masterdata import Put
from sealtrail.store.masterdata_rows import Begun, Source, Statement, ends_of
from sealtrail.store.migrate import migrate

MEMBER = b"\x01" * 20
NAME = "urn:epcglobal:cbv:mda:name"


def opened() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection)
    return connection


@pytest.fixture
def store() -> Iterator[sqlite3.Connection]:
    connection = opened()
    yield connection
    connection.close()


def element(name: str, *children: str, identifier: str = "urn:x:a") -> VocabularyElement:
    return VocabularyElement(
        "urn:x:v", identifier, identifier, (Attribute(NAME, name),), tuple(children), {}
    )


def say(
    store: sqlite3.Connection, said: VocabularyElement, since: int, source: Source = "header"
) -> Put:
    statement = Statement(source=source, member=MEMBER, valid_from_ms=since, recorded_ms=1)
    (put,) = masterdata.put(store, [said], statement)
    return put


def name_at(store: sqlite3.Connection, at_ms: int) -> str | None:
    (*found,) = masterdata.load(store, ["urn:x:a"], at_ms).get("urn:x:a", [])
    assert len(found) < 2
    return str(found[0].element.attributes[0].value) if found else None


def children(store: sqlite3.Connection, identifier: str, at_ms: int) -> list[str]:
    """Return what is right below an identifier, as queries see it."""
    rows = store.execute(
        f"SELECT child FROM vocabulary_child WHERE parent = ? AND {masterdata.HOLDS} ORDER BY child",
        (identifier, at_ms, at_ms),
    )
    return [row[0] for row in rows]


def indexed_at(store: sqlite3.Connection, at_ms: int) -> list[str]:
    """Return the name as the attributes' table has it."""
    rows = store.execute(
        f"SELECT value FROM vocabulary_attribute WHERE name = ? AND {masterdata.HOLDS}",
        (NAME, at_ms, at_ms),
    )
    return [row[0] for row in rows]


def test_the_version_from_later_holds_from_then(store: sqlite3.Connection) -> None:
    say(store, element("old"), 100)
    say(store, element("new"), 200)
    assert [name_at(store, at) for at in (99, 100, 199, 200, 10**15)] == [
        None,
        "old",
        "old",
        "new",
        "new",
    ]


def test_what_comes_late_holds_until_what_is_known_from_later(store: sqlite3.Connection) -> None:
    say(store, element("new"), 200)
    say(store, element("old"), 100)
    assert [name_at(store, at) for at in (100, 200)] == ["old", "new"]


def test_of_two_from_the_same_time_the_later_stands(store: sqlite3.Connection) -> None:
    say(store, element("first", "urn:x:b"), 100)
    say(store, element("second"), 100)
    assert name_at(store, 100) == "second"
    assert children(store, "urn:x:a", 100) == []
    assert len(masterdata.versions(store, "urn:x:a", limit=10)) == 2


def test_what_says_nothing_new_is_no_version(store: sqlite3.Connection) -> None:
    first = say(store, element("same"), 100)
    assert say(store, element("same"), 300) == Put(version=first.version, new=False)


def test_what_was_put_stands_over_headers_of_any_date(store: sqlite3.Connection) -> None:
    say(store, element("header before"), 100)
    say(store, element("header after"), 300)
    say(store, element("put"), 200, "put")
    late = say(store, element("header late"), 400)
    assert [name_at(store, at) for at in (150, 200, 300, 400)] == [
        "header before",
        "put",
        "put",
        "put",
    ]
    # it is kept, though it does not stand, and once
    assert say(store, element("header late"), 500) == Put(version=late.version, new=False)
    assert len(masterdata.versions(store, "urn:x:a", limit=10)) == 4


def test_a_header_that_says_what_was_put_is_nothing_new(store: sqlite3.Connection) -> None:
    put = say(store, element("same"), 100, "put")
    assert say(store, element("same"), 200) == Put(version=put.version, new=False)


def test_what_a_header_said_is_put_by_itself(store: sqlite3.Connection) -> None:
    say(store, element("same"), 100)
    assert say(store, element("same"), 200, "put").new
    say(store, element("other"), 300)
    assert name_at(store, 300) == "same"


def test_an_element_comes_back_as_it_was_said(store: sqlite3.Connection) -> None:
    said = VocabularyElement(
        "urn:x:v",
        "urn:epc:id:sgln:4012345.00001.0",
        "https://id.gs1.org/414/4012345000016",
        (Attribute(NAME, "ä"), Attribute("urn:x:size", 2.5), Attribute("urn:x:o", {"b": 1})),
        ("urn:x:b",),
        {"urn:x:note": [1]},
    )
    say(store, said, 100)
    (version,) = masterdata.load(store, [said.canonical], 100)[said.canonical]
    assert version.element == said
    assert (version.source, version.member, version.job_id) == ("header", MEMBER, None)


def test_descendants_are_found_to_any_depth_each_once_and_in_circles(
    store: sqlite3.Connection,
) -> None:
    for n in range(200):
        say(store, element("", f"urn:x:{n + 1}", identifier=f"urn:x:{n}"), 100)
    say(store, element("", "urn:x:0", "urn:x:7", identifier="urn:x:200"), 100)
    found = masterdata.descendants(store, "urn:x:5", 100)
    assert sorted(found) == sorted(f"urn:x:{n}" for n in range(201))
    assert list(masterdata.descendants(store, "urn:x:5", 99)) == ["urn:x:5"]


def test_children_are_those_of_the_time(store: sqlite3.Connection) -> None:
    say(store, element("", "urn:x:b", "urn:x:c"), 100)
    say(store, element("", "urn:x:c", "urn:x:d"), 200)
    assert children(store, "urn:x:a", 150) == ["urn:x:b", "urn:x:c"]
    assert children(store, "urn:x:a", 200) == ["urn:x:c", "urn:x:d"]


def test_pages_go_on_by_vocabulary_and_identifier(store: sqlite3.Connection) -> None:
    for n in range(5):
        say(store, element("x" * 100, identifier=f"urn:x:{n}"), 100)
    ids: list[str] = []
    more, after = True, ("", "")
    while more:
        found, more = masterdata.page(store, None, at_ms=100, after=after, limit=2, bytes_max=10**6)
        ids += [each.element.id for each in found]
        after = ("urn:x:v", ids[-1])
    assert ids == [f"urn:x:{n}" for n in range(5)]
    found, more = masterdata.page(store, None, at_ms=100, after=("", ""), limit=9, bytes_max=300)
    assert (len(found), more) == (1, True)
    found, more = masterdata.page(
        store, "urn:x:w", at_ms=100, after=("", ""), limit=9, bytes_max=300
    )
    assert (found, more) == ([], False)


SAID = st.tuples(st.sampled_from("abc"), st.integers(0, 9), st.sampled_from(["put", "header"]))
Said = tuple[str, int, Source]


def standing(said: list[Said], at: int) -> Said | None:
    """Of those that were put if there are any, the one from the latest time, and of these the last."""
    begun = [s for s in enumerate(said) if s[1][1] <= at]
    put = [s for s in begun if s[1][2] == "put"]
    best = max(put or begun, key=lambda s: (s[1][1], s[0]), default=None)
    return None if best is None else best[1]


def is_news(said: list[Said], one: Said) -> bool:
    """Tell whether it says more than what stands; of a header that does not stand, than what a header said last."""
    name, since, source = one
    held = standing(said, since)
    known = [] if held is None else [held]
    if held is not None and (held[2], source) == ("put", "header"):
        known += [s for s in said if s[2] == "header"][-1:]
    return not any(k[0] == name and k[2] in ("put", source) for k in known)


def test_of_long_versions_fewer_are_given_and_the_newest_first(store: sqlite3.Connection) -> None:
    for n in range(4):
        say(store, element(f"{n}" * 2_000_000), n)
    found = masterdata.versions(store, "urn:x:a", limit=10)
    assert [str(each.element.attributes[0].value)[0] for each in found] == ["3", "2"]


@given(st.lists(SAID, max_size=12))
def test_what_holds_is_what_the_rule_says(listed: list[Said]) -> None:
    store = opened()
    said: list[Said] = []
    for one in listed:
        name, since, source = one
        news = is_news(said, one)
        assert say(store, element(name, f"urn:x:{name}"), since, source).new is news
        said += [one] if news else []
    for at in range(10):
        held = standing(said, at)
        assert name_at(store, at) == (None if held is None else held[0])
        assert indexed_at(store, at) == ([] if held is None else [held[0]])
        below = children(store, "urn:x:a", at)
        assert below == ([] if held is None else [f"urn:x:{held[0]}"])
    rows = masterdata.versions(store, "urn:x:a", limit=99)
    ends = ends_of(Begun(v.version, v.valid_from_ms, v.source) for v in rows)
    assert {v.version: v.valid_until_ms for v in rows} == ends
    store.close()
