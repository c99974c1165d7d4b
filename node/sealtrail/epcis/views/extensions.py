"""Extensions and master data as XML elements.

A name goes by its namespace, not by its prefix. A list becomes repeated elements, except where the name ends in
``List``: there it becomes elements inside one, called as the list without ``List``, as the event hash has it. Plain
values beside a ``#text`` become attributes, as in ``<netWeight measurementUnitCode="KGM">3.5</netWeight>``.
"""

from __future__ import annotations

from collections.abc import Container
from typing import Any

from lxml import etree

from sealtrail.epcis.context import Names
from sealtrail.epcis.fields import located
from sealtrail.epcis.views.forms import not_in_xml
from sealtrail.errors import InputError

_LIST = "List"
_TEXT = "#text"


def append_extensions(
    parent: etree._Element,
    fields: dict[str, Any],
    names: Names,
    *,
    known: Container[str] | None = None,
) -> None:
    """Append those fields that have a namespace.

    Args:
        known: what is the standard's, where fields without a namespace may be somebody's own.

    Raises:
        NotAcceptableError: ``not_in_xml``, with the pointer relative to ``fields``.
    """
    for key, value in fields.items():
        if ":" in key or (known is not None and key not in known):
            _append(parent, key, value, names)


def set_extension(element: etree._Element, key: str, value: Any, names: Names) -> None:
    """Set an extension as an attribute: where the standard fields are attributes too, as in a sensor report.

    Raises:
        NotAcceptableError: ``not_in_xml``.
    """
    if isinstance(value, dict | list):
        raise not_in_xml("this extension stands in an attribute, which is a text")
    set_attribute(element, clark_name(key, names), value)


def set_attribute(element: etree._Element, name: str, value: Any) -> None:
    """Set an attribute.

    Raises:
        NotAcceptableError: ``not_in_xml``.
    """
    try:
        element.set(name, plain_text(value))
    except ValueError as error:
        raise not_in_xml(str(error)) from None


def add(parent: etree._Element, name: str, value: Any = "") -> etree._Element:
    """Append an element with a text.

    Raises:
        NotAcceptableError: ``not_in_xml``.
    """
    try:
        element = etree.SubElement(parent, name)
        text = plain_text(value)
        if text:
            element.text = text
    except ValueError as error:
        raise not_in_xml(str(error)) from None
    return element


def plain_text(value: Any) -> str:
    """Return a scalar of JSON as a text."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else repr(value)


def clark_name(key: str, names: Names) -> str:
    """Return a key as ``{namespace}local``; below an extension, a name may have no namespace.

    Raises:
        NotAcceptableError: ``not_in_xml``: its namespace is not known here.
    """
    if ":" not in key:
        return key
    if names.is_unresolved(key):
        raise not_in_xml(f"the namespace of {key[:100]!r} is told by a context elsewhere only")
    namespace, local, _ = names.split(key)
    return f"{{{namespace}}}{local}"


def _append(parent: etree._Element, key: str, value: Any, names: Names) -> None:
    try:
        name = clark_name(key, names)
        elements = _flat([value])
        if elements and name.endswith(_LIST):
            parent, name = add(parent, name), name.removesuffix(_LIST)
        for element in elements:
            append_value(parent, name, element, names)
    except InputError as error:
        raise located(error, key) from None


def _flat(values: list[Any]) -> list[Any]:
    """Return the elements of a list, those of lists inside it in their place: to JSON-LD both are the same."""
    found: list[Any] = []
    for value in values:
        if isinstance(value, list):
            found += _flat(value)
        else:
            found.append(value)
    return found


def append_value(parent: etree._Element, name: str, value: Any, names: Names) -> None:
    """Append an element that holds a scalar, or what an object has.

    Raises:
        NotAcceptableError: ``not_in_xml``.
        InputError: a name has a prefix that is not defined.
    """
    if not isinstance(value, dict):
        add(parent, name, value)
        return
    element = add(parent, name, value.get(_TEXT, ""))
    for key, child in value.items():
        if key == _TEXT:
            continue
        # what stands beside a text was an attribute, if it ever was XML: the JSON form has one place for both
        if _TEXT in value and not isinstance(child, dict | list):
            _set_beside_text(element, key, child, names)
        else:
            _append(element, key, child, names)


def _set_beside_text(element: etree._Element, key: str, value: Any, names: Names) -> None:
    try:
        set_extension(element, key, value, names)
    except InputError as error:
        raise located(error, key) from None
