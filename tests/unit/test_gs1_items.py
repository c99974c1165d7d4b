"""Items from what a user types, and what is known of them from their identifier."""

from __future__ import annotations

import pytest

from sealtrail.errors import InputError
from sealtrail.gs1 import gln_of, item_of, lot_in, numbering_digits, parse_item

PACK = "https://id.gs1.org/01/10614141073464/21/2018"


@pytest.mark.parametrize(
    "text",
    [
        "urn:epc:id:sgtin:0614141.107346.2018",
        "https://dl.example/x/01/10614141073464/10/L7/21/2018?17=271231",
        "URN:EPC:ID:SGTIN:0614141.107346.2018",
        "HTTPS://ID.GS1.ORG/01/10614141073464/21/2018",
        "(01)10614141073464(21)2018",
        "  (01)10614141073464(17)271231(10)L7(21)2018\n",
    ],
)
def test_every_way_of_writing_a_pack_names_the_same_item(text: str) -> None:
    item = parse_item(text)
    assert (item.canonical, item.scheme) == (PACK, "sgtin")
    assert (item.gtin, item.serial) == ("10614141073464", "2018")


def test_an_element_string_keeps_lot_and_expiry() -> None:
    item = parse_item("(01)10614141073464(21)2018(17)271231(10)L7")
    assert (item.lot, item.expiry) == ("L7", "271231")


def test_day_zero_of_an_expiry_is_kept_as_given() -> None:
    assert parse_item("(01)10614141073464(17)270200(21)1").expiry == "270200"


@pytest.mark.parametrize(
    ("text", "scheme"),
    [
        ("(00)106141412345678908", "sscc"),
        ("(01)10614141073464", "gtin"),
        ("(01)10614141073464(10)L7", "lgtin"),
        ("(8003)00614141123452A", "grai"),
        ("urn:uuid:1af03ffb-0000-4000-8000-23868eb62023", "other"),
        ("https://example.com/tote/17", "other"),
    ],
)
def test_the_scheme_is_told(text: str, scheme: str) -> None:
    assert parse_item(text).scheme == scheme


def test_a_bracket_inside_a_value_is_no_element() -> None:
    assert parse_item("(01)10614141073464(21)A(B)").serial == "A(B)"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "identifier_empty"),
        ("   ", "identifier_empty"),
        ("10614141073465", "identifier_check_digit"),
        ("a pack", "identifier_unrecognised"),
        ("\x00", "identifier_unrecognised"),
        ("urn:epc:id:sgtin:0614141.107346", "identifier_malformed"),
        ("urn:epc:id:sgtin:0614141.107346.a b", "identifier_malformed"),
        ("(01)10614141073465(21)1", "identifier_check_digit"),
        ("https://id.gs1.org/01/10614141073465/21/1", "identifier_check_digit"),
        ("(00)106141412345678909", "identifier_check_digit"),
        ("(01)123", "identifier_value_malformed"),
        ("(01)10614141073464(21)" + "A" * 21, "identifier_value_malformed"),
        ("(01)10614141073464(17)271331", "identifier_value_malformed"),
        ("(01)10614141073464(21)1(21)2", "identifier_ai_repeated"),
        ("(77)1", "identifier_key_count"),
        ("(21)1", "identifier_key_count"),
        ("(01)10614141073464(00)106141412345678908", "identifier_key_count"),
        ("(01", "identifier_malformed"),
        ("URN:EPC:ID:SGTIN:0614141.107346", "identifier_malformed"),
        ("(414)0614141123452(254)4", "identifier_of_no_item"),
        ("https://id.gs1.org/414/0614141123452", "identifier_of_no_item"),
        ("https://x.example/417/0614141123452?17=271231", "identifier_of_no_item"),
        ("urn:epc:id:sgln:0614141.12345.0", "identifier_of_no_item"),
        ("URN:EPC:ID:PGLN:0614141.12345", "identifier_of_no_item"),
        ("(01)10614141073464" + "(99)x" * 1000, "identifier_malformed"),
    ],
)
def test_what_is_no_identifier_is_refused_by_name(text: str, code: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_item(text)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("identifier", "digits"),
    [
        ("urn:epc:id:sgtin:0614141.107346.2018", "0614141073464"),
        ("https://id.gs1.org/00/106141412345678908", "06141412345678908"),
        ("urn:epc:id:sgln:0614141.12345.0", "0614141123452"),
        ("urn:epc:id:grai:0614141.12345.400", "0614141123452"),
        ("urn:epc:id:giai:0614141.X12", "0614141"),
        ("urn:uuid:1af03ffb-0000-4000-8000-23868eb62023", None),
        ("https://example.com/tote/17", None),
    ],
)
def test_numbering_digits_are_those_a_right_is_matched_on(
    identifier: str, digits: str | None
) -> None:
    assert numbering_digits(identifier) == digits


