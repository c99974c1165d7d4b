"""Master data as it stands in the header of a document.

Source: EPCIS 2.0 JSON schema, ``epcisHeader``; ``EPCISMasterDataType`` of the schemas of EPCIS 2.0 and 1.2.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from lxml import etree

from sealtrail.epcis.context import STANDARD_CONTEXT, Names, names_in_force
from sealtrail.epcis.views.extensions import add, append_value, set_attribute
from sealtrail.epcis.views.forms import not_in_xml
from sealtrail.errors import InputError, NotAcceptableError


def vocabulary_list(elements: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return a ``vocabularyList`` of elements: each with ``type``, ``id``, ``attributes``, ``children`` and ``more``.

    Names are written out already: no context is needed for them.
    """
    listed: dict[str, list[dict[str, Any]]] = {}
    for element in elements:
        kept = {name: element[name] for name in ("attributes", "children") if element.get(name)}
        one = {"id": element["id"], **kept, **element.get("more", {})}
        listed.setdefault(element["type"], []).append(one)
    return [{"type": kind, "vocabularyElementList": found} for kind, found in listed.items()]


def master_data_element(vocabularies: Iterable[Mapping[str, Any]]) -> etree._Element:
    """Return a ``vocabularyList`` as ``EPCISMasterData``; members that the standard has not are left out.

    Raises:
        NotAcceptableError: ``not_in_xml``, with the pointer of the attribute that XML can't hold.
    """
    names = names_in_force(STANDARD_CONTEXT)
    root = etree.Element("EPCISMasterData")
    listed = etree.SubElement(root, "VocabularyList")
    for at, vocabulary in enumerate(vocabularies):
        found = etree.SubElement(listed, "Vocabulary")
        set_attribute(found, "type", vocabulary["type"])
        elements = etree.SubElement(found, "VocabularyElementList")
        for index, element in enumerate(vocabulary["vocabularyElementList"]):
            try:
                _add_element(elements, element, names)
            except InputError as error:
                place = f"/epcisHeader/epcisMasterData/vocabularyList/{at}/vocabularyElementList/{index}"
                raise _refused(error, place, element["id"]) from None
    return root


def _add_element(parent: etree._Element, element: Mapping[str, Any], names: Names) -> None:
    found = etree.SubElement(parent, "VocabularyElement")
    set_attribute(found, "id", element["id"])
    for attribute in element.get("attributes", ()):
        append_value(found, "attribute", attribute["attribute"], names)
        set_attribute(found[-1], "id", attribute["id"])
    if element.get("children"):
        children = etree.SubElement(found, "children")
        for child in element["children"]:
            add(children, "id", child)


def _refused(error: InputError, place: str, identifier: str) -> NotAcceptableError:
    """Return the error of an element; a name whose prefix nobody defined is one that XML has not."""
    problem = error if isinstance(error, NotAcceptableError) else not_in_xml(error.message)
    return NotAcceptableError(
        problem.code,
        f"{problem.message} It is master data of {identifier}.",
        pointer=place,
        advice=problem.advice,
    )
