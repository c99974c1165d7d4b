"""Asks other members' nodes for copies of entries; what does not hold is not taken, and the next one is asked."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from sealtrail.errors import NotFoundError, SealtrailError, VerificationError
from sealtrail.evidence import EntryRecord, PackageLimits, Verifier, parse_package, verify_issuer
from sealtrail.peers.client import COPIES_PURPOSE, PeerClient
from sealtrail.services.chain.network import FollowedNetwork
from sealtrail.services.exchange.copies import COPIES_MAX
from sealtrail.services.fsck.repair import Plan, holders_of
from sealtrail.services.fsck.scope import Scope

_log = logging.getLogger(__name__)


async def fetch_copies(
    scope: Scope, client: PeerClient, plan: Plan, said: Callable[[str], None]
) -> dict[bytes, EntryRecord]:
    """Return entry id → record of what members gave and what holds.

    Args:
        said: told in words how each member answered.

    Raises:
        UnavailableError: the chain was never followed, so nobody's node is known.
    """
    view = scope.view
    if not isinstance(view, FollowedNetwork):
        raise view
    copies: dict[bytes, EntryRecord] = {}
    for member, entry_ids in holders_of(plan):
        missing = [each for each in entry_ids if each not in copies]
        record = view.record(member, None)
        if not missing or record is None or not record.node_url:
            continue
        try:
            given = await _ask(scope, view, client, (member, record.node_url), missing)
        except SealtrailError as error:
            said(f"{record.name}: {error.message} [{error.code}]")
            continue
        said(f"{record.name} gave {len(given)} of {len(missing)} entries")
        copies.update(given)
    return copies


async def _ask(
    scope: Scope,
    view: FollowedNetwork,
    client: PeerClient,
    holder: tuple[bytes, str],
    entry_ids: Sequence[bytes],
) -> dict[bytes, EntryRecord]:
    """Ask one member until it gives no more."""
    given: dict[bytes, EntryRecord] = {}
    while True:
        missing = [each for each in entry_ids if each not in given][:COPIES_MAX]
        if not missing:
            return given
        try:
            data = await client.fetch_copies(holder[1], missing, PackageLimits().package_bytes_max)
        except NotFoundError:
            if given:  # it has given what it has
                return given
            raise
        fresh = _open(scope, view, holder[0], data)
        if not set(fresh) & set(missing):
            return given
        given.update({key: value for key, value in fresh.items() if key in missing})


def _open(
    scope: Scope, view: FollowedNetwork, member: bytes, data: bytes
) -> dict[bytes, EntryRecord]:
    received = parse_package(data, PackageLimits())
    package = received.package
    verify_issuer(
        received, domain=scope.domain, anchors=scope.subject.network.anchors, network=view
    )
    if (package.issuer, package.recipient, package.purpose) != (
        member,
        scope.member,
        COPIES_PURPOSE,
    ):
        raise VerificationError("package_of_another", "the answer is of or for somebody else")
    verifier = Verifier(domain=scope.domain, network=view)
    found = {}
    for record in package.records():
        verified = verifier.verify(record)
        if verified.grade is not None and verified.event is not None:
            found[verified.entry_id] = record
    return found
