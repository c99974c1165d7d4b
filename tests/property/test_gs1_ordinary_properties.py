"""Identifiers in ordinary spellings, read in one go, come out as they do by the long way."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from sealtrail.epcis.context import Names
from sealtrail.epcis.fields import is_uri
from sealtrail.epcis.folding import fold, fold_identifier
from sealtrail.gs1.canonical import read_ordinary
from sealtrail.gs1.check_digit import check_digit
from sealtrail.gs1.digital_link import parse_digital_link
from sealtrail.gs1.hash_form import hash_form
from sealtrail.gs1.urn import digital_link_of_urn

SCHEMES = [
    "id:sgtin", "class:lgtin", "id:upui", "id:sscc", "id:sgln", "id:pgln", "id:giai", "id:ginc", "id:gdti",
    "id:grai", "id:itip", "id:gsrn", "id:cpi", "idpat:sgtin", "idpat:grai", "idpat:cpi", "id:none",
]  # fmt: skip
DIGITS = st.text("0123456789", min_size=1, max_size=12)
SERIALS = st.text("aZ09'-.;=_", min_size=1, max_size=24)
ODD = st.text('aZ0.%/ ?#:+2F!*"\u0661\n', max_size=26)
WORDS = st.sampled_from(["urn:epcglobal:cbv:btt:po", "urn:epcglobal:cbv:er:", "*", "01.02.7", ""])
STEMS = st.sampled_from(
    [
        "https://id.gs1.org/01/09521234543213/21/",
        "https://id.gs1.org/01/09521234543213/10/",
        "https://id.gs1.org/01/09521234543213",
        "https://id.gs1.org/00/",
        "https://id.gs1.org/417/",
        "https://id.gs1.org/414/9521234543206/254/",
        "https://example.org/some/stem/01/09521234543213/21/",
        "https://example.org:8080/01/09521234543213/10/L7/21/",
        "https://urn:epcglobal:cbv:er:x/01/09521234543213/21/",
        "https://example .org/01/09521234543213/21/",
        "https://[::1]/01/09521234543213/21/",
        "HTTP://example.org/01/09521234543213/21/",
        "https://example.org/8003/09521234543213",
        "https://ref.gs1.org/cbv/BTT-",
    ]
)


@st.composite
def urns(draw: st.DrawFn) -> str:
    scheme = draw(st.sampled_from(SCHEMES))
    size = (
        17 if scheme in ("id:sscc", "id:gsrn") else 12 if "gln" in scheme or "g" in scheme else 13
    )
    size = draw(st.sampled_from([size, 12, 13, 17]))
    digits = draw(st.text("0123456789", min_size=size, max_size=size))
    cut = draw(st.integers(5, 12))
    behind = draw(st.sampled_from(["", "."])) + draw(SERIALS | ODD | WORDS)
    return f"urn:epc:{scheme}:{digits[:cut]}.{digits[cut:]}{behind}"


LINKS = st.builds(str.__add__, STEMS, DIGITS | SERIALS | ODD | WORDS)


@given(urns() | LINKS | ODD)
@settings(max_examples=500)
def test_an_ordinary_identifier_is_what_it_is_by_the_long_way(text: str) -> None:
    ordinary = read_ordinary(text)
    if ordinary is None:
        return
    link = parse_digital_link(text)
    assert ordinary == (digital_link_of_urn(text) or text if link is None else link.canonical)
    assert ordinary == hash_form(text)
    assert is_uri(text)


@given(urns() | LINKS | ODD)
@settings(max_examples=500)
def test_an_identifier_is_folded_alike_by_the_short_way(text: str) -> None:
    assert fold_identifier(text) == fold(text)


PREFIXES = {"gs1": "https://ref.gs1.org/voc/", "acme": "https://acme.example/"}
CONTEXTS = st.sampled_from(
    [
        {},
        {"urn": "https://ref.gs1.org/x/"},
        {"https": "https://gs1.org/"},
        {"httpx": "https://gs1.org/"},
    ]
)


@given(
    CONTEXTS, urns() | LINKS | st.sampled_from(["gs1:a", "acme:a", "httpx:01/2", "http:a", "urn:a"])
)
@settings(max_examples=300)
def test_a_value_is_folded_behind_its_prefix_written_out(own: dict[str, str], text: str) -> None:
    names = Names(PREFIXES | own)
    assert names.value(text) == fold(names.expanded(text))


@given(DIGITS, st.text("ABC019", min_size=1, max_size=20))
def test_ordinary_spellings_are_read_in_one_go(digits: str, serial: str) -> None:
    number = digits.zfill(13)
    assert read_ordinary(f"urn:epc:id:sgtin:{number[:7]}.{number[7:]}.{serial}")
    assert read_ordinary(f"urn:epc:class:lgtin:{number[:7]}.{number[7:]}.{serial}")
    assert read_ordinary(f"urn:epc:id:sscc:{number[:7]}.{number[3:]}")
    assert read_ordinary(f"urn:epc:id:sgln:{number[:7]}.{number[8:]}.{serial}")
    assert read_ordinary(f"urn:epc:id:pgln:{number[:7]}.{number[8:]}")
    assert read_ordinary(f"https://id.gs1.org/01/0{number}/21/{serial}")
    assert read_ordinary(f"https://shop.example/a/01/0{number}/10/{serial}/21/{serial}")


@given(st.text("0123456789", max_size=56))
def test_the_check_digit_completes_the_weighted_sum_to_a_multiple_of_ten(digits: str) -> None:
    whole = digits + check_digit(digits)
    weighted = sum(int(d) * (3 if n % 2 else 1) for n, d in enumerate(reversed(whole)))
    assert weighted % 10 == 0
