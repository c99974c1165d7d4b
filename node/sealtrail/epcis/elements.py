"""Extensions and master data as the event hash writes them: names with their namespaces, everything sorted."""

from __future__ import annotations

from typing import Any

from sealtrail.epcis.ambiguity import Ambiguity
from sealtrail.epcis.context import Names
from sealtrail.epcis.folding import fold, fold_number
from sealtrail.epcis.vocabulary import (
    BIZ_STEP,
    BIZ_TRANSACTION_TYPE,
    COMPONENT,
    DISPOSITION,
    ERROR_REASON,
    MEASUREMENT,
    SENSOR_ALERT,
    SOURCE_DEST_TYPE,
    STANDARD_WORDS,
    Vocabulary,
)

_COMMENTS = frozenset(("#text", "rdfs:comment", "comment"))
_MASTER_DATA = "urn:epcglobal:cbv:mda"


class Texts:
    """Values as the hash writes them, and the doubts that come up on the way."""

    __slots__ = ("_event", "_words", "doubts", "name", "names", "value")

    def __init__(self, event: dict[str, Any], names: Names) -> None:
        self.names = names
        self.value = names.value  # the text of a standard field, folded
        self.name = names.hash_name  # an extension's name with its namespace
        self.doubts: set[Ambiguity] = set()
        self._event = event
        self._words: dict[str, str] | None = None

    def number(self, value: float) -> str:
        """Return a number, folded."""
        # -0.0 is 0 in the content, from which the hash must come out the same
        text = str(value) if value else "0"
        return text if type(value) is int else fold_number(text)

    def scalar(self, value: Any) -> str:
        """Return any value of an extension, folded: text that looks like a number is treated as one."""
        if not isinstance(value, str):
            if isinstance(value, bool):
                return "true" if value else "false"
            if value is None:
                self.doubts.add(Ambiguity.NULL_VALUE)
                return "None"
            return self.number(value)
        text = self.free(value).strip() if value in STANDARD_WORDS else value.strip()
        folded = self.value(text)
        if folded != text and text[:1] not in ("h", "u") and ":" not in text:
            self.doubts.add(Ambiguity.NUMERIC_TEXT)
        return folded

    def free(self, text: str) -> str:
        """Return a free text; one equal to a standard word of the same event becomes that word's URI.

        A side effect of JSON-LD expansion in the reference: an XML event is not treated so.
        """
        uri = self._web_uris().get(text)
        if uri is None:
            return text
        self.doubts.add(Ambiguity.BARE_WORD)
        return uri

    def sort_text(self, value: Any) -> str:
        """Return a value as the reference has it while it sorts: written out, not folded."""
        if isinstance(value, bool):
            return "true" if value else "false"
        text = str(value)
        return self.names.expanded(self._web_uris().get(text, text))

    def _web_uris(self) -> dict[str, str]:
        if self._words is None:
            self._words = standard_words(self._event)
        return self._words

    def type_name(self, name: str) -> str:
        """Return the name of an event's type; one that is not the standard's, as the reference has it in XML."""
        if ":" not in name:
            return name
        self.doubts.add(Ambiguity.EVENT_TYPE)
        if self.names.is_unresolved(name):
            self.doubts.add(Ambiguity.UNRESOLVED)
            return name
        namespace, local, _ = self.names.split(name)
        return f"{{{namespace}}}{local}"

    def note_namespace(self, name: str, *, inside: bool) -> None:
        """Mark a name whose namespace, ending in no slash, other implementations may treat otherwise."""
        if name[:1] != "{":
            if self.names.is_unresolved(name):
                self.doubts.add(Ambiguity.UNRESOLVED)
            self.doubts.add(Ambiguity.FIELD_NAMESPACE if inside else Ambiguity.NAMESPACE)
            return
        namespace = name[1 : name.index("}")]
        if inside or namespace != _MASTER_DATA:
            self.doubts.add(Ambiguity.FIELD_NAMESPACE if inside else Ambiguity.NAMESPACE)

    def with_path_namespace(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Return those fields that the reference takes for extensions inside a standard field."""
        found = {key: value for key, value in fields.items() if "/}" in self.name(key)}
        if found and len(found) < len(fields):
            # what is left is in no hash at all
            self.doubts.add(Ambiguity.FIELD_NAMESPACE)
            if any(map(self.names.is_unresolved, fields)):
                self.doubts.add(Ambiguity.UNRESOLVED)
        return found


def element_texts(fields: dict[str, Any], texts: Texts, *, inside: bool = False) -> list[str]:
    """Return one text for each element of an object, unsorted.

    Args:
        inside: the object is a standard field of its own, not the event.
    """
    entries: list[str] = []
    for key, value in fields.items():
        if key in _COMMENTS:
            continue
        name = texts.name(key)
        if (inside or ":" in key) and "/}" not in name:
            texts.note_namespace(name, inside=inside)
        if name.endswith("List"):
            # the JSON binding drops the element name inside a list; it is the list's without "List"
            elements = value if isinstance(value, list) else (value,)
            if elements is not value:
                texts.doubts.add(Ambiguity.LIST)  # in XML, no element name is added to this
            inner = sorted(_element(name[:-4], element, texts) for element in elements)
            if inner:
                entries.append(name + "".join(inner))
        elif isinstance(value, list):
            entries += [_element(name, element, texts) for element in value]
        else:
            entries.append(_element(name, value, texts))
    return entries


def _element(name: str, value: Any, texts: Texts) -> str:
    if isinstance(value, str):
        text = texts.scalar(value)
        return f"{name}={text}" if text else name
    if isinstance(value, dict):
        text = value.get("#text", "")
        text = fold(str(text).strip()) if text != "" else ""
        children = "".join(sorted(element_texts(value, texts)))
        return f"{name}={text}{children}" if text else name + children
    if isinstance(value, list):
        texts.doubts.add(Ambiguity.LIST)  # a list in a list, which XML does not have
        return name + "".join(sorted(_element("", element, texts) for element in value))
    text = texts.scalar(value)
    return f"{name}={text}" if text else name


def standard_words(event: dict[str, Any]) -> dict[str, str]:
    """Return the standard words that the event uses, in any spelling, each with its full URI."""
    uses: list[tuple[Vocabulary, Any]] = [
        (BIZ_STEP, event.get("bizStep")),
        (DISPOSITION, event.get("disposition")),
        (ERROR_REASON, event.get("errorDeclaration", {}).get("reason")),
    ]
    for words in event.get("persistentDisposition", {}).values():
        uses += [(DISPOSITION, word) for word in words]
    uses += [(BIZ_TRANSACTION_TYPE, t.get("type")) for t in event.get("bizTransactionList", ())]
    for key in ("sourceList", "destinationList"):
        uses += [(SOURCE_DEST_TYPE, party["type"]) for party in event.get(key, ())]
    for element in event.get("sensorElementList", ()):
        for report in element["sensorReport"]:
            uses += [
                (MEASUREMENT, report.get("type")),
                (SENSOR_ALERT, report.get("exception")),
                (COMPONENT, report.get("component")),
            ]
    found: dict[str, str] = {}
    for vocabulary, given in uses:
        word = vocabulary.words.get(given, given) if given is not None else None
        if word in vocabulary.web_uris:
            found[word] = vocabulary.web_uris[word]
    return found
