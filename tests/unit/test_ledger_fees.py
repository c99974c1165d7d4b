"""What transactions offer, in the three ways that networks work."""

from __future__ import annotations

from typing import Any

import pytest
from eth_account import Account
from eth_account.typed_transactions import TypedTransaction
from hexbytes import HexBytes

from fakes.endpoint import FakeEndpoint
from sealtrail.errors import IntegrityError, UnavailableError, VerificationError
from sealtrail.ledger.envelope import Call, OperatorKey, fees_of
from sealtrail.ledger.fees import (
    FEE_PER_GAS_MAX,
    FeeMode,
    Fees,
    detect_fees,
    fetch_fees,
    raise_fees,
)

KEY = OperatorKey(b"\x01" * 32)
CALL = Call(to=b"\x22" * 20, payload=b"\x01\x02", gas=150_000)


def _chain(base: str | None, price: str, tip: str | None = None) -> Any:
    block = {} if base is None else {"baseFeePerGas": base}
    answers: dict[str, Any] = {"eth_getBlockByNumber": block, "eth_gasPrice": price}
    if tip is not None:
        answers["eth_maxPriorityFeePerGas"] = tip
    return FakeEndpoint(**answers)


@pytest.mark.parametrize(
    ("base", "price", "mode"),
    [
        ("0x7", "0x1", FeeMode.EIP1559),
        ("0x0", "0x0", FeeMode.EIP1559),
        (None, "0x1", FeeMode.LEGACY),
        (None, "0x0", FeeMode.FREE),
    ],
)
async def test_the_mode_of_a_chain_is_found_out(base: str, price: str, mode: FeeMode) -> None:
    assert await detect_fees(_chain(base, price)) is mode


@pytest.mark.parametrize(
    ("base", "balance", "mode"),
    [
        (None, "0x0", FeeMode.FREE),
        ("0x0", "0x0", FeeMode.FREE),
        ("0x7", "0x0", FeeMode.EIP1559),
        (None, hex(10**30), FeeMode.LEGACY),
        ("0x0", "0x1", FeeMode.EIP1559),
    ],
)
async def test_an_account_without_coins_tells_a_free_chain_whatever_price_is_suggested(
    base: str, balance: str, mode: FeeMode
) -> None:
    chain = _chain(base, "0x5")
    chain.answers["eth_getBalance"] = balance
    assert await detect_fees(chain, b"\x01" * 20) is mode


async def test_a_free_chain_is_not_asked_for_prices() -> None:
    chain = _chain(None, "0x5")
    assert await fetch_fees(chain, FeeMode.FREE) == Fees(per_gas=0)
    assert chain.asked == []


async def test_a_legacy_chain_gets_its_price() -> None:
    assert await fetch_fees(_chain(None, "0x5"), FeeMode.LEGACY) == Fees(per_gas=5)


async def test_a_base_fee_is_offered_twice_with_the_tip_on_top() -> None:
    fees = await fetch_fees(_chain("0x64", "0x1", tip="0x3"), FeeMode.EIP1559)
    assert fees == Fees(per_gas=203, tip=3)


async def test_an_endpoint_that_knows_no_tips_gets_none() -> None:
    assert await fetch_fees(_chain("0x64", "0x1"), FeeMode.EIP1559) == Fees(per_gas=200, tip=0)


async def test_eip1559_on_a_chain_without_base_fee_says_what_to_change() -> None:
    with pytest.raises(VerificationError) as caught:
        await fetch_fees(_chain(None, "0x1", tip="0x1"), FeeMode.EIP1559)
    assert (caught.value.code, caught.value.pointer) == ("fee_mode_wrong", "chain.fees")


@pytest.mark.parametrize("mode", [FeeMode.LEGACY, FeeMode.EIP1559])
async def test_a_price_that_would_empty_the_account_is_not_paid(mode: FeeMode) -> None:
    huge = hex(10**18)
    with pytest.raises(VerificationError) as caught:
        await fetch_fees(_chain(huge, huge, tip="0x0"), mode)
    assert caught.value.code == "fee_over_limit"


async def test_a_price_that_is_no_number_is_garbage() -> None:
    with pytest.raises(UnavailableError):
        await fetch_fees(_chain(None, "lots"), FeeMode.LEGACY)


@pytest.mark.parametrize("wei", [0, 1, 7, 8, 10**9, 123_456_789_012])
def test_a_replacement_offers_at_least_an_eighth_more_of_both(wei: int) -> None:
    raised = raise_fees(Fees(per_gas=2 * wei, tip=wei), Fees(per_gas=0, tip=0))
    assert raised.tip is not None
    assert raised.per_gas * 1000 >= 2 * wei * 1125
    assert raised.tip * 1000 >= wei * 1125
    assert raised.tip > wei
    assert raised.per_gas >= raised.tip


def test_a_replacement_offers_todays_price_if_that_is_more() -> None:
    assert raise_fees(Fees(per_gas=8), Fees(per_gas=100)) == Fees(per_gas=100)


def test_a_replacement_never_goes_over_the_limit() -> None:
    with pytest.raises(VerificationError):
        raise_fees(Fees(per_gas=FEE_PER_GAS_MAX), Fees(per_gas=0))


@pytest.mark.parametrize(
    "fees", [Fees(per_gas=0), Fees(per_gas=5), Fees(per_gas=300, tip=0), Fees(per_gas=300, tip=2)]
)
def test_a_signed_transaction_offers_what_it_was_given(fees: Fees) -> None:
    sent = KEY.sign(CALL, chain_id=1337, nonce=4, fees=fees)
    assert fees_of(sent.raw) == fees
    assert Account.recover_transaction(HexBytes(sent.raw)).lower() == "0x" + KEY.address.hex()


def test_a_free_transaction_is_a_legacy_one_with_replay_protection() -> None:
    sent = KEY.sign(CALL, chain_id=1337, nonce=4, fees=Fees(per_gas=0))
    assert sent.raw[0] >= 0xC0  # an RLP list, no type byte
    v = sent.raw[-68:-66]
    assert int.from_bytes(v, "big") in (1337 * 2 + 35, 1337 * 2 + 36)


def test_a_transaction_of_type_2_names_its_chain() -> None:
    sent = KEY.sign(CALL, chain_id=1337, nonce=4, fees=Fees(per_gas=300, tip=2))
    fields = TypedTransaction.from_bytes(HexBytes(sent.raw)).as_dict()
    assert (fields["chainId"], fields["nonce"], fields["gas"]) == (1337, 4, 150_000)


def test_the_operator_key_does_not_show_itself() -> None:
    assert "01" * 8 not in repr(KEY)


@pytest.mark.parametrize("raw", [b"", b"\x02", b"\x02\xff\xff", b"\xc0", b"\x05\xc0", b"\xf8"])
def test_a_stored_transaction_that_cannot_be_read_is_our_fault(raw: bytes) -> None:
    with pytest.raises(IntegrityError):
        fees_of(raw)
