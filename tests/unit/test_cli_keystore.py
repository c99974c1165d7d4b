"""Key files: what is refused, and that nothing is written over."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sealtrail.errors import (
    ConflictError,
    InputError,
    IntegrityError,
    NotFoundError,
    SealtrailError,
)
from sealtrail.membership.records import Purpose
from sealtrail.store import keystore
from sealtrail.store.keystore import generate_private_key, load_key, load_label, public_of, save_key
from sealtrail.store.passphrase import load_passphrase

PASSPHRASE = "correct horse"


@pytest.fixture(autouse=True)
def _cheap_scrypt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keystore, "SCRYPT_N", 2)


def saved(
    folder: Path, purpose: Purpose, passphrase: str | None = PASSPHRASE
) -> tuple[Path, bytes]:
    path, private = folder / "key.json", generate_private_key(purpose)
    save_key(path, purpose, private, passphrase=passphrase)
    return path, private


@contextmanager
def refusal(code: str) -> Iterator[pytest.ExceptionInfo[SealtrailError]]:
    with pytest.raises(SealtrailError) as caught:
        yield caught
    assert caught.value.code == code


@pytest.mark.parametrize("purpose", list(Purpose))
@pytest.mark.parametrize("passphrase", [PASSPHRASE, None])
def test_a_key_comes_back(tmp_path: Path, purpose: Purpose, passphrase: str | None) -> None:
    path, private = saved(tmp_path, purpose, passphrase)
    assert load_key(path, purpose, passphrase=passphrase, allow_plaintext=True) == private
    label = load_label(path)
    assert (label.purpose, label.public) == (purpose, public_of(purpose, private))
    assert label.encrypted is (passphrase is not None)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_an_encrypted_file_does_not_hold_the_key(tmp_path: Path) -> None:
    path, private = saved(tmp_path, Purpose.EVENT)
    assert private.hex() not in path.read_text()


def test_an_event_key_opens_in_other_wallets(tmp_path: Path) -> None:
    from eth_account import Account

    path, private = saved(tmp_path, Purpose.EVENT)
    assert bytes(Account.decrypt(path.read_text(), PASSPHRASE)) == private


def test_a_wrong_passphrase_is_refused(tmp_path: Path) -> None:
    path, _ = saved(tmp_path, Purpose.LOG)
    with refusal("passphrase_wrong"):
        load_key(path, Purpose.LOG, passphrase="wrong")


def test_no_passphrase_is_refused(tmp_path: Path) -> None:
    path, _ = saved(tmp_path, Purpose.LOG)
    with refusal("passphrase_missing"):
        load_key(path, Purpose.LOG, passphrase=None)


def test_an_empty_passphrase_is_refused(tmp_path: Path) -> None:
    with refusal("passphrase_empty"):
        saved(tmp_path, Purpose.LOG, "")
    assert not (tmp_path / "key.json").exists()


def test_a_key_in_clear_is_refused_unless_it_is_a_devnet(tmp_path: Path) -> None:
    path, _ = saved(tmp_path, Purpose.EVENT, None)
    with refusal("key_file_plaintext"):
        load_key(path, Purpose.EVENT, passphrase=None)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_file_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    path, _ = saved(tmp_path, Purpose.EVENT)
    path.chmod(mode)
    with refusal("key_file_open_to_others") as caught:
        load_key(path, Purpose.EVENT, passphrase=PASSPHRASE)
    assert "chmod 600" in (caught.value.advice or "")


def test_a_key_for_another_purpose_is_refused(tmp_path: Path) -> None:
    path, _ = saved(tmp_path, Purpose.PEER)
    with refusal("key_file_other_purpose"):
        load_key(path, Purpose.LOG, passphrase=PASSPHRASE)


def test_a_file_that_names_another_public_key_is_refused(tmp_path: Path) -> None:
    path, _ = saved(tmp_path, Purpose.PEER)
    document = json.loads(path.read_text())
    document["sealtrail"]["public"] = "0x" + "11" * 32
    path.write_text(json.dumps(document))
    with pytest.raises(IntegrityError) as caught:
        load_key(path, Purpose.PEER, passphrase=PASSPHRASE)
    assert caught.value.code == "key_file_contradicts"


def test_an_existing_file_is_never_overwritten(tmp_path: Path) -> None:
    path, private = saved(tmp_path, Purpose.EVENT)
    with pytest.raises(ConflictError):
        save_key(path, Purpose.EVENT, generate_private_key(Purpose.EVENT), passphrase=PASSPHRASE)
    assert load_key(path, Purpose.EVENT, passphrase=PASSPHRASE) == private


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError) as caught:
        load_label(tmp_path / "none.json")
    assert str(tmp_path / "none.json") in caught.value.message


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"sealtrail": 3}',
        '{"sealtrail": {"purpose": "spend", "public": "0x00"}}',
        '{"sealtrail": {"purpose": "event", "public": "zz"}}',
        '{"sealtrail": {"purpose": "event", "public": "0x00"}}',
        '{"sealtrail": {"purpose": "event", "public": "0x00"}, "version": 3, "crypto": 3}',
        '{"sealtrail": {"purpose": "event", "public": "0x00"}, "version": 3, "crypto": {}}',
        '{"sealtrail": {"purpose": "event", "public": "0x00"}, "version": 9, "crypto": {}}',
        '{"sealtrail": {"purpose": "event", "public": "0x00"}, "private_key": "0xzz"}',
        "[" * 10_000,
        "x" * 100_000,
    ],
)
def test_a_malformed_file_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "key.json"
    path.write_text(text)
    path.chmod(0o600)
    with refusal("key_file_malformed"):
        load_key(path, Purpose.EVENT, passphrase=PASSPHRASE, allow_plaintext=True)


@pytest.mark.parametrize("private", [bytes(32), b"\xff" * 32, b"\x01" * 31])
def test_what_is_no_key_on_the_curve_is_refused(tmp_path: Path, private: bytes) -> None:
    with pytest.raises(InputError):
        save_key(tmp_path / "k", Purpose.EVENT, private, passphrase=PASSPHRASE)
    assert not (tmp_path / "k").exists()


def test_the_passphrase_file_wins_over_variable_and_prompt(tmp_path: Path) -> None:
    file = tmp_path / "pass"
    file.write_text("from file\n")
    file.chmod(0o600)
    assert load_passphrase(file, "P", {"P": "from env"}, lambda: "asked") == "from file"
    assert load_passphrase(None, "P", {"P": "from env"}, lambda: "asked") == "from env"
    assert load_passphrase(None, "P", {}, lambda: "asked") == "asked"
    assert load_passphrase(None, "P", {}, None) is None


def test_a_passphrase_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "pass"
    file.write_text("x")
    file.chmod(0o644)
    with refusal("passphrase_file_open_to_others"):
        load_passphrase(file, "P", {}, None)


def test_a_missing_passphrase_file_is_named(tmp_path: Path) -> None:
    with refusal("passphrase_file_missing"):
        load_passphrase(tmp_path / "none", "P", {}, None)


def test_an_empty_variable_is_refused() -> None:
    with refusal("passphrase_empty"):
        load_passphrase(None, "P", {"P": ""}, None)
