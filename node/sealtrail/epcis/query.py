"""What a query over events asks of each of them, and whether an event is one of those.

The parameters are those of the REST binding; how much is answered, and in which order, is not asked of an event.

Source: EPCIS 2.0 section 8.2.7.1; docs/protocol.md section 20 (step 6).
"""

from __future__ import annotations

import urllib.parse
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Literal, TypeAlias

import msgspec

from sealtrail.epcis.documents import event_hash_uri
from sealtrail.epcis.reader import EVENT_TYPES
from sealtrail.epcis.records import RecordedEvent
from sealtrail.epcis.vocabulary import BIZ_STEP, DISPOSITION, Vocabulary
from sealtrail.errors import InputError
from sealtrail.gs1 import canonical

VALUES_MAX = 100  # values of one parameter

Order: TypeAlias = Literal["arrival", "event_time", "record_time"]

EPC_PLACES = ("epc", "parent", "input", "output")
_CLASS_PLACES = ("class", "input_class", "output_class")
_PLACES: dict[str, tuple[str, ...]] = {
    "MATCH_epc": ("epc",),
    "MATCH_parentID": ("parent",),
    "MATCH_inputEPC": ("input",),
    "MATCH_outputEPC": ("output",),
    "MATCH_anyEPC": EPC_PLACES,
    "MATCH_epcClass": ("class",),
    "MATCH_inputEPCClass": ("input_class",),
    "MATCH_outputEPCClass": ("output_class",),
    "MATCH_anyEPCClass": _CLASS_PLACES,
}


class ItemMatch(msgspec.Struct, frozen=True):
    """The event names one of ``items`` (canonical identifiers) in one of ``places``."""

    items: tuple[str, ...]
    places: tuple[str, ...]


class EventFilter(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for; an empty tuple or None asks nothing. Several values: any of them."""

    event_type: tuple[str, ...] = ()
    action: tuple[str, ...] = ()
    biz_step: tuple[str, ...] = ()
    disposition: tuple[str, ...] = ()
    read_point: tuple[str, ...] = ()
    biz_location: tuple[str, ...] = ()
    event_id: tuple[str, ...] = ()
    is_declaration: bool | None = None
    event_time_us_from: int | None = None
    event_time_us_before: int | None = None
    record_time_ms_from: int | None = None
    record_time_ms_before: int | None = None
    matches: tuple[ItemMatch, ...] = ()
    order_by: Order = "arrival"
    descending: bool = False


def parse_filter(given: Mapping[str, str]) -> EventFilter:
    """Read what is asked of an event; parameters of other names are passed over.

    Raises:
        InputError: ``query_parameter_invalid``, with the parameter in ``pointer``.
    """
    fields: dict[str, Any] = {}
    for name, (field, read) in _READERS.items():
        if name in given:
            fields[field] = read(name, given[name])
    fields["matches"] = tuple(
        ItemMatch(tuple(map(canonical, _values(name, given[name]))), places)
        for name, places in _PLACES.items()
        if name in given
    )
    return EventFilter(**fields)


def filter_of_query(query: str) -> EventFilter:
    """Read a URL's query string.

    Raises:
        InputError: ``query_parameter_unknown``, ``query_parameter_repeated``, ``query_parameter_invalid``.
    """
    try:
        pairs = urllib.parse.parse_qsl(
            query, keep_blank_values=True, errors="strict", max_num_fields=_FIELDS_MAX
        )
    except ValueError as e:  # not UTF-8, or too many
        raise refusal("invalid", "", f"no query string: {e}") from e
    return parse_filter(each_given_once(pairs))


def each_given_once(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the parameters by their names.

    Raises:
        InputError: ``query_parameter_unknown``, ``query_parameter_repeated``, with the parameter in ``pointer``.
    """
    listed = list(pairs)
    counts = Counter(name for name, _ in listed)
    for name, count in counts.items():
        if name not in ASKING and name not in PAGING:
            raise refusal("unknown", name, f"{name[:80]} is not known here, or not answered yet")
        if count > 1:
            raise refusal("repeated", name, f"{name} is given twice; join values with |")
    return dict(listed)


def matches(wanted: EventFilter, recorded: RecordedEvent, record_time_ms: int) -> bool:
    """Tell whether an event is one of those that are asked for."""
    event = recorded.event
    of_event: dict[str, str | None] = {
        "event_type": type(event).__name__,
        "action": getattr(event, "action", None),  # a TransformationEvent has none
        "biz_step": event.biz_step,
        "disposition": event.disposition,
        "read_point": event.read_point,
        "biz_location": event.biz_location,
        "event_id": event.event_id or event_hash_uri(recorded.event_hash),
    }
    for name, value in of_event.items():
        chosen: tuple[str, ...] = getattr(wanted, name)
        if chosen and value not in chosen:
            return False
    if wanted.is_declaration and event.error_declaration is None:
        return False
    named = {(each.item, each.place) for each in recorded.items}
    return (
        _within(event.event_time.epoch_us, wanted.event_time_us_from, wanted.event_time_us_before)
        and _within(record_time_ms, wanted.record_time_ms_from, wanted.record_time_ms_before)
        and all(
            any((item, place) in named for item in each.items for place in each.places)
            for each in wanted.matches
        )
    )


def _within(value: int, first: int | None, before: int | None) -> bool:
    return (first is None or value >= first) and (before is None or value < before)


def refusal(what: str, name: str, message: str) -> InputError:
    """Return the error that refuses a parameter."""
    return InputError(f"query_parameter_{what}", message, pointer=name[:80])


def _values(name: str, text: str) -> tuple[str, ...]:
    values = tuple(text.split("|"))
    if not all(values) or len(values) > VALUES_MAX:
        raise refusal("invalid", name, f"{name} takes 1 to {VALUES_MAX} values joined with |")
    return values


def _one_of(allowed: tuple[str, ...]) -> Callable[[str, str], tuple[str, ...]]:
    def read(name: str, text: str) -> tuple[str, ...]:
        values = _values(name, text)
        for value in values:
            if value not in allowed:
                raise refusal(
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
        raise refusal(
            "invalid", name, f"{name} is {text[:40]!r}, expected a date and time with an offset"
        )
    seconds = moment.timestamp()
    return round(seconds) * 1_000_000 if moment.microsecond == 0 else round(seconds * 1_000_000)


def _time_ms(name: str, text: str) -> int:
    # Rounded up: "at or after" and "before" a fraction of a millisecond both begin with the next one.
    return -(-_time_us(name, text) // 1000)


def _boolean(name: str, text: str) -> bool | None:
    if text not in ("true", "false"):
        raise refusal("invalid", name, f"{name} takes true or false")
    return True if text == "true" else None


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
ASKING = frozenset({*_READERS, *_PLACES})
PAGING = frozenset(
    {"perPage", "nextPageToken", "orderBy", "orderDirection", "eventCountLimit", "maxEventCount"}
)
_FIELDS_MAX = 2 * len(ASKING | PAGING)
