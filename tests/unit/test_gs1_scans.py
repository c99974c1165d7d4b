"""What scanners send and hands type, and what is refused rather than guessed."""

from __future__ import annotations

import pytest

from sealtrail.errors import InputError
from sealtrail.gs1 import parse_item, read_scan
from sealtrail.gs1.elements import encode_bracketed, parse_bracketed

GTIN = "10614141073464"
PACK = f"https://id.gs1.org/01/{GTIN}/21/A1B2"
FULL = {"01": GTIN, "21": "A1B2", "17": "271231", "10": "L7"}
GS = "\x1d"


def refused(text: str) -> InputError:
    with pytest.raises(InputError) as caught:
        parse_item(text)
    return caught.value


@pytest.mark.parametrize(
    "text",
    [
        f"01{GTIN}21A1B2{GS}1727123110L7",
        f"{GS}01{GTIN}21A1B2{GS}1727123110L7{GS}",
        f"]d201{GTIN}21A1B2{GS}1727123110L7",
        f"]Q301{GTIN}1727123110L7{GS}21A1B2",
        f"]C101{GTIN}1727123110L7{GS}21A1B2",
        f"]e010L7{GS}21A1B2{GS}17271231{GS}01{GTIN}",
        f"]J101{GTIN}21A1B2{GS}10L7{GS}17271231",
        f"]d2{GS}01{GTIN}21A1B2{GS}1727123110L7",
        f"]d201{GTIN}21A1B2^1727123110L7",
        f"01{GTIN}21A1B2{{GS}}1727123110L7",
        f"01{GTIN}21A1B2<GS>1727123110L7",
        f"01{GTIN}21A1B2{{FNC1}}1727123110L7",
        f"01{GTIN}21A1B2\u241d1727123110L7",
        f"(01){GTIN}(21)A1B2(17)271231(10)L7",
        f"[)>\x1e05\x1d01{GTIN}21A1B2{GS}1727123110L7\x1e\x04",
        f"  (01) {GTIN} (21) A1B2\n(17) 271231\u00a0(10) L7\r\n",
    ],
)
def test_every_way_of_sending_a_pack_says_the_same(text: str) -> None:
    assert read_scan(text).elements == FULL
    item = parse_item(text)
    assert (item.canonical, item.lot, item.expiry) == (PACK, "L7", "271231")


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        (GTIN, f"01/{GTIN}"),
        ("1 06 14141 07346 4", f"01/{GTIN}"),
        ("0614141123452", "01/00614141123452"),
        ("4012345678901", "01/04012345678901"),
        ("614141073467", "01/00614141073467"),
        ("95200002", "01/00000095200002"),
        ("]E04012345678901", "01/04012345678901"),
        ("]E495200002", "01/00000095200002"),
        (f"]I1{GTIN}", f"01/{GTIN}"),
        ("106141412345678908", "00/106141412345678908"),
        ("00106141412345678908", "00/106141412345678908"),
        ("]C100106141412345678908", "00/106141412345678908"),
        ("]Q1https://example.com/01/10614141073464/21/A1B2?17=271231", f"01/{GTIN}/21/A1B2"),
        ("]d1HTTPS://EXAMPLE.COM/01/10614141073464/21/A1B2", f"01/{GTIN}/21/A1B2"),
        ("]Q1urn:epc:id:sgtin:0614141.107346.A1B2", f"01/{GTIN}/21/A1B2"),
        ("urn:epc:tag:sgtin-198:3.0614141.107346.A1B2", f"01/{GTIN}/21/A1B2"),
        ("urn:epc:tag:sscc-96:0.0614141.1234567890", "00/106141412345678908"),
        ("]d1(01)10614141073464(21)A1B2", f"01/{GTIN}/21/A1B2"),
        (f"]d10100000000000000{GTIN}"[:3] + GTIN, f"01/{GTIN}"),
        ("(00)106141412345678908(02)10614141073464(37)12(410)0614141123452", "00/106141412345678908"),
        ("(00)106141412345678908(401)0614141X(414)0614141123452", "00/106141412345678908"),
        ("(01)10614141073464(21)A(7043)kept(99)x", f"01/{GTIN}/21/A"),
    ],
)  # fmt: skip
def test_what_names_one_item_is_taken(text: str, canonical: str) -> None:
    assert parse_item(text).canonical == f"https://id.gs1.org/{canonical}"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("]", "symbology_unsupported"),
        ("]??1", "symbology_unsupported"),
        ("]d2", "identifier_malformed"),
        ("]d1", "identifier_empty"),
        ("]d1]d1" * 50, "identifier_unrecognised"),
        ("]d1" + "(" * 80, "identifier_malformed"),
        ("]E04012345678902", "identifier_check_digit"),
        ("]E0401234567890", "identifier_value_malformed"),
        ("4012345678902", "identifier_check_digit"),
        ("10614141073465", "identifier_check_digit"),
        ("1234567", "identifier_value_malformed"),
        ("5", "identifier_unrecognised"),
        ("urn:epc:tag:sgtin-96:9.0614141.107346.1", "identifier_malformed"),
        ("urn:epc:tag:sgtin-96:3.0614141.107346", "identifier_malformed"),
        ("(410)0614141123452", "identifier_key_count"),
        ("10L7", "identifier_key_count"),
        (f"01{GTIN}{GS}{GS}21A", "identifier_malformed"),
        (f"01{GTIN}21{GS}10L7", "identifier_value_malformed"),
        (f"01{GTIN}77X", "identifier_ai_unknown"),
        (f"01{GTIN}17271331", "identifier_value_malformed"),
        (f"01{GTIN}17270230", "identifier_value_malformed"),
        (f"(01){GTIN}(422)999", "identifier_value_malformed"),
        (f"01{GTIN}21A{GS}21B", "identifier_ai_repeated"),
        ("0106141410734", "identifier_check_digit"),
        (f"01{GTIN}21é", "identifier_value_malformed"),
        ("0" * 501, "identifier_malformed"),
        ("[)>\x1e05\x1dx", "identifier_malformed"),
        ("[)>\x1e07\x1dx", "identifier_malformed"),
    ],
)
def test_what_is_no_scan_is_refused_by_name(text: str, code: str) -> None:
    assert refused(text).code == code


