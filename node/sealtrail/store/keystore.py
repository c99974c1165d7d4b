"""Key files: one a key, Web3 Secret Storage version 3, readable by their owner only.

The event and operator files open in any Ethereum wallet. The Ed25519 keys (log, peer) stand in the
same form, because its scrypt costs a guesser far more than the 2,048 rounds of PBKDF2 that common
libraries write into an encrypted PKCS#8 file (docs/decisions/0061). A plain member ``sealtrail``
beside the encrypted part says what the key is for, so that a public key is read without a passphrase.

Unencrypted keys are written and read only where the caller says that this is a devnet.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sealtrail.errors import ConflictError, InputError, IntegrityError, NotFoundError
from sealtrail.membership.records import Purpose
from sealtrail.signing import EventSigner

SCRYPT_N = 2**17  # 128 MB and 0.4 s a guess on the reference machine
FILE_BYTES_MAX = 64 * 1024
PLAINTEXT_WARNING = "not encrypted: for a devnet only, whoever reads this file can sign"
_SECP256K1_PURPOSES = (Purpose.EVENT, Purpose.OPERATOR)


class KeyLabel(msgspec.Struct, frozen=True, kw_only=True):
    """What a key file says in clear. ``public``: 20-byte address or 32-byte Ed25519 key."""

    purpose: Purpose
    public: bytes
    encrypted: bool


def generate_private_key(purpose: Purpose) -> bytes:
    """Return 32 random bytes that are a private key for ``purpose``."""
    while True:
        private = os.urandom(32)
        try:
            public_of(purpose, private)
        except InputError:  # 0 or above the curve's order: once in 2**128
            continue
        return private


def public_of(purpose: Purpose, private: bytes) -> bytes:
    """Return the address (event, operator) or the Ed25519 public key of a private key.

    Raises:
        InputError: ``key_invalid``.
    """
    try:
        if purpose in _SECP256K1_PURPOSES:
            return EventSigner(private).address
        return Ed25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()
    except ValueError as e:
        raise InputError("key_invalid", f"no valid {purpose.name.lower()} key") from e


def save_key(path: Path, purpose: Purpose, private: bytes, *, passphrase: str | None) -> None:
    """Write a new key file, mode 0600, durably; ``passphrase`` None writes it in clear (devnet).

    Raises:
        ConflictError: there is a file already (``key_file_exists``); it is left as it is.
        InputError: ``passphrase_empty``, ``key_invalid``.
    """
    if passphrase == "":
        raise InputError("passphrase_empty", "a passphrase has at least one character")
    label = {"purpose": purpose.name.lower(), "public": "0x" + public_of(purpose, private).hex()}
    if passphrase is None:
        body: dict[str, Any] = {
            "devnet_plaintext": PLAINTEXT_WARNING,
            "private_key": "0x" + private.hex(),
        }
    else:
        body = _encrypt(purpose, private, passphrase)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    _write_new(path, msgspec.json.format(msgspec.json.encode({"sealtrail": label, **body})))


def load_label(path: Path) -> KeyLabel:
    """Read what a key file says in clear: not proven until the key itself is read.

    Raises:
        NotFoundError: ``key_file_missing``.
        InputError: ``key_file_unreadable``, ``key_file_open_to_others``, ``key_file_malformed``.
    """
    return _label(path, _read(path))


def load_key(
    path: Path, purpose: Purpose, *, passphrase: str | None, allow_plaintext: bool = False
) -> bytes:
    """Read a private key.

    Raises:
        NotFoundError: ``key_file_missing``.
        InputError: as :func:`load_label`; ``key_file_other_purpose``, ``key_file_plaintext``,
            ``passphrase_missing``, ``passphrase_wrong``.
        IntegrityError: the key is not the one that the file names (``key_file_contradicts``).
    """
    document = _read(path)
    label = _label(path, document)
    if label.purpose is not purpose:
        raise InputError(
            "key_file_other_purpose",
            f"{path} holds a {label.purpose.name.lower()} key; wanted: {purpose.name.lower()}",
            pointer=str(path),
        )
    if not label.encrypted and not allow_plaintext:
        raise InputError(
            "key_file_plaintext",
            f"{path} is not encrypted",
            pointer=str(path),
            advice="make a new key with `sealtrail keys new`; on a devnet set keys.devnet_plaintext",
        )
    private = open_document(path, document, passphrase)
    if public_of(purpose, private) != label.public:
        raise IntegrityError(
            "key_file_contradicts", f"{path} holds another key than it names", pointer=str(path)
        )
    return private


def open_document(path: Path, document: dict[str, Any], passphrase: str | None) -> bytes:
    """Return the private key in a key file's JSON, whoever wrote it; ``path`` is named in errors.

    Raises:
        InputError: ``key_file_malformed``, ``passphrase_missing``, ``passphrase_wrong``.
    """
    if "private_key" in document:
        return _hex(path, document["private_key"])
    return _decrypt(path, document, passphrase)


def _encrypt(purpose: Purpose, private: bytes, passphrase: str) -> dict[str, Any]:
    from eth_keyfile.keyfile import (
        create_keyfile_json,
    )  # imported here: 0.7 s that `--help` need not wait

    body = dict(
        create_keyfile_json(private, passphrase.encode(), kdf="scrypt", iterations=SCRYPT_N)
    )
    # the library takes every key for a secp256k1 one; the label beside it has the right public key
    body.pop("address", None)
    if purpose in _SECP256K1_PURPOSES:
        body["address"] = public_of(purpose, private).hex()
    return body


def _decrypt(path: Path, document: dict[str, Any], passphrase: str | None) -> bytes:
    if passphrase is None:
        raise InputError(
            "passphrase_missing",
            f"{path} is encrypted and no passphrase was given",
            pointer=str(path),
            advice="set keys.passphrase_file, or the variable that keys.passphrase_env names",
        )
    from eth_keyfile.keyfile import decode_keyfile_json  # imported here: see _encrypt

    try:
        return bytes(decode_keyfile_json(document, passphrase.encode()))
    except (KeyError, TypeError, NotImplementedError, OverflowError) as e:
        raise _malformed(path, "its encrypted part is no Web3 Secret Storage") from e
    except ValueError as e:
        if "MAC mismatch" not in str(e):
            raise _malformed(path, "its encrypted part is no Web3 Secret Storage") from e
        raise InputError(
            "passphrase_wrong",
            f"the passphrase does not open {path}",
            pointer=str(path),
            advice="check keys.passphrase_file or the passphrase's environment variable",
        ) from e


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            text = file.read(FILE_BYTES_MAX + 1)
    except FileNotFoundError as e:
        raise NotFoundError(
            "key_file_missing",
            f"no key file at {path}",
            pointer=str(path),
            advice="make keys with `sealtrail init`, or restore them from your backup",
        ) from e
    except OSError as e:
        raise InputError("key_file_unreadable", f"{path}: {e.strerror}", pointer=str(path)) from e
    if stat.S_IMODE(mode) & 0o077:
        raise InputError(
            "key_file_open_to_others",
            f"{path} has mode {stat.S_IMODE(mode):04o}; expected 0600",
            pointer=str(path),
            advice=f"chmod 600 {path}; if others could read it, make and register a new key",
        )
    try:
        document = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
        raise _malformed(path, "no JSON") from e
    if len(text) > FILE_BYTES_MAX or not isinstance(document, dict):
        raise _malformed(path, "no JSON object of a key's size")
    return document


def _label(path: Path, document: dict[str, Any]) -> KeyLabel:
    label = document.get("sealtrail")
    if not isinstance(label, dict):
        raise _malformed(path, "no member `sealtrail` that says what it is for")
    name = str(label.get("purpose")).upper()
    if name not in Purpose.__members__:
        raise _malformed(path, f"unknown purpose {name.lower()[:40]}")
    return KeyLabel(
        purpose=Purpose[name],
        public=_hex(path, label.get("public")),
        encrypted="private_key" not in document,
    )


def _hex(path: Path, value: object) -> bytes:
    try:
        return bytes.fromhex(str(value).removeprefix("0x"))
    except ValueError as e:
        raise _malformed(path, "a key that is no hex") from e


def _malformed(path: Path, found: str) -> InputError:
    return InputError("key_file_malformed", f"{path}: {found}", pointer=str(path))


def _write_new(path: Path, data: bytes) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as e:
        raise ConflictError(
            "key_file_exists",
            f"{path} exists and is not overwritten",
            pointer=str(path),
            advice="move it away if you mean to replace it",
        ) from e
    with os.fdopen(descriptor, "wb") as file:
        file.write(data + b"\n")
        file.flush()
        os.fsync(file.fileno())
