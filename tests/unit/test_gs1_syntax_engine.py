"""The vectors of GS1's own Barcode Syntax Engine, except where an exception is argued here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sealtrail.errors import InputError
from sealtrail.gs1 import read_scan
from sealtrail.gs1.elements import (
    check_associations,
    encode_element_string,
    parse_bracketed,
    parse_element_string,
)
from sealtrail.gs1.link_elements import encode_link, parse_link

# By the line in GS1's test sources. The engine has switches, and the vectors don't tell how they stood.
LINKS_THAT_WE_TAKE = {
    1344: "a URI's scheme is the same in any case (RFC 3986 section 3.1)",
    1435: "short names are taken always: the engine takes them by a switch",
    1454: "a GTIN-13 stands for its GTIN-14 always: by a switch there",
    1464: "a GTIN-12, as 1454",
    1474: "a GTIN-8, as 1454",
    1489: "a GTIN-13 in the query, as 1454",
    1499: "a GTIN-8 in the query, as 1454",
}
LINKS_THAT_WE_REFUSE = {
    1767: "an attribute whose digits GS1 has not assigned; the engine lets it pass by a switch",
}
LINKS_NOT_WRITTEN = {2206: "as 1767"}
ELEMENTS_IN_OTHER_WORDS = {
    1815: "the value is C source, not text",
    1822: "the value is C source, not text",
    1851: "the value is C source, not text",
    1860: "the value is C source, not text",
    1423: "the value is C source, not text",
    1427: "the value is C source, not text",
}
SYMBOLS_EMPTY = {
    852: "an empty QR symbol is no identifier of anything; the engine has nothing against it",
    879: "an empty Data Matrix symbol, as 852",
    894: "an empty DotCode symbol, as 852",
}
URIS = {980: "EPCIS names items by any URI, so one without a GS1 key is one of no GS1 number"}
# plain text in a symbol, which the engine passes on and which is no identifier
TEXT = {853, 854, 855, 880, 881, 882, 895, 896, 897}


def vectors(shared: Path, name: str) -> list[dict[str, Any]]:
    table = json.loads((shared / "vectors" / "gs1-syntax-engine.json").read_text())
    found: list[dict[str, Any]] = table["vectors"][name]
    assert found
    return found


def caret(elements: dict[str, str]) -> str:
    return "^" + encode_element_string(elements, fnc1="^")


def test_digital_links(shared: Path) -> None:
    for vector in vectors(shared, "test_parseDLuri"):
        line, (good, link, expected) = vector["line"], vector["args"]
        taken = (good == "true" or line in LINKS_THAT_WE_TAKE) and line not in LINKS_THAT_WE_REFUSE
        if not taken:
            with pytest.raises(InputError):
                parse_link(link)
            continue
        try:
            elements = parse_link(link)
        except InputError as error:
            raise AssertionError(f"{line}: {link}") from error
        if good == "true":
            assert caret(elements) == expected, line


def test_links_written(shared: Path) -> None:
    for vector in vectors(shared, "test_testGenerateDLuri"):
        line, (good, stem, bracketed, expected) = vector["line"], vector["args"]
        stem = "https://id.gs1.org/" if stem == "NULL" else stem
        if good == "true" and line not in LINKS_NOT_WRITTEN:
            assert encode_link(parse_bracketed(bracketed), stem) == expected, line
        else:
            with pytest.raises(InputError):
                encode_link(parse_bracketed(bracketed), stem)


def test_element_strings_with_fnc1(shared: Path) -> None:
    for vector in vectors(shared, "test_processAIdata"):
        line, (good, text) = vector["line"], vector["args"]
        if line in ELEMENTS_IN_OTHER_WORDS:
            continue
        first, body = text[:1], text[1:].replace("^", "\x1d")
        if good == "true":
            assert parse_element_string(body), line
        elif first == "^":  # without it, it is no GS1 data: the symbol says so, not its text
            with pytest.raises(InputError):
                parse_element_string(body)


def test_bracketed_element_strings(shared: Path) -> None:
    for vector in vectors(shared, "test_parseAIdata"):
        line, (good, text, expected) = vector["line"], vector["args"]
        if line in ELEMENTS_IN_OTHER_WORDS:
            continue
        text, expected = text.replace("\\\\", "\\"), expected.replace("\\\\", "\\")
        if good == "true":
            assert caret(parse_bracketed(text)) == expected, line
        else:
            with pytest.raises(InputError):
                parse_bracketed(text)


def test_what_may_stand_together(shared: Path) -> None:
    for vector in vectors(shared, "test_validateAIs"):
        line, (good, rule, text) = vector["line"], vector["args"]
        if good == "false":
            with pytest.raises(InputError):
                check_associations(parse_bracketed(text))
        elif rule == "validateAIrepeats":
            assert parse_bracketed(text), line
        else:
            check_associations(parse_bracketed(text))


def test_scans(shared: Path) -> None:
    for vector in vectors(shared, "test_testProcessScanData"):
        line, (good, text, _, expected) = vector["line"], vector["args"]
        if line in URIS:
            assert read_scan(text).kind == "uri"
            continue
        if good == "false" or line in SYMBOLS_EMPTY or line in TEXT:
            with pytest.raises(InputError):
                read_scan(text)
            continue
        scan = read_scan(text)
        number, _, composite = expected.partition("|")
        if expected.startswith("^"):
            assert caret(scan.elements) == expected, line
        elif scan.kind == "digital_link":
            assert scan.identifier == expected, line
        else:
            behind = encode_element_string(scan.elements, "^").removeprefix("01" + number.zfill(14))
            assert behind == composite.removeprefix("^"), line


def test_what_a_symbol_would_send_reads_back(shared: Path) -> None:
    count = 0
    for vector in vectors(shared, "test_testGenerateScanData"):
        _, given, sent = vector["args"]
        if sent == "NULL" or not given.startswith("^") or "|" in given:
            continue
        assert caret(read_scan(sent).elements) == given.rstrip("^")
        count += 1
    assert count == 8
