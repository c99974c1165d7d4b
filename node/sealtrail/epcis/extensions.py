"""What the standard does not define: namespaced elements, read into values and kept whole."""

from __future__ import annotations

from collections.abc import Iterator
from operator import attrgetter
from typing import Any

from sealtrail.epcis.context import Names
from sealtrail.epcis.events import AnyEvent, Extension, ExtensionEvent
from sealtrail.epcis.fields import located
from sealtrail.epcis.strict_json import INTEGER_MAX
from sealtrail.errors import InputError

_name = attrgetter("namespace", "local")


class Scope:
    """What readers need beside the value: the prefixes in force, and how deep nesting may go."""

    __slots__ = ("levels_max", "names")

    def __init__(self, names: Names, levels_max: int) -> None:
        self.names = names
        self.levels_max = levels_max


def in_order(found: list[Extension]) -> tuple[Extension, ...]:
    """Return elements that stand beside each other in the one order that values have: by name, whatever came first.

    JSON is kept with its keys sorted, and XML as it came: of one event both give one value. Elements of one name stay
    in the order recorded.
    """
    if len(found) > 1:
        found.sort(key=_name)
    return tuple(found)


def read_extension(
    key: str, value: Any, scope: Scope, *, bare: bool = False
) -> tuple[Extension, ...]:
    """Read one namespaced element; a list gives several of the same name.

    Args:
        bare: it may go without a namespace, as everything below an extension may.

    Raises:
        InputError: the codes of ``Names.split``, ``json_too_deep``,
            ``json_number_inexact``; the pointer is relative to the value.
    """
    if bare and ":" not in key and key[:1] != "@":
        namespace, local = "", key
    else:
        namespace, local, _ = scope.names.split(key)
    return _elements(namespace, local, value, scope, scope.levels_max)


def extensions_by_place(event: AnyEvent) -> Iterator[tuple[str, tuple[Extension, ...]]]:
    """Yield the extensions of each place of an event, with the beginning of its query parameters' names."""
    yield "", event.extensions
    yield "ILMD_", getattr(event, "ilmd", ())
    yield "readPoint_", event.read_point_extensions
    yield "bizLocation_", event.biz_location_extensions
    if event.error_declaration is not None:
        yield "ERROR_DECLARATION_", event.error_declaration.extensions
    for sensor in event.sensor_element_list:
        yield "SENSORELEMENT_", sensor.extensions
        yield "SENSORMETADATA_", sensor.metadata_extensions
        yield "SENSORREPORT_", sensor.report_extensions


def namespaces_used(event: AnyEvent) -> set[str]:
    """Return the namespaces of all extensions in an event, and of its type if that is somebody's own."""
    found = {event.namespace} if isinstance(event, ExtensionEvent) else set()
    level = [each for _, extensions in extensions_by_place(event) for each in extensions]
    while level:
        found.update(each.namespace for each in level)
        level = [child for each in level for child in each.children]
    return found


def _elements(
    namespace: str, local: str, value: Any, scope: Scope, levels: int
) -> tuple[Extension, ...]:
    if isinstance(value, str):
        return (Extension(namespace=namespace, local=local, text=value),)
    if levels == 0:
        raise InputError("json_too_deep", f"Nested deeper than {scope.levels_max} levels.")
    if isinstance(value, list):
        found: list[Extension] = []
        for index, element in enumerate(value):
            try:
                found.extend(_elements(namespace, local, element, scope, levels - 1))
            except InputError as error:
                raise located(error, index) from None
        return tuple(found)
    if isinstance(value, dict):
        children = _children(value, scope, levels - 1)
        return (Extension(namespace=namespace, local=local, children=children),)
    return (Extension(namespace=namespace, local=local, text=_scalar_text(value)),)


def _children(value: dict[str, Any], scope: Scope, levels: int) -> tuple[Extension, ...]:
    children: list[Extension] = []
    for key, child in value.items():
        try:
            # below an extension its owner may name things as he likes
            namespace, local = scope.names.split(key)[:2] if ":" in key else ("", key)
            children.extend(_elements(namespace, local, child, scope, levels))
        except InputError as error:
            raise located(error, key) from None
    return in_order(children)


def _scalar_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and abs(value) > INTEGER_MAX:
        raise InputError("json_number_inexact", f"The number {value} does not survive a double.")
    return repr(value)
