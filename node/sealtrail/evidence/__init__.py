"""Evidence: what proves an entry, the one verifier, and the container that carries it between nodes.

Bytes and values in, a report out: no I/O, no clock. Nodes, peers and the offline tool all decide by this code.
"""

from sealtrail.evidence.complete import CompleteList, verify_complete_list
from sealtrail.evidence.container import (
    PackageLimits,
    count_items,
    encode_package,
    parse_package,
    verify_issuer,
)
from sealtrail.evidence.package import Package, PackageNetwork, ReceivedPackage
from sealtrail.evidence.record import AnchorReference, EntryRecord, LogProof, NetworkView
from sealtrail.evidence.recorded import recorded_of
from sealtrail.evidence.report import Grade, Outcome, ShownEvent, Step, VerifiedEntry
from sealtrail.evidence.verify import Verifier, verify_entry

__all__ = [
    "AnchorReference",
    "CompleteList",
    "EntryRecord",
    "Grade",
    "LogProof",
    "NetworkView",
    "Outcome",
    "Package",
    "PackageLimits",
    "PackageNetwork",
    "ReceivedPackage",
    "ShownEvent",
    "Step",
    "VerifiedEntry",
    "Verifier",
    "count_items",
    "encode_package",
    "parse_package",
    "recorded_of",
    "verify_complete_list",
    "verify_entry",
    "verify_issuer",
]
