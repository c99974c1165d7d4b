"""A node's side towards the chain, wired: who asks it, who follows it, and the network as it was followed."""

from __future__ import annotations

import random
from collections.abc import Callable

import msgspec

from sealtrail.app.network_check import anchors_address
from sealtrail.config import ChainSettings
from sealtrail.ledger.chain import ChainLedger, Contracts
from sealtrail.ledger.envelope import OperatorKey
from sealtrail.ledger.fees import FeeMode
from sealtrail.ledger.finality import parse_finality
from sealtrail.ledger.proofs import RpcChainProofs
from sealtrail.ledger.rpc import ChainIdentity, Rpc
from sealtrail.services.chain.follower import Follower
from sealtrail.services.chain.network import FollowedNetworks, NetworkIdentity
from sealtrail.services.chain.validators import ValidatorFollower
from sealtrail.signing import Domain
from sealtrail.store.database import Database


class ChainSide(msgspec.Struct, frozen=True, kw_only=True):
    """The services; ``rpc`` is to be closed after they stopped."""

    rpc: Rpc
    ledger: ChainLedger
    follower: Follower
    proofs: RpcChainProofs
    validators: ValidatorFollower
    networks: FollowedNetworks

    @property
    def seconds(self) -> int | None:
        """The time of the last final block that was read (Unix seconds); None before any was."""
        checked = self.follower.checked
        return None if checked is None else checked.final.time


def make_chain_side(
    chain: ChainSettings,
    database: Database,
    operator: OperatorKey,
    *,
    domain: Domain,
    clock: Callable[[], int],
) -> ChainSide:
    """Return the services, none of them started."""
    identity = ChainIdentity(chain_id=domain.chain_id, genesis_hash=domain.genesis_hash)
    rpc = Rpc(chain.rpc_urls, expected=identity, timeout_seconds=chain.timeout_seconds)
    contracts = Contracts(registry=domain.registry, anchors=anchors_address(domain.registry))
    ledger = ChainLedger(
        rpc,
        contracts=contracts,
        finality=parse_finality(chain.finality),
        fees=FeeMode(chain.fees),
        chain_id=chain.chain_id,
        operator=operator,
        epoch_blocks=chain.epoch_blocks,
    )
    follower = Follower(
        database,
        ledger,
        clock=clock,
        random=random.random,
        poll_seconds=chain.poll_seconds,
        start_block=chain.start_block,
    )
    proofs = RpcChainProofs(rpc, epoch_blocks=chain.epoch_blocks)
    validators = ValidatorFollower(
        database,
        proofs,
        final=lambda: None if (c := follower.checked) is None else c.final,
        genesis_hash=domain.genesis_hash,
        random=random.random,
        poll_seconds=chain.poll_seconds,
    )
    networks = FollowedNetworks(
        NetworkIdentity(
            chain_id=domain.chain_id,
            genesis_hash=domain.genesis_hash,
            registry=domain.registry,
            anchors=contracts.anchors,
        )
    )
    return ChainSide(
        rpc=rpc,
        ledger=ledger,
        follower=follower,
        proofs=proofs,
        validators=validators,
        networks=networks,
    )
