"""Cutting documents for capture: nothing is lost, mended or changed on the way."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealtrail.cli import documents
from sealtrail.cli.capture_archives import read_archive
from sealtrail.cli.capture_journal import Journal
from sealtrail.cli.capture_sender import _shifted
from sealtrail.cli.documents import split_documents
from sealtrail.errors import InputError, NotFoundError, TooLargeError


def document(events: list[str]) -> str:
    return (
        '{"@context": ["c"], "type": "EPCISDocument", "epcisBody": {"x": 1, "eventList": ['
        + ", ".join(events)
        + "]}}"
    )


def events_of(content: bytes) -> list[object]:
    found: list[object] = json.loads(content)["epcisBody"]["eventList"]
    return found


def test_a_small_document_is_sent_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text("\n " + document(["{}", "{}"]))
    (part,) = split_documents(path, 2)
    assert part.document == path.read_bytes()
    assert part.events == 2


@given(count=st.integers(0, 25), most=st.integers(1, 7))
def test_cut_documents_hold_all_events_in_order(
    tmp_path_factory: pytest.TempPathFactory, count: int, most: int
) -> None:
    path = tmp_path_factory.mktemp("d") / "a.json"
    path.write_text(document([json.dumps({"n": n}) for n in range(count)]))
    parts = list(split_documents(path, most))
    assert [e for p in parts for e in events_of(p.document)] == [{"n": n} for n in range(count)]
    assert all(p.events <= most for p in parts)
    assert all(json.loads(p.document)["@context"] == ["c"] for p in parts)
    assert all(json.loads(p.document)["epcisBody"]["x"] == 1 for p in parts)
    if count:
        assert [p.first for p in parts] == list(range(0, count, most))


def test_events_keep_their_bytes(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(document(['{"b":  1.50, "a": "\\u00e9"}', "{}"]))
    first, _ = split_documents(path, 1)
    assert b'{"b":  1.50, "a": "\\u00e9"}' in first.document


@pytest.mark.parametrize("suffix", [".jsonl", ".json"])
def test_a_file_with_a_document_a_line_is_read_line_by_line(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_text(document(["{}"]) + "\n\n" + document(["{}", "{}"]) + "\n")
    parts = list(split_documents(path, 1))
    assert [(p.line, p.first) for p in parts] == [(1, 0), (3, 0), (3, 1)]


@pytest.mark.parametrize("text", ["", "x", "{", document(["{}"])[:-1], "[1,]", "{}\nx"])
def test_what_is_no_json_is_refused_by_file(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        list(split_documents(path, 1))
    assert caught.value.code == "json_malformed"
    assert str(path) in caught.value.message


@pytest.mark.parametrize("text", ["[]", "{}", "3", '{"epcisBody": 3}', '{"epcisBody": {}}'])
def test_other_json_is_for_the_node_to_refuse(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(text)
    assert [p.document for p in split_documents(path, 1)] == [text.encode()]


def test_a_repeated_key_is_not_mended_by_cutting(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(document(["{}", "{}"])[:-1] + ', "epcisBody": {"eventList": [{}, {}]}}')
    with pytest.raises(InputError) as caught:
        list(split_documents(path, 1))
    assert caught.value.code == "json_key_repeated"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        list(split_documents(tmp_path / "none", 1))


def test_a_refusals_pointer_leads_into_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(document(["{}"] * 5))
    part = list(split_documents(path, 2))[1]
    problem = {"pointer": "/epcisBody/eventList/1/eventTime"}
    assert _shifted(problem, part)["pointer"] == "/epcisBody/eventList/3/eventTime"
    assert _shifted({"pointer": "/type"}, part)["pointer"] == "/type"


def test_a_journal_survives_half_a_line(tmp_path: Path) -> None:
    path = tmp_path / "j" / "journal"
    Journal(path).note("aa", 1)
    Journal(path).note("bb", 2)
    path.write_bytes(path.read_bytes()[:-10])
    again = Journal(path)
    assert "aa" in again
    assert "bb" not in again


def test_a_file_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "FILE_BYTES_MAX", 1000)
    with pytest.raises(TooLargeError) as caught:
        list(documents.split_documents(Path("/dev/zero"), 10))
    assert caught.value.code == "file_too_large"


def test_a_file_is_opened_as_nothing_but_a_file(tmp_path: Path) -> None:
    secret = tmp_path / "secret.json"
    secret.write_bytes(b"{}")
    with documents.open_regular(secret) as file:
        assert file.read() == b"{}"
    os.mknod(tmp_path / "socket", stat.S_IFSOCK | 0o600)
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(secret)
    (tmp_path / "nowhere").symlink_to(tmp_path / "none")
    os.mkfifo(tmp_path / "pipe")  # without a writer: to open it would wait
    for name in ("link", "nowhere", "folder", "pipe", "socket"):
        with pytest.raises(InputError) as caught:
            list(split_documents(tmp_path / name, 1, documents.open_regular))
        assert caught.value.code == "file_unreadable", name
        with pytest.raises(InputError) as caught:
            list(read_archive(tmp_path / name, documents.open_regular))
        assert caught.value.code == "file_unreadable", name


def test_a_link_that_is_named_by_its_user_is_followed(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b"{}")
    (tmp_path / "link.json").symlink_to("a.json")
    assert [part.document for part in split_documents(tmp_path / "link.json", 1)] == [b"{}"]
