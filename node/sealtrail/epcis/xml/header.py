"""What an XML document says before its events: who sent it to whom, and master data.

Master data comes in the shape of the JSON binding's ``vocabularyList``; whether it is any is told where that is read.

Source: EPCIS 2.0 sections 9.3 and 9.5; UN/CEFACT Standard Business Document Header 1.3.
"""

from __future__ import annotations

from typing import Any

import msgspec

from sealtrail.epcis.context import STANDARD_CONTEXT
from sealtrail.epcis.limits import URI_CHARACTERS_MAX
from sealtrail.epcis.xml.extension_form import Extensions, Members
from sealtrail.epcis.xml.parsing import Element
from sealtrail.epcis.xml.places import (
    BLANKS,
    attributes_of,
    only_elements,
    refuse,
    split_tag,
    standard_name,
)
from sealtrail.errors import TooLargeError

SBDH = "http://www.unece.org/cefact/namespaces/StandardBusinessDocumentHeader"


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """Who sent the document to whom under which number, as given; ``vocabularies`` with their own ``@context``."""

    sender: str | None = None
    receiver: str | None = None
    instance_identifier: str | None = None
    vocabularies: tuple[dict[str, Any], ...] = ()


def read_header(element: Element, levels_max: int) -> Header:
    """Read an ``EPCISHeader``; what others added to it is left out.

    Raises:
        InputError: ``field_unknown``, ``field_missing``, ``xml_element_repeated``, ``text_too_long``, and those
            of extensions; with line and path.
    """
    sent: dict[str, str | None] = {}
    vocabularies: list[dict[str, Any]] = []
    for child in standard_children(element, ("extension", "EPCISMasterData")):
        if split_tag(str(child.tag)) == (SBDH, "StandardBusinessDocumentHeader"):
            sent |= _business_header(child)
        elif standard_name(str(child.tag)) == "EPCISMasterData":
            vocabularies += _master_data(child, levels_max)
        elif standard_name(str(child.tag)) == "extension":
            for inner in standard_children(child, ("EPCISMasterData", "extension")):
                if standard_name(str(inner.tag)) == "EPCISMasterData":
                    vocabularies += _master_data(inner, levels_max)
    return Header(**sent, vocabularies=tuple(vocabularies))


def standard_children(parent: Element, names: tuple[str, ...]) -> list[Element]:
    """Return the child elements of one that may have these of the standard, each once, and any of others.

    Raises:
        InputError: ``field_unknown``, ``xml_element_repeated``, ``xml_order_wrong``.
    """
    last = -1
    children = only_elements(parent)
    for child in children:
        name = standard_name(str(child.tag))
        if name is None:
            continue
        if name not in names:
            raise refuse(
                child, "field_unknown", f"There is no element {name[:100]!r} in this place."
            )
        place = names.index(name)
        if place <= last:
            code = "xml_element_repeated" if place == last else "xml_order_wrong"
            raise refuse(child, code, f"{name!r} stands behind {names[last]!r}.")
        last = place
    return children


def _business_header(element: Element) -> dict[str, str | None]:
    return {
        "sender": _sbdh_text(element, "Sender", "Identifier"),
        "receiver": _sbdh_text(element, "Receiver", "Identifier"),
        "instance_identifier": _sbdh_text(element, "DocumentIdentification", "InstanceIdentifier"),
    }


def _sbdh_text(element: Element, *names: str) -> str | None:
    """Return the text of the first element of that path; None if there is none."""
    found: Element | None = element
    for name in names:
        found = None if found is None else found.find(f"{{{SBDH}}}{name}")
    if found is None:
        return None
    text = "".join(map(str, found.itertext())).strip(BLANKS)
    if len(text) > URI_CHARACTERS_MAX:
        error = refuse(
            found,
            "text_too_long",
            f"{len(text)} characters; {URI_CHARACTERS_MAX} are allowed.",
        )
        raise TooLargeError(error.code, error.message, pointer=error.pointer, **error.context)
    return text or None


def _master_data(element: Element, levels_max: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for lists in standard_children(element, ("VocabularyList", "extension")):
        if standard_name(str(lists.tag)) == "VocabularyList":
            found += read_vocabularies(lists, levels_max)
    return found


def read_vocabularies(element: Element, levels_max: int) -> tuple[dict[str, Any], ...]:
    """Read a ``VocabularyList``."""
    return tuple(_vocabulary(each, levels_max) for each in _named(element, "Vocabulary"))


def _named(parent: Element, name: str) -> list[Element]:
    children = only_elements(parent)
    for child in children:
        if standard_name(str(child.tag)) != name:
            raise refuse(
                child,
                "field_unknown",
                f"There is no element {str(child.tag)[:100]!r} in this place.",
            )
    return children


def _vocabulary(element: Element, levels_max: int) -> dict[str, Any]:
    """Read one vocabulary; its ``@context`` defines the prefixes of what others defined in its attributes."""
    extensions = Extensions(element, levels_max)
    listed: list[dict[str, Any]] = []
    for child in standard_children(element, ("VocabularyElementList", "extension")):
        if standard_name(str(child.tag)) == "VocabularyElementList":
            listed += [_element(each, extensions) for each in _named(child, "VocabularyElement")]
    found = {"type": _required(element, "type"), "vocabularyElementList": listed}
    context = extensions.prefixes.context()
    return found if context == [STANDARD_CONTEXT] else {"@context": context, **found}


def _required(element: Element, name: str) -> str:
    value = attributes_of(element).get(name)
    if value is None:
        raise refuse(element, "field_missing", f"The attribute {name!r} is missing.")
    return value.strip(BLANKS)


def _element(element: Element, extensions: Extensions) -> dict[str, Any]:
    found: dict[str, Any] = {"id": _required(element, "id")}
    attributes: list[dict[str, Any]] = []
    last = 0
    for child in only_elements(element):
        name = standard_name(str(child.tag))
        if name == "attribute" and last == 0:
            attributes.append(_attribute(child, extensions))
        elif name == "children" and last == 0:
            last = 1
            found["children"] = [_id(each) for each in _named(child, "id")]
        elif name is not None and name != "extension":
            code = "xml_order_wrong" if name in ("attribute", "children") else "field_unknown"
            raise refuse(child, code, f"There is no element {name[:100]!r} in this place.")
        else:
            last = 2
    if attributes:
        found["attributes"] = attributes
    return found


def _id(element: Element) -> str:
    for child in element:
        raise refuse(
            element, "field_unknown", f"There is no {str(child.tag)[:100]!r} in this place."
        )
    return (element.text or "").strip(BLANKS)


def _attribute(element: Element, extensions: Extensions) -> dict[str, Any]:
    """Read an attribute of master data: text, or an object of elements and of text as ``#text``."""
    members = Members()
    for child in extensions.children(element):
        extensions.add_element(members, child)
    text = (element.text or "").strip(BLANKS)
    value: Any = members.object()
    if value and text:
        value["#text"] = text
    return {"id": _required(element, "id"), "attribute": value or text}
