"""Packs read in one go come out as each does by itself."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sealtrail.epcis.fields import is_uri
from sealtrail.epcis.folding import fold
from sealtrail.gs1 import canonical, gtin_of_pack, lot_in
from sealtrail.gs1.packs import read_packs

SERIALS = st.text("aZ09'-.;=_", min_size=1, max_size=20)
ODD = st.text("aZ0.%/ ?#:+2F\u0661\n", max_size=22)
LINK_STEMS = st.sampled_from(
    [
        "https://id.gs1.org/01/09521234543213/21/",
        "http://example.org/some/stem/01/09521234543213/21/",
        "https://example.org:8080/01/09521234543213/10/L7/21/",
        "https://example.org/01/09521234543213/10/l.8/21/",
        "https://localhost/01/09521234543213/21/",
        "https://example.org/01/09521234543213/22/V/21/",
        "https://example.org/gtin/09521234543213/ser/",
        "https://example.org/8006/095212345432130102/21/",
        "https://example.org/00/",
        "HTTP://example.org/01/09521234543213/21/",
    ]
)
URN_STEMS = st.sampled_from(
    [
        "urn:epc:id:sgtin:9521234.054321.",
        "urn:epc:id:sgtin:952123405432.1.",
        "urn:epc:id:sgtin:9521234.0543211.",
        "urn:epc:id:sgtin:9521234.",
        "urn:epc:id:itip:4012345.012345.01.02.",
        "urn:epc:id:sscc:9521234.",
    ]
)


def lists(stems: st.SearchStrategy[str]) -> st.SearchStrategy[list[str]]:
    return st.lists(st.builds(str.__add__, stems, SERIALS | ODD), min_size=1, max_size=6)


@given(lists(LINK_STEMS) | lists(URN_STEMS) | lists(LINK_STEMS | URN_STEMS))
def test_packs_in_one_go_are_what_each_is_by_itself(identifiers: list[str]) -> None:
    packs = read_packs(tuple(identifiers))
    if packs is None:
        return
    assert list(packs.canonical) == [canonical(each) for each in identifiers]
    assert list(packs.canonical) == [fold(each) for each in identifiers]
    assert list(packs.gtins) == list(dict.fromkeys(gtin_of_pack(each) for each in identifiers))
    lots = dict.fromkeys(lot for each in identifiers if (lot := lot_in(each)) is not None)
    assert list(packs.lots) == list(lots)
    assert all(is_uri(each) for each in identifiers)


@given(SERIALS)
def test_the_ordinary_spellings_are_read_in_one_go(serial: str) -> None:
    assert read_packs((f"https://id.gs1.org/01/09521234543213/21/{serial}",)) is not None
    if "." not in serial:
        assert read_packs((f"urn:epc:id:sgtin:9521234.054321.{serial}",)) is not None
