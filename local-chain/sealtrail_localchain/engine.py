"""The seam between this chain and whatever executes contracts.

py-evm stands behind it today (:mod:`sealtrail_localchain.pyevm`). Its last release is of May 2025, so
nothing outside that module knows it: another engine needs only these two protocols.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from sealtrail_localchain.transactions import AccessList, Transaction
from sealtrail_localchain.tries import Nodes
from sealtrail_localchain.values import Log


class TransactionRefused(Exception):  # noqa: N818 - a finding about a transaction, no failure
    """The transaction is not valid on this state and changed nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """What a contract can ask about the block it runs in. ``ancestors``: hashes, newest first."""

    chain_id: int
    beneficiary: bytes
    number: int
    timestamp: int
    difficulty: int
    gas_limit: int
    base_fee: int
    ancestors: Iterable[bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A message to run without a signature and without paying for gas."""

    sender: bytes
    recipient: bytes | None
    gas: int
    value: int
    content: bytes
    access_list: AccessList = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What running code did. ``failure`` is geth's wording, None on success.

    ``gas_used`` is after the refund, ``gas_refund`` what was refunded.
    """

    output: bytes
    gas_used: int
    gas_refund: int
    failure: str | None
    reverted: bool
    contract_address: bytes | None
    logs: tuple[Log, ...]


class BlockRun(Protocol):
    """One block being executed."""

    def apply(self, transaction: Transaction) -> Outcome:
        """Execute the next transaction.

        Raises:
            TransactionRefused: not valid here; the state is as before.
        """
        ...

    def finish(self) -> bytes:
        """Write all new nodes and return the state root."""
        ...


class Engine(Protocol):
    """Executes London rules over a state in ``nodes``."""

    def fund(self, nodes: Nodes, balances: dict[bytes, int]) -> bytes:
        """Build the genesis state and return its root."""
        ...

    def start_block(self, nodes: Nodes, state_root: bytes, environment: Environment) -> BlockRun:
        """Begin a block on top of a state."""
        ...

    def call(
        self, nodes: Nodes, state_root: bytes, environment: Environment, call: Call
    ) -> Outcome:
        """Run a message on a state and forget its changes.

        Raises:
            TransactionRefused: the sender cannot pay the value, or gas is under the intrinsic cost.
        """
        ...
