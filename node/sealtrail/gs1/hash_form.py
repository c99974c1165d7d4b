"""Identifiers in the form that the CBV 2.0 event hash writes them, which is nearly the canonical one.

The reference implementation leaves some identifiers alone that have a canonical form (Digital Links with escapes,
GRAIs with a prefix of 12 digits), keeps needless escapes, and escapes nothing that a URN does not. Event hashes must
come out equal everywhere, so this module does what the reference does; nothing else may use it.

Source: CBV 2.0 section 8.9.3, and the reference implementation as of July 2026.
"""

from __future__ import annotations

import re

from sealtrail.gs1.canonical import read_simple
from sealtrail.gs1.digital_link import DIGITAL_LINK, SHORT_NAMES, is_canonical
from sealtrail.gs1.urn import digital_link_of_urn

_KEYS = "01|8006|8010|414|417|8017|8018|255|00|253|401|402|8003|8004"
_NAMES = "|".join(name for name, ai in SHORT_NAMES.items() if ai in _KEYS.split("|"))
_REPLACED = {
    name: ai
    for name, ai in SHORT_NAMES.items()
    if name not in ("glnx", "cpsn", "srin", "tpx", "upui")
}
_has_name = re.compile(rf"/(?:{'|'.join(_REPLACED)})/").search
_is_link = re.compile(rf"https?:[^?#]*/(?:{_KEYS}|{_NAMES})/[0-9]{{4}}[^/]").match
_on_gs1 = re.compile(rf"https://id.gs1.org/(?:{_KEYS})/[0-9]{{4}}[^/]").match
_STEMS = tuple(f"/{ai}/" for ai in sorted(_KEYS.split("|"), key=lambda ai: (len(ai), ai)))
_C = r"[\"'\-.0-9;<=>?A-Z_a-z]"
_short_gtin = re.compile(r"https://id.gs1.org/01/(?![0-9]{14})([0-9]{13}|[0-9]{12}|[0-9]{8})").match
_variant = re.compile(
    rf"(https://id.gs1.org/(?:8006/[0-9]{{18}}|01/[0-9]{{14}}))/22/(?:{_C}|/){{0,20}}$"
).match
_lot_and_serial = re.compile(
    rf"(https://id.gs1.org/(?:8006/[0-9]{{18}}|01/[0-9]{{14}}))/10/{_C}{{0,20}}(/21/{_C}{{0,20}})$"
).match
_is_whole = re.compile(
    rf"https://id.gs1.org/(?:00/[0-9]{{18}}|01/[0-9]{{14}}(?:/(?:21|10)/{_C}{{0,20}}|/235/{_C}{{0,28}})?"
    rf"|253/[0-9]{{13}}{_C}{{0,17}}|255/[0-9]{{13,25}}|401/{_C}{{0,30}}|402/[0-9]{{17}}"
    rf"|414/[0-9]{{13}}(?:/254/{_C}{{0,20}})?|417/[0-9]{{13}}|8003/[0-9]{{14}}{_C}{{0,16}}|8004/{_C}{{0,30}}"
    rf"|8006/[0-9]{{18}}(?:/(?:21|10)/{_C}{{0,20}})?|8010/[#\-/0-9A-Z]{{0,30}}(?:/8011/[0-9]{{0,12}})?"
    r"|801[78]/[0-9]{18})$"
).match
_PERHAPS_LONG = ("urn:epc:id:grai:", "urn:epc:idpat:")
_long_prefix = re.compile(r"urn:epc:(?:id:grai|idpat:(?:grai|gdti|sgcn)):[0-9]{12}\.").match


def hash_form(text: str) -> str:
    """Return what the event hash writes for a text that may be an identifier."""
    if text.startswith("urn:epc:"):
        return _urn(text)
    if not text.startswith("http") or is_canonical(text):
        return text
    # where one stem or none stands before a pack, a lot or a logistic unit, both forms are the same
    return read_simple(text) or _link(text)


def _urn(text: str) -> str:
    if text.startswith(_PERHAPS_LONG) and _long_prefix(text):
        return text
    # what a URN writes without an escape stays so: "!" is "%21" in a canonical identifier, and "!" here
    return digital_link_of_urn(text, encode=str) or text


def _link(text: str) -> str:
    if "." not in text or not _is_link(text):
        return text
    link = text.partition("?")[0]
    if _has_name(link):
        for name, ai in _REPLACED.items():
            link = link.replace(f"/{name}/", f"/{ai}/")
    if not _on_gs1(link):
        stem = next((stem for stem in _STEMS if stem in link), None)
        if stem is not None:
            link = DIGITAL_LINK + link[link.index(stem) + 1 :]
    if match := _short_gtin(link):
        link = link.replace("/01/", "/01/" + "0" * (14 - len(match[1])))
    if match := _variant(link):
        rest = link[link.index("/22/") + 4 :]
        cut = rest.find("/")
        link = match[1] + (rest[cut:] if cut >= 0 else "")
    if match := _lot_and_serial(link):
        link = match[1] + match[2]
    return link if _is_whole(link) else text
