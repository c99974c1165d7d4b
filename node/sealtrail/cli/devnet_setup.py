"""The first steps of a devnet, each the one that an operator takes by hand: deploy, init, request, admit.

Every step looks first whether it was taken, so that a devnet that was interrupted goes on.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from sealtrail.cli.account_key import load_account_key
from sealtrail.cli.chain import open_rpc
from sealtrail.cli.devnet_plan import Plan, PlannedNetwork, PlannedNode, write_private
from sealtrail.cli.init import CONFIG_NAME, initialise
from sealtrail.cli.member import request_membership
from sealtrail.cli.member_admission import admit_member
from sealtrail.cli.network import deploy_network
from sealtrail.cli.output import say
from sealtrail.cli.token import token_entry
from sealtrail.config import ChainSettings, Config, load_config
from sealtrail.config.settings import SCOPES
from sealtrail.errors import InputError
from sealtrail.ledger import registry_calls
from sealtrail.ledger.envelope import OperatorKey
from sealtrail.ledger.fees import FeeMode, detect_fees
from sealtrail.ledger.rpc import Rpc
from sealtrail.ledger.transactions import send_and_wait
from sealtrail.ledger.wire import encode_bytes, parse_bytes, parse_quantity

STEWARD_KEY_NAME = "steward.key"
RECOVERY_DELAY_BLOCKS = 20  # a devnet's week
BEAT_SECONDS = 1.0
AUDITS_BEAT_SECONDS = 5.0  # a regulator's: that evidence made in a minute's trying shows an audit
POLL_SECONDS = 0.5
RETRY_SECONDS_MAX = 5.0  # people kill nodes here, and look at once whether the others catch up
ALLOWANCE_WEI = 10**18


def chain_settings(plan: Plan) -> ChainSettings:
    """Return the chain's settings as far as they are known."""
    network = plan.network
    if network is None:
        return ChainSettings(rpc_urls=[plan.chain.rpc_url])
    return ChainSettings(
        rpc_urls=[plan.chain.rpc_url],
        chain_id=network.chain_id,
        genesis_hash=network.genesis_hash,
        registry=network.registry,
        start_block=network.start_block,
        finality=network.finality,
        fees=network.fees,  # type: ignore[arg-type]
        poll_seconds=POLL_SECONDS,
    )


def steward_key(directory: Path, plan: Plan, given: Path | None) -> OperatorKey:
    """Return the key of the devnet's one steward, who also deploys.

    On a chain of our own that is the first development account, written down for commands by hand.

    Raises:
        InputError: ``devnet_deployer_key_missing``; the file holds no key.
    """
    if given is not None:
        return load_account_key(given)
    if plan.chain.kind == "rpc":
        raise InputError(
            "devnet_deployer_key_missing",
            "who deploys, and pays for it, on a chain that is not ours?",
            advice="give --deployer-key FILE: hex digits, or a wallet's key file",
        )
    path = directory / STEWARD_KEY_NAME
    if not path.exists():
        from sealtrail_localchain.accounts import development_accounts

        private = development_accounts()[0].private_key
        write_private(path, b"0x" + private.hex().encode() + b"\n")
    return load_account_key(path)


async def found_network(
    plan: Plan, key: OperatorKey, *, fees: str, finality: str | None
) -> PlannedNetwork:
    """Deploy the contracts and find out how the chain is paid and when its blocks are final.

    Raises:
        UnavailableError: the chain could not be asked. VerificationError: it refuses.
    """
    async with open_rpc(chain_settings(plan)) as rpc:
        mode = await detect_fees(rpc, key.address) if fees == "auto" else FeeMode(fees)
        identity = await rpc.identity()
        founded = await deploy_network(
            rpc,
            key,
            stewards=[key.address],
            fees=mode,
            recovery_delay_blocks=RECOVERY_DELAY_BLOCKS,
        )
        rule = finality or await _finality(rpc, plan)
    return PlannedNetwork(
        chain_id=identity.chain_id,
        genesis_hash=encode_bytes(identity.genesis_hash),
        registry=encode_bytes(founded.registry),
        anchors=encode_bytes(founded.anchors),
        start_block=founded.block,
        fees=mode.value,
        finality=rule,
    )


