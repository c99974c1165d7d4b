"""The request file: what its member did not sign is refused."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from sealtrail.cli.member_request import (
    MemberRequest,
    load_request,
    make_request,
    parse_roles,
    role_names,
    save_request,
)
from sealtrail.errors import InputError, NotFoundError, SealtrailError, VerificationError
from sealtrail.membership.records import NumberingRight, Purpose, Role
from sealtrail.signing import Domain, EventSigner

DOMAIN = Domain(chain_id=31337, registry=b"\x01" * 20, genesis_hash=b"\x02" * 32)


def request() -> MemberRequest:
    return make_request(
        DOMAIN,
        EventSigner(b"\x07" * 32),
        name="Ürsus GmbH",
        roles=Role.MANUFACTURER | Role.DISTRIBUTOR,
        node_url="https://node.example",
        glns=["9521001000017"],
        rights=[NumberingRight(digits="9521001")],
        keys={Purpose.EVENT: b"\x03" * 20, Purpose.LOG: b"\x04" * 32, Purpose.PEER: b"\x05" * 32},
    )


def test_a_request_survives_its_file(tmp_path: Path) -> None:
    save_request(tmp_path / "r.json", request())
    read = load_request(tmp_path / "r.json")
    assert read == request()
    assert read.record().name == "Ürsus GmbH"
    assert len(read.record().keys) == 4


@pytest.mark.parametrize(
    "change",
    [
        {"name": "Somebody else"},
        {"roles": ["regulator"]},
        {"node_url": "https://evil.example"},
        {"glns": ["9521001000017", "9521002000016"]},
        {"numbering_rights": []},
        {"keys": []},
        {"member": "0x" + "09" * 20},
        {"chain_id": 1},
        {"registry": "0x" + "0a" * 20},
        {"genesis_hash": "0x" + "0b" * 32},
    ],
)
def test_a_changed_request_is_refused(change: dict[str, object]) -> None:
    changed = msgspec.structs.replace(request(), **change)
    with pytest.raises(VerificationError):
        changed.record()


@pytest.mark.parametrize(
    "change",
    [
        {"member": "0x12"},
        {"member": "zz"},
        {"roles": []},
        {"roles": ["king"]},
        {"consent": "0x"},
        {"registry": ""},
    ],
)
def test_a_malformed_request_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(SealtrailError) as caught:
        msgspec.structs.replace(request(), **change).record()
    assert caught.value.exit_code in (1, 2)


@pytest.mark.parametrize(
    "text", [b"", b"{}", b"[]", b'{"type": "x"}', b"[" * 9999, b'{"name": "\xff"}']
)
def test_what_is_no_request_is_refused(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "r.json"
    path.write_bytes(text)
    with pytest.raises(InputError) as caught:
        load_request(path)
    assert caught.value.code == "request_malformed"


def test_a_request_with_something_unknown_in_it_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    save_request(path, request())
    path.write_text(path.read_text().replace('"type"', '"also": 1, "type"', 1))
    with pytest.raises(InputError):
        load_request(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        load_request(tmp_path / "none")


def test_roles_go_by_name_and_back() -> None:
    assert role_names(parse_roles(["carrier", "auditor"])) == ["carrier", "auditor"]
