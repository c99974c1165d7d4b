"""Query parameters of ``GET /events`` (EPCIS 2.0 section 8.2.7.1, as the REST binding spells them).

Every parameter is known or refused: one that is silently ignored would answer another question.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import datetime
from hashlib import sha256
from typing import Any

import msgspec
from multidict import MultiMapping

from sealtrail.api.limits import PARAMETER_VALUES_MAX, PER_PAGE_DEFAULT, PER_PAGE_MAX
from sealtrail.epcis.reader import EVENT_TYPES
from sealtrail.epcis.vocabulary import BIZ_STEP, DISPOSITION, Vocabulary
from sealtrail.errors import InputError
from sealtrail.gs1 import canonical
from sealtrail.services.answers.queries import PageToken
from sealtrail.store.event_query import EventFilter, ItemMatch

_EPC_PLACES = ("epc", "parent", "input", "output")
_CLASS_PLACES = ("class", "input_class", "output_class")
_PLACES: dict[str, tuple[str, ...]] = {
    "MATCH_epc": ("epc",),
    "MATCH_parentID": ("parent",),
    "MATCH_inputEPC": ("input",),
    "MATCH_outputEPC": ("output",),
    "MATCH_anyEPC": _EPC_PLACES,
    "MATCH_epcClass": ("class",),
    "MATCH_inputEPCClass": ("input_class",),
    "MATCH_outputEPCClass": ("output_class",),
    "MATCH_anyEPCClass": _CLASS_PLACES,
}


class EventQuery(msgspec.Struct, frozen=True, kw_only=True):
    """A parsed query; ``total_max`` is eventCountLimit, ``refuse_over`` maxEventCount."""

    wanted: EventFilter
    per_page: int
    after: PageToken | None
    total_max: int | None
    refuse_over: int | None
    digest: bytes


def parse_query(parameters: MultiMapping[str]) -> EventQuery:
    """Read the parameters of an event query.

    Raises:
        InputError: ``query_parameter_unknown``, ``query_parameter_invalid``, ``query_parameter_repeated``,
            ``query_parameter_conflict``, ``page_token_invalid``; each names the parameter in ``pointer``.
    """
    given = dict(parameters)
    for name in given:
        if name not in _READERS and name not in _PLACES and name not in _PAGING:
            raise _refusal("unknown", name, f"{name[:80]} is not known here, or not answered yet")
        if len(parameters.getall(name)) > 1:
            raise _refusal("repeated", name, f"{name} is given twice; join values with |")
    fields: dict[str, Any] = {}
    for name, (field, read) in _READERS.items():
        if name in given:
            fields[field] = read(name, given[name])
    fields["matches"] = tuple(
        ItemMatch(tuple(map(canonical, _values(name, given[name]))), places)
        for name, places in _PLACES.items()
        if name in given
    )
    _set_order(given, fields)
    digest = _digest(given)
    return EventQuery(
        wanted=EventFilter(**fields),
        per_page=min(_number("perPage", given.get("perPage", str(PER_PAGE_DEFAULT))), PER_PAGE_MAX),
        after=_page_token(given.get("nextPageToken"), digest),
        total_max=_optional_number("eventCountLimit", given),
        refuse_over=_optional_number("maxEventCount", given),
        digest=digest,
    )


def encode_page_token(token: PageToken, digest: bytes) -> str:
    """Return a token for clients to send back: where the listing goes on, bound to its query."""
    packed = msgspec.json.encode(msgspec.structs.replace(token, query=digest))
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def _page_token(text: str | None, digest: bytes) -> PageToken | None:
    if text is None:
        return None
    try:
        packed = base64.urlsafe_b64decode(text.encode() + b"=" * (-len(text) % 4))
        token = msgspec.json.decode(packed, type=PageToken)
    except (ValueError, msgspec.DecodeError, RecursionError):
        token = None
    if token is None or token.query != digest or not _in_range(token):
        raise InputError(
            "page_token_invalid",
            "nextPageToken is not one that this query was given",
            pointer="nextPageToken",
            advice="follow the Link header without changing the query",
        )
    return token


def _in_range(token: PageToken) -> bool:
    """Tell whether the store can have given it: tokens aren't signed, and a LIMIT below 0 is none at all."""
    place = token.position
    return (token.left is None or token.left > 0) and all(
        -(1 << 63) <= number < 1 << 63 for number in (place.key, place.row)
    )


