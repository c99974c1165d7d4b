"""Every route of the node stands in docs/http-api.md, with its method."""

from __future__ import annotations

import re
from pathlib import Path

from sealtrail.api import resources
from sealtrail.api.audited import ACTIONS
from sealtrail.api.events import EventListing
from sealtrail.api.negotiation import Negotiator, no_prefixes
from sealtrail.api.openapi_operations import OPERATIONS
from sealtrail.api.paging import PageTokens
from sealtrail.peers import client
from sealtrail.services.answers.queries import QueryService

ROOT = Path(__file__).resolve().parents[2]
ROUTE = re.compile(r'web\.(get|post|put|delete|options)\(\s*(?:"([^"]+)"|([A-Z_]+_PATH))')


def nameless(path: str) -> str:
    return re.sub(r"\{[^}]*\}", "{}", path)


def routes() -> set[tuple[str, str]]:
    found = set()
    for source in (ROOT / "node/sealtrail/api").glob("*.py"):
        for method, path, peer in ROUTE.findall(source.read_text()):
            found.add((method.upper(), nameless(path or getattr(client, peer))))
    return found | routes_of_collections()


def routes_of_collections() -> set[tuple[str, str]]:
    """Return the routes whose addresses are put together from the collections' names."""
    listing = EventListing(
        QueryService.__new__(QueryService), PageTokens(lambda: 0.0), Negotiator(no_prefixes)
    )
    return {(route.method, nameless(route.path)) for route in resources.routes(listing)}


def documented() -> set[tuple[str, str]]:
    found = set()
    for line in (ROOT / "docs/http-api.md").read_text().splitlines():
        if line.startswith("| `"):
            method = ""
            for code in re.findall(r"`([^`]+)`", line.split("|")[1]):
                *given, path = code.split(" ")
                method = given[0] if given else method
                found.add((method, nameless(path.partition("?")[0])))
    return {(method, path) for method, path in found if path.startswith("/")}


def test_every_route_is_documented_and_no_other() -> None:
    assert len(routes()) > 15
    assert routes() == documented()


def test_every_route_says_what_the_audit_trail_makes_of_it() -> None:
    actions = {(method, nameless(path)) for method, path in ACTIONS}
    assert routes() == actions


def test_every_route_is_described_for_openapi() -> None:
    described = {(method, nameless(path)) for method, path in OPERATIONS}
    assert {route for route in routes() if route[0] != "OPTIONS"} <= described
