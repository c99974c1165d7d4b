"""Lists of numbered packs, read in one go.

The packs of an event share few stems (a GTIN, in one spelling) and differ in their serials. A stem is
looked at once and remembered; what is left for each pack is to cut and to join. Only the ordinary spellings are
read here, in which canonical form, hash form and validity follow from the stem; for all others the answer is None,
and each identifier goes its own way (:func:`sealtrail.gs1.canonical`).
"""

from __future__ import annotations

import re
from functools import lru_cache

import msgspec

from sealtrail.gs1.canonical import canonical
from sealtrail.gs1.digital_link import DIGITAL_LINK
from sealtrail.gs1.items import lot_in

PACKS_MIN = 8
"""From here on it is quicker to look for what the packs of a list share than to read each by itself."""

_PLAIN = r"[A-Za-z0-9'\-.;=_]{1,20}"
_are_plain = re.compile(rf"(?:{_PLAIN} )*{_PLAIN}").fullmatch
_is_stem = re.compile(
    r"urn:epc:id:sgtin:[0-9]{6,12}\.[0-9]{1,7}\."
    r"|https?://[A-Za-z0-9\-]+(?:\.[A-Za-z0-9\-]+)+(?::[0-9]+)?(?:/[A-Za-z][A-Za-z_\-]*)*"
    rf"/01/[0-9]{{14}}(?:/10/{_PLAIN})?/21/"
).fullmatch
# where fewer share a stem, each is read more quickly by itself
_PACKS_OF_A_STEM = 8
_GTIN = slice(len(DIGITAL_LINK) + 3, len(DIGITAL_LINK) + 17)
_STEMS_REMEMBERED = 4_096
_STEM_CHARACTERS_MAX = 200
_LISTS_REMEMBERED = 4
_LIST_REMEMBERED_MAX = 1_000


class Packs(msgspec.Struct, frozen=True):
    """The packs of a list: canonical identifiers in its order; each GTIN and each lot named beside a serial, once."""

    canonical: tuple[str, ...]
    gtins: tuple[str, ...]
    lots: tuple[str, ...]


def read_packs(identifiers: tuple[str, ...]) -> Packs | None:
    """Read a list if all in it are well-formed packs (SGTIN) in an ordinary spelling; None says nothing."""
    if len(identifiers) > _LIST_REMEMBERED_MAX:
        return _read.__wrapped__(identifiers)
    # reader, event hash and item mentions ask for one list after each other
    return _read(identifiers)


@lru_cache(maxsize=_LISTS_REMEMBERED)
def _read(identifiers: tuple[str, ...]) -> Packs | None:
    if not identifiers:
        return None
    cut = "/" if identifiers[0].startswith("http") else "."
    parts = [identifier.rpartition(cut) for identifier in identifiers]
    heads = dict.fromkeys([head for head, _, _ in parts])
    if len(heads) > 1 + len(identifiers) // _PACKS_OF_A_STEM:
        return None
    stems: dict[str, _Stem] = {}
    for head in heads:
        stem = _stem(head + cut) if len(head) <= _STEM_CHARACTERS_MAX else None
        if stem is None:
            return None
        stems[head] = stem
    names = [stems[head].canonical + serial for head, _, serial in parts]
    serials = [serial for _, _, serial in parts]
    joined = " ".join(serials)
    if not _are_plain(joined) or joined.count(" ") != len(serials) - 1:
        return None
    return Packs(
        tuple(names),
        tuple(dict.fromkeys([stem.gtin for stem in stems.values()])),
        tuple(dict.fromkeys([stem.lot for stem in stems.values() if stem.lot is not None])),
    )


class _Stem(msgspec.Struct, frozen=True):
    """What an identifier without its serial tells."""

    canonical: str
    gtin: str
    lot: str | None


@lru_cache(maxsize=_STEMS_REMEMBERED)
def _stem(text: str) -> _Stem | None:
    if not _is_stem(text):
        return None
    pack = canonical(text + "0")
    if pack == text + "0" and text.startswith("urn"):
        return None  # digits that make no GTIN
    return _Stem(pack[:-1], pack[_GTIN], lot_in(text + "0"))
