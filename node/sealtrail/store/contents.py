"""Contents as the database keeps them: deflated against a dictionary of what EPCIS events have in common.

An event of some 430 bytes takes about 80 so. The form: ``1``, the content's length (4 bytes, big-endian), a raw
deflate stream (RFC 1951) with the preset dictionary below. Nothing is hashed or sent in this form, and it has no
checksum of its own: whoever takes a content out compares its SHA-256.
"""

from __future__ import annotations

import zlib

_DEFLATED = b"\x01"
# Length of what stands before the stream
HEAD_BYTES = 5
_WINDOW_BITS = 12  # the dictionary is within reach, and little memory is cleared for each event
_LEVEL = 6

# Part of the form: to change one byte is to make every stored content unreadable. JSON in the order of JCS;
# what is most common stands last, where it costs the fewest bits.
DICTIONARY = (
    b'"bizTransactionList":[{"bizTransaction":"urn:epcglobal:cbv:bt:"type":"desadv"po"inv"'
    b'"childQuantityList":[{"epcClass":"https://id.gs1.org/01//10/","quantity":1.0,"uom":"KGM"'
    b'"correctiveEventIDs":["declarationTime":"errorDeclaration":{"reason":"incorrect_data"did_not_occur"'
    b'"destinationList":[{"destination":"https://id.gs1.org/417/"type":"owning_party"possessing_party"location"'
    b'"sourceList":[{"source":"urn:epc:id:pgln:urn:epc:id:sgln:urn:epc:id:sscc:urn:epc:id:sgtin:urn:epc:class:lgtin:'
    b'"inputEPCList":["outputEPCList":["inputQuantityList":["outputQuantityList":["transformationID":'
    b'"persistentDisposition":{"set":["unset":["sensorElementList":[{"sensorMetadata":{"sensorReport":[{"type":'
    b"void_shipping holding inspecting loading unloading repackaging sampling removing replacing consigning "
    b"accepting arriving departing transporting staging_outbound stock_taking cycle_counting destroying "
    b"decommissioning unpacking picking dispensing retail_selling "
    b"container_closed damaged destroyed dispensed expired in_transit inactive needs_replacement "
    b"non_sellable_other partially_dispensed quarantined recalled retail_sold returned sellable_accessible "
    b"sellable_not_accessible stolen unknown"
    b'"type":"TransformationEvent"}"type":"AssociationEvent"}"type":"TransactionEvent"}'
    b'"eventID":"ni:///sha-256;?ver=CBV2.0"eventID":"urn:uuid:'
    b'"action":"DELETE"https://id.gs1.org/00/0'
    b'{"@context":["https://ref.gs1.org/standards/epcis/epcis-context.jsonld"],"action":"ADD","bizLocation":{"id":'
    b'"bizStep":"packing","childEPCs":["https://id.gs1.org/01/0","parentID":"https://id.gs1.org/00/'
    b'"type":"AggregationEvent"},"bizStep":"shipping","disposition":"in_transit","bizStep":"receiving",'
    b'{"@context":["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"],"action":"OBSERVE",'
    b'"bizLocation":{"id":"https://id.gs1.org/414/"},"bizStep":"storing","disposition":"in_progress",'
    b'"bizStep":"commissioning","disposition":"active","epcList":["https://id.gs1.org/01/0/21/"],'
    b'"eventTime":"2026-01-01T00:00:00.000Z","eventTimeZoneOffset":"+00:00","eventTimeZoneOffset":"+02:00",'
    b'"eventTimeZoneOffset":"+01:00","ilmd":{"cbvmda:itemExpirationDate":"2028-12-31","cbvmda:lotNumber":"'
    b'"},"readPoint":{"id":"https://id.gs1.org/414/"},"type":"ObjectEvent"}'
)


def encode_content(content: bytes) -> bytes:
    """Return the form in which a content is kept."""
    stream = zlib.compressobj(
        _LEVEL,
        zlib.DEFLATED,
        -_WINDOW_BITS,
        zlib.DEF_MEM_LEVEL,
        zlib.Z_DEFAULT_STRATEGY,
        DICTIONARY,
    )
    head = _DEFLATED + len(content).to_bytes(4, "big")
    return head + stream.compress(content) + stream.flush()


def parse_content(kept: bytes) -> bytes:
    """Return the content that ``kept`` stands for.

    Bytes that stand for none (the database was damaged) come back as they are: their hash is not the content's,
    and who compares it, as everybody must, tells.
    """
    if kept[:1] != _DEFLATED:
        return kept
    size = content_size(kept)
    stream = zlib.decompressobj(-zlib.MAX_WBITS, DICTIONARY)
    try:
        content = stream.decompress(kept[HEAD_BYTES:], size + 1)  # not more than was put in
    except zlib.error:
        return kept
    whole = len(content) == size and stream.eof and not stream.unused_data
    return content if whole else kept


def content_size(head: bytes) -> int:
    """Return the length of a content of which ``head`` are the first :data:`HEAD_BYTES`; of a damaged one any."""
    return int.from_bytes(head[1:HEAD_BYTES], "big")
