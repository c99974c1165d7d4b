"""An EVM in this process that runs the shipped contracts, and remembers which way every conditional jump went."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from eth import constants
from eth.chains.base import MiningChain
from eth.consensus.noproof import NoProofConsensus
from eth.db.atomic import AtomicDB
from eth.vm.computation import BaseComputation
from eth.vm.forks.berlin import BerlinVM
from eth.vm.forks.berlin.computation import BerlinComputation
from eth.vm.forks.berlin.state import BerlinState
from eth.vm.opcode import as_opcode
from eth_abi.abi import decode
from eth_keys import keys as eth_keys
from sha3 import keccak_256

from sealtrail.ledger import registry_calls as calls
from sealtrail.membership.encoding import parse_record
from sealtrail.membership.records import MemberRecord, NumberingRight, Purpose, Role
from sealtrail.membership.requests import request_record, sign_consent
from sealtrail.signing import Domain, EventSigner
from sealtrail_contracts import artifact

GENESIS_HASH = keccak_256(b"genesis").digest()
RECOVERY_DELAY = 5
LAST_BLOCK = 1_000_000
BLOCK_GAS = 100_000_000
JUMPI = 0x57

# (code, program counter) -> the ways it was seen to go; of all chains of this run
jumps_seen: dict[tuple[bytes, int], set[bool]] = defaultdict(set)


def _jumpi(computation: BaseComputation) -> None:
    destination, condition = computation.stack_pop_ints(2)
    counter = computation.code.program_counter - 1
    jumps_seen[computation.msg.code, counter].add(bool(condition))
    if condition:
        computation.code.program_counter = destination
        assert computation.code.peek() == 0x5B
        assert computation.code.is_valid_opcode(destination)


class _Computation(BerlinComputation):
    opcodes: ClassVar = {
        **BerlinComputation.opcodes,
        JUMPI: as_opcode(_jumpi, "JUMPI", constants.GAS_HIGH),
    }


class _State(BerlinState):
    computation_class = _Computation


class _VM(BerlinVM):
    _state_class = _State
    consensus_class = NoProofConsensus


class _Chain(MiningChain):
    vm_configuration = ((0, _VM),)
    chain_id = 1337


class RevertedError(Exception):
    """A call that the contract refused: the error's name, and its values as the ABI has them."""

    def __init__(self, name: str, values: tuple[Any, ...]) -> None:
        super().__init__(f"{name}{values}")
        self.name = name
        self.values = values


@dataclass(frozen=True)
class Log:
    """One event that a contract emitted."""

    name: str
    values: dict[str, Any]
    address: bytes
    block: int


@dataclass(frozen=True)
class Done:
    """A transaction that succeeded."""

    gas_used: int
    logs: list[Log]
    output: bytes


class Account:
    """A key that sends transactions."""

    def __init__(self, seed: str) -> None:
        self.secret = keccak_256(seed.encode()).digest()
        self.signer = EventSigner(self.secret)
        self.address = self.signer.address


