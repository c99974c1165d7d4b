"""Master data: what a vocabulary's elements are said to be, as documents bring it.

An element is one identifier (a product, a place, a party, or a word of anyone's vocabulary) with its attributes and
its children. Who may say it, and since when it holds, is for whoever keeps it.

Source: EPCIS 2.0 JSON schema, ``vocabulary`` and ``vocabularyElement``; CBV 2.0, master data attributes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import msgspec
import orjson

from sealtrail.epcis.bounds import count_values
from sealtrail.epcis.context import URI_SCHEMES, Names, names_in_force
from sealtrail.epcis.envelope import MASTER_DATA_POINTER, Vocabularies, read_vocabulary_list
from sealtrail.epcis.fields import located, read_list, read_uri, refuse_type
from sealtrail.epcis.limits import DEFAULT, Limits
from sealtrail.errors import InputError, TooLargeError
from sealtrail.gs1 import canonical

T = TypeVar("T")

CBV_MDA = "urn:epcglobal:cbv:mda:"
EPC_CLASS = "urn:epcglobal:epcis:vtype:EPCClass"
# The standard's name with a colon, GS1 US's with a number sign, and the prefix "cbvmda", which stands for neither.
_cbv_attribute = re.compile(r"urn:epcglobal:cbv:mda[:#/]?(.+)").fullmatch


class Attribute(msgspec.Struct, frozen=True, array_like=True):
    """One attribute: its name written out, and a text, a number or an object; a name may stand several times."""

    name: str
    value: str | int | float | dict[str, Any]


class VocabularyElement(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """What one document says of one identifier.

    ``vocabulary`` is the vocabulary's type; ``id`` the identifier as it was given, ``canonical`` as everything is
    looked up by; ``children`` are canonical. ``more`` holds members that the standard has not, as they were given.
    """

    vocabulary: str
    id: str
    canonical: str
    attributes: tuple[Attribute, ...] = ()
    children: tuple[str, ...] = ()
    more: dict[str, Any] = {}


def attribute_name(text: str) -> str:
    """Return an attribute's name in the one spelling in which it is kept: CBV's own are spelt in several ways."""
    match = _cbv_attribute(text)
    return CBV_MDA + match[1] if match else text


def attribute_text(value: str | int | float | dict[str, Any]) -> str:
    """Return an attribute's value as it is compared: a text as it is, a number as its decimal text, else JSON."""
    if isinstance(value, str):
        return value
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def in_json_form(listed: tuple[dict[str, Any], ...]) -> Vocabularies:
    """Return the vocabularies of an XML document; pointers lead to where the JSON form of its header has them.

    Raises:
        InputError: as :func:`vocabularies_at`.
    """
    return vocabularies_at(list(listed), MASTER_DATA_POINTER)


def vocabularies_at(value: Any, pointer: str) -> Vocabularies:
    """Read a list of vocabularies that stands at ``pointer``; their elements are not looked at.

    Raises:
        InputError: it is none, with the pointer of what is wrong.
    """
    try:
        return Vocabularies(read_vocabulary_list(value), pointer)
    except InputError as error:
        error.pointer = pointer + (error.pointer or "")
        raise


def read_master_data(
    found: Vocabularies, context: Any = None, limits: Limits = DEFAULT
) -> list[VocabularyElement | InputError]:
    """Read each element of a document's vocabularies; what is said of one in several places is joined.

    Refused elements, as errors with their pointers, come after the others.

    Args:
        context: the document's ``@context``, with whose prefixes names may be written; a vocabulary may add its own.

    Raises:
        TooLargeError: ``too_many_elements``, ``too_many_values``.
        InputError: a context is malformed.
    """
    if not found.listed:
        return []
    _require_fits(found, limits)
    elements: dict[tuple[str, str], list[VocabularyElement]] = {}
    refused: list[InputError] = []
    for vocabulary, element, names, pointer in _each(found, context):
        try:
            read = _element(element, vocabulary, names, limits)
        except InputError as error:
            error.pointer = pointer + (error.pointer or "")
            refused.append(error)
            continue
        elements.setdefault((read.vocabulary, read.canonical), []).append(read)
    return [*(_joined(said) for said in elements.values()), *refused]


