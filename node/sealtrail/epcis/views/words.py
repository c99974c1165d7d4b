"""Standard words as XML spells them.

Source: EPCIS 2.0 section 9, whose examples have URNs, and compact URIs where a word of CBV 2.0 has no URN.
"""

from __future__ import annotations

from sealtrail.epcis.views.forms import CbvFormat
from sealtrail.epcis.vocabulary import Vocabulary


def spell(vocabulary: Vocabulary, value: str, cbv_format: CbvFormat) -> str:
    """Return a word of an accepted event as XML has it; somebody's own URI as it is."""
    word = vocabulary.words.get(value, value)
    if word not in vocabulary.web_uris:
        return value
    if cbv_format == "Never_Translates" and value != word:
        return value
    # a bare word is no URI, which XML asks for: it is never left as it is
    return (
        vocabulary.web_uris[word] if cbv_format == "Always_Web_URI" else vocabulary.xml_uris[word]
    )