class ContractChain:
    """A fresh chain with a registry. Every transaction gets a block of its own."""

    def __init__(self, stewards: int = 1) -> None:
        now = {"difficulty": 1, "gas_limit": BLOCK_GAS, "timestamp": 1_700_000_000}
        self._chain: Any = _Chain.from_genesis(AtomicDB(), now, {})
        self.stewards = [Account(f"steward {number}") for number in range(stewards)]
        self.logs: list[Log] = []
        self._reader = Account("reader")
        code = calls.deployment(
            [s.address for s in self.stewards],
            GENESIS_HASH,
            recovery_delay_blocks=RECOVERY_DELAY,
        )
        self.registry = b""
        self.registry = self.deploy(code)
        self.anchors = self.ask(self.registry, calls.anchors(), "address")[0]
        self.domain = Domain(
            chain_id=_Chain.chain_id, registry=self.registry, genesis_hash=GENESIS_HASH
        )

    @property
    def next_block(self) -> int:
        """The number of the block that the next transaction goes into."""
        number: int = self._chain.get_block().number
        return number

    def mine(self, blocks: int) -> None:
        """Add empty blocks."""
        for _ in range(blocks):
            self._chain.mine_block()

    def deploy(self, code: bytes) -> bytes:
        """Create a contract; return its address."""
        created: bytes = self._apply(self.stewards[0], b"", code)[1].msg.storage_address
        return created

    def send(self, account: Account, data: bytes, *, to: bytes | None = None) -> Done:
        """Send a transaction to the registry, or to another contract.

        Raises:
            RevertedError: the contract refused it.
        """
        before = len(self.logs)
        gas_used, computation = self._apply(account, to or self.registry, data)
        return Done(gas_used=gas_used, logs=self.logs[before:], output=computation.output)

    def ask(self, to: bytes, data: bytes, *types: str) -> tuple[Any, ...]:
        """Call without a transaction; addresses come as bytes."""
        done = self.send(self._reader, data, to=to)
        return tuple(
            bytes.fromhex(value[2:]) if kind == "address" else value
            for kind, value in zip(types, decode(types, done.output), strict=True)
        )

    def storage(self, address: bytes, slot: int) -> bytes:
        """Return a storage slot."""
        value: int = self._chain.get_vm().state.get_storage(address, slot)
        return value.to_bytes(32, "big")

    def code(self, address: bytes) -> bytes:
        """Return a contract's code."""
        code: bytes = self._chain.get_vm().state.get_code(address)
        return code

    def current(self, member: bytes) -> MemberRecord:
        """Return a member's record as the events have it."""
        log = [e for e in self.logs if e.name == "MemberRecorded" and e.values["member"] == member][
            -1
        ]
        return parse_record(log.values["record"], block=log.block)

    def admit(self, account: Account, **fields: Any) -> MemberRecord:
        """Admit a member, by as many stewards as it takes."""
        record, consent = self.request(account, **fields)
        self.vote(calls.admit(record, consent, last_block=LAST_BLOCK))
        return self.current(account.address)

    def request(self, account: Account, **fields: Any) -> tuple[MemberRecord, bytes]:
        """Return a record as an applicant asks for it, and his consent."""
        wish: dict[str, Any] = {"name": "Müller Arzneimittel", "roles": Role.MANUFACTURER}
        record = request_record(account.address, **{**wish, **fields})
        return record, sign_consent(record, self.domain, account.signer)

    def vote(self, data: bytes) -> Done:
        """Let stewards make the same call until it is carried."""
        for steward in self.stewards:
            done = self.send(steward, data)
            if any(log.name == "Carried" for log in done.logs):
                return done
        raise AssertionError("not carried by all stewards")

    def _apply(self, account: Account, to: bytes, data: bytes) -> tuple[int, Any]:
        nonce = self._chain.get_vm().state.get_nonce(account.address)
        unsigned = self._chain.create_unsigned_transaction(
            nonce=nonce, gas_price=0, gas=BLOCK_GAS // 2, to=to, value=0, data=data
        )
        signed = unsigned.as_signed_transaction(
            eth_keys.PrivateKey(account.secret), chain_id=_Chain.chain_id
        )
        block, receipt, computation = self._chain.apply_transaction(signed)
        gas_used = receipt.gas_used
        number = block.number
        self._chain.mine_block()
        if computation.is_error:
            raise _reverted(computation.output)
        self.logs += [_log(entry, number) for entry in receipt.logs]
        return gas_used, computation


def _entries(kind: str) -> Iterator[dict[str, Any]]:
    for name in ("Registry", "Anchors"):
        yield from (entry for entry in artifact(name).abi if entry["type"] == kind)


def _type(parameter: dict[str, Any]) -> str:
    if not parameter["type"].startswith("tuple"):
        return str(parameter["type"])
    inner = ",".join(_type(part) for part in parameter["components"])
    return f"({inner}){parameter['type'][5:]}"


def _signature(entry: dict[str, Any]) -> bytes:
    text = f"{entry['name']}({','.join(_type(part) for part in entry['inputs'])})"
    digest: bytes = keccak_256(text.encode()).digest()
    return digest


ERRORS = {_signature(entry)[:4]: entry for entry in _entries("error")}
EVENTS = {_signature(entry): entry for entry in _entries("event")}


def _reverted(output: bytes) -> RevertedError:
    if output[:4] not in ERRORS:
        return RevertedError(f"0x{output[:4].hex()}", (output,))
    entry = ERRORS[output[:4]]
    return RevertedError(entry["name"], decode([_type(p) for p in entry["inputs"]], output[4:]))


def _log(entry: Any, block: int) -> Log:
    event = EVENTS[entry.topics[0].to_bytes(32, "big")]
    topics = iter(entry.topics[1:])
    plain = [p for p in event["inputs"] if not p["indexed"]]
    values = dict(
        zip([p["name"] for p in plain], decode([_type(p) for p in plain], entry.data), strict=True)
    )
    for parameter in event["inputs"]:
        if parameter["indexed"]:
            (values[parameter["name"]],) = decode(
                [_type(parameter)], next(topics).to_bytes(32, "big")
            )
    for parameter in event["inputs"]:
        if parameter["type"] == "address":
            values[parameter["name"]] = bytes.fromhex(values[parameter["name"]][2:])
    return Log(name=event["name"], values=values, address=entry.address, block=block)


__all__ = [
    "LAST_BLOCK",
    "RECOVERY_DELAY",
    "Account",
    "ContractChain",
    "NumberingRight",
    "Purpose",
    "RevertedError",
]
