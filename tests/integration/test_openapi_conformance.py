"""GS1's own OpenAPI document of the REST binding, run by schemathesis against a node in a process of its own.

The document is held to itself: every answer's status, headers and body must be what it says of the operation, and what
it says is no request must be refused. Where it contradicts the standard, or itself, it is mended first: each of
``_DEFECTS`` says what is wrong and why the node is right.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from capture_node import TOKEN

NODE = Path(__file__).parent.parent / "capture_node.py"
SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")
SECONDS_MAX = 900

Document = dict[str, Any]

_SETTINGS = """
# What the document can't say, the node may refuse: values that only make sense together, or not at all (400); the
# versions that it doesn't speak (406).
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "400", "401", "403", "404", "406", "409", "413"]

# OPTIONS tells what an address takes, whatever stands for its variables.
[[operations]]
include-method = "OPTIONS"
checks.negative_data_rejection.enabled = false
"""


def _extensions_header_is_text(document: Document) -> None:
    """``GS1-Extensions`` is an object in answers, and no style says how one stands in a header; its example is text."""
    document["components"]["headers"]["GS1-Extensions"]["schema"] = {"type": "string"}


def _link_is_no_uri(document: Document) -> None:
    """``Link`` is ``format: uri``; its example ``<…>; rel="next"`` is none, and RFC 8288 has no other form."""
    del document["components"]["schemas"]["Link"]["format"]


def _conflict_is_409(document: Document) -> None:
    """The body of a 409 must say ``status: 406``."""
    conflict = document["components"]["responses"]["409ResourceAlreadyExistsException"]
    for content in conflict["content"].values():
        content["schema"]["allOf"][0]["properties"]["status"]["enum"] = [409]


def _a_job_has_errors_or_an_error_file(document: Document) -> None:
    """A job is one of two schemas without required members: what has neither, or ``errors: []``, is always both."""
    job = document["components"]["schemas"]["CaptureJob"]["allOf"]
    job[1] = {"anyOf": job[1]["oneOf"]}


def _words_stand_bare_in_addresses(document: Document) -> None:
    """``{bizStep}`` and ``{disposition}`` are ``format: uri``; an example is ``in_progress``, which is none.

    The JSON binding has bare words in these places, and so have the collections that lead here.
    """
    parameters = document["components"]["parameters"]
    for name in ("BizStep", "Disposition"):
        parameters[name]["schema"] = {"$ref": f"#/components/schemas/{name[0].lower()}{name[1:]}"}


def _a_page_has_a_size(document: Document) -> None:
    """``perPage`` may be 0 or less: no page has that many, and none would ever be the last."""
    document["components"]["schemas"]["PerPage"]["minimum"] = 1


def _a_token_comes_from_a_link(document: Document) -> None:
    """``nextPageToken`` may be any text, while only what a ``Link`` header gave leads anywhere.

    Left out, so that requests are answered at all: :mod:`test_rest_binding` goes through the pages.
    """
    for operation in _operations(document):
        operation["parameters"] = [
            each
            for each in operation.get("parameters", [])
            if not each["$ref"].endswith("/NextPageToken")
        ]


def _a_parameter_can_be_wrong(document: Document) -> None:
    """Collections and ``GET /events`` have parameters and no 400, which the events below each resource have.

    The standard has QueryParameterException for them (EPCIS 2.0 section 8.2.3).
    """
    for operation in _operations(document, "get", "delete"):
        operation["responses"].setdefault("400", {"$ref": "#/components/responses/400QueryIssues"})


def _a_query_can_be_too_large(document: Document) -> None:
    """``maxEventCount`` demands QueryTooLargeException, for which these operations have no 413."""
    for path, item in document["paths"].items():
        if path.endswith("/events"):
            item["get"]["responses"].setdefault(
                "413", {"$ref": "#/components/responses/413QueryScopeOrSize"}
            )


def _a_token_is_released_by_somebody(document: Document) -> None:
    """``DELETE /nextPageToken/{token}`` is the one operation without a 401."""
    released = document["paths"]["/nextPageToken/{token}"]["delete"]["responses"]
    released["401"] = {"$ref": "#/components/responses/401UnauthorizedRequest"}


def _one_query_is_one(document: Document) -> None:
    """``GET /queries/{queryName}`` is an array by its schema, and by its example the one query that is asked for."""
    found = document["paths"]["/queries/{queryName}"]["get"]["responses"]["200"]
    media = found["content"]["application/json"]
    media["schema"] = media["schema"]["items"]


def _problems_are_problem_documents(document: Document) -> None:
    """What is wrong with a subscription is ``application/json`` here, and every other error a problem document."""
    content = document["components"]["responses"]["400SubscriptionIssues"]["content"]
    for binding in ("json", "xml"):
        content[f"application/problem+{binding}"] = content.pop(f"application/{binding}")
    types = content["application/problem+json"]["schema"]["allOf"][0]["properties"]["type"]["enum"]
    types.append("epcisException:QueryParameterException")  # perPage=0 is neither of the two


def _a_query_or_subscription_can_be_wrong(document: Document) -> None:
    """The operations that make them have no 400, though the standard has QueryParameterException (section 8.2.3),
    SubscriptionControlsException and InvalidURIException for what is wrong with their bodies.
    """
    paths = document["paths"]
    issues = {"400": {"$ref": "#/components/responses/400QueryIssues"}}
    paths["/queries"]["post"]["responses"] |= issues
    issues = {"400": {"$ref": "#/components/responses/400SubscriptionIssues"}}
    paths["/queries/{queryName}/subscriptions"]["post"]["responses"] |= issues


_DEFECTS: tuple[Callable[[Document], None], ...] = (
    _extensions_header_is_text,
    _link_is_no_uri,
    _conflict_is_409,
    _a_job_has_errors_or_an_error_file,
    _words_stand_bare_in_addresses,
    _a_page_has_a_size,
    _a_token_comes_from_a_link,
    _a_parameter_can_be_wrong,
    _a_query_can_be_too_large,
    _a_token_is_released_by_somebody,
    _one_query_is_one,
    _problems_are_problem_documents,
    _a_query_or_subscription_can_be_wrong,
)


def _operations(document: Document, *methods: str) -> Iterator[dict[str, Any]]:
    for item in document["paths"].values():
        for method, operation in item.items():
            if method != "parameters" and (not methods or method in methods):
                yield operation


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A node's address."""
    running = subprocess.Popen(
        [sys.executable, str(NODE), str(tmp_path_factory.mktemp("node")), "0"],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert running.stdout is not None
        yield running.stdout.readline().strip()
    finally:
        running.kill()
        running.wait()


@pytest.fixture(scope="module")
def document(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """GS1's document, mended."""
    found = json.loads((shared / "standards/epcis-2.0-openapi.json").read_bytes())
    for mend in _DEFECTS:
        mend(found)
    path = tmp_path_factory.mktemp("openapi") / "openapi.json"
    path.write_text(json.dumps(found))
    return path


@pytest.mark.parametrize(
    ("phase", "further"),
    [
        ("examples", ()),
        # The same parameters stand at the events of each kind of resource: two of them are enough here.
        ("coverage", ("--exclude-path-regex", "/(bizSteps|bizLocations|readPoints|dispositions)/.*/events")),
        ("fuzzing", ("--max-examples", "15")),
    ],
)  # fmt: skip
def test_every_answer_is_what_gs1s_document_says(
    node: str, document: Path, phase: str, further: tuple[str, ...]
) -> None:
    settings = document.with_name("schemathesis.toml")
    settings.write_text(_SETTINGS)
    run = subprocess.run(
        [
            *(str(SCHEMATHESIS), "--config-file", str(settings), "run", str(document)),
            *("--url", node, "--header", f"Authorization: Bearer {TOKEN}"),
            *("--phases", phase, "--seed", "1", "--generation-deterministic", "--no-color"),
            *further,
        ],
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        cwd=document.parent,
    )
    assert run.returncode == 0, run.stdout[-20_000:] + run.stderr
