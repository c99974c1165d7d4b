"""The forms that a document can be given in, and what is said of an event that a form has no words for."""

from __future__ import annotations

from typing import Literal, TypeAlias

from sealtrail.errors import NotAcceptableError

Form: TypeAlias = Literal["json-2.0", "xml-2.0", "xml-1.2"]
"""The JSON binding of EPCIS 2.0, and the XML bindings of EPCIS 2.0 and 1.2."""

XmlVersion: TypeAlias = Literal["2.0", "1.2"]

CbvFormat: TypeAlias = Literal["No_Preference", "Always_URN", "Always_Web_URI", "Never_Translates"]
"""How XML spells standard words: values of the header ``GS1-CBV-XML-Format`` (EPCIS 2.0 section 12)."""

MEDIA_TYPES: dict[Form, str] = {
    "json-2.0": "application/json",
    "xml-2.0": "application/xml",
    "xml-1.2": "application/xml",
}


def not_in_1_2(what: str) -> NotAcceptableError:
    """Return the error for what came with EPCIS 2.0 only."""
    return NotAcceptableError(
        "not_in_epcis_1_2",
        f"EPCIS 1.2 has no {what}.",
        advice="Ask for EPCIS 2.0.",
    )


def not_in_xml(problem: str) -> NotAcceptableError:
    """Return the error for what JSON can hold and XML can't."""
    return NotAcceptableError(
        "not_in_xml", f"XML can't hold this: {problem}.", advice="Ask for JSON."
    )
