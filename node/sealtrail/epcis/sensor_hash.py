"""Sensor elements as the event hash writes them."""

from __future__ import annotations

from typing import Any

from sealtrail.epcis.ambiguity import Ambiguity
from sealtrail.epcis.elements import Texts, element_texts
from sealtrail.epcis.folding import fold_time, has_long_fraction
from sealtrail.epcis.vocabulary import COMPONENT, MEASUREMENT, SENSOR_ALERT

_TIMES = frozenset(("time", "startTime", "endTime"))
_WORDS = {
    "type": MEASUREMENT.web_uris,
    "exception": SENSOR_ALERT.web_uris,
    "component": COMPONENT.web_uris,
}
_METADATA = (
    "time", "startTime", "endTime", "deviceID", "deviceMetadata", "rawData", "dataProcessingMethod", "bizRules",
)  # fmt: skip
_REPORT = (
    "type", "exception", "deviceID", "deviceMetadata", "rawData", "dataProcessingMethod", "time", "microorganism",
    "chemicalSubstance", "value", "component", "stringValue", "booleanValue", "hexBinaryValue", "uriValue",
    "minValue", "maxValue", "meanValue", "sDev", "percRank", "percValue", "uom", "coordinateReferenceSystem",
)  # fmt: skip


def sensor_text(out: list[str], _: str, value: list[dict[str, Any]], texts: Texts) -> None:
    """Write the standard fields of a ``sensorElementList``; CBV 2.0 has no name for the list itself."""
    elements = []
    for element in value:
        text = _fields("sensorMetadata", _METADATA, element.get("sensorMetadata", {}), texts)
        reports = [
            _fields("sensorReport", _REPORT, report, texts) for report in element["sensorReport"]
        ]
        text += "".join(sorted(reports))
        if text:
            elements.append("sensorElement" + text)
    elements.sort()
    out += elements


def _fields(name: str, order: tuple[str, ...], fields: dict[str, Any], texts: Texts) -> str:
    text = ""
    for key in order:
        if key in fields and (folded := _field(key, fields[key], texts)):
            text += f"{key}={folded}"
    return name + text if text else ""


def _field(key: str, value: Any, texts: Texts) -> str:
    if key in _TIMES:
        if has_long_fraction(value):
            texts.doubts.add(Ambiguity.TIME_FRACTION)
        return fold_time(value)
    words = _WORDS.get(key)
    if words is not None:
        return words.get(value) or texts.value(value)
    return texts.scalar(value)


def sensor_extensions(
    out: list[str], rest: list[str], value: list[dict[str, Any]], texts: Texts
) -> None:
    """Write what the standard does not define in sensor elements: behind the event's own fields, with their path."""
    if not any(_unknown(element) for element in value):
        return
    if len(value) > 1:
        value = sorted(value, key=lambda element: _order(element, texts))
    blocks = [_block(element, texts) for element in value]
    if any(blocks):
        out += [f"sensorElement{block}" for block in blocks if block]
        return
    # the reference sees no extensions here and puts the leftovers of the list at the very end
    left = sorted(
        f"sensorElement{text}" for element in value if (text := _leftover(element, texts))
    )
    if left:
        rest.append("sensorElementList" + "".join(left))


def _unknown(element: dict[str, Any]) -> bool:
    return (
        bool(element.keys() - {"sensorMetadata", "sensorReport"})
        or bool(element.get("sensorMetadata", {}).keys() - set(_METADATA))
        or any(report.keys() - set(_REPORT) for report in element["sensorReport"])
    )


def _parts(element: dict[str, Any], texts: Texts) -> list[tuple[str, dict[str, Any]]]:
    """Return metadata, reports and the element itself, each reduced to what is not standard there."""
    reports = element["sensorReport"]
    if len(reports) > 1:
        reports = sorted(reports, key=lambda report: _order(report, texts))
    metadata = element.get("sensorMetadata", {})
    return [
        ("sensorMetadata", {k: v for k, v in metadata.items() if k not in _METADATA}),
        *(("sensorReport", {k: v for k, v in r.items() if k not in _REPORT}) for r in reports),
        ("", {k: v for k, v in element.items() if k not in ("sensorMetadata", "sensorReport")}),
    ]


def _block(element: dict[str, Any], texts: Texts) -> str:
    block = ""
    for name, fields in _parts(element, texts):
        inner = element_texts(texts.with_path_namespace(fields), texts)
        if inner:
            block += name + "".join(sorted(inner))
    return block


def _leftover(element: dict[str, Any], texts: Texts) -> str:
    entries: list[str] = []
    for name, fields in _parts(element, texts):
        inner = sorted(element_texts(fields, texts, inside=True))
        if inner:
            entries += inner if name == "" else [name + "".join(inner)]
    return "".join(sorted(entries))


def _order(value: Any, texts: Texts) -> Any:
    """Return what the reference sorts siblings by: the tree of names and values, itself sorted."""
    return _tree(value, texts)[2]


def _tree(value: Any, texts: Texts) -> tuple[str, str, list[Any]]:
    if isinstance(value, dict):
        children: list[Any] = []
        for key, child in value.items():
            name = texts.name(key)
            if isinstance(child, list):
                trees = (_tree(element, texts) for element in child)
                children += [(name, text, below) for _, text, below in trees]
            elif key not in ("#text", "rdfs:comment", "comment"):
                _, text, below = _tree(child, texts)
                children.append((name, text, below))
        return "", "", sorted(children)
    if isinstance(value, list):
        return "", "", sorted(_tree(element, texts) for element in value)
    return "", texts.sort_text(value), []
