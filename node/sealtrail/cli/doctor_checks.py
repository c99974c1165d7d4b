"""What ``sealtrail doctor`` looks at. A check returns findings, or raises what stopped it."""

from __future__ import annotations

import asyncio
import http.client
import shutil
import socket
import time
import urllib.parse

from sealtrail.cli.chain import expected_identity, open_rpc, require_registry
from sealtrail.cli.doctor_finding import Check, Finding
from sealtrail.cli.doctor_witnesses import check_witnesses
from sealtrail.cli.key_choice import standing
from sealtrail.cli.keyring import KeyFiles, open_keys
from sealtrail.cli.member_list import fetch_members
from sealtrail.cli.own_record import OwnRecord, fetch_own_record
from sealtrail.config import Config
from sealtrail.errors import InputError, UnavailableError
from sealtrail.ledger import registry_calls
from sealtrail.ledger.fees import FeeMode, detect_fees
from sealtrail.ledger.headers import parse_head
from sealtrail.ledger.rpc import Rpc
from sealtrail.ledger.wire import encode_bytes, parse_bytes, parse_quantity
from sealtrail.membership.records import MemberRecord, Purpose, Status
from sealtrail.services.fsck.continuous import load_kept
from sealtrail.services.receipts import rfc3339
from sealtrail.signing import Domain

CLOCK_SKEW_SECONDS_MAX = 120
DISK_BYTES_MIN = 1024**3
ANCHOR_GAS = 60_000
ANCHORS_AHEAD = 1_000  # the operator's money should last for so many
PEER_TIMEOUT_SECONDS = 5.0


async def check_keys(config: Config) -> list[Finding]:
    """Open every key file."""
    try:
        opened = open_keys(config)
    except InputError as e:
        if e.code != "passphrase_missing":
            raise
        unopened = Finding(check="keys", state="unknown", message=e.message, fix=e.advice)
        return [unopened]
    findings = [Finding(check="keys", state="ok", message=f"all {len(opened)} open")]
    operator = KeyFiles.of(config).label(Purpose.OPERATOR).public
    if operator != config.member:
        findings.append(
            Finding(
                check="keys",
                state="ok",
                message=f"operator 0x{operator.hex()} acts for member {config.node.member}",
            )
        )
    return findings


async def check_chain(config: Config) -> list[Finding]:
    """Ask every endpoint for chain id and genesis hash."""
    require_registry(config.chain)
    findings = []
    for url in config.chain.rpc_urls:
        rpc = Rpc(
            [url],
            expected=expected_identity(config.chain),
            timeout_seconds=config.chain.timeout_seconds,
        )
        try:
            latest = parse_head(await rpc.call("eth_getBlockByNumber", "latest", False), "the head")
            message = f"{url} is chain {config.chain.chain_id}, at block {latest.number}"
            findings.append(Finding(check="chain", state="ok", message=message))
            findings.append(_clock(latest.time))
        except UnavailableError as e:
            wrong = e.code == "wrong_chain"
            findings.append(
                Finding(
                    check="chain",
                    state="problem" if wrong else "unknown",
                    message=f"{e.message} [{e.code}]",
                    fix=e.advice or "is the chain's node running, and the URL right?",
                )
            )
        finally:
            await rpc.close()
    return findings


def _clock(block_time: int) -> Finding:
    """A block from the future, seen from here, means a slow clock; an old block means nothing."""
    ahead = block_time - time.time()
    if ahead > CLOCK_SKEW_SECONDS_MAX:
        return Finding(
            check="clock",
            state="problem",
            message=f"the newest block is {ahead:.0f} seconds in this machine's future",
            fix="set this machine's clock (NTP), or the validators'",
        )
    return Finding(check="clock", state="ok", message="not behind the chain's")


