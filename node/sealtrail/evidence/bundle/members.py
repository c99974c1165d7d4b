"""The members' part of a bundle: every version of their records, proven where it was recorded.

Source: docs/protocol.md sections 11 and 18.
"""

from __future__ import annotations

from bisect import bisect_right

from sha3 import keccak_256

from sealtrail.errors import InputError, UnavailableError, VerificationError
from sealtrail.evidence.bundle.chain import ChainPart
from sealtrail.evidence.bundle.contracts import parse_member_recorded, record_digest_slot
from sealtrail.evidence.bundle.form import BundleLimits, malformed
from sealtrail.evidence.bundle.lines import MemberLine
from sealtrail.evidence.bundle.report import BundleStepName, Notebook
from sealtrail.evidence.package import PackageNetwork
from sealtrail.evidence.wire import from_hex, to_hex
from sealtrail.membership.encoding import parse_record
from sealtrail.membership.records import Anchor, MemberRecord, Network

_STEP = BundleStepName.MEMBERS


class MembersPart:
    """Reads the member lines; then a :class:`sealtrail.evidence.NetworkView` of what the bundle proves."""

    def __init__(
        self,
        notebook: Notebook,
        chain: ChainPart,
        network: PackageNetwork,
        proof_block: int,
        limits: BundleLimits,
    ) -> None:
        self._notebook = notebook
        self._chain = chain
        self._network = network
        self._limits = limits
        self._bytes = 0
        self._records: dict[bytes, tuple[MemberRecord, ...]] = {}
        self._anchors: dict[tuple[bytes, bytes], Anchor] = {}
        self.block = proof_block

    def add(self, line: MemberLine, number: int) -> None:
        """Read a member line, which stands in line ``number`` of the file.

        Raises:
            InputError: ``bundle_malformed``.
        """
        member = from_hex(line.member)
        if self._records and member <= next(reversed(self._records)):
            raise malformed(number, "/member", "members are not in ascending order")
        self._bytes += sum(len(each.record) for each in line.records)
        if len(self._records) == self._limits.members_max or (
            self._bytes > self._limits.members_bytes_max
        ):
            raise malformed(number, "", "more members than a bundle may have")
        records = []
        for n, each in enumerate(line.records):
            try:
                records.append(parse_record(each.record, block=each.block))
            except InputError as e:
                raise malformed(number, f"/records/{n}/record", e.message) from e
        if not records:
            raise malformed(number, "/records", "there are none")
        self._records[member] = tuple(records)
        try:
            self._check(member, line)
        except VerificationError as e:
            self._notebook.error(_STEP, e, f"member {line.member}")

    def _check(self, member: bytes, line: MemberLine) -> None:
        """Check each version where it was recorded, and the latest against the registry's storage."""
        before = -1
        for version, each in enumerate(line.records, start=1):
            found = parse_member_recorded(self._chain.log_at(each.place), self._network.registry)
            if (found.member, found.version, found.record) != (member, version, each.record):
                raise VerificationError(
                    "record_differs",
                    f"version {version} is not what block {each.block} recorded of this member",
                )
            if not before <= each.block <= self.block:
                raise VerificationError(
                    "record_out_of_order", f"version {version} in block {each.block}"
                )
            before = each.block
        digest = keccak_256(line.records[-1].record).digest()
        stored = self._chain.storage(self._network.registry, record_digest_slot(member))
        if stored != digest:
            raise VerificationError(
                "record_not_latest",
                f"the registry has {to_hex(stored)} at block {self.block}, the latest version here"
                f" is {to_hex(digest)}",
                advice="a later version of the record was left out",
            )

    def add_anchor(self, anchor: Anchor) -> None:
        """Note an anchor that the bundle proves."""
        self._anchors[anchor.member, anchor.checkpoint_hash] = anchor

    def close(self) -> None:
        """Say what was read."""
        versions = sum(len(records) for records in self._records.values())
        self._notebook.shows(_STEP, f"{len(self._records)} members, {versions} versions of records")

    # -- NetworkView ---------------------------------------------------------------------------------

    def anchor(self, member: bytes, checkpoint_hash: bytes) -> Anchor | None:
        """Return the member's anchor of that checkpoint."""
        return self._anchors.get((member, checkpoint_hash))

    def record(self, member: bytes, block: int | None) -> MemberRecord | None:
        """Return the member's record as it stood at ``block``; the latest one if that is None.

        Raises:
            UnavailableError: the bundle has no record of that member (``member_not_in_bundle``).
        """
        records = self._records.get(member)
        if records is None:
            raise UnavailableError(
                "member_not_in_bundle", f"the bundle has no record of {to_hex(member)}"
            )
        if block is None:
            return records[-1]
        at = bisect_right(records, block, key=lambda record: record.block)
        return records[at - 1] if at else None

    def network(self) -> Network:
        """Return the latest record of every member in the bundle."""
        network = self._network
        return Network(
            chain_id=network.chain_id,
            genesis_hash=network.genesis_hash,
            registry=network.registry,
            anchors=network.anchors,
            block=self.block,
            members=tuple(records[-1] for records in self._records.values()),
        )

    def name(self, member: bytes) -> str:
        """Return a member's name, or its address."""
        records = self._records.get(member)
        return (records[-1].name if records else "") or to_hex(member)
