"""Whose the witness keys are that a store's signatures are by, as the chain that was followed has it."""

from __future__ import annotations

from collections.abc import Mapping

from sealtrail.errors import SealtrailError
from sealtrail.membership.records import Purpose
from sealtrail.services.chain.network import FollowedNetwork
from sealtrail.services.fsck.scope import Scope


def registered_witnesses(scope: Scope) -> Mapping[bytes, bytes]:
    """Return witness key → the member that has it, now or before; none where the chain was not followed."""
    if not isinstance(scope.view, FollowedNetwork):
        return {}
    owners: dict[bytes, bytes] = {}
    for (member,) in scope.connection.execute("SELECT DISTINCT member FROM chain_member"):
        try:
            record = scope.view.record(member, None)
        except SealtrailError:  # damaged: named with the chain's
            continue
        for each in record.keys if record else ():
            if each.purpose is Purpose.WITNESS:
                owners[each.public] = member
    return owners
