"""The package's bytes: one form, signed as a whole, refused at the first thing that is not as it must be.

Reading decodes, builds the values, encodes those again and compares: white space, another order, an unused
checkpoint or a redundant item key make another form, and another form is no package.

Source: docs/protocol.md section 9.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from sealtrail.epcis import RecordedEvent
from sealtrail.epcis.bounds import content_values_at_most
from sealtrail.errors import InputError, TooLargeError, VerificationError
from sealtrail.evidence.package import Package, PackageNetwork, ReceivedPackage
from sealtrail.evidence.record import EntryRecord, NetworkView
from sealtrail.evidence.tables import (
    checkpoints_of,
    read_entries,
    salts_of,
    wire_entries,
)
from sealtrail.evidence.wire import (
    FORMAT,
    WireLog,
    WireNetwork,
    WirePackage,
    WireSignature,
    decode_wire,
    encode_wire,
    from_hex,
    to_hex,
)
from sealtrail.log.tree import HASH_BYTES
from sealtrail.membership.records import Purpose
from sealtrail.signing import (
    REFERENCE_BYTES,
    Domain,
    Ed25519Signer,
    entry_id,
    parse_leaf,
    verify_ed25519,
)

_SIGNED_PREFIX = FORMAT.encode() + b"\n"  # no other message signed by a peer key begins so


class PackageLimits(msgspec.Struct, frozen=True, kw_only=True):
    """The most that a package may have; counts and bytes.

    What stands in all entries together is counted as well as each of them: bytes alone do not bound what they cost.
    """

    package_bytes_max: int = 64 * 1024 * 1024
    content_bytes_max: int = 16 * 1024 * 1024
    entries_max: int = 50_000
    checkpoints_max: int = 1_000
    values_max: int = 2_000_000  # of all contents, counted as content_values_at_most does
    items_max: int = 400_000  # that entries name, each counted in every entry that names it
    item_keys_max: int = 400_000  # given in place of a log's salt
    references_max: int = 100_000
    proof_hashes_max: int = 1_000_000


def count_items(event: RecordedEvent) -> int:
    """Return how many items an entry of that event counts for, of ``items_max``."""
    return len({mention.item for mention in event.items})


def encode_package(package: Package, signer: Ed25519Signer) -> bytes:
    """Return the package's bytes, signed with the issuer's peer key.

    Item keys that can be recomputed (content and salt both given) are left out.

    Raises:
        TooLargeError: ``package_too_large``: over the default limits.
        InputError: ``package_malformed``: the values contradict one another.
    """
    body = _body(package)
    value = signer.sign(_SIGNED_PREFIX + encode_wire(body))
    signature = WireSignature(public_key=to_hex(signer.public_key), value=value)
    data = encode_wire(msgspec.structs.replace(body, signature=signature))
    parse_package(data)  # send nothing that its receiver must refuse
    return data


def parse_package(data: bytes, limits: PackageLimits = PackageLimits()) -> ReceivedPackage:  # noqa: B008 frozen
    """Read a package and check its signature under the key that it names; nothing else of it is believed yet.

    Raises:
        TooLargeError: ``package_too_large``.
        InputError: ``package_malformed``, with a JSON pointer where one can be given.
        VerificationError: ``signature_wrong``, ``public_key_malformed``.
    """
    if len(data) > limits.package_bytes_max:
        raise TooLargeError(
            "package_too_large", f"{len(data)} bytes, at most {limits.package_bytes_max}"
        )
    wire = decode_wire(data)
    if wire.format != FORMAT:
        raise _malformed("/format", f"{wire.format[:64]!r}, not {FORMAT!r}")
    if wire.signature is None:
        raise _malformed("/signature", "not signed")
    _check_counts(wire, limits)
    if encode_wire(wire) != data:
        raise _malformed("", "not in the one byte form (RFC 8785, nothing absent spelt out)")
    body = msgspec.structs.replace(wire, signature=None)
    public_key = from_hex(wire.signature.public_key)
    verify_ed25519(public_key, _SIGNED_PREFIX + encode_wire(body), wire.signature.value)
    package = _package(wire)
    _check_form(package, body)
    return ReceivedPackage(package=package, public_key=public_key)


def verify_issuer(
    received: ReceivedPackage, *, domain: Domain, anchors: bytes, network: NetworkView
) -> None:
    """Check that the package is of this network and was signed by a peer key that is its issuer's now.

    Args:
        anchors: address of the network's contract of anchors.

    Raises:
        VerificationError: ``package_of_another_network``, ``issuer_unknown``, ``issuer_key_unknown``,
            ``issuer_key_compromised``.
        UnavailableError: the view of the chain cannot tell.
    """
    package = received.package
    if package.network.domain != domain:
        raise VerificationError(
            "package_of_another_network", f"made for chain {package.network.chain_id}"
        )
    if package.network.anchors != anchors:
        raise VerificationError(
            "package_of_another_network",
            f"made for anchors in {to_hex(package.network.anchors)}, not {to_hex(anchors)}",
        )
    record = network.record(package.issuer, None)
    if record is None:
        raise VerificationError("issuer_unknown", f"no member {to_hex(package.issuer)}")
    keys = [
        k for k in record.keys_for(Purpose.PEER, network.block) if k.public == received.public_key
    ]
    if not keys:
        raise VerificationError(
            "issuer_key_unknown", f"{to_hex(received.public_key)} is no peer key of the issuer"
        )
    if any(k.compromised_since for k in keys):
        raise VerificationError(
            "issuer_key_compromised", f"{to_hex(received.public_key)} was reported compromised"
        )


def _body(package: Package) -> WirePackage:
    salts = salts_of(package.entries)
    checkpoints = checkpoints_of(package.entries)
    network = package.network
    return WirePackage(
        format=FORMAT,
        network=WireNetwork(
            chain_id=network.chain_id,
            genesis_hash=to_hex(network.genesis_hash),
            registry=to_hex(network.registry),
            anchors=to_hex(network.anchors),
        ),
        issuer=to_hex(package.issuer),
        recipient=to_hex(package.recipient),
        purpose=package.purpose,
        created_ms=package.created_ms,
        subjects=[to_hex(each) for each in package.subjects],
        entries=wire_entries(package.entries, checkpoints, salts),
        logs=[
            WireLog(member=to_hex(member), item_salt=to_hex(salt))
            for member, salt in sorted(salts.items())
        ],
        checkpoints=list(checkpoints),
    )


def _package(wire: WirePackage) -> Package:
    network = PackageNetwork(
        chain_id=wire.network.chain_id,
        genesis_hash=from_hex(wire.network.genesis_hash),
        registry=from_hex(wire.network.registry),
        anchors=from_hex(wire.network.anchors),
    )
    try:
        domain = network.domain
    except InputError as e:
        raise _malformed("/network", e.message) from e
    entries = read_entries(wire, domain)
    subjects = tuple(from_hex(each) for each in wire.subjects)
    _check_subjects(subjects, entries, domain)
    return Package(
        network=network,
        issuer=from_hex(wire.issuer),
        recipient=from_hex(wire.recipient),
        purpose=wire.purpose,
        created_ms=wire.created_ms,
        subjects=subjects,
        entries=entries,
    )


def _check_counts(wire: WirePackage, limits: PackageLimits) -> None:
    for place, found, most in (
        ("/entries", len(wire.entries), limits.entries_max),
        ("/subjects", len(wire.subjects), limits.entries_max),
        ("/logs", len(wire.logs), limits.entries_max),
        ("/checkpoints", len(wire.checkpoints), limits.checkpoints_max),
    ):
        if found > most:
            raise TooLargeError("package_too_large", f"{found}, at most {most}", pointer=place)
    _check_totals(wire, limits)
    for n, entry in enumerate(wire.entries):
        if entry.content is not None and len(entry.content) > limits.content_bytes_max:
            raise TooLargeError(
                "package_too_large",
                f"content of {len(entry.content)} bytes, at most {limits.content_bytes_max}",
                pointer=f"/entries/{n}/content",
            )


def _check_totals(wire: WirePackage, limits: PackageLimits) -> None:
    """Hold what all entries have together to the limits, before any of it is taken apart."""
    entries = wire.entries
    contents = (each.content for each in entries if each.content is not None)
    proofs = (each.proof for each in entries if each.proof is not None)
    for what, found, most in (
        ("values in the contents", sum(map(content_values_at_most, contents)), limits.values_max),
        ("item keys", _joined(e.item_keys for e in entries) // HASH_BYTES, limits.item_keys_max),
        (
            "references",
            _joined(e.references for e in entries) // REFERENCE_BYTES,
            limits.references_max,
        ),
        ("proof hashes", _joined(p.hashes for p in proofs) // HASH_BYTES, limits.proof_hashes_max),
    ):
        if found > most:
            raise TooLargeError(
                "package_too_large", f"{found} {what}, at most {most}", pointer="/entries"
            )


def _joined(parts: Iterable[bytes]) -> int:
    return sum(map(len, parts))


def _check_subjects(
    subjects: tuple[bytes, ...], entries: tuple[EntryRecord, ...], domain: Domain
) -> None:
    known = {entry_id(parse_leaf(each.leaf).entry, domain) for each in entries}
    if len(known) != len(entries):
        raise _malformed("/entries", "the same entry twice")
    for n, subject in enumerate(subjects):
        if subject not in known:
            raise _malformed(f"/subjects/{n}", f"entry {to_hex(subject)} is not in the package")
    if not subjects or len(set(subjects)) != len(subjects):
        raise _malformed("/subjects", "empty, or one twice")


def _check_form(package: Package, body: WirePackage) -> None:
    again = _body(package)
    for name in WirePackage.__struct_fields__:
        if getattr(again, name) != getattr(body, name):
            raise _malformed(f"/{name}", "not in the one form: unused, unordered or redundant")


def _malformed(pointer: str, message: str) -> InputError:
    return InputError("package_malformed", message, pointer=pointer)
