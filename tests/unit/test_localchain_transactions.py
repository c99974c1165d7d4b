"""Parsing signed transactions: what eth_account signs is read; everything else is refused."""

from __future__ import annotations

from typing import Any

import pytest
import rlp
from eth_account import Account
from hypothesis import given
from hypothesis import strategies as st

from sealtrail_localchain.accounts import (
    DEVELOPMENT_MNEMONIC,
    address_of,
    checksum_address,
    development_accounts,
)
from sealtrail_localchain.errors import RpcError
from sealtrail_localchain.transactions import decode_transaction

CHAIN_ID = 31_337
KEY = development_accounts()[0].private_key
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
ACCESS = [{"address": "0x" + "11" * 20, "storageKeys": ["0x" + "00" * 31 + "05"]}]


def signed(**fields: Any) -> bytes:
    defaults: dict[str, Any] = {
        "nonce": 3,
        "gas": 50_000,
        "value": 9,
        "to": b"\x22" * 20,
        "data": b"\x01\x00",
        "chainId": CHAIN_ID,
    }
    return bytes(Account.sign_transaction(defaults | fields, KEY).raw_transaction)


LEGACY = signed(gasPrice=7)
ACCESS_LIST = signed(gasPrice=7, type=1, accessList=ACCESS)
DYNAMIC = signed(maxFeePerGas=9, maxPriorityFeePerGas=2, accessList=ACCESS)


@pytest.mark.parametrize("raw", [LEGACY, ACCESS_LIST, DYNAMIC], ids=["0", "1", "2"])
def test_each_type_is_read_as_it_was_signed(raw: bytes) -> None:
    read = decode_transaction(raw, CHAIN_ID)
    assert read.sender == address_of(KEY)
    assert (read.nonce, read.gas, read.value) == (3, 50_000, 9)
    assert (read.recipient, read.content) == (b"\x22" * 20, b"\x01\x00")
    assert read.raw == raw


def test_fees_are_normalised_as_london_has_them() -> None:
    assert decode_transaction(LEGACY, CHAIN_ID).max_priority_fee == 7
    assert decode_transaction(DYNAMIC, CHAIN_ID).effective_gas_price(base_fee=5) == 7
    assert decode_transaction(DYNAMIC, CHAIN_ID).effective_gas_price(base_fee=8) == 9


def test_intrinsic_gas_counts_bytes_and_access() -> None:
    assert decode_transaction(LEGACY, CHAIN_ID).intrinsic_gas == 21_000 + 16 + 4
    assert decode_transaction(DYNAMIC, CHAIN_ID).intrinsic_gas == 21_020 + 2_400 + 1_900
    creation = decode_transaction(signed(gasPrice=0, to=b"", data=b"\x01"), CHAIN_ID)
    assert creation.intrinsic_gas == 21_000 + 32_000 + 16


@pytest.mark.parametrize("raw", [LEGACY, ACCESS_LIST, DYNAMIC], ids=["0", "1", "2"])
def test_another_chains_transaction_is_refused(raw: bytes) -> None:
    with pytest.raises(RpcError, match="invalid chain id for signer: have 31337 want 1"):
        decode_transaction(raw, 1)


def test_an_unprotected_transaction_is_refused() -> None:
    fields = rlp.decode(LEGACY)
    with pytest.raises(RpcError, match="replay-protected"):
        decode_transaction(rlp.encode([*fields[:6], b"\x1b", *fields[7:]]), CHAIN_ID)


def test_the_same_signature_with_high_s_is_refused() -> None:
    fields = rlp.decode(DYNAMIC[1:])
    high = (ORDER - int.from_bytes(fields[11], "big")).to_bytes(32, "big")
    flipped = b"" if fields[9] else b"\x01"
    with pytest.raises(RpcError, match="invalid transaction v, r, s"):
        decode_transaction(b"\x02" + rlp.encode([*fields[:9], flipped, fields[10], high]), CHAIN_ID)


@pytest.mark.parametrize(
    ("place", "value"),
    [(0, b"\x00\x03"), (1, b"\x00"), (2, b"\xff" * 9), (3, b"\x22" * 19), (4, b"\x01" * 33)],
    ids=["nonce", "price", "gas", "to", "value"],
)
def test_a_field_in_another_form_is_refused(place: int, value: bytes) -> None:
    fields = rlp.decode(LEGACY)
    fields[place] = value
    with pytest.raises(RpcError, match="rlp"):
        decode_transaction(rlp.encode(fields), CHAIN_ID)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x03" + DYNAMIC[1:],
        b"\x04" + DYNAMIC[1:],
        LEGACY + b"\x00",
        DYNAMIC + b"\x00",
        LEGACY[:-1],
        b"\xf9\x00" + LEGACY[1:],
        DYNAMIC[1:],
        b"\x01" + DYNAMIC[1:],
        b"\xc1" * 60_000,
        bytes(200_000),
    ],
)
def test_what_is_not_one_whole_transaction_is_refused(raw: bytes) -> None:
    with pytest.raises(RpcError):
        decode_transaction(raw, CHAIN_ID)


@given(st.binary(max_size=300))
def test_no_bytes_do_more_than_be_refused(raw: bytes) -> None:
    with pytest.raises(RpcError):
        decode_transaction(raw, CHAIN_ID)


@given(st.sampled_from([LEGACY, ACCESS_LIST, DYNAMIC]), st.integers(min_value=0), st.integers(0, 7))
def test_one_flipped_bit_never_keeps_sender_and_meaning(raw: bytes, at: int, bit: int) -> None:
    changed = bytearray(raw)
    changed[at % len(raw)] ^= 1 << bit
    try:
        read = decode_transaction(bytes(changed), CHAIN_ID)
    except RpcError:
        return
    assert read.sender != address_of(KEY)


def test_the_development_accounts_are_those_of_the_mnemonic() -> None:
    Account.enable_unaudited_hdwallet_features()
    for index, account in enumerate(development_accounts()):
        derived = Account.from_mnemonic(
            DEVELOPMENT_MNEMONIC, account_path=f"m/44'/60'/0'/0/{index}"
        )
        assert checksum_address(account.address) == derived.address
        assert account.private_key == bytes(derived.key)