@pytest.mark.parametrize(
    ("identifier", "gln"),
    [
        ("urn:epc:id:sgln:0614141.12345.0", "0614141123452"),
        ("urn:epc:id:pgln:0614141.12345", "0614141123452"),
        ("https://x.example/417/0614141123452", "0614141123452"),
        ("https://id.gs1.org/414/0614141123452/254/9", "0614141123452"),
        ("urn:epc:id:sgtin:0614141.107346.2018", None),
        ("https://example.com", None),
    ],
)
def test_a_gln_is_found_in_places_and_parties_only(identifier: str, gln: str | None) -> None:
    assert gln_of(identifier) == gln


def test_a_digital_link_with_lot_and_serial_names_its_lot() -> None:
    link = "https://x.example/01/10614141073464/10/L%2F7/21/2018"
    assert lot_in(link) == "https://id.gs1.org/01/10614141073464/10/L%2F7"
    assert lot_in(PACK) is None
    assert lot_in("https://id.gs1.org/01/10614141073464/10/L7") is None


def test_an_item_of_anything_is_never_refused() -> None:
    assert item_of("\ud800 nonsense").scheme == "other"
    assert item_of(PACK).serial == "2018"
    assert item_of("urn:epc:id:sscc:0614141.1234567890").sscc == "106141412345678908"


@pytest.mark.parametrize(
    ("query", "lot", "expiry"),
    [
        ("?17=301231", None, "301231"),
        ("?exp=301231&lot=L%2F7", "L/7", "301231"),
        ("?10=L7&linkType=gs1:pip", "L7", None),
        ("?17=301231&17=301231#x", None, "301231"),
        ("", None, None),
    ],
)
def test_lot_and_expiry_in_a_links_query_are_read(
    query: str, lot: str | None, expiry: str | None
) -> None:
    item = parse_item("https://id.gs1.org/01/09521001001014/21/A1" + query)
    assert item.canonical == "https://id.gs1.org/01/09521001001014/21/A1"
    assert (item.lot, item.expiry) == (lot, expiry)


@pytest.mark.parametrize(
    "query", ["?17=tomorrow", "?17=301399", "?17=301231&17=291231", "?10=", "?10=A(17)301231"]
)
def test_a_links_query_that_is_malformed_or_contradicts_itself_is_refused(query: str) -> None:
    with pytest.raises(InputError):
        parse_item("https://id.gs1.org/01/09521001001014/21/A1" + query)


def test_a_links_query_is_read_whatever_its_host_looks_like() -> None:
    assert parse_item("https://[x/01/09521001001014/21/A1?17=301231").expiry == "301231"


def test_a_links_query_that_contradicts_its_path_is_refused() -> None:
    with pytest.raises(InputError, match="identifier_contradictory"):
        parse_item("https://id.gs1.org/01/09521001001014/10/L7/21/A1?10=L8")


@pytest.mark.parametrize("link", ["8004/ABC", "253/0614141123452" + "x" * 20, "8013/ab"])
def test_a_recorded_link_can_be_asked_for_whatever_its_value_is(link: str) -> None:
    assert parse_item(f"https://id.gs1.org/{link}").canonical == f"https://id.gs1.org/{link}"
