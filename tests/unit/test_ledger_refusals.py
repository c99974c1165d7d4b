"""What endpoints say when they refuse, and what it means."""

from __future__ import annotations

from typing import Any

import pytest
from eth_abi.abi import encode

from abi_hashes import topic
from fakes.endpoint import FakeEndpoint, refusal
from sealtrail.errors import SealtrailError, UnavailableError, VerificationError
from sealtrail.ledger.reverts import (
    describe_revert,
    errors_by_selector,
    reason_of,
)
from sealtrail.ledger.send import send_raw
from sealtrail_contracts import artifact

ERRORS = errors_by_selector(artifact("Anchors").abi)
WRONG = topic("WrongSequence(uint64,uint64)")[:4] + encode(["uint64", "uint64"], [7, 6])


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("nonce too low: address 0x00, tx: 0 state: 1", "nonce_used"),
        ("Nonce too low", "nonce_used"),
        ("NONCE_TOO_LOW", "nonce_used"),
        ("OldNonce", "nonce_used"),
        ("replacement transaction underpriced", "fee_too_low"),
        ("Replacement transaction underpriced", "fee_too_low"),
        ("transaction underpriced: tip needed 1, tip permitted 0", "fee_too_low"),
        ("max fee per gas less than block base fee", "fee_too_low"),
        ("insufficient funds for gas * price + value", "balance_too_low"),
        ("Upfront cost exceeds account balance", "balance_too_low"),
        ("intrinsic gas too low", "transaction_refused"),
        ("invalid sender", "transaction_refused"),
        ("", "transaction_refused"),
    ],
)
async def test_a_refused_transaction_gets_a_code(words: str, code: str) -> None:
    with pytest.raises(VerificationError) as caught:
        await send_raw(FakeEndpoint(eth_sendRawTransaction=refusal(words)), b"\x01")  # type: ignore[arg-type]
    assert caught.value.code == code


@pytest.mark.parametrize(
    "words",
    [
        "already known",
        "Known transaction",
        "known transaction: 0x12",
        "AlreadyKnown",
        "ALREADY_KNOWN",
    ],
)
async def test_a_transaction_that_waits_already_is_no_error(words: str) -> None:
    await send_raw(FakeEndpoint(eth_sendRawTransaction=refusal(words)), b"\x01")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "words", ["txpool is full", "Transaction pool is full", "rate limit exceeded"]
)
async def test_a_full_pool_is_waited_out(words: str) -> None:
    with pytest.raises(UnavailableError) as caught:
        await send_raw(FakeEndpoint(eth_sendRawTransaction=refusal(words)), b"\x01")  # type: ignore[arg-type]
    assert caught.value.code == "pool_full"


async def test_an_endpoint_that_is_away_says_nothing_about_the_transaction() -> None:
    away = UnavailableError("chain_timeout", "no answer")
    with pytest.raises(SealtrailError) as caught:
        await send_raw(FakeEndpoint(eth_sendRawTransaction=away), b"\x01")  # type: ignore[arg-type]
    assert caught.value is away


@pytest.mark.parametrize(
    ("payload", "shown"),
    [
        (WRONG, "WrongSequence(7, 6)"),
        (topic("EmptyCheckpoint()")[:4], "EmptyCheckpoint()"),
        (topic("Error(string)")[:4] + encode(["string"], ["no"]), "Error(no)"),
        (topic("Panic(uint256)")[:4] + encode(["uint256"], [17]), "Panic(17)"),
        (b"\x01\x02\x03\x04", "0x01020304"),
        (WRONG[:20], "WrongSequence(0x" + WRONG[4:20].hex() + ")"),
        (b"", "no reason given"),
    ],
)
def test_a_revert_is_shown_by_name_and_values(payload: bytes, shown: str) -> None:
    assert describe_revert(payload, ERRORS) == shown


def test_a_hostile_reason_is_cut() -> None:
    payload = topic("Error(string)")[:4] + encode(["string"], ["x" * 100_000])
    assert len(describe_revert(payload, ERRORS)) < 300


@pytest.mark.parametrize(
    ("number", "words", "payload", "reason"),
    [
        (3, "execution reverted", "0x" + WRONG.hex(), "WrongSequence(7, 6)"),
        (-32000, "execution reverted", {"data": "0x" + WRONG.hex()}, "WrongSequence(7, 6)"),
        (-32015, "VM execution error.", "Reverted 0x" + WRONG.hex(), "WrongSequence(7, 6)"),
        (3, "execution reverted", "0x", "no reason given"),
        (-32000, "execution reverted", None, "execution reverted"),
        (3, "execution reverted: no", "not hex", "execution reverted: no"),
        (-32601, "the method does not exist", None, None),
        (-32000, "header not found", "", None),
        (-32000, "header not found", 7, None),
    ],
)
def test_a_reason_is_found_in_every_clients_form(
    number: int, words: str, payload: Any, reason: str | None
) -> None:
    assert reason_of(refusal(words, number, payload), ERRORS) == reason
