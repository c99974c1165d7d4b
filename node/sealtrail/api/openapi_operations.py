"""What each operation of the interface is, in a line: the table that ``/openapi.json`` is written from."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from sealtrail.api.discovery import COLLECTIONS

_JSON = ("application/json",)
_LD = ("application/json", "application/ld+json")
_EVENTS = (*_LD, "application/xml", "text/xml")
_RECEIPT = "application/vnd.sealtrail.receipt+json"
_BUNDLE = ("application/vnd.sealtrail.evidence+jsonl",)
_PACKAGE = ("application/octet-stream",)
_PAGED = ("perPage", "nextPageToken")
_FORMS = ("GS1-EPC-Format", "GS1-CBV-XML-Format")
_WHILE = ("from", "until", "action", "actor", "outcome")


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One method of one address.

    ``query`` and ``headers`` are parameters, ``body`` and ``media_types`` what goes in and comes out. With
    ``query_language`` it takes the parameters of an event query as well.
    """

    summary: str
    query: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    body: tuple[str, ...] = ()
    status: int = 200
    media_types: tuple[str, ...] = _JSON
    query_language: bool = False


def _get(summary: str, *query: str, media_types: tuple[str, ...] = _JSON) -> Operation:
    return Operation(summary=summary, query=query, media_types=media_types)


def _events(summary: str, *, body: tuple[str, ...] = (), query_language: bool = True) -> Operation:
    return Operation(
        summary=summary,
        query=_PAGED,
        headers=_FORMS,
        body=body,
        media_types=_EVENTS,
        query_language=query_language,
    )


def _sent(summary: str, body: tuple[str, ...], status: int = 200) -> Operation:
    return Operation(summary=summary, body=body, status=status)


def _nothing(summary: str) -> Operation:
    return Operation(summary=summary, status=204, media_types=())