def _each(found: Vocabularies, context: Any) -> Iterator[tuple[str, Any, Names, str]]:
    """Yield each element with its vocabulary's type, the names in force, and its pointer."""
    outer = () if context is None else (context,)
    shared = names_in_force(*outer)
    for at, vocabulary in enumerate(found.listed):
        pointer = f"{found.pointer}/{at}"
        own = vocabulary.get("@context")
        try:
            names = shared if own is None else names_in_force(*outer, own)
        except InputError as error:
            error.pointer = pointer + (error.pointer or "")
            raise
        kind = _expanded(vocabulary["type"], names)
        for index, element in enumerate(vocabulary.get("vocabularyElementList", ())):
            yield kind, element, names, f"{pointer}/vocabularyElementList/{index}"


def _require_fits(found: Vocabularies, limits: Limits) -> None:
    count = sum(len(each.get("vocabularyElementList", ())) for each in found.listed)
    if count > limits.vocabulary_elements_max:
        raise TooLargeError(
            "too_many_elements",
            f"The vocabularies have {count} elements; {limits.vocabulary_elements_max} are allowed.",
            pointer=found.pointer or None,
            advice="Send them in several documents.",
        )
    most = limits.vocabulary_values_max
    if count_values(list(found.listed), most) > most:
        raise TooLargeError(
            "too_many_values",
            f"The vocabularies have more than {most} values.",
            pointer=found.pointer or None,
            advice="Send them in several documents.",
        )


def _element(value: Any, vocabulary: str, names: Names, limits: Limits) -> VocabularyElement:
    if not isinstance(value, dict):
        raise refuse_type("a vocabulary element", value)
    try:
        identifier = _expanded(read_uri(value.get("id")), names)
    except InputError as error:
        raise located(error, "id") from None

    def child(each: Any) -> str:
        return canonical(_expanded(read_uri(each), names))

    more = {name: each for name, each in value.items() if name not in _MEMBERS}
    if more:
        _require_small(more, limits)
    return VocabularyElement(
        vocabulary=vocabulary,
        id=identifier,
        canonical=canonical(identifier),
        attributes=_list(value, "attributes", lambda each: _attribute(each, names, limits)),
        children=tuple(dict.fromkeys(_list(value, "children", child))),
        more=more,
    )


_MEMBERS = frozenset(("id", "attributes", "children"))


def _list(value: dict[str, Any], name: str, read: Callable[[Any], T]) -> tuple[T, ...]:
    try:
        return read_list(value.get(name, []), read)
    except InputError as error:
        raise located(error, name) from None


def _attribute(value: Any, names: Names, limits: Limits) -> Attribute:
    if not isinstance(value, dict):
        raise refuse_type("an attribute", value)
    try:
        name = attribute_name(_expanded(read_uri(value.get("id")), names))
    except InputError as error:
        raise located(error, "id") from None
    stated = value.get("attribute", "")
    if isinstance(stated, bool) or not isinstance(stated, str | int | float | dict):
        raise located(refuse_type("a text, a number or an object", stated), "attribute")
    _require_small(stated, limits)
    return Attribute(name, stated)


def _require_small(value: Any, limits: Limits) -> None:
    octets = len(orjson.dumps(value))
    if octets > limits.attribute_bytes_max:
        raise TooLargeError(
            "attribute_too_large",
            f"The value has {octets} bytes; {limits.attribute_bytes_max} are allowed.",
        )


def _expanded(text: str, names: Names) -> str:
    """Return a name with its prefix written out; what has none of the document's prefixes is a URI already."""
    if text.partition(":")[0] in URI_SCHEMES:
        return text
    try:
        namespace, local, _ = names.split(text)
    except InputError:
        return text
    return namespace + local


def _joined(said: list[VocabularyElement]) -> VocabularyElement:
    """Return what a document says of one identifier: nothing is lost, and what is said alike is said once."""
    if len(said) == 1:
        return said[0]
    attributes = {(a.name, attribute_text(a.value)): a for each in said for a in each.attributes}
    return msgspec.structs.replace(
        said[0],
        attributes=tuple(attributes.values()),
        children=tuple(dict.fromkeys(child for each in said for child in each.children)),
        more={name: value for each in said for name, value in each.more.items()},
    )