async def check_registry(config: Config) -> list[Finding]:
    """Compare registry, member and keys with the configuration."""
    registry = require_registry(config.chain)
    async with open_rpc(config.chain) as rpc:
        address = encode_bytes(registry)
        if await rpc.call("eth_getCode", address, "latest") in ("0x", None):
            return [
                Finding(
                    check="registry",
                    state="problem",
                    message=f"the chain has no contract at {address}",
                    fix="correct chain.registry; ask the stewards for the address",
                )
            ]
        question = {"to": address, "data": encode_bytes(registry_calls.domain_separator())}
        found = parse_bytes(await rpc.call("eth_call", question, "latest"), "domainSeparator")
    domain = Domain(
        chain_id=config.chain.chain_id,
        registry=registry,
        genesis_hash=bytes.fromhex(config.chain.genesis_hash.removeprefix("0x")),
    )
    if found != domain.separator:
        return [
            Finding(
                check="registry",
                state="problem",
                message=f"the contract at {address} is no registry of this network",
                fix="correct chain.registry and chain.genesis_hash; ask the stewards",
            )
        ]
    return [Finding(check="registry", state="ok", message=address)]


async def check_member(config: Config) -> list[Finding]:
    """Compare the member's record with the local keys."""
    own = await fetch_own_record(config)
    record = own.record
    findings = [_status(record)]
    files = KeyFiles.of(config)
    for purpose in files.paths:
        findings += _registered(own, purpose, files.label(purpose).public)
    if record.node_url != config.public_url:
        findings.append(
            Finding(
                check="member",
                state="problem",
                message=f"the registry has node URL {record.node_url}, the configuration"
                f" {config.public_url}: peers will not reach this node",
                fix="set http.public_url to the registered one, or change that:"
                f" `sealtrail member set-url {config.public_url}`",
            )
        )
    return findings


def _status(record: MemberRecord) -> Finding:
    if record.status is Status.SUSPENDED:
        return Finding(
            check="member",
            state="problem",
            message=f"{record.name} is suspended: its anchors are marked",
            fix="ask the network's stewards",
        )
    return Finding(check="member", state="ok", message=f"{record.name} is an active member")


def _registered(own: OwnRecord, purpose: Purpose, public: bytes) -> list[Finding]:
    name = purpose.name.lower()
    register = f"`sealtrail keys register {name} FILE`"
    fix = f"make one with `sealtrail keys new {name} FILE`, {register}, name it (keys.{name}), restart"
    key = own.record.key(purpose, public)
    if key is None:
        wrong = "is not registered"
        fix = f"name the key file that is (keys.{name}), or register this one: {register}"
    elif key.valid_until or key.compromised_since or key.valid_from > own.head.number:
        wrong = standing(key, own.head.number)
    else:
        return []
    message = f"the {name} key 0x{public.hex()}: {wrong}"
    return [Finding(check="member", state="problem", message=message, fix=fix)]


async def check_fees(config: Config) -> list[Finding]:
    """Compare the fee mode with the chain, and the operator's money with what anchors cost."""
    require_registry(config.chain)
    mode = FeeMode(config.chain.fees)
    operator = KeyFiles.of(config).label(Purpose.OPERATOR).public
    async with open_rpc(config.chain) as rpc:
        seems = await detect_fees(rpc)
        price = parse_quantity(await rpc.call("eth_gasPrice"), "eth_gasPrice")
        answer = await rpc.call("eth_getBalance", encode_bytes(operator), "latest")
    balance = parse_quantity(answer, "eth_getBalance", maximum=2**256 - 1)
    if mode is FeeMode.EIP1559 and seems is not FeeMode.EIP1559:
        return [
            Finding(
                check="fees",
                state="problem",
                message="chain.fees is eip1559, but the chain has no base fee",
                fix=f"set chain.fees to {seems.value}",
            )
        ]
    needed = 0 if mode is FeeMode.FREE else price * ANCHOR_GAS * ANCHORS_AHEAD
    if balance < needed:
        return [
            Finding(
                check="fees",
                state="problem",
                message=f"operator 0x{operator.hex()} has {balance} wei; {ANCHORS_AHEAD} anchors"
                f" cost about {needed}",
                fix="send it more; anchors wait, and nothing is lost, until then",
            )
        ]
    return [Finding(check="fees", state="ok", message=f"{mode.value}; balance {balance} wei")]


