"""What a node answers an export with: a page is read whole, and none is left out without a word."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sealtrail.cli.export_spool import Asked, Spool
from sealtrail.cli.node_client import Answer, NodeClient
from sealtrail.errors import UnavailableError


class Answering(NodeClient):
    """A node that gives these answers, one after the other."""

    def __init__(self, *answers: Answer) -> None:
        super().__init__("http://node.example", None)
        self._answers = list(answers)
        self.asked: list[str] = []

    def get(self, path: str, **_: str) -> Answer:
        self.asked.append(path)
        return self._answers.pop(0)


def answer(*events: dict[str, Any], link: str = "") -> Answer:
    results = {"queryName": "q", "resultsBody": {"eventList": list(events)}}
    document = {"@context": "c", "epcisBody": {"queryResults": results}}
    return Answer(
        status=200,
        headers={"link": link} if link else {},
        body=json.dumps(document).encode(),
    )


def fetched(path: Path, *answers: Answer) -> tuple[list[dict[str, Any]], list[str]]:
    node = Answering(*answers)
    spool = Spool(path / "spool", Asked(node=node.url, query="EQ_action=ADD", epc_format="x"))
    spool.fetch(node, lambda _: None)
    return list(spool.events()), node.asked


@pytest.mark.parametrize(
    "link",
    [
        '</events?nextPageToken=a%2Bb&perPage=1>; rel="next"',
        "<http://other.example/proxy/events?nextPageToken=a%2Bb>; rel=next",
        '</>; rel="prev", </events?x=1&nextPageToken=a%2Bb>; title="more"; rel="next"',
    ],
)
def test_the_next_page_is_asked_of_the_same_node_by_its_token(tmp_path: Path, link: str) -> None:
    events, asked = fetched(tmp_path, answer({"n": 1}, link=link), answer({"n": 2}))
    assert events == [{"@context": "c", "n": 1}, {"@context": "c", "n": 2}]
    assert asked == [
        "/events?perPage=1000&EQ_action=ADD",
        "/events?perPage=1000&EQ_action=ADD&nextPageToken=a%2Bb",
    ]


def test_an_events_own_context_is_kept(tmp_path: Path) -> None:
    assert fetched(tmp_path, answer({"@context": "own"}))[0] == [{"@context": "own"}]


def test_a_link_that_leads_nowhere_does_not_end_the_export(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError) as caught:
        fetched(tmp_path, answer(link='</events?page=2>; rel="next"'))
    assert caught.value.code == "node_garbage"


def test_a_page_that_leads_to_itself_is_not_asked_for_ever(tmp_path: Path) -> None:
    link = '</events?nextPageToken=a>; rel="next"'
    with pytest.raises(UnavailableError) as caught:
        fetched(tmp_path, answer({"n": 1}, link=link), answer({"n": 2}, link=link))
    assert caught.value.code == "node_garbage"


def test_pages_without_events_are_not_asked_for_ever(tmp_path: Path) -> None:
    pages = [answer(link=f'</events?nextPageToken={n}>; rel="next"') for n in range(3)]
    with pytest.raises(UnavailableError) as caught:
        fetched(tmp_path, *pages)
    assert caught.value.code == "node_garbage"


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"@context": 1, "epcisBody": []}'])
def test_what_is_no_query_document_is_said_to_be(tmp_path: Path, body: bytes) -> None:
    with pytest.raises(UnavailableError) as caught:
        fetched(tmp_path, Answer(status=200, headers={}, body=body))
    assert caught.value.code == "node_garbage"
