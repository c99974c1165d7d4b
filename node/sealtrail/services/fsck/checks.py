"""The list of checks. A further one is a module with a ``CHECK``, named here; docs/fsck.md lists its codes.

A table that no check vouches for fails a test, and so does a column in which a flipped byte is not found.
"""

from __future__ import annotations

from collections.abc import Mapping

from sealtrail.services.fsck import (
    checkpoints,
    cosignatures,
    followed,
    foreign_entries,
    identity,
    index_audits,
    item_index,
    items,
    keystore,
    log_findings,
    master_data,
    own_entries,
    rows,
    structure,
    subscriptions,
    tombstones,
    trail,
    tree,
    validators,
    working,
)
from sealtrail.services.fsck.check import Check

# In the order in which faults are reported: from what all rests on to what rests on others.
CHECKS: Mapping[str, Check] = {
    check.name: check
    for check in (
        structure.CHECK,
        keystore.CHECK,
        identity.CHECK,
        rows.CHECK,
        tree.CHECK,
        checkpoints.CHECK,
        followed.CHECK,
        validators.CHECK,
        own_entries.CHECK,
        foreign_entries.CHECK,
        tombstones.CHECK,
        items.CHECK,
        item_index.CHECK,
        trail.CHECK,
        cosignatures.CHECK,
        index_audits.CHECK,
        log_findings.CHECK,
        master_data.CHECK,
        working.JOBS,
        working.DELIVERIES,
        subscriptions.CHECK,
    )
}
