"""How a delivery is split into packages, and which addresses a node calls."""

from __future__ import annotations

import pytest

from sealtrail.epcis import DEFAULT
from sealtrail.errors import InputError
from sealtrail.evidence import PackageLimits
from sealtrail.peers.client import PlainHttp, check_url
from sealtrail.services.exchange.parcels import (
    ENTRY_BYTES,
    PART_BYTES_MAX,
    PART_ENTRIES_MAX,
    split,
)
from sealtrail.store.events import EntrySize

SUBJECT = b"subject"


def ids(count: int) -> list[bytes]:
    return [b"%d" % n for n in range(count)]


def test_a_small_history_goes_in_one_package_with_its_subject_last() -> None:
    assert split(SUBJECT, [*ids(2), SUBJECT], {}) == ((b"0", b"1", SUBJECT),)


def test_a_shipment_without_history_goes_alone() -> None:
    assert split(SUBJECT, [SUBJECT], {}) == ((SUBJECT,),)


def test_no_package_has_more_entries_than_checkpoints_are_allowed() -> None:
    parts = split(SUBJECT, ids(2 * PART_ENTRIES_MAX), {})
    assert max(map(len, parts)) == PART_ENTRIES_MAX
    assert {part[-1] for part in parts} == {SUBJECT}
    assert [e for part in parts for e in part[:-1]] == ids(2 * PART_ENTRIES_MAX)


def test_a_package_ends_where_its_contents_reach_the_limit() -> None:
    half = EntrySize(PART_BYTES_MAX // 2 - ENTRY_BYTES)
    parts = split(SUBJECT, ids(3), dict.fromkeys(ids(3), half))
    assert parts == ((b"0", b"1", SUBJECT), (b"2", SUBJECT))


def test_a_content_over_the_limit_goes_alone() -> None:
    parts = split(SUBJECT, ids(3), {b"1": EntrySize(PART_BYTES_MAX * 2)})
    assert parts == ((b"0", SUBJECT), (b"1", SUBJECT), (b"2", SUBJECT))


LIMITS = PackageLimits(values_max=100, items_max=10, references_max=10)


@pytest.mark.parametrize(
    "size",
    [
        EntrySize(content_bytes=80),  # 40 values at most
        EntrySize(item_keys_bytes=4 * 32),
        EntrySize(references_bytes=4 * 33),
    ],
)
def test_a_package_ends_where_its_entries_have_what_a_receiver_takes(size: EntrySize) -> None:
    three = dict.fromkeys([*ids(3), SUBJECT], size)
    parts = split(SUBJECT, ids(3), three, LIMITS)
    assert parts == ((b"0", SUBJECT), (b"1", SUBJECT), (b"2", SUBJECT))


@pytest.mark.parametrize("size", [EntrySize(400), EntrySize(0, 11 * 32), EntrySize(0, 0, 11 * 33)])
def test_an_entry_that_no_receiver_takes_is_left_out(size: EntrySize) -> None:
    assert split(SUBJECT, ids(3), {b"1": size}, LIMITS) == ((b"0", b"2", SUBJECT),)


def test_every_event_that_can_be_recorded_goes_beside_any_other() -> None:
    largest = EntrySize(DEFAULT.content_bytes_max, 32 * (3 * DEFAULT.items_count_max + 1))
    parts = split(SUBJECT, ids(1), dict.fromkeys([b"0", SUBJECT], largest))
    assert parts == ((b"0", SUBJECT),)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://peer.example/",
        "file:///etc/passwd",
        "https://",
        "https://user:secret@peer.example/",
        "https://peer.example:99999/",
        "http://peer.example/",
        "http://10.0.0.7:8700/",
        "http://127.0.0.1.peer.example/",
        "//peer.example/",
        "",
    ],
)
def test_an_address_that_must_not_be_called_is_refused(url: str) -> None:
    with pytest.raises(InputError) as caught:
        check_url(url, PlainHttp.THIS_MACHINE)
    assert caught.value.code == "peer_url_refused"


@pytest.mark.parametrize(
    "url", ["https://peer.example", "http://127.0.0.1:8700", "http://[::1]:1", "http://localhost:1"]
)
def test_tls_and_this_machine_are_called(url: str) -> None:
    check_url(url, PlainHttp.THIS_MACHINE)


def test_plain_http_is_called_where_the_operator_allows_it() -> None:
    check_url("http://10.0.0.7:8700", PlainHttp.ANYWHERE)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8700", "http://[::1]:1", "http://localhost:1"])
def test_a_node_of_a_real_network_is_not_made_to_call_its_own_machine(url: str) -> None:
    allowed = PlainHttp.allowed_to("https://node.example", anywhere=False)
    with pytest.raises(InputError) as caught:
        check_url(url, allowed)
    assert caught.value.code == "peer_url_refused"


def test_nodes_of_one_machine_call_each_other() -> None:
    allowed = PlainHttp.allowed_to("http://127.0.0.1:8701", anywhere=False)
    check_url("http://localhost:8702", allowed)
