"""The parts that an event is made of, in the JSON binding: quantities, business documents, parties, places."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from sealtrail.epcis import vocabulary
from sealtrail.epcis.events import (
    BizTransaction,
    ErrorDeclaration,
    Extension,
    PersistentDisposition,
    QuantityElement,
    SourceDest,
)
from sealtrail.epcis.extensions import Scope, in_order, read_extension
from sealtrail.epcis.fields import (
    located,
    read_identifier,
    read_list,
    read_number,
    read_text,
    read_time,
    read_uri,
    read_uris,
    refuse_type,
    word_reader,
)
from sealtrail.errors import InputError

_is_unit = re.compile(r"[A-Z0-9]{2,3}").fullmatch
_disposition = word_reader(vocabulary.DISPOSITION)


def _unit(value: Any) -> str:
    text = read_text(value)
    if not _is_unit(text):
        raise InputError(
            "uom_malformed",
            f"{text[:20]!r} is no unit of two or three letters or digits, such as KGM.",
        )
    return text


def read_object(
    value: Any, readers: Mapping[str, Callable[[Any], Any]], required: tuple[str, ...]
) -> dict[str, Any]:
    """Read an object that has these fields and no others."""
    if not isinstance(value, dict):
        raise refuse_type("an object", value)
    fields: dict[str, Any] = {}
    key = ""
    try:
        for key, child in value.items():
            read = readers.get(key)
            if read is None:
                raise InputError("field_unknown", f"There is no field {key[:100]!r} in this place.")
            fields[key] = read(child)
    except InputError as error:
        raise located(error, key) from None
    for key in required:
        if key not in fields:
            raise located(InputError("field_missing", f"The field {key!r} is missing."), key)
    return fields


_QUANTITY = {"epcClass": read_identifier, "quantity": read_number, "uom": _unit}
_TRANSACTION = {
    "type": word_reader(vocabulary.BIZ_TRANSACTION_TYPE),
    "bizTransaction": read_uri,
}
_PARTY_TYPE = word_reader(vocabulary.SOURCE_DEST_TYPE)
_SOURCE = {"type": _PARTY_TYPE, "source": read_identifier}
_DESTINATION = {"type": _PARTY_TYPE, "destination": read_identifier}


def _read_typed(
    value: Any, readers: Mapping[str, Callable[[Any], str]], name: str
) -> tuple[str, str] | None:
    """Read an object of ``type`` and ``name`` alone; None if it is anything else, or either is at fault."""
    try:
        if len(value) == 2:
            return readers["type"](value["type"]), readers[name](value[name])
    except (InputError, LookupError, TypeError):
        pass
    return None


def _quantity(value: Any) -> QuantityElement:
    fields = read_object(value, _QUANTITY, ("epcClass",))
    return QuantityElement(
        epc_class=fields["epcClass"], quantity=fields.get("quantity"), uom=fields.get("uom")
    )


def read_quantities(value: Any) -> tuple[QuantityElement, ...]:
    """Read a quantity list."""
    return read_list(value, _quantity)


def _transaction(value: Any) -> BizTransaction:
    if (typed := _read_typed(value, _TRANSACTION, "bizTransaction")) is not None:
        return BizTransaction(id=typed[1], type=typed[0])
    fields = read_object(value, _TRANSACTION, ("bizTransaction",))
    return BizTransaction(id=fields["bizTransaction"], type=fields.get("type"))


def read_transactions(value: Any) -> tuple[BizTransaction, ...]:
    """Read a ``bizTransactionList``."""
    return read_list(value, _transaction)


def _source(value: Any) -> SourceDest:
    if (typed := _read_typed(value, _SOURCE, "source")) is not None:
        return SourceDest(type=typed[0], id=typed[1])
    fields = read_object(value, _SOURCE, ("type", "source"))
    return SourceDest(type=fields["type"], id=fields["source"])


def _destination(value: Any) -> SourceDest:
    if (typed := _read_typed(value, _DESTINATION, "destination")) is not None:
        return SourceDest(type=typed[0], id=typed[1])
    fields = read_object(value, _DESTINATION, ("type", "destination"))
    return SourceDest(type=fields["type"], id=fields["destination"])


def read_sources(value: Any) -> tuple[SourceDest, ...]:
    """Read a ``sourceList``."""
    return read_list(value, _source)


def read_destinations(value: Any) -> tuple[SourceDest, ...]:
    """Read a ``destinationList``."""
    return read_list(value, _destination)


def _dispositions(value: Any) -> tuple[str, ...]:
    words = read_list(value, _disposition)
    if not words:
        raise InputError("list_empty", "A list of dispositions has at least one.")
    for index, text in enumerate(value):
        if text in value[:index]:
            raise located(
                InputError("item_repeated", f"{text[:100]!r} stands in the list before."), index
            )
    return words


def read_persistent_disposition(value: Any) -> PersistentDisposition:
    """Read a ``persistentDisposition``."""
    fields = read_object(value, {"set": _dispositions, "unset": _dispositions}, ())
    if not fields:
        raise InputError("field_missing", "A persistent disposition has 'set', 'unset' or both.")
    return PersistentDisposition(set=fields.get("set", ()), unset=fields.get("unset", ()))


def read_place(value: Any, scope: Scope) -> tuple[str, tuple[Extension, ...]]:
    """Read a ``readPoint`` or ``bizLocation``: its id, and what the standard does not define in it.

    As GS1's schema has it, that may go without a namespace here.
    """
    if not isinstance(value, dict):
        raise refuse_type("an object with an id", value)
    if "id" not in value:
        raise located(InputError("field_missing", "A place has no id."), "id")
    if len(value) == 1:
        try:
            return read_identifier(value["id"]), ()
        except InputError as error:
            raise located(error, "id") from None
    extensions: list[Extension] = []
    place = ""
    for key, child in value.items():
        try:
            if key == "id":
                place = read_identifier(child)
            else:
                extensions.extend(read_extension(key, child, scope, bare=True))
        except InputError as error:
            raise located(error, key) from None
    return place, in_order(extensions)


_DECLARATION: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "declarationTime": ("declaration_time", read_time),
    "reason": ("reason", word_reader(vocabulary.ERROR_REASON)),
    "correctiveEventIDs": ("corrective_event_ids", read_uris),
}


def read_error_declaration(value: Any, scope: Scope) -> ErrorDeclaration:
    """Read an ``errorDeclaration``."""
    if not isinstance(value, dict):
        raise refuse_type("an object", value)
    fields: dict[str, Any] = {}
    extensions: list[Extension] = []
    for key, child in value.items():
        known = _DECLARATION.get(key)
        try:
            if known is not None:
                fields[known[0]] = known[1](child)
            else:
                extensions.extend(read_extension(key, child, scope))
        except InputError as error:
            raise located(error, key) from None
    if "declaration_time" not in fields:
        raise located(
            InputError("field_missing", "An error declaration has no time."), "declarationTime"
        )
    return ErrorDeclaration(**fields, extensions=in_order(extensions))


def read_ilmd(value: Any, scope: Scope) -> tuple[Extension, ...]:
    """Read instance and lot master data: namespaced elements only."""
    if not isinstance(value, dict):
        raise refuse_type("an object", value)
    elements: list[Extension] = []
    for key, child in value.items():
        try:
            elements.extend(read_extension(key, child, scope))
        except InputError as error:
            raise located(error, key) from None
    return in_order(elements)


def read_certification_info(value: Any) -> tuple[str, ...]:
    """Read one URI or a list of them."""
    return (read_uri(value),) if isinstance(value, str) else read_uris(value)
