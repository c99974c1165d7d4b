"""Going through the elements of an object of the standard, those in its extension elements as if they stood in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from sealtrail.epcis.xml.extension_form import Extensions, Members
from sealtrail.epcis.xml.grammar import Sequence
from sealtrail.epcis.xml.parsing import Element
from sealtrail.epcis.xml.places import BLANKS, at, attributes_of, only_elements, standard_name
from sealtrail.errors import InputError

Read: TypeAlias = Callable[[Element, Extensions], Any]
Fields: TypeAlias = dict[str, Read]


def fault(element: Element, extensions: Extensions, code: str, message: str) -> InputError:
    """Return the error for an element of an event, with its line, and its path below the event."""
    return at(InputError(code, message), element, top=extensions.event)


def children_of(parent: Element, extensions: Extensions) -> list[Element]:
    """Return the child elements of one that has no text of its own."""
    return only_elements(parent, top=extensions.event)


def unknown_element(element: Element, extensions: Extensions) -> InputError:
    """Return the error for an element that the standard does not have there."""
    name = str(element.tag)[:100]
    return fault(
        element, extensions, "field_unknown", f"There is no element {name!r} in this place."
    )


def _is_taken(child: Element, name: str | None, sequence: Sequence) -> bool:
    """Tell whether an element that the standard has not in its place may stand there as somebody's own."""
    if name is None:
        return sequence.others
    # one in the standard's own namespace is none, and the type is the name of the event's element
    return sequence.bare and name != "type" and str(child.tag)[:1] != "{"


def refuse_attributes(element: Element, extensions: Extensions, names: Iterable[str]) -> None:
    """Refuse attributes that the standard does not have there; no names, no fault."""
    for name in names:
        message = f"There is no attribute {name[:100]!r} in this place."
        raise fault(element, extensions, "field_unknown", message)


def add_attributes(
    members: Members, element: Element, attributes: dict[str, str], extensions: Extensions
) -> None:
    """Add attributes of other namespaces; without one they are refused."""
    if attributes:
        refuse_attributes(element, extensions, [name for name in attributes if name[:1] != "{"])
        extensions.add_attributes(members, element, attributes)


def bare_text(element: Element, extensions: Extensions) -> str:
    """Return the text of an element that has no child elements, without blanks around it."""
    if len(element):
        for child in extensions.children(element):
            raise unknown_element(child, extensions)
    return (element.text or "").strip(BLANKS)


def plain_text(element: Element, extensions: Extensions) -> str:
    """Return the text of an element that has nothing else."""
    if element.attrib:
        refuse_attributes(element, extensions, attributes_of(element))
    return bare_text(element, extensions)


class Walk:
    """Reads the elements of one object.

    Args:
        form: gets what the standard defines.
        members: gets what it does not.
    """

    def __init__(
        self, form: dict[str, Any], members: Members, fields: Fields, extensions: Extensions
    ) -> None:
        self._form = form
        self._members = members
        self._fields = fields
        self._extensions = extensions

    def walk(self, parent: Element, sequence: Sequence) -> None:
        """Read the children of an element, whose attributes have been read.

        Raises:
            InputError: ``field_unknown``, ``xml_order_wrong``, ``xml_element_repeated``, ``xml_text_misplaced``.
        """
        order, last = sequence.order, -1
        for child in children_of(parent, self._extensions):
            name = standard_name(str(child.tag))
            if name is None or name not in order:
                if not _is_taken(child, name, sequence):
                    raise unknown_element(child, self._extensions)
                self._extensions.add_element(self._members, child)
                continue
            place = order.index(name)
            if sequence.ordered and place < last:
                message = (
                    f"{name!r} stands behind {order[last]!r}, which comes later in the standard."
                )
                raise fault(child, self._extensions, "xml_order_wrong", message)
            last = place
            self._read(child, name, sequence)

    def _read(self, child: Element, name: str, sequence: Sequence) -> None:
        inner = sequence.inside(name)
        if inner is not None:
            attributes = attributes_of(child)
            add_attributes(self._members, child, attributes, self._extensions)
            self.walk(child, inner)
            return
        if name in self._form:
            message = f"{name!r} stands twice."
            raise fault(child, self._extensions, "xml_element_repeated", message)
        value = self._fields[name](child, self._extensions)
        if value is not None:
            self._form[name] = value


def object_of(fields: Fields, sequence: Sequence, *, others: bool) -> Read:
    """Return the reader of an object of these fields; ``others``: it may have attributes of other namespaces."""

    def read(element: Element, extensions: Extensions) -> dict[str, Any]:
        form: dict[str, Any] = {}
        members = Members()
        attributes = attributes_of(element)
        if not others:
            refuse_attributes(element, extensions, attributes)
        add_attributes(members, element, attributes, extensions)
        Walk(form, members, fields, extensions).walk(element, sequence)
        return form | members.object()

    return read


def list_of(name: str, read: Read, *, least: int = 0, wrapper: bool = False) -> Read:
    """Return the reader of a list of elements of one name and nothing else.

    Args:
        least: how many there are at least.
        wrapper: an ``extension`` without elements may stand behind them.
    """

    def read_list(element: Element, extensions: Extensions) -> list[Any]:
        refuse_attributes(element, extensions, attributes_of(element))
        children = children_of(element, extensions)
        if wrapper and children and standard_name(str(children[-1].tag)) == "extension":
            for inner in children_of(children.pop(), extensions):
                raise unknown_element(inner, extensions)
        for child in children:
            if standard_name(str(child.tag)) != name:
                raise unknown_element(child, extensions)
        if len(children) < least:
            raise fault(element, extensions, "list_empty", f"There is no {name!r} in the list.")
        return [read(child, extensions) for child in children]

    return read_list