async def _finality(rpc: Rpc, plan: Plan) -> str:
    """Return ``signers`` for a Clique chain of others; else blocks count as final at once.

    A chain that makes blocks only for transactions would never bury one under N others.
    """
    if plan.chain.kind != "rpc":
        return "instant"
    block = await rpc.call("eth_getBlockByNumber", "0x0", False)
    extra = parse_bytes(block.get("extraData"), "extraData")
    # EIP-225: 32 bytes of vanity, the signers, a seal of 65
    signers, rest = divmod(len(extra) - 32 - 65, 20)
    is_clique = signers > 0 and rest == 0 and not any(extra[-65:])
    return "signers" if is_clique else "instant"


def node_directory(directory: Path, node: PlannedNode) -> Path:
    """Return where a node keeps configuration, keys and data."""
    return directory / "nodes" / node.name


def init_node(directory: Path, plan: Plan, node: PlannedNode) -> Config:
    """Make the node's configuration and keys, in clear, unless they are there; return the former.

    Raises:
        SealtrailError: as :func:`initialise`.
    """
    folder = node_directory(directory, node)
    if not (folder / CONFIG_NAME).exists():
        chain = msgspec.structs.asdict(chain_settings(plan))
        settings = {
            "node": {"name": node.name},
            "chain": chain,
            "anchoring": {"beat_seconds": BEAT_SECONDS},
            "audits": {"beat_seconds": AUDITS_BEAT_SECONDS},
            "http": {"port": node.port},
            "auth": {"tokens": [token_entry("devnet", node.token, list(SCOPES))]},
            "peers": {"disclosure": "all", "retry_seconds_max": RETRY_SECONDS_MAX},
            # whoever tries out subscriptions has the consumer on this machine as well
            "subscriptions": {
                "allow": ["127.0.0.0/8", "::1/128"],
                "plain_http": True,
                "retry_seconds_max": RETRY_SECONDS_MAX,
            },
            "keys": {"devnet_plaintext": True},
        }
        initialise(folder, settings, passphrase=None)
    return load_config(folder / CONFIG_NAME)


async def admit_node(plan: Plan, node: PlannedNode, config: Config, key: OperatorKey) -> bool:
    """Have the node ask for membership and the steward admit it; False if it is a member already.

    Raises:
        UnavailableError: the chain could not be asked. VerificationError: it refuses.
    """
    request = request_membership(
        config,
        name=node.name,
        roles=node.roles,
        glns=node.glns,
        numbering_rights=node.numbering_rights,
    )
    registry, record = request.domain().registry, request.record()
    async with open_rpc(config.chain) as rpc:
        if await is_member(rpc, registry, config.member):
            return False
        await admit_member(
            rpc,
            key,
            record,
            registry,
            bytes.fromhex(request.consent.removeprefix("0x")),
            fees=FeeMode(config.chain.fees),
        )
    return True


async def is_member(rpc: Rpc, registry: bytes, member: bytes) -> bool:
    """Ask the registry whether it has a record of this member."""
    payload = registry_calls.record_digest_of(member)
    question = {"to": encode_bytes(registry), "data": encode_bytes(payload)}
    answer = parse_bytes(await rpc.call("eth_call", question, "latest"), "recordDigest", length=32)
    return any(answer)


async def fund_operator(plan: Plan, config: Config, key: OperatorKey) -> None:
    """Give the node's operator something to pay fees with, where there are any.

    Raises:
        UnavailableError: the chain could not be asked. VerificationError: it refuses.
    """
    mode = FeeMode(config.chain.fees)
    if mode is FeeMode.FREE:
        return
    async with open_rpc(config.chain) as rpc:
        if await _balance(rpc, config.member) > 0:
            return
        # a deployer with less keeps enough to go on
        amount = min(ALLOWANCE_WEI, await _balance(rpc, key.address) // (4 * len(plan.nodes)))
        if amount == 0:
            return
        say(f"  funding {config.node.name}'s operator")
        await send_and_wait(rpc, key=key, to=config.member, payload=b"", fees=mode, value=amount)


async def _balance(rpc: Rpc, account: bytes) -> int:
    answer = await rpc.call("eth_getBalance", encode_bytes(account), "latest")
    return parse_quantity(answer, "eth_getBalance", maximum=2**256 - 1)
