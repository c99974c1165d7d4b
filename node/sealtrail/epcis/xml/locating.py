"""From a pointer into an event's JSON form to the element of the event that is at fault."""

from __future__ import annotations

from sealtrail.epcis.xml.content import XmlEvent
from sealtrail.epcis.xml.grammar import WRAPPERS
from sealtrail.epcis.xml.names import Prefixes
from sealtrail.epcis.xml.parsing import Element
from sealtrail.epcis.xml.places import at, elements_of, standard_name
from sealtrail.errors import InputError


def locate(error: InputError, event: XmlEvent) -> InputError:
    """Give an error about the JSON form of an event the line, and the path below the event, of what it is about."""
    tokens = (error.pointer or "").split("/")[1:]
    element, attribute = _find(event.element, tokens, event.prefixes)
    return at(error, element, top=event.element, attribute=attribute)


def _find(element: Element, tokens: list[str], prefixes: Prefixes) -> tuple[Element, str | None]:
    """Follow a pointer as far as elements can be found for it."""
    found = [element]
    for token in tokens:
        name = token.replace("~1", "/").replace("~0", "~")
        if name.isdigit() and name.isascii():
            # of several elements of one name, or of those in a list's element
            listed = found if len(found) > 1 else _children(found[0])
            if int(name) < len(listed):
                found = [listed[int(name)]]
            continue
        named = [child for child in _children(found[0]) if _name(child, prefixes) == name]
        if not named:
            return found[0], name if name in found[0].attrib else None
        found = named
    return found[0], None


def _children(parent: Element) -> list[Element]:
    """Return the child elements, those of extension elements among them."""
    children: list[Element] = []
    for child in elements_of(parent):
        if standard_name(str(child.tag)) in WRAPPERS:
            children += _children(child)
        else:
            children.append(child)
    return children


def _name(element: Element, prefixes: Prefixes) -> str:
    return standard_name(str(element.tag)) or prefixes.element(element)
