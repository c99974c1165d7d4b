"""Parameters of fixed names: what each takes, and the condition that it becomes.

Source: EPCIS 2.0 section 8.2.7.1; its OpenAPI document and query schema, whose spellings differ in places.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sealtrail.epcis.fields import is_uri
from sealtrail.epcis.query.conditions import (
    AnyOf,
    Compared,
    Comparison,
    Condition,
    Has,
    ItemMatch,
    TimeRange,
    WithId,
    Within,
)
from sealtrail.epcis.query.index import SENSOR_TEXTS, SENSOR_TIMES, SENSOR_URIS
from sealtrail.epcis.query.names import Prefixes
from sealtrail.epcis.query.patterns import read_match
from sealtrail.epcis.query.refusals import invalid
from sealtrail.epcis.query.values import moment_us, number_of
from sealtrail.epcis.reader import EVENT_TYPES
from sealtrail.epcis.vocabulary import (
    BIZ_STEP,
    COMPONENT,
    DISPOSITION,
    ERROR_REASON,
    MEASUREMENT,
    SENSOR_ALERT,
    Vocabulary,
)
from sealtrail.gs1 import canonical

Values = tuple[str, ...]
Reader = Callable[[str, Values], Condition | None]
"""Reads a parameter's values; None asks nothing."""

COMPARISONS: dict[str, Comparison] = {
    "EQ": "eq",
    "GT": "gt",
    "GE": "ge",
    "LT": "lt",
    "LE": "le",
}
EPC_PLACES = ("epc", "parent", "input", "output")
CLASS_PLACES = ("class", "input_class", "output_class")
_PLACES: dict[str, tuple[str, ...]] = {
    "MATCH_epc": ("epc",),
    "MATCH_parentID": ("parent",),
    "MATCH_inputEPC": ("input",),
    "MATCH_outputEPC": ("output",),
    "MATCH_anyEPC": EPC_PLACES,
    "MATCH_epcClass": ("class",),
    "MATCH_inputEPCClass": ("input_class",),
    "MATCH_outputEPCClass": ("output_class",),
    "MATCH_anyEPCClass": CLASS_PLACES,
}


def one(name: str, values: Values) -> str:
    """Return the only value of a parameter that takes no more."""
    if len(values) != 1:
        raise invalid(name, f"takes one value, not {len(values)}")
    return values[0]


def read_number(name: str, text: str) -> int | float:
    """Read a number."""
    number = number_of(text)
    if number is None:
        raise invalid(name, f"is {text[:40]!r}, expected a number")
    return number


def read_time(name: str, text: str) -> int:
    """Read a point in time; microseconds since 1970."""
    moment = moment_us(text)
    if moment is None:
        # in a URL an unescaped plus sign is a blank
        raise invalid(name, f"is {text[:40]!r}, expected a date and time with an offset")
    return moment


def read_exists(name: str, values: Values) -> bool:
    """Read a parameter of no value: it asks by being there, unless it says ``false``."""
    text = one(name, values)
    if text not in ("", "true", "false") and not text.lstrip("-").isdecimal():
        raise invalid(name, "takes true or false")
    return text != "false"


def any_of(conditions: Iterable[Has | Compared]) -> Has | Compared | AnyOf:
    """Return that one of these holds."""
    found = tuple(conditions)
    return found[0] if len(found) == 1 else AnyOf(found)


def numbers(
    field: str,
    comparison: Comparison,
    number: Callable[[str, str], int | float] = read_number,
) -> Reader:
    """Return the reader of numbers that a field is compared with: several for ``eq``, else one.

    Args:
        number: reads one of them, given the parameter's name and the text.
    """

    def read(name: str, values: Values) -> Condition:
        listed = values if comparison == "eq" else (one(name, values),)
        return any_of(Compared(field, "number", comparison, number(name, text)) for text in listed)

    return read


def _times(field: str, comparison: Comparison) -> Reader:
    def read(name: str, values: Values) -> Condition:
        return Compared(field, "time", comparison, read_time(name, one(name, values)))

    return read


def _texts(field: str, form: Callable[[str], str] = str) -> Reader:
    return lambda _, values: Has(field, tuple(dict.fromkeys(map(form, values))))


def words(vocabulary: Vocabulary) -> Callable[[str], str]:
    """Return what brings a standard word of any spelling to its bare form, in which events hold it."""
    return lambda text: vocabulary.words.get(text, text)