async def check_port(config: Config) -> list[Finding]:
    """See whether the node runs, or its port is free."""
    host, port = config.http.host, config.http.port
    if await asyncio.to_thread(_alive, f"http://{_reachable(host)}:{port}"):
        return [Finding(check="port", state="ok", message=f"a node answers on port {port}")]
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as e:
            return [
                Finding(
                    check="port",
                    state="problem",
                    message=f"{host}:{port}: {e.strerror}, and no node answers there",
                    fix="stop what listens there, or set http.port",
                )
            ]
    return [Finding(check="port", state="ok", message=f"{host}:{port} is free")]


def _reachable(host: str) -> str:
    return "127.0.0.1" if host == "0.0.0.0" else host  # noqa: S104 - compared, not bound


async def check_peers(config: Config) -> list[Finding]:
    """Ask every other member's node whether it is alive."""
    members = await fetch_members(config.chain)
    others = [m for m in members if m.member != config.member and m.node_url]
    alive = await asyncio.gather(*(asyncio.to_thread(_alive, m.node_url) for m in others))
    return [_peer(m, ok) for m, ok in zip(others, alive, strict=True)]


def _peer(member: MemberRecord, alive: bool) -> Finding:
    if alive:
        return Finding(check="peer", state="ok", message=f"{member.name} at {member.node_url}")
    return Finding(
        check="peer",
        state="unknown",
        message=f"{member.name} does not answer at {member.node_url}",
        fix="deliveries to it wait and are repeated; tell its operator if it lasts",
    )


def _alive(url: str) -> bool:
    parts = urllib.parse.urlsplit(url)
    make = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = make(parts.hostname or "", parts.port, timeout=PEER_TIMEOUT_SECONDS)
    try:
        connection.request("GET", parts.path.rstrip("/") + "/health")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


async def check_disk(config: Config) -> list[Finding]:
    """See whether there is room to go on."""
    folder = next(p for p in (config.data_dir, *config.data_dir.parents) if p.exists())
    try:
        free = shutil.disk_usage(folder).free
    except OSError as e:
        return [Finding(check="disk", state="unknown", message=f"{folder}: {e.strerror}")]
    if free < DISK_BYTES_MIN:
        return [
            Finding(
                check="disk",
                state="problem",
                message=f"{free // 1024**2} MiB free at {folder}; at least 1 GiB is wanted",
                fix="make room: without it nothing can be captured",
            )
        ]
    return [Finding(check="disk", state="ok", message=f"{free // 1024**3} GiB free at {folder}")]


async def check_store(config: Config) -> list[Finding]:
    """See what the node's continuous check of its store found last."""
    kept = load_kept(config.store_check_file)
    if kept.faults:
        first = kept.faults[0]
        return [
            Finding(
                check="store",
                state="problem",
                message=f"{len(kept.faults)} records are damaged, the first: {first.name} [{first.code}]",
                fix="keep a copy of the data directory, and run `sealtrail fsck`; see docs/fsck.md",
            )
        ]
    if kept.round_finished_ms is None:
        message = "the node has not gone through its whole store yet; `sealtrail fsck` does at once"
        return [Finding(check="store", state="ok", message=message)]
    when = rfc3339(kept.round_finished_ms)
    return [Finding(check="store", state="ok", message=f"all of it held at {when}")]


CHECKS: dict[str, Check] = {
    "keys": check_keys,
    "chain": check_chain,
    "registry": check_registry,
    "member": check_member,
    "fees": check_fees,
    "port": check_port,
    "peer": check_peers,
    "witness": check_witnesses,
    "disk": check_disk,
    "store": check_store,
}
