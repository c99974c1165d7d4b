"""Makes the trust file of the network as this node followed it: what a bundle's reader is given to believe.

Source: docs/protocol.md section 19.
"""

from __future__ import annotations

import sqlite3

from sealtrail.chainproof.consensus import Form
from sealtrail.chainproof.validators import ValidatorHistory
from sealtrail.evidence.bundle.trust import (
    TYPE,
    Consensus,
    KnownMember,
    Pinned,
    TrustFile,
    ValidatorInterval,
)
from sealtrail.evidence.wire import WireNetwork, to_hex
from sealtrail.membership.encoding import encode_record
from sealtrail.membership.records import Network, Status
from sealtrail.ports import Head
from sealtrail.services.chain.validators import load_pinned

NO_SEALS = ValidatorHistory(form=Form(name="none"), intervals=())


def make_trust(
    connection: sqlite3.Connection,
    network: Network,
    *,
    pinned: Head,
    anchor_delay_seconds: int,
) -> TrustFile:
    """Return the trust file of a network.

    Args:
        network: the members as of the newest final block.
        pinned: a recent final block.
    """
    followed = load_pinned(connection)
    history = NO_SEALS if followed is None else followed.history
    return TrustFile(
        type=TYPE,
        network=wire_network(network),
        consensus=Consensus(form=history.form.name, epoch=history.form.epoch),
        validators=[
            ValidatorInterval(from_=i.first_block, validators=[to_hex(a) for a in i.members])
            for i in history.intervals
        ],
        pinned=Pinned(block=pinned.number, hash=to_hex(pinned.hash), time=pinned.time),
        members=[
            KnownMember(member=to_hex(m.member), name=m.name, record=encode_record(m))
            for m in network.members
            if m.status is Status.ACTIVE
        ],
        anchor_delay_seconds=anchor_delay_seconds,
    )


def wire_network(network: Network) -> WireNetwork:
    """Return which network it is, as bundles have it."""
    return WireNetwork(
        chain_id=network.chain_id,
        genesis_hash=to_hex(network.genesis_hash),
        registry=to_hex(network.registry),
        anchors=to_hex(network.anchors),
    )
