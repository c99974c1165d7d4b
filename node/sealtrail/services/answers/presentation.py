"""In which form events are shown: binding and version, and how their identifiers and standard words are spelt.

What is recorded never changes; a form is a view of it. Source: EPCIS 2.0 section 12 (``GS1-EPC-Format``,
``GS1-CBV-XML-Format``).
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

Form: TypeAlias = Literal["json-2.0", "xml-2.0", "xml-1.2"]
EpcFormat: TypeAlias = Literal[
    "No_Preference", "Always_GS1_Digital_Link", "Always_EPC_URN", "Never_Translates"
]
CbvFormat: TypeAlias = Literal["No_Preference", "Always_Web_URI", "Always_URN", "Never_Translates"]


class Presentation(msgspec.Struct, frozen=True, kw_only=True):
    """One form; unless told, JSON with everything as it was recorded."""

    form: Form = "json-2.0"
    epc_format: EpcFormat = "Never_Translates"
    cbv_format: CbvFormat = "Never_Translates"


AS_RECORDED = Presentation()