def _digest(given: dict[str, str]) -> bytes:
    query = sorted((n, v) for n, v in given.items() if n not in ("nextPageToken", "perPage"))
    return sha256(msgspec.json.encode(query)).digest()[:12]


def _set_order(given: dict[str, str], fields: dict[str, Any]) -> None:
    order, direction = given.get("orderBy"), given.get("orderDirection", "DESC")
    if order is not None:
        names = {"eventTime": "event_time", "recordTime": "record_time"}
        if order not in names:
            raise _refusal("invalid", "orderBy", "orderBy takes eventTime or recordTime")
        fields["order_by"] = names[order]
    if direction not in ("ASC", "DESC"):
        raise _refusal("invalid", "orderDirection", "orderDirection takes ASC or DESC")
    fields["descending"] = order is not None and direction == "DESC"
    if "eventCountLimit" in given and "maxEventCount" in given:
        raise _refusal(
            "conflict", "maxEventCount", "eventCountLimit and maxEventCount exclude each other"
        )
    if "eventCountLimit" in given and order is None:
        raise _refusal("conflict", "eventCountLimit", "eventCountLimit needs orderBy")


def _refusal(what: str, name: str, message: str) -> InputError:
    return InputError(f"query_parameter_{what}", message, pointer=name[:80])


def _values(name: str, text: str) -> tuple[str, ...]:
    values = tuple(text.split("|"))
    if not all(values) or len(values) > PARAMETER_VALUES_MAX:
        raise _refusal(
            "invalid", name, f"{name} takes 1 to {PARAMETER_VALUES_MAX} values joined with |"
        )
    return values


def _one_of(allowed: tuple[str, ...]) -> Callable[[str, str], tuple[str, ...]]:
    def read(name: str, text: str) -> tuple[str, ...]:
        values = _values(name, text)
        for value in values:
            if value not in allowed:
                raise _refusal(
                    "invalid", name, f"{name} takes {', '.join(allowed)}; got {value[:80]}"
                )
        return values

    return read


def _words(vocabulary: Vocabulary) -> Callable[[str, str], tuple[str, ...]]:
    def read(name: str, text: str) -> tuple[str, ...]:
        # Standard words are stored bare, whichever of their spellings was recorded.
        return tuple(vocabulary.words.get(value, value) for value in _values(name, text))

    return read


def _time_us(name: str, text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise _refusal(
            "invalid", name, f"{name} is {text[:40]!r}, expected a date and time with an offset"
        )
    seconds = moment.timestamp()
    return round(seconds) * 1_000_000 if moment.microsecond == 0 else round(seconds * 1_000_000)


def _time_ms(name: str, text: str) -> int:
    # Rounded up: "at or after" and "before" a fraction of a millisecond both begin with the next one.
    return -(-_time_us(name, text) // 1000)


def _boolean(name: str, text: str) -> bool | None:
    if text not in ("true", "false"):
        raise _refusal("invalid", name, f"{name} takes true or false")
    return True if text == "true" else None


def _number(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 16 and int(text) > 0):
        raise _refusal("invalid", name, f"{name} is {text[:40]!r}, expected a whole number above 0")
    return int(text)


def _optional_number(name: str, given: dict[str, str]) -> int | None:
    return _number(name, given[name]) if name in given else None


_READERS: dict[str, tuple[str, Callable[[str, str], Any]]] = {
    "eventType": ("event_type", _one_of(EVENT_TYPES)),
    "EQ_action": ("action", _one_of(("ADD", "OBSERVE", "DELETE"))),
    "EQ_bizStep": ("biz_step", _words(BIZ_STEP)),
    "EQ_disposition": ("disposition", _words(DISPOSITION)),
    "EQ_readPoint": ("read_point", _values),
    "EQ_bizLocation": ("biz_location", _values),
    "EQ_eventID": ("event_id", _values),
    "EXISTS_errorDeclaration": ("is_declaration", _boolean),
    "GE_eventTime": ("event_time_us_from", _time_us),
    "LT_eventTime": ("event_time_us_before", _time_us),
    "GE_recordTime": ("record_time_ms_from", _time_ms),
    "LT_recordTime": ("record_time_ms_before", _time_ms),
}
_PAGING = frozenset(
    {"perPage", "nextPageToken", "orderBy", "orderDirection", "eventCountLimit", "maxEventCount"}
)
