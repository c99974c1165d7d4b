"""What a node has to do with witnesses, built in one place: it watches logs, cosigns others', has its own cosigned."""

from __future__ import annotations

import random
from collections.abc import Callable

import msgspec

from sealtrail.config import Config
from sealtrail.peers.witness_client import WitnessClient
from sealtrail.services.cosigning import Cosigning, CosigningLimits
from sealtrail.services.log_watch import LogWatch
from sealtrail.services.network import FollowedNetworks
from sealtrail.services.witness_list import WitnessList
from sealtrail.services.witnessing import Witnessing
from sealtrail.signing import Domain, Ed25519Signer
from sealtrail.store.database import Database
from sealtrail.store.log import LogStore


class Witnesses(msgspec.Struct, frozen=True, kw_only=True):
    """The services."""

    watch: LogWatch
    witnessing: Witnessing
    cosigning: Cosigning


def make_witnesses(
    config: Config,
    database: Database,
    log: LogStore,
    networks: FollowedNetworks,
    client: WitnessClient,
    *,
    domain: Domain,
    key: Ed25519Signer | None,
    clock: Callable[[], int],
    chain_seconds: Callable[[], int | None],
) -> Witnesses:
    """Return the services, not started.

    Args:
        key: the member's witness key, if it has one.
        clock, chain_seconds: see :class:`LogWatch`.

    Raises:
        InputError: a configured witness is malformed (``verifier_key_malformed``).
    """
    watch = LogWatch(
        database,
        networks,
        domain=domain,
        member=config.member,
        clock=clock,
        chain_seconds=chain_seconds,
        anchor_delay_ms=config.anchoring.delay_seconds_max * 1000,
    )
    witnessing = Witnessing(
        database, networks, watch, domain=domain, member=config.member, key=key, clock=clock
    )
    cosigning = Cosigning(
        database,
        log,
        client,
        WitnessList(config.witnesses, domain=domain, member=config.member),
        networks=networks,
        clock=clock,
        random=random.random,
        limits=CosigningLimits(retry_seconds_max=config.peers.retry_seconds_max),
    )
    return Witnesses(watch=watch, witnessing=witnessing, cosigning=cosigning)
