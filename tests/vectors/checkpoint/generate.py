"""Writes checkpoint.json: notes put together by hand here, signed with the `cryptography` package directly.

Run: python tests/vectors/checkpoint/generate.py
"""

from __future__ import annotations

import base64
import json
from hashlib import sha256
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

DASH = "\u2014"
KEY = Ed25519PrivateKey.from_private_bytes(sha256(b"log key").digest())
OTHER_KEY = Ed25519PrivateKey.from_private_bytes(sha256(b"other key").digest())
ORIGIN = f"sealtrail/0x{sha256(b'genesis').hexdigest()}/0x{'a1' * 20}/0x{'b2' * 20}"
ROOT = sha256(b"root").digest()


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def text(size: str = "1234", origin: str = ORIGIN, root: str | None = None) -> str:
    return f"{origin}\n{size}\n{b64(ROOT) if root is None else root}\n"


def blob(signed: str, key: Ed25519PrivateKey = KEY, name: str = ORIGIN) -> bytes:
    public = key.public_key().public_bytes_raw()
    key_id = sha256(name.encode() + b"\n\x01" + public).digest()[:4]
    return key_id + key.sign(signed.encode())


def line(signed: str, key: Ed25519PrivateKey = KEY, name: str = ORIGIN) -> str:
    return f"{DASH} {name} {b64(blob(signed, key, name))}\n"


def note(signed: str) -> str:
    return f"{signed}\n{line(signed)}"


def good() -> list[dict[str, object]]:
    sizes = ("0", "1", "1234", str(2**63 - 1))
    cases = [
        {"name": f"size {size}", "note": note(text(size)), "size": int(size)} for size in sizes
    ]
    signed = text()
    witness = line(signed, OTHER_KEY, "witness.example/w1")
    cases.append({"name": "cosigned, witness after", "note": note(signed) + witness, "size": 1234})
    cases.append(
        {"name": "witness first", "note": f"{signed}\n{witness}{line(signed)}", "size": 1234}
    )
    unknown = f"{DASH} someone {b64(b'1234' + b'of another kind')}\n"
    cases.append(
        {"name": "unknown kind of signature", "note": note(signed) + unknown, "size": 1234}
    )
    for case in cases:
        head = str(case["note"]).split("\n\n")[0] + "\n"
        case["checkpoint_hash"] = sha256(head.encode()).hexdigest()
        case["root_hash"] = ROOT.hex()
    return cases


def malformed() -> dict[str, str]:
    signed, first = text(), line(text())
    stray = b64(ROOT)[:-2] + chr(ord(b64(ROOT)[-2]) + 1) + "="
    upper = ORIGIN.replace("a1", "A1")
    return {
        "empty": "",
        "text alone": signed,
        "no signature line": signed + "\n",
        "no empty line": signed + first,
        "two empty lines": f"{signed}\n\n{first}",
        "last line does not end": note(signed)[:-1],
        "a line after the signatures": note(signed) + "more\n",
        "an empty line after the signatures": note(signed) + "\n",
        "carriage returns": note(signed).replace("\n", "\r\n"),
        "hyphen for dash": note(signed).replace(DASH, "-"),
        "two spaces": note(signed).replace(f"{DASH} ", f"{DASH}  "),
        "extension line": note(signed + "extension\n"),
        "missing root": note(f"{ORIGIN}\n1234\n"),
        "missing origin": note(f"1234\n{b64(ROOT)}\n"),
        "empty origin": note(text(origin="")),
        "size with leading zero": note(text("01234")),
        "size with sign": note(text("+1234")),
        "negative size": note(text("-1")),
        "hex size": note(text("0x10")),
        "size with space": note(text(" 1234")),
        "size in other digits": note(text("\u0661\u0662")),
        "size 2**63": note(text(str(2**63))),
        "size of 30 digits": note(text("9" * 30)),
        "root of 31 bytes": note(text(root=b64(ROOT[:31]))),
        "root of 33 bytes": note(text(root=b64(ROOT + b"\x00"))),
        "root in url-safe base64": note(text(root="-_" + b64(ROOT)[2:])),
        "root without padding": note(text(root=b64(ROOT)[:-1])),
        "root with stray bits": note(text(root=stray)),
        "root in hex": note(text(root=ROOT.hex())),
        "origin in upper case": note(text(origin=upper)),
        "origin of another kind": note(text(origin="go.sum database tree")),
        "origin without 0x": note(text(origin=ORIGIN.replace("0x", ""))),
        "origin short": note(text(origin=ORIGIN[:-1])),
        "origin long": note(text(origin=ORIGIN + "0")),
        "origin with a slash more": note(text(origin=ORIGIN + "/")),
        "signature without base64": f"{signed}\n{DASH} {ORIGIN} \n",
        "signature not base64": f"{signed}\n{DASH} {ORIGIN} ***\n",
        "signature of four bytes": f"{signed}\n{DASH} {ORIGIN} {b64(b'1234')}\n",
        "signature with stray bits": f"{signed}\n{DASH} x {b64(b'12345678')[:-2]}h=\n",
        "signature with broken padding": f"{signed}\n{DASH} x {b64(b'12345')}=\n",
        "name with plus": f"{signed}\n{DASH} a+b {b64(b'12345')}\n",
        "name with tab": f"{signed}\n{DASH} a\tb {b64(b'12345')}\n",
        "name empty": f"{signed}\n{DASH}  {b64(b'12345')}\n",
        "33 signatures": signed + "\n" + f"{DASH} x {b64(b'12345')}\n" * 33,
        "too long": note(signed) + f"{DASH} {'x' * 8192} {b64(b'12345')}\n",
        "byte order mark": "\ufeff" + note(signed),
        "nul in origin": note(text(origin="\x00" + ORIGIN)),
    }


def unverified() -> list[dict[str, str]]:
    signed, other = text(), text("1235")
    member = ORIGIN[:-1] + ("0" if ORIGIN[-1] != "0" else "1")
    swapped = b64(blob(signed)[:4] + blob(other)[4:])
    short = b64(blob(signed)[:-1])
    cases = {
        "signed by another key": (f"{signed}\n{line(signed, OTHER_KEY)}", "note_unsigned"),
        "signed under another name": (f"{signed}\n{line(signed, name='x')}", "note_unsigned"),
        "signature of another size": (f"{signed}\n{DASH} {ORIGIN} {swapped}\n", "signature_wrong"),
        "signature one byte short": (f"{signed}\n{DASH} {ORIGIN} {short}\n", "signature_wrong"),
        "size changed after signing": (note(signed).replace("1234", "1235"), "signature_wrong"),
        "of another member": (
            f"{text(origin=member)}\n{line(text(origin=member), name=member)}",
            "note_of_another_log",
        ),
        "our good signature beside our bad one": (
            f"{note(signed)}{DASH} {ORIGIN} {swapped}\n",
            "signature_wrong",
        ),
    }
    return [{"name": name, "note": n, "code": code} for name, (n, code) in cases.items()]


def main() -> None:
    vectors = {
        "source": "tests/vectors/checkpoint/generate.py",
        "origin": ORIGIN,
        "public_key": KEY.public_key().public_bytes_raw().hex(),
        "private_key": KEY.private_bytes_raw().hex(),
        "good": good(),
        "malformed": [{"name": name, "note": n} for name, n in malformed().items()],
        "unverified": unverified(),
    }
    Path(__file__).with_name("checkpoint.json").write_text(json.dumps(vectors, indent=1) + "\n")


if __name__ == "__main__":
    main()