_CAPTURE = {
    ("GET", "/"): _get("The top-level resources.", media_types=_EVENTS),
    ("POST", "/capture"): Operation(
        summary="Record the events of a document; the answer's Location is the job.",
        query=("kind",),
        headers=("GS1-Capture-Error-Behaviour", "Prefer"),
        body=_EVENTS,
        status=202,
    ),
    ("GET", "/capture"): _get("Capture jobs, newest first.", *_PAGED, media_types=_LD),
    ("GET", "/capture/{job_id}"): _get("A capture job with its receipts.", media_types=_EVENTS),
    ("POST", "/events"): Operation(
        summary="Record one event; the answer is the event, or its receipt.",
        query=("kind",),
        headers=("Prefer", *_FORMS),
        body=_EVENTS,
        status=201,
        media_types=(*_EVENTS, _RECEIPT),
    ),
}
_QUERIES = {
    ("GET", "/events"): _events("Events that match."),
    ("GET", "/events/{event_id}"): Operation(
        summary="All events with an id: an error declaration shares its event's.",
        headers=_FORMS,
        media_types=_EVENTS,
    ),
    ("DELETE", "/nextPageToken/{token}"): _nothing("End a page token."),
    ("GET", "/queries"): _get("Named queries.", *_PAGED),
    ("POST", "/queries"): _sent("Keep a query under a name.", _JSON, 201),
    ("GET", "/queries/{query_name}"): _get("A named query."),
    ("DELETE", "/queries/{query_name}"): _nothing("Delete a named query and its subscriptions."),
    ("GET", "/queries/{query_name}/events"): _events(
        "Events of a named query; over a WebSocket, as they are recorded.", query_language=False
    ),
    ("GET", "/queries/SimpleEventQuery"): _get("The query that the standard names itself."),
    ("POST", "/queries/SimpleEventQuery"): _events(
        "Events of a query that is sent as a body.", body=_JSON, query_language=False
    ),
    ("GET", "/queries/SimpleEventQuery/events"): _events("Recorded events, as /events."),
    ("GET", "/queries/{query_name}/subscriptions"): _get("Subscriptions of a query.", *_PAGED),
    ("POST", "/queries/{query_name}/subscriptions"): _sent("Subscribe a webhook.", _JSON, 201),
    ("GET", "/queries/{query_name}/subscriptions/{subscription_id}"): _get("A subscription."),
    ("DELETE", "/queries/{query_name}/subscriptions/{subscription_id}"): _nothing(
        "End a subscription."
    ),
    **{("GET", f"/{kind}"): _get(f"The {kind} that are known.", *_PAGED) for kind in COLLECTIONS},
    **{
        ("GET", f"/{kind}/{{value}}"): _get(f"What there is of one of the {kind}.")
        for kind in COLLECTIONS
    },
    **{
        ("GET", f"/{kind}/{{value}}/events"): _events(f"Events of one of the {kind}.")
        for kind in COLLECTIONS
    },
}
_IDENTIFIERS = {
    ("GET", "/{key}/{value}"): _get(
        "Resolve a GS1 Digital Link.",
        "linkType",
        media_types=("application/linkset+json", "application/json", "text/html"),
    ),
    ("GET", "/.well-known/gs1resolver"): _get("What the resolver does."),
    ("GET", "/v1/scan"): _get("What a scan says.", "text"),
    ("POST", "/v1/scan"): _sent("What a scan with control characters says.", ("text/plain",)),
    **{
        ("GET", path): _get(
            "The label of an item as a picture.",
            *("item", "symbology", "format", "scale"),
            media_types=("image/svg+xml", "image/png"),
        )
        for path in ("/v1/label", "/v1/label/{item}")
    },
}
_ANSWERS = {
    **{
        ("GET", path): _get("Where an item has been, with grades and proofs.", "item", "as_of")
        for path in ("/v1/provenance", "/v1/provenance/{item}")
    },
    **{
        ("GET", path): _get("All leaves that name an item, proven.", "item", "packs")
        for path in ("/v1/item-index", "/v1/item-index/{item}")
    },
    **{
        ("GET", path): _get("An item's evidence bundle.", "item", "whole", media_types=_BUNDLE)
        for path in ("/v1/evidence", "/v1/evidence/{item}")
    },
    ("GET", "/v1/query-evidence"): Operation(
        summary="An evidence bundle about events that match.", media_types=_BUNDLE, query_language=True
    ),
    ("GET", "/v1/log-evidence"): _get(
        "An evidence bundle about a part of the log.", "first", "until", media_types=_BUNDLE
    ),
    ("GET", "/v1/trust"): _get("The network's trust file."),
    ("GET", "/v1/events/{event_id}/content"): _get(
        "An event's recorded bytes.", media_types=("application/ld+json", "application/xml")
    ),
    ("GET", "/v1/events/{event_id}/corrections"): _get("What became of an event that was corrected."),
    ("GET", "/v1/entries/{entry_id}"): _get("An entry with its proof."),
    ("PUT", "/v1/masterdata"): _sent("Put master data.", _EVENTS),
    ("GET", "/v1/masterdata"): _get("Master data that holds.", "type", "at", *_PAGED),
    ("GET", "/v1/masterdata/{item}"): _get("What holds of one identifier.", "at"),
}  # fmt: skip
_NODE = {
    ("GET", "/openapi.json"): _get("This document."),
    ("GET", "/v1/audit"): _get("Records of the audit trail.", "entry", "item", *_WHILE, *_PAGED),
    ("GET", "/v1/audit/export"): _get(
        "Records with their proofs.", "entry", "item", *_WHILE, media_types=("application/jsonl",)
    ),
    ("GET", "/v1/subscriptions"): _get("All subscriptions and how they do.", *_PAGED),
    ("POST", "/v1/subscriptions/{subscription_id}/resume"): _sent("Take one up again.", ()),
    ("POST", "/v1/subscriptions/{subscription_id}/test"): _sent("Send a test to its webhook.", ()),
    ("GET", "/v1/status"): _get("The node's state."),
    ("GET", "/v1/limits"): _get("All limits, with their units."),
    ("GET", "/v1/log-findings"): _get("What logs did that they must not.", "after"),
    ("GET", "/metrics"): _get("Prometheus metrics.", media_types=("text/plain",)),
    ("GET", "/health"): _get("Whether the node lives."),
    ("GET", "/ready"): _get("Whether it can do its work."),
}
_LOG = {
    **{
        ("GET", f"{under}/log/checkpoint"): _get(
            "The log's newest published checkpoint.", media_types=("text/plain",)
        )
        for under in ("", "/peer/v1")
    },
    **{
        ("GET", f"{under}/log/tile/{{tile}}"): _get(
            "A tile of the log.", media_types=("application/octet-stream",)
        )
        for under in ("", "/peer/v1")
    },
    ("POST", "/peer/v1/packages"): _sent("Take in what another member's node sends.", _PACKAGE),
    ("POST", "/peer/v1/log-sections"): _sent("The log's lists, for a bundle.", _JSON),
    ("POST", "/peer/v1/copies"): _sent("Copies of entries for a damaged store.", _JSON),
    ("POST", "/peer/v1/add-checkpoint"): _sent("Cosign a checkpoint.", ("text/plain",)),
    ("POST", "/peer/v1/index-audits"): _sent("Take in an index audit.", _JSON),
}
OPERATIONS: Mapping[tuple[str, str], Operation] = {
    **_CAPTURE,
    **_QUERIES,
    **_IDENTIFIERS,
    **_ANSWERS,
    **_NODE,
    **_LOG,
}
"""By method and pattern; what ``OPTIONS`` does is the same everywhere."""
