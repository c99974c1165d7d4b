"""The contracts as web3.py has them, made from the ABI that is shipped: call data, init code, topics.

Encodes only. Sends nothing and can't: its web3 has no endpoint, so whatever would ask a chain fails here instead of
going around :class:`sealtrail.ledger.rpc.Rpc` with its identity check and limits.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Literal, cast

from eth_abi.exceptions import EncodingError
from web3 import Web3
from web3.contract import Contract
from web3.exceptions import Web3Exception
from web3.providers import BaseProvider

from sealtrail.errors import InputError
from sealtrail_contracts import artifact

ContractName = Literal["Registry", "Anchors"]

_SHOWN_CHARACTERS_MAX = 300
# UnicodeEncodeError: text with a lone surrogate
_REFUSALS = (Web3Exception, EncodingError, UnicodeEncodeError)


def encode_call(contract: ContractName, function: str, *arguments: Any) -> bytes:
    """Return the call data of a function; a tuple of the ABI is a mapping by the ABI's names.

    Addresses and words are bytes: text would be looked up as a name or read as hex.

    Raises:
        InputError: ``call_malformed``: a value that its ABI type can't hold.
    """
    try:
        text = cast("str", _contract(contract).encode_abi(function, args=list(arguments)))
    except _REFUSALS as error:
        raise _malformed(function, error) from error
    return bytes.fromhex(text[2:])


def encode_deployment(contract: ContractName, *arguments: Any) -> bytes:
    """Return the init code that creates a contract: its bytecode and the constructor's arguments.

    Raises:
        InputError: ``call_malformed``: a value that its ABI type can't hold.
    """
    try:
        text = cast("str", _contract(contract).constructor(*arguments).data_in_transaction)
    except _REFUSALS as error:
        raise _malformed("the constructor", error) from error
    return bytes.fromhex(text[2:])


@cache
def event_topic(contract: ContractName, event: str) -> bytes:
    """Return the first topic of an event's logs."""
    return bytes.fromhex(_contract(contract).events[event]().topic[2:])


@cache
def _contract(name: ContractName) -> type[Contract]:
    shipped = artifact(name)
    return Web3(BaseProvider()).eth.contract(abi=shipped.abi, bytecode=shipped.bytecode)


def _malformed(what: str, error: Exception) -> InputError:
    # web3 quotes every value and every type that it tried
    shown = " ".join(str(error).split())[:_SHOWN_CHARACTERS_MAX]
    return InputError("call_malformed", f"a value that the contract can't take in {what}: {shown}")
