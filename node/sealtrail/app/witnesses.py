"""What a node has to do with witnesses, built in one place: it watches logs, cosigns others', audits
their indexes, and has its own log cosigned and audited.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import msgspec

from sealtrail.config import Config
from sealtrail.peers.client import PeerClient
from sealtrail.peers.witness_client import WitnessClient
from sealtrail.services.chain.network import FollowedNetworks
from sealtrail.services.witnesses.cosigning import Cosigning, CosigningLimits
from sealtrail.services.witnesses.index_auditing import AuditingLimits, IndexAuditing
from sealtrail.services.witnesses.index_audits_taken import IndexAuditsTaken
from sealtrail.services.witnesses.log_reading import ReadingLimits
from sealtrail.services.witnesses.log_watch import LogWatch
from sealtrail.services.witnesses.witness_list import WitnessList
from sealtrail.services.witnesses.witnessing import Witnessing
from sealtrail.signing import Domain, Ed25519Signer
from sealtrail.store.database import Database
from sealtrail.store.log import LogStore


class Witnesses(msgspec.Struct, frozen=True, kw_only=True):
    """The services."""

    watch: LogWatch
    witnessing: Witnessing
    cosigning: Cosigning
    auditing: IndexAuditing
    audits_taken: IndexAuditsTaken


def make_witnesses(
    config: Config,
    database: Database,
    log: LogStore,
    networks: FollowedNetworks,
    client: WitnessClient,
    peer_client: PeerClient,
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
    auditing = IndexAuditing(
        database,
        networks,
        watch,
        peer_client,
        config.audits,
        domain=domain,
        member=config.member,
        key=key,
        folder=config.audits_folder,
        clock=clock,
        random=random.random,
        limits=AuditingLimits(reading=ReadingLimits(postings_max=config.audits.postings_max)),
    )
    return Witnesses(
        watch=watch,
        witnessing=witnessing,
        cosigning=cosigning,
        auditing=auditing,
        audits_taken=IndexAuditsTaken(
            database, networks, domain=domain, member=config.member, clock=clock
        ),
    )
