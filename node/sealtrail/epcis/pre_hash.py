"""The text that the CBV 2.0 event hash is the SHA-256 of.

Works on an event of the JSON binding that :mod:`sealtrail.epcis.reader` has accepted. Fields stand in a fixed
order, equal fields sorted by what they come to; then master data, then extensions of standard fields behind their
field's name, then extensions of the event. Left out: ids, record times, error declarations, certificates.

Source: CBV 2.0 section 8.9, and the reference implementation as of July 2026.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import msgspec

from sealtrail.epcis.ambiguity import Ambiguity, listed
from sealtrail.epcis.context import Names
from sealtrail.epcis.elements import Texts, element_texts
from sealtrail.epcis.folding import fold_identifier, fold_time, has_long_fraction
from sealtrail.epcis.sensor_hash import sensor_extensions, sensor_text
from sealtrail.epcis.vocabulary import (
    BIZ_STEP,
    BIZ_TRANSACTION_TYPE,
    DISPOSITION,
    SOURCE_DEST_TYPE,
)
from sealtrail.gs1.packs import PACKS_MIN, read_packs

_BIZ_STEP = BIZ_STEP.web_uris
_DISPOSITION = DISPOSITION.web_uris
_TRANSACTION = BIZ_TRANSACTION_TYPE.web_uris
_PARTY = SOURCE_DEST_TYPE.web_uris

Write = Callable[[list[str], str, Any, Texts], None]
Order: TypeAlias = tuple[tuple[str, Write], ...]

_IGNORED = frozenset(
    ("@context", "type", "recordTime", "eventID", "errorDeclaration", "certificationInfo", "ilmd",
     "rdfs:comment")
)  # fmt: skip


class FrameText(msgspec.Struct, frozen=True):
    """What the frame of an event comes to: text before, between and behind the identifiers, and doubts."""

    offset: str
    amounts: str
    rest: str
    doubts: frozenset[Ambiguity]


def frame_text(event: dict[str, Any], names: Names) -> FrameText:
    """Return the text of all but times and identifiers of things; ``event`` may be the frame alone."""
    texts = Texts(event, names)
    offset: list[str] = []
    amounts: list[str] = []
    rest: list[str] = []
    _write(offset, _OFFSET, event, texts)
    _write(amounts, _AMOUNTS, event, texts)
    _write(rest, _REST, event, texts)
    _trailing(rest, event, texts)
    return FrameText("".join(offset), "".join(amounts), "".join(rest), frozenset(texts.doubts))


def pre_hash_text(
    event: dict[str, Any], names: Names, frame: FrameText | None = None
) -> tuple[str, str | None]:
    """Return the pre-hash string of an accepted event, and why it may be written otherwise, if it may.

    Args:
        event: the event as JSON, read without refusal.
        names: the prefixes in force.
        frame: what :func:`frame_text` gives of the event, if that is known.
    """
    texts, time = Texts(event, names), event["eventTime"]
    out = ["eventType=", texts.type_name(event["type"]), "eventTime=", fold_time(time)]
    if frame is None:
        _write(out, _ALL, event, texts)
        _trailing(out, event, texts)
    else:
        out.append(frame.offset)
        _write(out, _IDENTIFIERS, event, texts)
        out.append(frame.amounts)
        _write(out, _OUTPUTS, event, texts)
        out.append(frame.rest)
        texts.doubts |= frame.doubts
    if has_long_fraction(time):
        texts.doubts.add(Ambiguity.TIME_FRACTION)
    return "".join(out), listed(texts.doubts)


def _write(out: list[str], order: Order, event: dict[str, Any], texts: Texts) -> None:
    for key, write in order:
        if key in event:
            write(out, key, event[key], texts)


def _text(out: list[str], key: str, value: str, texts: Texts) -> None:
    out += (key, "=", texts.value(value))


def _word(words: dict[str, str]) -> Write:
    def write(out: list[str], key: str, value: str, texts: Texts) -> None:
        out += (key, "=", words.get(value) or texts.value(value))

    return write


def _plain(out: list[str], key: str, value: str, _: Texts) -> None:
    out += (key, "=", value)


def _epcs(out: list[str], key: str, value: list[str], texts: Texts) -> None:
    if value:
        out += (key, "epc=", "epc=".join(sorted(_folded(value, texts))))


def _folded(uris: list[str], texts: Texts) -> Iterable[str]:
    if not texts.names.keeps_packs:
        return map(texts.value, uris)
    packs = read_packs(tuple(uris)) if len(uris) >= PACKS_MIN else None
    # of packs, the hash form is the canonical one
    return map(fold_identifier, uris) if packs is None else packs.canonical


def _quantities(out: list[str], key: str, value: list[dict[str, Any]], texts: Texts) -> None:
    if not value:
        return
    elements = []
    for element in value:
        text = f"quantityElementepcClass={texts.value(element['epcClass'])}"
        if "quantity" in element:
            text += f"quantity={texts.number(element['quantity'])}"
        if "uom" in element:
            text += f"uom={texts.value(element['uom'])}"
        elements.append(text)
    elements.sort()
    out.append(key)
    out += elements


def _persistent(out: list[str], key: str, value: dict[str, list[str]], texts: Texts) -> None:
    out.append(key)
    for name in ("set", "unset"):
        words = [_DISPOSITION.get(word) or texts.value(word) for word in value.get(name, ())]
        out += [f"{name}={word}" for word in sorted(words)]


def _place(out: list[str], key: str, value: dict[str, Any], texts: Texts) -> None:
    out += (key, "id=", texts.value(value["id"]))


def _typed(name: str, words: dict[str, str]) -> Write:
    """A list of typed things, the type first whatever the order of the keys."""

    def write(out: list[str], key: str, value: list[dict[str, str]], texts: Texts) -> None:
        if not value:
            return
        entries = []
        for element in value:
            text = f"{name}={texts.value(element[name])}"
            kind = element.get("type")
            if kind is None:
                texts.doubts.add(Ambiguity.TRANSACTION_TYPE)
            else:
                text = f"type={words.get(kind) or texts.value(kind)}{text}"
            entries.append(text)
        entries.sort()
        out.append(key)
        out += entries

    return write


# in the order of the hash
_OFFSET: Order = (("eventTimeZoneOffset", _plain),)
_IDENTIFIERS: Order = (
    ("epcList", _epcs),
    ("parentID", _text),
    ("inputEPCList", _epcs),
    ("childEPCs", _epcs),
)
_AMOUNTS: Order = (
    ("quantityList", _quantities),
    ("childQuantityList", _quantities),
    ("inputQuantityList", _quantities),
)
_OUTPUTS: Order = (("outputEPCList", _epcs),)
_REST: Order = (
    ("outputQuantityList", _quantities),
    ("action", _plain),
    ("transformationID", _text),
    ("bizStep", _word(_BIZ_STEP)),
    ("disposition", _word(_DISPOSITION)),
    ("persistentDisposition", _persistent),
    ("readPoint", _place),
    ("bizLocation", _place),
    ("bizTransactionList", _typed("bizTransaction", _TRANSACTION)),
    ("sourceList", _typed("source", _PARTY)),
    ("destinationList", _typed("destination", _PARTY)),
    ("sensorElementList", sensor_text),
)
_ALL: Order = (*_OFFSET, *_IDENTIFIERS, *_AMOUNTS, *_OUTPUTS, *_REST)
_KNOWN = _IGNORED | {"eventTime"}
_KNOWN |= {key for key, _ in _ALL}


def _trailing(out: list[str], event: dict[str, Any], texts: Texts) -> None:
    """Master data, extensions of standard fields, extensions of the event, in this order."""
    if "ilmd" in event:
        out.append("ilmd")
        out += sorted(element_texts(event["ilmd"], texts))
    rest: list[str] = []
    for key in ("readPoint", "bizLocation"):
        place = event.get(key)
        if place is not None and len(place) > 1:
            _place_extensions(out, rest, key, place, texts)
    if event.get("sensorElementList"):
        sensor_extensions(out, rest, event["sensorElementList"], texts)
    if not _KNOWN.issuperset(event):
        rest += element_texts({k: v for k, v in event.items() if k not in _KNOWN}, texts)
    rest.sort()
    out += rest


def _place_extensions(
    out: list[str], rest: list[str], key: str, place: dict[str, Any], texts: Texts
) -> None:
    inner = {name: value for name, value in place.items() if name != "id"}
    if entries := element_texts(texts.with_path_namespace(inner), texts):
        out.append(key)
        out += sorted(entries)
    elif entries := element_texts(inner, texts, inside=True):
        # the reference sees no extension here and puts the leftovers of the field at the very end
        rest.append(key + "".join(sorted(entries)))
