"""In which form events are shown: binding and version, and how their identifiers and standard words are spelt.

What is recorded never changes; a form is a view of it. Source: EPCIS 2.0 section 12 (``GS1-EPC-Format``,
``GS1-CBV-XML-Format``).
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from sealtrail.epcis.views import CbvFormat, Form
from sealtrail.gs1 import NO_PREFIXES, CompanyPrefixes, to_digital_link, to_urn

EpcFormat: TypeAlias = Literal[
    "No_Preference", "Always_GS1_Digital_Link", "Always_EPC_URN", "Never_Translates"
]


class Presentation(msgspec.Struct, frozen=True, kw_only=True):
    """One form; unless told, JSON with everything as it was recorded.

    ``prefixes`` says where company prefixes end, which no Digital Link shows and every EPC URN does.
    """

    form: Form = "json-2.0"
    epc_format: EpcFormat = "Never_Translates"
    cbv_format: CbvFormat = "Never_Translates"
    prefixes: CompanyPrefixes = NO_PREFIXES

    def convert(self, identifier: str) -> str:
        """Return an identifier in the format asked for; as it is where it has no such form that is known here."""
        if self.epc_format == "Always_GS1_Digital_Link":
            return to_digital_link(identifier)
        if self.epc_format == "Always_EPC_URN":
            return to_urn(identifier, self.prefixes) or identifier
        return identifier


AS_RECORDED = Presentation()
