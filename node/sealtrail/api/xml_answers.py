"""Capture jobs, problem documents and the list of resources as XML, for whoever asks for it.

Source: ``EPCISCaptureJob`` and ``EPCISException`` of EPCglobal-epcis-2_0.xsd; what is ours stands in a namespace of
its own, where that schema leaves room for others'.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from lxml import etree

from sealtrail.api.negotiation import EXTENSION_NAMESPACE

_EPCIS = "urn:epcglobal:epcis:xsd:2"
_NAMES = {"epcis": _EPCIS, "sealtrail": EXTENSION_NAMESPACE}
_OF_THE_STANDARD = ("type", "title", "status", "detail", "instance")
# XML 1.0 section 2.2: everything else can't stand in a document, however it is escaped
_no_character = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def problem_xml(problem: Mapping[str, Any]) -> bytes:
    """Return a problem document as XML."""
    root = etree.Element(f"{{{_EPCIS}}}EPCISException", nsmap=_NAMES)
    _add_problem(root, problem)
    return _written(root)


def job_xml(job: Mapping[str, Any]) -> bytes:
    """Return a capture job, as its JSON view has it, as XML."""
    root = etree.Element(f"{{{_EPCIS}}}EPCISCaptureJob", nsmap=_NAMES)
    for name in ("captureID", "running", "success"):
        root.set(name, _text(job[name]))
    for name in ("captureErrorBehaviour", "createdAt", "finishedAt"):
        etree.SubElement(root, name).text = _text(job[name])
    if job["errors"]:
        errors = etree.SubElement(root, "errors")
        for problem in job["errors"]:
            _add_problem(etree.SubElement(errors, "error"), problem)
    return _written(root)


def resources_xml(members: Iterable[str]) -> bytes:
    """Return the list of top-level resources as XML.

    GS1's schemas have no element for it, though its OpenAPI document promises XML of ``TopLevelResourceCollection``:
    that name is the element's, and its properties are elements, as OpenAPI 3.0 has it where a schema says no more.
    ``@context`` is no name in XML.
    """
    root = etree.Element("TopLevelResourceCollection")
    etree.SubElement(root, "type").text = "Collection"
    for member in members:
        etree.SubElement(root, "member").text = member
    return _written(root)


def _add_problem(parent: etree._Element, problem: Mapping[str, Any]) -> None:
    for name in _OF_THE_STANDARD:
        if name in problem:
            etree.SubElement(parent, name).text = _text(problem[name])
    for name, value in problem.items():
        if name not in _OF_THE_STANDARD:
            _add(parent, f"{{{EXTENSION_NAMESPACE}}}{name}", value)


def _add(parent: etree._Element, name: str, value: Any) -> None:
    """Add a member of ours: a list as a repeated element, an object as an element with children."""
    for each in _each(value):
        element = etree.SubElement(parent, name)
        if isinstance(each, Mapping):
            for inner, further in each.items():
                _add(element, f"{{{EXTENSION_NAMESPACE}}}{inner}", further)
        else:
            element.text = _text(each)


def _each(value: Any) -> Iterable[Any]:
    return value if isinstance(value, list | tuple) else (value,)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return _no_character.sub("\ufffd", str(value))


def _written(root: etree._Element) -> bytes:
    written: bytes = etree.tostring(root, encoding="UTF-8", xml_declaration=True)
    return written
