"""Parameters whose names or values prefixes may abbreviate, and those of a family: with a type or unit in the name.

Source: EPCIS 2.0 section 8.2.7.1, and its query schema.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from sealtrail.epcis.query.conditions import Compared, Condition, Has, WithAttribute
from sealtrail.epcis.query.index import SENSOR_MEASURES
from sealtrail.epcis.query.names import Prefixes, read_names
from sealtrail.epcis.query.readers import (
    COMPARISONS,
    Reader,
    Values,
    any_of,
    event_types,
    numbers,
    one,
    read_exists,
    read_number,
    words,
)
from sealtrail.epcis.query.refusals import invalid, refusal
from sealtrail.epcis.query.units import base_unit, in_base_unit
from sealtrail.epcis.query.values import moment_us, number_of, number_text, time_of
from sealtrail.epcis.vocabulary import BIZ_TRANSACTION_TYPE, SOURCE_DEST_TYPE
from sealtrail.gs1 import canonical

_typed = re.compile(r"EQ_(bizTransaction|source|destination)_(.+)", re.DOTALL).fullmatch
_measured = re.compile(
    rf"(EQ|GT|GE|LT|LE)_(quantity|{'|'.join(sorted(SENSOR_MEASURES))})_([A-Z0-9]{{2,4}})"
).fullmatch
_extension = re.compile(
    r"(EQ|GT|GE|LT|LE|EXISTS)_((?:INNER_)?(?:ILMD_|ERROR_DECLARATION_|SENSORELEMENT_|SENSORMETADATA_|SENSORREPORT_"
    r"|readPoint_|bizLocation_)?)(.+)",
    re.DOTALL,
).fullmatch
_has_attribute = re.compile(r"HASATTR_(.+)", re.DOTALL).fullmatch
# The query schema writes EQ_ATTR_, the standard EQATTR_.
_equal_attribute = re.compile(r"(?:EQATTR|EQ_ATTR)_(.+)", re.DOTALL).fullmatch
# Standard fields whose values master data may describe.
VOCABULARY_FIELDS = ("readPoint", "bizLocation", "bizStep", "disposition", "epcClass")


def family_reader(name: str, prefixes: Prefixes) -> Reader | None:
    """Return the reader of a parameter of a family; None if the name belongs to none.

    Args:
        prefixes: what prefixes of names stand for, beyond those that every document knows.

    Raises:
        InputError: ``query_parameter_invalid`` (its prefix is not defined).
    """
    if name == "eventType":
        return event_types(prefixes)
    if match := _measured(name):
        return _measures(*match.groups())
    if match := _typed(name):
        return _of_type(*match.groups())
    if match := _has_attribute(name):
        return _attributes(_vocabulary_field(name, match[1], prefixes))
    if match := _equal_attribute(name):
        return _attribute_values(name, match[1], prefixes)
    match = _extension(name)
    if match is None or not (":" in match[3] or "#" in match[3] or "INNER_" in match[2]):
        return None
    fields = [match[2] + each for each in field_names(name, match[3], prefixes)]
    if match[1] == "EXISTS":
        return lambda asked, values: (
            any_of(map(Has, fields)) if read_exists(asked, values) else None
        )
    return _equal(fields) if match[1] == "EQ" else _ordered(fields, match[1])


def field_names(name: str, text: str, prefixes: Prefixes) -> tuple[str, ...]:
    """Return the one form of an extension field's name, once for each namespace that its prefix stands for.

    Raises:
        InputError: ``query_parameter_invalid``: it stands for none.
    """
    if ":" not in text and "#" not in text:
        return (f"#{text}",)  # below an extension its owner may name things without a namespace
    found = read_names(text, prefixes)
    if not found:
        raise refusal(
            "invalid",
            name,
            f"the prefix of {text[:100]!r} is not defined, and in no event that is recorded here",
            advice="write the name as namespace#field, or define the prefix: in a URL by the header"
            " GS1-Extensions: prefix=namespace, in a query's JSON by @context",
        )
    return found


def _measures(operator: str, attribute: str, uom: str) -> Reader:
    def in_base(name: str, text: str) -> int | float:
        if number_text(text) is None:
            raise invalid(name, f"is {text[:40]!r}, expected a number")
        value = in_base_unit(text, uom)
        if value is None:
            raise invalid(name, f"is {text[:40]!r}, which is beyond every double")
        return value

    return numbers(f"{attribute}_{base_unit(uom)}", COMPARISONS[operator], in_base)


def _of_type(what: str, of_type: str) -> Reader:
    vocabulary = BIZ_TRANSACTION_TYPE if what == "bizTransaction" else SOURCE_DEST_TYPE
    field = f"{what}_{words(vocabulary)(of_type)}"
    return lambda _, values: Has(field, tuple(dict.fromkeys(map(canonical, values))))


def _equal(fields: Sequence[str]) -> Reader:
    """A value is the same as a text, as a number (``5`` and ``5.0``), or as a moment in two zones."""

    def compared(text: str) -> Iterator[Has | Compared]:
        for field in fields:
            if (number := number_of(text)) is not None:
                yield Compared(field, "number", "eq", number)
            elif (moment := time_of(text)) is not None:
                yield Compared(field, "time", "eq", moment)

    def read(_: str, values: Values) -> Condition:
        same = [Has(field, values) for field in fields]
        return any_of([*same, *(each for text in values for each in compared(text))])

    return read


def _ordered(fields: Sequence[str], operator: str) -> Reader:
    def read(name: str, values: Values) -> Condition:
        text = one(name, values)
        moment = time_of(text) if number_of(text) is None else None
        moment = moment_us(text) if moment is None and "T" in text.upper() else moment
        comparison = COMPARISONS[operator]
        if moment is not None:
            return any_of(Compared(field, "time", comparison, moment) for field in fields)
        number = read_number(name, text)
        return any_of(Compared(field, "number", comparison, number) for field in fields)

    return read


def _vocabulary_field(name: str, text: str, prefixes: Prefixes) -> str:
    return text if text in VOCABULARY_FIELDS else _checked(name, text, prefixes)


def _checked(name: str, text: str, prefixes: Prefixes) -> str:
    if ":" not in text and "#" not in text:
        raise invalid(name, f"names no field that master data describes: {text[:80]!r}")
    (field, *others) = field_names(name, text, prefixes)
    if others:
        raise invalid(name, f"has a prefix of several namespaces: {text[:80]!r}")
    return field


def _attributes(field: str) -> Reader:
    return lambda _, values: WithAttribute(field=field, attributes=values)


def _attribute_values(name: str, text: str, prefixes: Prefixes) -> Reader:
    for known in VOCABULARY_FIELDS:
        if text.startswith(f"{known}_") and text != f"{known}_":
            field, attribute = known, text[len(known) + 1 :]
            break
    else:
        given, _, attribute = text.partition("_")
        if not given or not attribute or "_" in attribute:
            # Section 8.2.7.1 lets us refuse what can't be divided in one way only.
            raise invalid(name, "does not tell where the field ends and the attribute begins")
        field = _checked(name, given, prefixes)
    return lambda _, values: WithAttribute(field=field, attributes=(attribute,), values=values)
