"""Events in one order: JSON and XML bring the same extensions in different ones."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from sealtrail.epcis.events import AnyEvent, Extension

T = TypeVar("T")


def in_one_order(value: T) -> T:
    """Return an event, or a part of one, with extensions that stand beside each other sorted.

    What is equal then says the same, in whichever binding and order it came.
    """
    if isinstance(value, tuple):
        each = tuple(in_one_order(element) for element in value)
        if each and isinstance(each[0], Extension):
            each = tuple(sorted(each, key=repr))
        return each  # type: ignore[return-value]
    if isinstance(value, msgspec.Struct):
        fields = {name: in_one_order(getattr(value, name)) for name in value.__struct_fields__}
        return msgspec.structs.replace(value, **fields)
    return value


def say_the_same(one: AnyEvent, other: AnyEvent) -> bool:
    """Tell whether two records are of one event, whatever their record times: a JSON event and its XML twin."""
    return _without_record_time(one) == _without_record_time(other)


def _without_record_time(event: AnyEvent) -> AnyEvent:
    return msgspec.structs.replace(in_one_order(event), record_time=None)
