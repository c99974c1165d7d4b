"""Requests between nodes: what is signed holds, and nothing else does."""

from __future__ import annotations

import time

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sealtrail.errors import UnauthorizedError
from sealtrail.peers.signatures import (
    PeerKeyId,
    SignedBy,
    sign_request,
    verify_body,
    verify_request,
)

KEY = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)
KEY_ID = PeerKeyId(member=b"\x01" * 20, public=KEY.public_key().public_bytes_raw())
URL = "https://wholesaler.example/peer/v1/packages?since=3"
BODY = b'{"format":"x"}'


def signed(*, created: int | None = None, nonce: str = "n-1", url: str = URL) -> dict[str, str]:
    return sign_request(
        "POST",
        url,
        BODY,
        key_id=KEY_ID,
        private_key=KEY,
        created_seconds=int(time.time()) if created is None else created,
        nonce=nonce,
    )


def verified(
    headers: dict[str, str],
    *,
    method: str = "POST",
    url: str = URL,
    body: bytes = BODY,
    known: bool = True,
) -> SignedBy:
    signed_by = verify_request(method, url, headers, is_valid=lambda _: known)
    verify_body(headers, body)
    return signed_by


def test_a_signed_request_names_its_signer_and_nonce() -> None:
    assert verified(signed()) == SignedBy(key_id=KEY_ID, nonce="n-1")


@pytest.mark.parametrize(
    "change",
    [
        {"method": "PUT"},
        {"url": URL.replace("wholesaler", "pharmacy")},
        {"url": URL.replace("packages", "package")},
        {"url": URL.replace("since=3", "since=4")},
        {"url": URL.split("?", 1)[0]},
        {"body": BODY + b" "},
        {"body": b""},
    ],
    ids=["method", "authority", "path", "query", "no query", "body", "no body"],
)
def test_a_request_that_was_changed_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(UnauthorizedError) as caught:
        verified(signed(), **change)  # type: ignore[arg-type]
    assert caught.value.code == "peer_signature_invalid"


@pytest.mark.parametrize("seconds", [-3600, 3600], ids=["old", "from the future"])
def test_a_request_of_another_time_is_refused(seconds: int) -> None:
    with pytest.raises(UnauthorizedError, match=r"age|future"):
        verified(signed(created=int(time.time()) + seconds))


def test_a_key_that_no_active_member_has_is_refused() -> None:
    with pytest.raises(UnauthorizedError) as caught:
        verified(signed(), known=False)
    assert caught.value.code == "peer_key_unknown"


def test_another_key_under_a_known_name_is_refused() -> None:
    forged = sign_request(
        "POST",
        URL,
        BODY,
        key_id=KEY_ID,
        private_key=Ed25519PrivateKey.from_private_bytes(b"\x08" * 32),
        created_seconds=int(time.time()),
        nonce="n-1",
    )
    with pytest.raises(UnauthorizedError):
        verified(forged)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Signature-Input", None),
        ("Signature", None),
        ("Content-Digest", None),
        ("Signature-Input", ""),
        ("Signature-Input", "sealtrail=("),
        ("Signature-Input", 'sealtrail=("@method");created=1;keyid="x";tag="sealtrail"'),
        ("Signature-Input", 'sealtrail=();keyid="0xzz.1";created=1;tag="sealtrail"'),
        ("Signature", "sealtrail=:AAAA:"),
        ("Signature", "sealtrail=" + ":" * 10_000),
        ("Content-Digest", "sha-256=:AAAA:"),
    ],
)
def test_a_malformed_signature_is_refused(name: str, value: str | None) -> None:
    headers = signed()
    if value is None:
        del headers[name]
    else:
        headers[name] = value
    with pytest.raises(UnauthorizedError):
        verified(headers)


def test_a_signature_that_covers_too_little_is_refused() -> None:
    headers = signed()
    headers["Signature-Input"] = headers["Signature-Input"].replace('"@query" ', "")
    with pytest.raises(UnauthorizedError):
        verified(headers)


@pytest.mark.parametrize(
    "text",
    ["", "0x", "x.y", "0x" + "01" * 20, "0X" + "01" * 20 + "." + "02" * 32, str(KEY_ID) + "00"],
)
def test_a_malformed_key_id_is_refused(text: str) -> None:
    with pytest.raises(UnauthorizedError) as caught:
        PeerKeyId.parse(text)
    assert caught.value.code == "peer_key_id_malformed"


def test_a_key_id_reads_back() -> None:
    assert PeerKeyId.parse(str(KEY_ID)) == KEY_ID