def event_types(prefixes: Prefixes) -> Reader:
    """Return the reader of event types: the standard's, or URIs of others', which prefixes may abbreviate."""

    def read(name: str, values: Values) -> Condition:
        found: dict[str, None] = {}
        for value in values:
            if value not in EVENT_TYPES and not is_uri(value):
                raise invalid(name, f"takes {', '.join(EVENT_TYPES)} or a URI; got {value[:80]!r}")
            prefix, _, local = value.partition(":")
            found[value] = None
            found.update(dict.fromkeys(each + local for each in prefixes.get(prefix, ())))
        return Has("eventType", tuple(found))

    return read


def _actions(name: str, values: Values) -> Condition:
    for value in values:
        if value not in ("ADD", "OBSERVE", "DELETE"):
            raise invalid(name, f"takes ADD, OBSERVE, DELETE; got {value[:80]!r}")
    return Has("action", values)


def _boolean(name: str, values: Values) -> Condition:
    text = one(name, values)
    if text not in ("true", "false"):
        raise invalid(name, "takes true or false")
    return Has("booleanValue", (text,))


def _exists(field: str) -> Reader:
    return lambda name, values: Has(field) if read_exists(name, values) else None


def _from_event_time(name: str, values: Values) -> Condition:
    return TimeRange(of="eventTime", start=read_time(name, one(name, values)))


def _before_event_time(name: str, values: Values) -> Condition:
    return TimeRange(of="eventTime", end=read_time(name, one(name, values)))


def _milliseconds(name: str, values: Values) -> int:
    # Rounded up: "at or after" and "before" a fraction of a millisecond both begin with the next one.
    return -(-read_time(name, one(name, values)) // 1000)


def _from_record_time(name: str, values: Values) -> Condition:
    return TimeRange(of="recordTime", start=_milliseconds(name, values))


def _before_record_time(name: str, values: Values) -> Condition:
    return TimeRange(of="recordTime", end=_milliseconds(name, values))


def _match(name: str, values: Values) -> ItemMatch:
    match = read_match(values, _PLACES[name])
    if match is None:
        raise invalid(name, "has a pattern with a * before a component: only the last may be any")
    return match


_SENSOR_FORMS: dict[str, Callable[[str], str]] = {
    "type": words(MEASUREMENT),
    "exception": words(SENSOR_ALERT),
    "component": words(COMPONENT),
    "stringValue": str,
    "hexBinaryValue": str.upper,
}

FIXED: dict[str, Reader] = {
    "GE_eventTime": _from_event_time,
    "LT_eventTime": _before_event_time,
    "GE_recordTime": _from_record_time,
    "LT_recordTime": _before_record_time,
    "EQ_action": _actions,
    "EQ_bizStep": _texts("bizStep", words(BIZ_STEP)),
    "EQ_disposition": _texts("disposition", words(DISPOSITION)),
    "EQ_persistentDisposition_set": _texts("persistentDisposition_set", words(DISPOSITION)),
    "EQ_persistentDisposition_unset": _texts("persistentDisposition_unset", words(DISPOSITION)),
    "EQ_readPoint": _texts("readPoint", canonical),
    "EQ_bizLocation": _texts("bizLocation", canonical),
    "WD_readPoint": lambda _, values: Within("readPoint", tuple(map(canonical, values))),
    "WD_bizLocation": lambda _, values: Within("bizLocation", tuple(map(canonical, values))),
    "EQ_transformationID": _texts("transformationID", canonical),
    **dict.fromkeys(_PLACES, _match),
    "EQ_eventID": lambda _, values: WithId(values),
    **{f"{op}_quantity": numbers("quantity", kind) for op, kind in COMPARISONS.items()},
    "EXISTS_errorDeclaration": _exists("errorDeclaration"),
    "GE_errorDeclarationTime": _times("errorDeclarationTime", "ge"),
    "LT_errorDeclarationTime": _times("errorDeclarationTime", "lt"),
    # the query schema's spelling, and EPCIS 1.2's
    "GE_errorDeclaration_Time": _times("errorDeclarationTime", "ge"),
    "LT_errorDeclaration_Time": _times("errorDeclarationTime", "lt"),
    "EQ_errorReason": _texts("errorReason", words(ERROR_REASON)),
    "EQ_correctiveEventID": _texts("correctiveEventID"),
    "EXISTS_sensorElementList": _exists("sensorElementList"),
    **{f"GE_{name}": _times(name, "ge") for name in SENSOR_TIMES},
    **{f"LT_{name}": _times(name, "lt") for name in SENSOR_TIMES},
    **{f"EQ_{name}": _texts(name, canonical) for name in SENSOR_URIS},
    **{f"EQ_{name}": _texts(name, form) for name, form in _SENSOR_FORMS.items()},
    "EQ_booleanValue": _boolean,
    **{f"{op}_percRank": numbers("percRank", kind) for op, kind in COMPARISONS.items()},
}
assert {f"EQ_{name}" for name in SENSOR_TEXTS} <= FIXED.keys()
