"""Canonical identifiers: one item, one name, however it is written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sealtrail.epcis.folding import fold, fold_identifier
from sealtrail.gs1 import canonical
from sealtrail.gs1.check_digit import check_digit, has_check_digit
from sealtrail.gs1.hash_form import hash_form

BASE = "https://id.gs1.org/"

URNS = [
    ("urn:epc:id:sgtin:0614141.107346.2018", "01/10614141073464/21/2018"),
    ("urn:epc:id:sgtin:061414112345.7.A", "01/70614141123451/21/A"),
    ("urn:epc:id:sgtin:0614141.812345.6789%2F%26%25%22!%3F()", "01/80614141123458/21/6789%2F%26%25%22%21%3F%28%29"),
    ("urn:epc:id:sscc:0614141.1234567890", "00/106141412345678908"),
    ("urn:epc:id:sgln:0614141.12345.0", "414/0614141123452"),
    ("urn:epc:id:sgln:0614141.12345.400", "414/0614141123452/254/400"),
    ("urn:epc:id:pgln:0614141.12345", "417/0614141123452"),
    ("urn:epc:id:pgln:859839494502.", "417/8598394945028"),
    ("urn:epc:id:grai:0614141.12345.400", "8003/00614141123452400"),
    ("urn:epc:id:grai:123456789012..4", "8003/012345678901284"),
    ("urn:epc:id:giai:0614141.12345400", "8004/061414112345400"),
    ("urn:epc:id:gsrn:0614141.1234567890", "8018/061414112345678902"),
    ("urn:epc:id:gsrnp:0614141.1234567890", "8017/061414112345678902"),
    ("urn:epc:id:gdti:0614141.12345.400", "253/0614141123452400"),
    ("urn:epc:id:cpi:0614141.123ABC.123456789", "8010/0614141123ABC/8011/123456789"),
    ("urn:epc:id:sgcn:4012345.67890.04711", "255/401234567890104711"),
    ("urn:epc:id:ginc:0614141.xyz47%2F11", "401/0614141xyz47%2F11"),
    ("urn:epc:id:gsin:0614141.123456789", "402/06141411234567890"),
    ("urn:epc:id:itip:4012345.012345.01.02.987", "8006/040123451234560102/21/987"),
    ("urn:epc:id:upui:1234567.089456.51qIgY)%3C%26Jp3*j7'SDB", "01/01234567894560/235/51qIgY%29%3C%26Jp3%2Aj7'SDB"),
    ("urn:epc:class:lgtin:4012345.012345.998877", "01/04012345123456/10/998877"),
    ("urn:epc:idpat:sgtin:0614141.107346.*", "01/10614141073464"),
    ("urn:epc:idpat:itip:4012345.012345.01.02.*", "8006/040123451234560102"),
    ("urn:epc:idpat:gdti:0614141.12345.*", "253/0614141123452"),
]  # fmt: skip

LINKS = [
    ("https://example.com/some/stem/01/10614141073464/21/2018", "01/10614141073464/21/2018"),
    ("https://example.com/gtin/10614141073464/ser/2018?17=271231#x", "01/10614141073464/21/2018"),
    ("http://ID.GS1.org/01/10614141073464/10/LOT/21/2018", "01/10614141073464/21/2018"),
    ("https://id.gs1.org/01/614141073464/10/LOT", "01/00614141073464/10/LOT"),
    ("https://id.gs1.org/01/10614141073464/22/2A", "01/10614141073464"),
    ("https://id.gs1.org/01/10614141073464/21/a%2fb", "01/10614141073464/21/a%2Fb"),
    ("https://id.gs1.org/01/10614141073464/21/%41", "01/10614141073464/21/A"),
    ("https://id.gs1.org/414/0614141123452/254/400/", "414/0614141123452/254/400"),
    ("https://shop.example/01/00/106141412345678908", "00/106141412345678908"),
    ("https://example.com/8010/0614141123ABC/8011/1", "8010/0614141123ABC/8011/1"),
]

CAPITALS = [
    ("URN:EPC:ID:SGTIN:9521001.000101.PA1", BASE + "01/09521001001014/21/PA1"),
    ("urn:EPC:id:SgTiN:9521001.000101.pa1", BASE + "01/09521001001014/21/pa1"),
    ("URN:EPC:CLASS:LGTIN:4012345.012345.L7", BASE + "01/04012345123456/10/L7"),
    ("URN:EPC:IDPAT:SGTIN:0614141.107346.*", BASE + "01/10614141073464"),
    ("Urn:Epc:Id:Sgln:0614141.12345.aB", BASE + "414/0614141123452/254/aB"),
    ("HTTPS://ID.GS1.ORG/01/09521001001014/21/PA1", BASE + "01/09521001001014/21/PA1"),
    ("Http://Shop.Example/01/09521001001014/21/pa1", BASE + "01/09521001001014/21/pa1"),
    ("hTTPs://id.gs1.org/00/106141412345678908", BASE + "00/106141412345678908"),
    ("URN:EPC:ID:GID:95100000.12345.Ab", "urn:epc:id:gid:95100000.12345.Ab"),
    ("URN:EPC:TAG:SGTIN-96:3.0614141.812345.6A", "urn:epc:tag:sgtin-96:3.0614141.812345.6A"),
    ("URN:EPC:ID:SGTIN:0614141.1073464.A", "urn:epc:id:sgtin:0614141.1073464.A"),
]

OTHERS = [
    "urn:uuid:1af03ffb-0000-4000-8000-23868eb62023",
    "https://example.com/article/4711",
    "urn:epc:id:sgtin:0614141.1073464.2018",
    "urn:epc:id:sgtin:0614141.107346",
    "urn:epc:id:sscc:0614141.12345678901",
    "urn:epc:idpat:sgtin:0614141.*.*",
    "urn:epc:",
    "urn:epc:id:nothing:1.2.3",
    "https://id.gs1.org/01/123/21/1",
    "https://id.gs1.org/01/10614141073464/21/" + "A" * 21,
    "",
]


@pytest.mark.parametrize(("urn", "path"), URNS)
def test_a_urn_becomes_its_digital_link(urn: str, path: str) -> None:
    assert canonical(urn) == BASE + path


@pytest.mark.parametrize(("link", "path"), LINKS)
def test_a_digital_link_of_any_domain_becomes_canonical(link: str, path: str) -> None:
    assert canonical(link) == BASE + path


@pytest.mark.parametrize(("text", "name"), CAPITALS)
def test_capitals_before_the_serial_name_no_other_item(text: str, name: str) -> None:
    assert canonical(text) == name


def test_the_event_hash_keeps_a_urn_in_capitals_as_the_reference_does() -> None:
    urn = "URN:EPC:ID:SGTIN:9521001.000101.PA1"
    assert fold(urn) == hash_form(urn) == urn


@pytest.mark.parametrize("text", OTHERS)
def test_what_has_no_canonical_form_is_its_own(text: str) -> None:
    assert canonical(text) == text


@pytest.mark.parametrize("identifier", [urn for urn, _ in URNS] + [link for link, _ in LINKS])
def test_the_canonical_form_is_a_fixed_point(identifier: str) -> None:
    assert canonical(canonical(identifier)) == canonical(identifier)


def test_a_path_of_a_million_segments_is_read_at_once() -> None:
    text = "https://example.com" + "/01/a" * 300_000
    assert canonical(text) == text


def test_check_digits_are_those_of_the_general_specifications() -> None:
    assert check_digit("629104150021") == "3"
    assert check_digit("37610425002123456") == "9"
    assert has_check_digit("6291041500213")
    assert not has_check_digit("6291041500214")


def test_urns_of_the_openepcis_translator_convert_as_there(shared: Path) -> None:
    table = json.loads((shared / "vectors" / "identifiers-openepcis.json").read_text())
    count = 0
    for _, method, urn, _, link in table["vectors"]:
        # their inputs with characters that a URN must escape are no URNs by the Tag Data Standard
        if method not in ("toURI", "toURIForClassLevelIdentifier") or set(urn) & set('"%&/<>?!'):
            continue
        if urn.endswith("..*") and ":cpi:" in urn:
            continue
        assert canonical(urn) == link
        count += 1
    assert count > 65


@pytest.mark.parametrize(
    ("link", "written"),
    [
        # as the reference does: a text without any dot is no identifier to it
        ("https://localhost/01/09521234543213/21/A", None),
        ("https://localhost:80/00/952123454321300001", None),
        ("http://intranet/shop/01/09521234543213", None),
        ("https://localhost/01/09521234543213/21/A.B", "01/09521234543213/21/A.B"),
        ("https://a.example/01/09521234543213/21/A", "01/09521234543213/21/A"),
    ],
)
def test_the_event_hash_leaves_a_link_on_a_host_without_a_dot_alone(
    link: str, written: str | None
) -> None:
    assert hash_form(link) == (link if written is None else f"https://id.gs1.org/{written}")
    assert fold(link) == hash_form(link)
    assert canonical(link).startswith("https://id.gs1.org/0")


@pytest.mark.parametrize(
    ("urn", "written"),
    [
        ("urn:epc:id:sgtin:9521234.012345.A!(B)*+,:=", "01/09521234123453/21/A!(B)*+,:="),
        ("urn:epc:id:sgtin:9521234.012345.A!%2F%2f(B)", "01/09521234123453/21/A!%2F%2f(B)"),
        ("urn:epc:class:lgtin:9521234.012345.L+1", "01/09521234123453/10/L+1"),
        ("urn:epc:id:giai:9521234.A,B", "8004/9521234A,B"),
        ("urn:epc:id:upui:9521234.012345.'(X)%3C", "01/09521234123453/235/'(X)%3C"),
    ],
)
def test_the_event_hash_escapes_nothing_that_a_urn_does_not(urn: str, written: str) -> None:
    assert hash_form(urn) == fold_identifier(urn) == f"https://id.gs1.org/{written}"


@pytest.mark.parametrize("serial", ["7", "7%2F"])
def test_the_event_hash_leaves_a_grai_with_a_long_prefix_alone(serial: str) -> None:
    urn = f"urn:epc:id:grai:952123456789..{serial}"
    assert hash_form(urn) == urn != canonical(urn)