def test_a_lost_fnc1_that_leaves_two_readings_is_refused_with_both() -> None:
    error = refused(f"01{GTIN}21A1B21727123110L7")
    assert error.code == "scan_ambiguous"
    candidates = error.context["candidates"]
    assert f"(01){GTIN}(21)A1B21727123110L7" in candidates
    assert f"(01){GTIN}(21)A1B2(17)271231(10)L7" in candidates
    assert all(parse_item(candidate).gtin == GTIN for candidate in candidates)


def test_a_date_that_may_hide_in_a_serial_is_doubted_even_from_a_scanner_that_says_what_it_is() -> (
    None
):
    assert refused(f"]d201{GTIN}21A1B21727123110L7").code == "scan_ambiguous"


def test_a_lot_that_may_hide_a_serial_is_doubted_where_no_scanner_vouches() -> None:
    assert refused(f"01{GTIN}1727123110L721A1B2").code == "scan_ambiguous"
    assert parse_item(f"]d201{GTIN}1727123110L721A1B2").lot == "L721A1B2"


def test_a_serial_with_an_ai_s_digits_in_it_is_a_serial() -> None:
    assert parse_item(f"01{GTIN}2112345610789").serial == "12345610789"
    assert parse_item(f"01{GTIN}21A1B21727123110L7{GS}").serial == "A1B21727123110L7"


def test_a_lost_fnc1_that_leaves_one_reading_is_read_and_said() -> None:
    scan = read_scan(f"01{GTIN}21ABCDEFGHIJKLMN17271231")
    assert scan.elements["17"] == "271231"
    assert scan.notes == ("fnc1_missing",)


def test_many_possible_cuts_end_soon() -> None:
    error = refused(f"01{GTIN}17271231" + "21101021" * 50)
    assert error.code in ("scan_ambiguous", "identifier_value_malformed")


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("O1O4O12345678901", "letter_for_digit"),
        ("(01)1O614141073464(21)A1B2", "letter_for_digit"),
        (f"+d201{GTIN}21A1B2", "keyboard_layout"),
        (f")01={GTIN})21=A1B2", "keyboard_layout"),
        (
            f"01{GTIN}21A1B2".translate(str.maketrans("0123456789", "à&é\"'(-è_ç")),
            "keyboard_layout",
        ),
        (f"]D201{GTIN}21a1b2", "letter_case"),
    ],
)
def test_a_slip_is_a_hint_and_never_put_right(text: str, hint: str) -> None:
    error = refused(text)
    assert hint in error.context["hints"], error
    assert error.advice


@pytest.mark.parametrize(
    "fields",
    [
        ["9N110375286414", "1TL7", "D271231", "SA1B2"],
        ["SA1B2", "9N110375286414", "D271231", "1TL7"],
    ],
)
def test_an_envelope_with_a_german_number_names_the_ntin(fields: list[str]) -> None:
    text = "[)>\x1e06\x1d" + GS.join(fields) + "\x1e\x04"
    scan = read_scan(text)
    assert scan.data_identifiers["9N"] == "110375286414"
    assert scan.notes == ("ntin_of_ppn",)
    item = parse_item(text)
    assert (item.gtin, item.serial, item.lot) == ("04150037528643", "A1B2", "L7")
    shown = text.replace("\x1e", "{RS}").replace("\x1d", "{GS}").replace("\x04", "{EOT}")
    assert parse_item(shown) == parse_item("]d1" + text) == item


def test_an_envelope_s_own_gtin_counts_before_its_number() -> None:
    scan = read_scan(f"[)>\x1e06\x1d9N110375286414\x1d8P{GTIN}\x1dSA1B2\x1e\x04")
    assert (scan.elements["01"], scan.notes) == (GTIN, ())


@pytest.mark.parametrize(
    ("field", "code"),
    [
        ("9N110375286415", "identifier_check_digit"),
        ("9N12", "identifier_value_malformed"),
        ("D271331", "identifier_value_malformed"),
        ("1T" + "x" * 21, "identifier_value_malformed"),
        ("?", "identifier_malformed"),
        ("27Qkept", "identifier_without_gtin"),
        ("9N22ABC12345", "identifier_check_digit"),
    ],
)
def test_an_envelope_that_names_nothing_known_is_refused(field: str, code: str) -> None:
    assert refused(f"[)>\x1e06\x1d{field}\x1e\x04").code == code


def test_an_envelope_of_other_agencies_is_kept_and_names_no_item() -> None:
    ppn = "22ABC123"
    total = sum(ord(c) * weight for weight, c in enumerate(ppn, start=2)) % 97
    text = f"[)>\x1e06\x1d9N{ppn}{total:02}\x1dSA1\x1e\x04"
    assert read_scan(text).data_identifiers["S"] == "A1"
    assert refused(text).code == "identifier_without_gtin"


def test_a_bracket_in_a_value_survives() -> None:
    elements = {"01": GTIN, "21": "A(21)(B)"}
    assert parse_bracketed(encode_bracketed(elements)) == elements


def test_national_reimbursement_numbers_stand_beside_the_item() -> None:
    scan = read_scan(f"]d201{GTIN}21A1B2{GS}71215550")
    assert scan.elements["712"] == "15550"
