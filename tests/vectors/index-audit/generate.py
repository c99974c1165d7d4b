"""Writes index-audit.json: lines put together by hand here, signed with the `cryptography` package directly.

Run: python tests/vectors/index-audit/generate.py
"""

from __future__ import annotations

import base64
import json
from hashlib import sha256
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

DASH = "\u2014"
KEY = Ed25519PrivateKey.from_private_bytes(sha256(b"auditor key").digest())
OTHER_KEY = Ed25519PrivateKey.from_private_bytes(sha256(b"other key").digest())
NETWORK = f"0x{sha256(b'genesis').hexdigest()}/0x{'a1' * 20}"
ORIGIN = f"sealtrail/{NETWORK}/0x{'b2' * 20}"
NAME = f"sealtrail-index-audit/{NETWORK}/0x{'c3' * 20}"
ALGORITHM = b"\xffsealtrail/index-audit/1"
TIME = 1_795_827_495


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def text(size: int = 1234) -> str:
    return f"{ORIGIN}\n{size}\n{b64(sha256(b'root').digest())}\n"


def key_id(name: str = NAME, key: Ed25519PrivateKey = KEY, algorithm: bytes = ALGORITHM) -> bytes:
    public = key.public_key().public_bytes_raw()
    return sha256(name.encode() + b"\n" + algorithm + public).digest()[:4]


def signature(
    seconds: int = TIME,
    *,
    of: str = "",
    key: Ed25519PrivateKey = KEY,
    header: str = "sealtrail/index-audit/1",
) -> bytes:
    signed = f"{header}\ntime {seconds}\n{of or text()}"
    return seconds.to_bytes(8, "big") + key.sign(signed.encode())


def line(signed: bytes, told: bytes = b"", name: str = NAME) -> str:
    return f"{DASH} {name} {b64((told or key_id()) + signed)}\n"


def flipped(signed: bytes, bit: int) -> bytes:
    changed = bytearray(signed)
    changed[bit // 8] ^= 0x80 >> bit % 8
    return bytes(changed)


def main() -> None:
    good = signature()
    other = "index_audit_of_another"
    bad = [
        ("another name", line(good, name=NAME[:-1] + "4"), other),
        ("a witness's name", line(good, name=NAME.replace("index-audit", "witness")), other),
        ("another key id", line(good, flipped(key_id(), 3)), other),
        ("key id of another key", line(good, key_id(key=OTHER_KEY)), other),
        ("key id of a log key", line(good, key_id(algorithm=b"\x01")), other),
        ("key id of a cosignature", line(good, key_id(algorithm=b"\x04")), other),
        ("key id of type 0xff alone", line(good, key_id(algorithm=b"\xff")), other),
        ("another second", line((TIME + 1).to_bytes(8, "big") + good[8:]), "signature_wrong"),
        ("a time of 64 bits", line(signature(2**63)), "signature_wrong"),
        ("another checkpoint", line(signature(of=text(1235))), "signature_wrong"),
        ("another key", line(signature(key=OTHER_KEY)), "signature_wrong"),
        ("a cosignature", line(signature(header="cosignature/v1")), "signature_wrong"),
        ("another version", line(signature(header="sealtrail/index-audit/2")), "signature_wrong"),
        ("the text alone", line(good[:8] + KEY.sign(text().encode())), "signature_wrong"),
        ("without its time", line(good[8:]), "signature_wrong"),
        ("a byte more", line(good + b"\0"), "signature_wrong"),
        ("a byte less", line(good[:-1]), "signature_wrong"),
        ("a flipped bit in R", line(flipped(good, 64)), "signature_wrong"),
        ("a flipped bit in S", line(flipped(good, 400)), "signature_wrong"),
    ]
    vectors = {
        "source": "put together by generate.py beside this file, signed with the cryptography package",
        "name": NAME,
        "public_key": KEY.public_key().public_bytes_raw().hex(),
        "key_id": key_id().hex(),
        "checkpoint": text(),
        "good": [
            {"name": "now", "line": line(good), "signed_at": TIME},
            {"name": "time 0", "line": line(signature(0)), "signed_at": 0},
            {"name": "the last", "line": line(signature(2**63 - 1)), "signed_at": 2**63 - 1},
        ],
        "bad": [{"name": name, "line": each, "code": code} for name, each, code in bad],
    }
    path = Path(__file__).with_name("index-audit.json")
    path.write_text(json.dumps(vectors, indent=1) + "\n")


if __name__ == "__main__":
    main()
