"""Trees of XML, changed as the fuzzer's bytes say."""

from __future__ import annotations

import copy
from collections.abc import Callable

from lxml import etree

from fuzz.mutations import Choices

_CHANGES_MAX = 6
_TEXTS = (
    "", " ", "\n\t", "0", "-1", "1e400", "007", "NaN", "true", "\u2028", "\U0001f48a", "ab\u0301", "a:b", ":", "urn:",
    "//x", "2026-02-30T00:00:00Z", "2026-12-31T23:59:60Z", "+14:00", "ADD", "urn:epcglobal:cbv:bizstep:shipping",
    "gs1:Temperature", "urn:epc:id:sgtin:9521001.012345.1", "https://id.gs1.org/01/09521001123454/21/1", "http://ns.gs1.org/cbv/Disp-active",
)  # fmt: skip
_NAMES = (
    "extension", "baseExtension", "epcList", "epc", "quantityList", "ilmd", "eventID", "errorDeclaration",
    "sensorReport", "bizStep", "recordTime", "{urn:x}aList", "{urn:x}a", "{https://acme.example/ns/}b",
    "{urn:epcglobal:epcis:xsd:2}epcList", "{urn:epcglobal:epcis:xsd:1}ObjectEvent",
    "{http://www.w3.org/2001/XMLSchema-instance}type", "a", "#text",
)  # fmt: skip


def mutated_xml(root: etree._Element, choices: Choices) -> etree._Element:
    """Return the tree with some of its elements changed, moved, named otherwise, repeated or left out."""
    for _ in range(_CHANGES_MAX):
        if not choices:
            break
        element = choices.of([each for each in root.iter() if isinstance(each.tag, str)])
        try:
            choices.of(_CHANGES)(element, choices)
        except ValueError:
            continue  # lxml makes no XML of it
    return root


def _text(element: etree._Element, choices: Choices) -> None:
    element.text = choices.of(_TEXTS)


def _tail(element: etree._Element, choices: Choices) -> None:
    element.tail = choices.of(_TEXTS)


def _name(element: etree._Element, choices: Choices) -> None:
    element.tag = choices.of(_NAMES)


def _attribute(element: etree._Element, choices: Choices) -> None:
    element.set(choices.of(_NAMES), choices.of(_TEXTS))


def _add(element: etree._Element, choices: Choices) -> None:
    child = etree.Element(choices.of(_NAMES))
    child.text = choices.of(_TEXTS)
    element.insert(choices.below(len(element) + 1), child)


def _remove(element: etree._Element, _: Choices) -> None:
    parent = element.getparent()
    if parent is not None:
        parent.remove(element)


def _repeat(element: etree._Element, _: Choices) -> None:
    parent = element.getparent()
    if parent is not None:
        parent.insert(parent.index(element), copy.deepcopy(element))


def _wrap(element: etree._Element, choices: Choices) -> None:
    parent = element.getparent()
    if parent is not None:
        wrapper = etree.Element(choices.of(_NAMES))
        parent.replace(element, wrapper)
        wrapper.append(element)


def _around(element: etree._Element, choices: Choices) -> None:
    element.append(choices.of((etree.Comment(" x "), etree.ProcessingInstruction("x", "y"))))


_CHANGES: tuple[Callable[[etree._Element, Choices], None], ...] = (
    _text, _tail, _name, _attribute, _add, _remove, _repeat, _wrap, _around,
)  # fmt: skip
