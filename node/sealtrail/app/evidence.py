"""Puts together what makes evidence: the node's own sections, its peers', and the chain's proofs."""

from __future__ import annotations

from sealtrail import __version__
from sealtrail.config import Config
from sealtrail.peers.client import PeerClient
from sealtrail.ports import ChainProofs
from sealtrail.services.chain.follower import Follower
from sealtrail.services.chain.network import FollowedNetworks
from sealtrail.services.evidence.assembly import Assembly
from sealtrail.services.evidence.bundles import EvidenceService
from sealtrail.services.evidence.peers import SectionAsker, SectionGiver
from sealtrail.services.evidence.sections import SectionSource
from sealtrail.services.exchange.handovers import Policy
from sealtrail.services.own_log.item_index import ItemIndexService
from sealtrail.signing import Ed25519Signer
from sealtrail.store.database import Database
from sealtrail.store.identity import Identity
from sealtrail.store.log import LogStore


def make_evidence(
    config: Config,
    database: Database,
    log: LogStore,
    identity: Identity,
    *,
    index: ItemIndexService,
    networks: FollowedNetworks,
    follower: Follower,
    proofs: ChainProofs,
    signer: Ed25519Signer,
    client: PeerClient,
) -> EvidenceService:
    """Return the service that makes evidence bundles."""
    sections = SectionSource(log, identity, index)
    assembly = Assembly(
        database,
        identity,
        networks=networks,
        follower=follower,
        proofs=proofs,
        signer=signer,
        anchor_delay_seconds=config.anchoring.delay_seconds_max,
        program=("sealtrail", __version__),
    )
    return EvidenceService(
        database,
        log,
        identity,
        assembly,
        sections=sections,
        networks=networks,
        asker=SectionAsker(client, timeout_seconds=config.peers.timeout_seconds),
        giver=SectionGiver(sections, identity, networks, Policy(config.peers.disclosure)),
    )
