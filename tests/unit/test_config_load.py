"""Configuration: every fault is named by file and setting, nothing is guessed."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealtrail.config import load_config, parse_config
from sealtrail.errors import InputError, NotFoundError

FILE = Path("/etc/sealtrail/node.toml")


def refusal(text: str) -> InputError:
    with pytest.raises(InputError) as caught:
        parse_config(text.encode(), FILE)
    assert caught.value.code.startswith("config_")
    assert str(FILE) in caught.value.message
    return caught.value


def test_an_empty_file_gives_the_defaults() -> None:
    config = parse_config(b"", FILE)
    assert config.http.host == "127.0.0.1"
    assert config.auth.tokens == []
    assert config.chain.finality == "instant"


def test_an_unknown_setting_is_refused_with_the_nearest_name() -> None:
    error = refusal('[chain]\nrpc_url = "http://127.0.0.1:8545"')
    assert (error.code, error.pointer) == ("config_unknown_setting", "chain.rpc_url")
    assert error.advice == "did you mean `chain.rpc_urls`?"


def test_an_unknown_section_is_refused() -> None:
    error = refusal("[chian]\n")
    assert (error.code, error.pointer) == ("config_unknown_section", "chian")


@pytest.mark.parametrize(
    ("text", "pointer"),
    [
        ("[chain]\nrpc_urls = 'http://x'", "chain.rpc_urls"),
        ("[chain]\nrpc_urls = [1]", "chain.rpc_urls"),
        ("[http]\nport = '80'", "http.port"),
        ("[http]\nport = true", "http.port"),
        ("[http]\nport = 80.5", "http.port"),
        ("[chain]\nfees = 'cheap'", "chain.fees"),
        ("[auth]\ntokens = 3", "auth.tokens"),
        ("[auth]\ntokens = [3]", "auth.tokens"),
        ("chain = 3", "chain"),
        ("[keys]\ndevnet_plaintext = 'yes'", "keys.devnet_plaintext"),
        ("[node]\nname = 1979-05-27", "node.name"),
    ],
)
def test_a_wrong_type_is_refused(text: str, pointer: str) -> None:
    error = refusal(text)
    assert (error.code, error.pointer) == ("config_wrong_type", pointer)


@pytest.mark.parametrize(
    ("text", "pointer"),
    [
        ("[http]\nport = 0", "http.port"),
        ("[http]\nport = 65536", "http.port"),
        ("[chain]\nfinality = 'depth 0'", "chain.finality"),
        ("[chain]\nfinality = 'depth 00012'", "chain.finality"),
        ("[chain]\nfinality = 'instant\\n'", "chain.finality"),
        ("[chain]\nrpc_urls = ['ftp://x']", "chain.rpc_urls"),
        ("[chain]\nregistry = '0x12'", "chain.registry"),
        ("[node]\nmember = '0xzz'", "node.member"),
        ("[node]\ndata_dir = ''", "node.data_dir"),
        ("[anchoring]\nbeat_seconds = nan", "anchoring.beat_seconds"),
        ("[anchoring]\nbeat_seconds = inf", "anchoring.beat_seconds"),
        ("[anchoring]\nbeat_seconds = -1", "anchoring.beat_seconds"),
        ("[keys]\npassphrase_env = 'A B'", "keys.passphrase_env"),
    ],
)
def test_a_value_out_of_range_is_refused(text: str, pointer: str) -> None:
    error = refusal(text)
    assert (error.code, error.pointer) == ("config_out_of_range", pointer)


def test_a_token_without_its_hash_is_refused() -> None:
    error = refusal("[[auth.tokens]]\nname = 'a'\nscopes = ['query']")
    assert (error.code, error.pointer) == ("config_setting_missing", "auth.tokens[0].sha256")


def test_an_unknown_scope_is_refused() -> None:
    error = refusal(f"[[auth.tokens]]\nname = 'a'\nsha256 = '{'0' * 64}'\nscopes = ['root']")
    assert error.pointer == "auth.tokens[0].scopes"


def test_a_token_in_clear_where_its_hash_belongs_is_not_echoed() -> None:
    error = refusal("[[auth.tokens]]\nname = 'a'\nsha256 = 'st_secret'\nscopes = ['query']")
    assert error.pointer == "auth.tokens[0].sha256"
    assert "st_secret" not in str(error)


@pytest.mark.parametrize("same", ["name", "sha256"])
def test_two_tokens_of_one_name_or_hash_are_refused(same: str) -> None:
    second = {"name": "b", "sha256": "1" * 64} | {same: {"name": "a", "sha256": "0" * 64}[same]}
    text = (
        f"[[auth.tokens]]\nname = 'a'\nsha256 = '{'0' * 64}'\nscopes = ['query']\n"
        f"[[auth.tokens]]\nname = '{second['name']}'\nsha256 = '{second['sha256']}'\nscopes = ['query']\n"
    )
    assert refusal(text).code == "config_duplicate_token"


@pytest.mark.parametrize("data", [b"x", b"\xff\xfe", b"[a]\n[a]", b"a = [" * 5000])
def test_what_is_no_toml_is_refused(data: bytes) -> None:
    with pytest.raises(InputError) as caught:
        parse_config(data, FILE)
    assert caught.value.code == "config_not_toml"


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError) as caught:
        load_config(tmp_path / "none.toml")
    assert caught.value.code == "config_missing"
    assert "sealtrail init" in (caught.value.advice or "")


def test_a_folder_is_no_configuration(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        load_config(tmp_path)
    assert caught.value.code == "config_unreadable"


def test_a_huge_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_bytes(b"#" * (1024 * 1024 + 1))
    with pytest.raises(InputError) as caught:
        load_config(path)
    assert caught.value.code == "config_too_large"


def test_paths_are_relative_to_the_file() -> None:
    config = parse_config(b"[node]\ndata_dir = 'd'", FILE)
    assert config.data_dir == Path("/etc/sealtrail/d")
    assert config.resolve("/abs") == Path("/abs")


def test_the_public_url_is_made_of_host_and_port() -> None:
    assert parse_config(b"[http]\nhost = '0.0.0.0'", FILE).public_url == "http://127.0.0.1:8700"
    assert parse_config(b"[http]\nhost = '::1'", FILE).public_url == "http://[::1]:8700"
    given_url = parse_config(b"[http]\npublic_url = 'https://node.example/'", FILE)
    assert given_url.public_url == "https://node.example"


@given(st.binary(max_size=200))
def test_any_bytes_are_a_configuration_or_a_coded_refusal(data: bytes) -> None:
    try:
        parse_config(data, FILE)
    except InputError as e:
        assert e.code.startswith("config_")  # noqa: PT017 - not raising is right too


@pytest.mark.parametrize(
    ("text", "code", "place"),
    [
        ("[[periods]]\nbasis = 'x'\njurisdiction = 'EU'\nyears = 0", "out_of_range", "periods[0].years"),
        ("[[periods]]\njurisdiction = 'EU'\nyears = 5", "setting_missing", "periods[0].basis"),
        ("[[holds]]\nreason = 'x'\nentries = ['0x12']", "out_of_range", "holds[0].entries"),
        ("[[holds]]\nreason = 'x'\nsince = '1.3.2026'", "out_of_range", "holds[0].since"),
        ("[[holds]]\nreason = 'x'\nevents = []", "unknown_setting", "holds[0].events"),
    ],
)  # fmt: skip
def test_a_retention_rule_that_is_wrong_is_refused(text: str, code: str, place: str) -> None:
    error = refusal(text.replace("[[", "[[retention."))
    assert (error.code, error.pointer) == (f"config_{code}", f"retention.{place}")
