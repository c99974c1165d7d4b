"""GS1 Digital Link URIs of any domain and stem, read and brought to their canonical form.

Canonical: on ``https://id.gs1.org``, numeric AIs, GTINs of 14 digits, the finest identification only
(a serial makes lot and variant redundant), no query, no fragment, one spelling of escapes.
Compressed Digital Links are not read.

Source: GS1 Digital Link URI Syntax 1.x, sections 4 and 7.
"""

from __future__ import annotations

import re

import msgspec

from sealtrail.gs1.escapes import decode_value, encode_value

DIGITAL_LINK = "https://id.gs1.org/"

SHORT_NAMES = {
    "gtin": "01", "itip": "8006", "cpid": "8010", "gln": "414", "party": "417", "gsrnp": "8017",
    "gsrn": "8018", "gcn": "255", "sscc": "00", "gdti": "253", "ginc": "401", "gsin": "402",
    "grai": "8003", "giai": "8004", "cpv": "22", "lot": "10", "ser": "21", "glnx": "254",
    "cpsn": "8011", "srin": "8019", "tpx": "235", "upui": "235",
}  # fmt: skip

_X82 = r"[!\"%&'()*+,\-./0-9:;<=>?A-Z_a-z]"
_KEYS = {
    "00": r"[0-9]{18}",
    "01": r"[0-9]{8}|[0-9]{12,14}",
    "253": rf"[0-9]{{13}}{_X82}{{0,20}}",
    "255": r"[0-9]{13}[0-9]{0,12}",
    "401": rf"{_X82}{{1,30}}",
    "402": r"[0-9]{17}",
    "414": r"[0-9]{13}",
    "417": r"[0-9]{13}",
    "8003": rf"[0-9]{{14}}{_X82}{{0,16}}",
    "8004": rf"{_X82}{{1,30}}",
    "8006": r"[0-9]{18}",
    "8010": r"[#\-/0-9A-Z]{1,30}",
    "8017": r"[0-9]{18}",
    "8018": r"[0-9]{18}",
}
KEY_FORMS = {ai: re.compile(form).fullmatch for ai, form in _KEYS.items()}
QUALIFIER_FORMS = {
    ai: re.compile(form).fullmatch
    for ai, form in {
        "21": rf"{_X82}{{1,20}}",
        "10": rf"{_X82}{{1,20}}",
        "22": rf"{_X82}{{1,20}}",
        "235": rf"{_X82}{{1,28}}",
        "254": rf"{_X82}{{1,20}}",
        "8011": r"[0-9]{1,12}",
        "8019": r"[0-9]{1,10}",
    }.items()
}
# Which qualifier of a key names the thing most finely; the first that is there wins.
_FINEST = {"01": ("21", "235", "10"), "8006": ("21", "10"), "414": ("254",), "8010": ("8011",)}
_QUALIFIERS = {
    "01": {"22", "10", "21", "235"},
    "8006": {"22", "10", "21"},
    "414": {"254"},
    "8010": {"8011"},
    "8017": {"8019"},
    "8018": {"8019"},
}

# a key and three qualifiers, each with its AI
_SEGMENTS_MAX = 8
_URI = re.compile(r"(?i:https?)://[^/?#]+(/[^?#]*)(?:[?#].*)?", re.DOTALL).fullmatch
# What nearly every identifier is, and canonical as it stands.
_CANONICAL = re.compile(
    r"https://id\.gs1\.org/(?:01/[0-9]{14}(?:/(?:21|10)/[A-Za-z0-9'\-.;=_]{1,20})?|00/[0-9]{18}"
    r"|41[47]/[0-9]{13}|414/[0-9]{13}/254/[A-Za-z0-9'\-.;=_]{1,20})"
).fullmatch


class DigitalLink(msgspec.Struct, frozen=True, kw_only=True):
    """A primary key and its qualifiers, values without escapes."""

    ai: str
    value: str
    qualifiers: dict[str, str]

    @property
    def canonical(self) -> str:
        """The canonical identifier."""
        stem = f"{DIGITAL_LINK}{self.ai}/{encode_value(self.value.replace('%', '%25'))}"
        for ai in _FINEST.get(self.ai, ()):
            if ai in self.qualifiers:
                return f"{stem}/{ai}/{encode_value(self.qualifiers[ai].replace('%', '%25'))}"
        return stem


def is_canonical(text: str) -> bool:
    """Tell, quickly, of the ordinary canonical identifiers that they are; False says nothing."""
    return _CANONICAL(text) is not None


def parse_digital_link(text: str) -> DigitalLink | None:
    """Read a Digital Link; None if the text is another URI."""
    match = _URI(text)
    if match is None:
        return None
    segments = match[1].strip("/").split("/")
    # the key stands as far right as it can: a stem may look like an AI ("/01/" of a shop)
    for start in range(len(segments) - 2, max(-1, len(segments) - _SEGMENTS_MAX - 1), -1):
        link = _link(segments[start:])
        if link is not None:
            return link
    return None


def _link(segments: list[str]) -> DigitalLink | None:
    if len(segments) % 2:
        return None
    pairs = [
        (SHORT_NAMES.get(ai, ai), decode_value(value))
        for ai, value in zip(segments[::2], segments[1::2], strict=True)
    ]
    ai, value = pairs[0]
    form = KEY_FORMS.get(ai)
    if form is None or not form(value):
        return None
    if ai == "01":
        value = value.zfill(14)
    qualifiers = dict(pairs[1:])
    if len(qualifiers) != len(pairs) - 1 or not qualifiers.keys() <= _QUALIFIERS.get(ai, set()):
        return None
    if not all(QUALIFIER_FORMS[name](text) for name, text in qualifiers.items()):
        return None
    return DigitalLink(ai=ai, value=value, qualifiers=qualifiers)
