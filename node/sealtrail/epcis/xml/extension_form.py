"""Elements that the standard does not define, in the JSON form.

An element with text alone is that text; any other an object of its attributes and children by their names, and of
its text as ``#text``; what stands several times is a list. A list's elements (``fooList`` of ``foo`` and nothing
else) stand in a list, as the JSON binding has it.

Source: EPCIS 2.0 section 9.4 (extension); CBV 2.0 section 8.9.3 and the reference event hash, to which attributes and
child elements are the same.
"""

from __future__ import annotations

from typing import Any

from sealtrail.epcis.xml.names import Prefixes
from sealtrail.epcis.xml.parsing import Element
from sealtrail.epcis.xml.places import BLANKS, at, attributes_of, elements_of
from sealtrail.errors import InputError


class Members:
    """Members of an object of the JSON form: those of one name are gathered."""

    __slots__ = ("_found",)

    def __init__(self) -> None:
        self._found: dict[str, list[Any]] = {}

    def add(self, name: str, value: Any) -> None:
        """Add a member, or another value of one."""
        self._found.setdefault(name, []).append(value)

    def object(self) -> dict[str, Any]:
        """Return the object."""
        return {
            name: values[0] if len(values) == 1 else values for name, values in self._found.items()
        }


class Extensions:
    """Reads the extensions of one event.

    Args:
        event: its element, below which paths of errors begin.
        levels_max: how deep elements may be nested in an extension.
    """

    def __init__(self, event: Element, levels_max: int) -> None:
        self.event = event
        self.prefixes = Prefixes()
        self._levels_max = levels_max

    def add_element(self, members: Members, element: Element, levels: int = 0) -> None:
        """Add an element to the members of the object that it stands in.

        Raises:
            InputError: ``xml_too_deep``, ``xml_text_misplaced``, ``xml_instruction_refused``, and those of
                :class:`~sealtrail.epcis.xml.names.Prefixes`; with line and path.
        """
        try:
            name = self.prefixes.element(element)
        except InputError as error:
            raise at(error, element, top=self.event) from None
        members.add(name, self._value(element, levels))

    def add_attributes(
        self, members: Members, element: Element, attributes: dict[str, str]
    ) -> None:
        """Add attributes, in an order that is none of the document's."""
        for tag in sorted(attributes):
            try:
                name = self.prefixes.attribute(element, tag)
            except InputError as error:
                raise at(error, element, top=self.event) from None
            members.add(name, attributes[tag])

    def _value(self, element: Element, levels: int) -> Any:
        attributes = attributes_of(element)
        text = (element.text or "").strip(BLANKS)
        if not len(element) and not attributes:
            return text
        if levels == self._levels_max:
            fault = InputError("xml_too_deep", f"Nested deeper than {self._levels_max} levels.")
            raise at(fault, element, top=self.event)
        children = self.children(element)
        if _is_list(element, children) and not text and not attributes:
            return [self._value(child, levels + 1) for child in children]
        members = Members()
        if text:
            members.add("#text", text)
        self.add_attributes(members, element, attributes)
        for child in children:
            self.add_element(members, child, levels + 1)
        return members.object()

    def children(self, element: Element) -> list[Element]:
        """Return the child elements; text behind one of them is refused."""
        try:
            children = elements_of(element)
            for child in children:
                if child.tail is not None and child.tail.strip(BLANKS):
                    raise InputError(
                        "xml_text_misplaced", "Text stands between or behind elements here."
                    )
        except InputError as error:
            raise at(error, element, top=self.event) from None
        return children


def _is_list(element: Element, children: list[Element]) -> bool:
    tag = str(element.tag)
    return (
        tag.endswith("List")
        and bool(children)
        and all(child.tag == tag[: -len("List")] for child in children)
    )
