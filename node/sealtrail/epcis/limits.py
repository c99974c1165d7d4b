"""Every limit on what is read as EPCIS, in one place, with its unit."""

from __future__ import annotations

import msgspec

# In an identifier, the URI of a word, the name of an extension. What GS1 standardises has some 100; browsers and
# servers take 2,000 for granted, and an event id stands in addresses.
URI_CHARACTERS_MAX = 2_048
# In one tag of XML. Canonical form sorts the attributes, and looks through the namespaces in scope, in square time.
XML_ATTRIBUTES_MAX = 256
XML_NAMESPACES_MAX = 100


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How much one document may ask of a node.

    The defaults fit one event with 40,000 EPCs, and 10,000 events of one pack each. A value is an object, a list, a
    text, a number, true, false or null; a document's context counts for each of its events, which are kept with it.
    """

    document_bytes_max: int = 16 * 1024 * 1024
    document_values_max: int = 2_000_000
    nesting_levels_max: int = 32  # from an event's own object down; objects and arrays alike
    events_count_max: int = 10_000  # in one document
    contexts_bytes_max: int = 32 * 1024 * 1024  # of a document: its context, for each event
    event_values_max: int = 200_000  # with its context
    content_bytes_max: int = 16 * 1024 * 1024  # of one event
    items_count_max: int = 50_000  # EPCs and classes in one event
    vocabulary_elements_max: int = 10_000  # of master data, in one document
    vocabulary_values_max: int = 400_000  # of master data, in one document
    attribute_bytes_max: int = 65_536  # one value of master data, as JSON


DEFAULT = Limits()
