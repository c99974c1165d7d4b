"""EPCIS XML for tests, written from events of the JSON binding by the tables of GS1's schemas, not by the product."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from xml.sax.saxutils import escape, quoteattr

KNOWN = {
    "cbvmda": "urn:epcglobal:cbv:mda",
    "gs1": "https://ref.gs1.org/voc/",
    "cbv": "https://ref.gs1.org/cbv/",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
}
STEPS = ["bizStep", "disposition", "readPoint", "bizLocation"]
PARTIES = ["sourceList", "destinationList"]
LATE = ["sensorElementList", "persistentDisposition"]
ORDER = {
    "ObjectEvent": ["epcList", "action", *STEPS, "bizTransactionList", "quantityList"],
    "AggregationEvent": [
        "parentID", "childEPCs", "action", *STEPS, "bizTransactionList", "childQuantityList",
    ],
    "TransactionEvent": ["bizTransactionList", "parentID", "epcList", "action", *STEPS, "quantityList"],
    "TransformationEvent": [
        "inputEPCList", "inputQuantityList", "outputEPCList", "outputQuantityList", "transformationID",
        *STEPS, "bizTransactionList",
    ],
    "AssociationEvent": [
        "parentID", "childEPCs", "childQuantityList", "action", *STEPS, "bizTransactionList",
    ],
}  # fmt: skip
WHEN = ["eventTime", "recordTime", "eventTimeZoneOffset"]
BASE = ["eventID", "errorDeclaration", "certificationInfo"]
URNS = {"bizStep": "bizstep", "disposition": "disp", "set": "disp", "unset": "disp", "reason": "er"}
TYPES = {"bizTransaction": "btt", "source": "sdt", "destination": "sdt"}
WRAPPED = ["quantityList", "childQuantityList", *PARTIES, "ilmd"]
NAMESPACES = {"2.0": "urn:epcglobal:epcis:xsd:2", "1.2": "urn:epcglobal:epcis:xsd:1"}


class NoXml(Exception):  # noqa: N818 - of no concern to anybody
    """XML has no form for this."""


def word(text: str, urn: str) -> str:
    return f"urn:epcglobal:cbv:{urn}:{text}" if ":" not in text else text


def number(value: Any) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


class Writer:
    """Writes events under one set of prefixes.

    Args:
        names: other names for prefixes of the JSON.
    """

    def __init__(self, version: str = "2.0", names: Mapping[str, str] | None = None) -> None:
        self.version = version
        self._names = names or {}

    def event(self, event: dict[str, Any]) -> str:
        kind = event["type"]
        late = [*PARTIES, *LATE, "ilmd"]
        order = [*WHEN, *BASE, *ORDER[kind], *late]
        inner = [n for n in order if n in event]
        body = []
        if self.version == "1.2":
            later = any(name in event for name in (*LATE, "certificationInfo"))
            if later or kind == "AssociationEvent":
                raise NoXml(kind)
            base = [n for n in ("eventID", "errorDeclaration") if n in event]
            wrapped = [] if kind == "TransformationEvent" else [n for n in WRAPPED if n in event]
            body += [self.field(n, event[n]) for n in WHEN if n in event]
            if base:
                body.append(f"<baseExtension>{self.fields(base, event)}</baseExtension>")
            rest = [n for n in inner if n not in (*WHEN, *BASE, *wrapped)]
            body.append(self.fields(rest, event))
            if wrapped:
                body.append(f"<extension>{self.fields(wrapped, event)}</extension>")
        else:
            body.append(self.fields(inner, event))
        body += [self.extension(k, v) for k, v in event.items() if ":" in k]
        element = f"<{kind}>{''.join(body)}</{kind}>"
        if self.version == "1.2" and kind == "TransformationEvent":
            return f"<extension>{element}</extension>"
        return element

    def fields(self, names: Iterable[str], event: dict[str, Any]) -> str:
        return "".join(self.field(name, event[name]) for name in names)

    def field(self, name: str, value: Any) -> str:
        if name in ("epcList", "childEPCs", "inputEPCList", "outputEPCList"):
            inner = "".join(f"<epc>{escape(epc)}</epc>" for epc in value)
        elif name.lower().endswith("quantitylist"):
            inner = "".join(
                "<quantityElement>"
                + "".join(
                    f"<{k}>{escape(number(q[k]))}</{k}>"
                    for k in ("epcClass", "quantity", "uom")
                    if k in q
                )
                + "</quantityElement>"
                for q in value
            )
        elif name in ("bizTransactionList", *PARTIES):
            inner = "".join(self.typed(name[: -len("List")], each) for each in value)
        elif name in ("readPoint", "bizLocation"):
            inner = f"<id>{escape(value['id'])}</id>" + self.extensions(value, ("id",))
        elif name == "persistentDisposition":
            inner = "".join(
                f"<{k}>{escape(word(each, 'disp'))}</{k}>"
                for k in ("unset", "set")
                for each in value.get(k, ())
            )
        elif name == "errorDeclaration":
            inner = self.declaration(value)
        elif name == "ilmd":
            inner = self.extensions(value, ())
        elif name == "sensorElementList":
            inner = "".join(self.sensor(each) for each in value)
        elif name == "certificationInfo" and isinstance(value, list):
            raise NoXml(name)
        else:
            inner = escape(word(value, URNS[name]) if name in URNS else value)
        return f"<{name}>{inner}</{name}>"

    def typed(self, name: str, value: dict[str, str]) -> str:
        kind = f" type={quoteattr(word(value['type'], TYPES[name]))}" if "type" in value else ""
        return f"<{name}{kind}>{escape(value[name])}</{name}>"

    def declaration(self, value: dict[str, Any]) -> str:
        inner = f"<declarationTime>{value['declarationTime']}</declarationTime>"
        if "reason" in value:
            inner += f"<reason>{escape(word(value['reason'], 'er'))}</reason>"
        if "correctiveEventIDs" in value:
            ids = "".join(
                f"<correctiveEventID>{escape(each)}</correctiveEventID>"
                for each in value["correctiveEventIDs"]
            )
            inner += f"<correctiveEventIDs>{ids}</correctiveEventIDs>"
        return inner + self.extensions(value, ("declarationTime", "reason", "correctiveEventIDs"))

    def sensor(self, value: dict[str, Any]) -> str:
        inner = ""
        if "sensorMetadata" in value:
            inner += f"<sensorMetadata{self.attributes(value['sensorMetadata'])}/>"
        inner += "".join(f"<sensorReport{self.attributes(r)}/>" for r in value["sensorReport"])
        others = self.extensions(value, ("sensorMetadata", "sensorReport"))
        return f"<sensorElement>{inner}{others}</sensorElement>"

    def attributes(self, fields: dict[str, Any]) -> str:
        text = ""
        for key, value in fields.items():
            if isinstance(value, list | dict):
                raise NoXml(key)
            given = number(value)
            if ":" not in given and key in ("type", "exception"):
                given = f"gs1:{given}"
            elif ":" not in given and key == "component":
                given = f"cbv:Comp-{given}"
            text += f" {self.name(key)}={quoteattr(given)}"
        return text

    def extensions(self, fields: dict[str, Any], without: Iterable[str]) -> str:
        return "".join(self.extension(k, v) for k, v in fields.items() if k not in without)

    def name(self, key: str) -> str:
        prefix, colon, local = key.partition(":")
        if not colon:
            return key
        if (
            not local.replace("_", "a").replace("-", "a").replace(".", "a").isalnum()
            or local[0].isdigit()
        ):
            raise NoXml(key)
        return f"{self._names.get(prefix, prefix)}:{local}"

    def extension(self, key: str, value: Any) -> str:
        name = self.name(key)
        if key.endswith("List") and isinstance(value, list):
            # the JSON binding leaves out the elements' name in a list
            if not value or key.endswith(":List") or any(isinstance(each, list) for each in value):
                raise NoXml(key)
            inner = "".join(self.extension(key[: -len("List")], each) for each in value)
            return f"<{name}>{inner}</{name}>"
        if isinstance(value, list):
            if not value or any(isinstance(each, list) for each in value):
                raise NoXml(key)
            return "".join(self.extension(key, each) for each in value)
        if isinstance(value, dict):
            text = escape(str(value.get("#text", "")))
            inner = text + self.extensions(value, ("#text",))
        elif value is None:
            raise NoXml(key)
        else:
            inner = escape(number(value))
        return f"<{name}>{inner}</{name}>"


def prefixes_of(context: Any) -> dict[str, str]:
    """Return the prefixes that an ``@context`` defines, GS1's own among them."""
    found = dict(KNOWN)
    for part in context if isinstance(context, list) else [context]:
        if isinstance(part, dict):
            for prefix, value in part.items():
                found[prefix] = value["@id"] if isinstance(value, dict) else value
    return found


def write_document(
    document: dict[str, Any], version: str = "2.0", names: Mapping[str, str] | None = None
) -> bytes:
    """Return a capture document in XML, of an EPCIS document in JSON.

    Raises:
        NoXml: an event of it has no such form.
    """
    writer = Writer(version, names)
    declared = "".join(
        f" xmlns:{(names or {}).get(prefix, prefix)}={quoteattr(namespace)}"
        for prefix, namespace in prefixes_of(document["@context"]).items()
    )
    events = "\n  ".join(writer.event(each) for each in document["epcisBody"]["eventList"])
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<epcis:EPCISDocument xmlns:epcis="{NAMESPACES[version]}"'
        f'{declared} schemaVersion="{version}" creationDate="2026-01-01T00:00:00Z">'
        f"<EPCISBody><EventList>\n  {events}\n</EventList></EPCISBody></epcis:EPCISDocument>\n"
    ).encode()
