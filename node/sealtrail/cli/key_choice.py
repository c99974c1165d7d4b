"""Which of a member's keys a command means, and where a key stands at a block."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sealtrail.cli.keyring import KeyFiles
from sealtrail.config import Config
from sealtrail.errors import ConflictError, InputError, NotFoundError
from sealtrail.log.checkpoint import key_id, parse_note
from sealtrail.membership.records import Key, MemberRecord, Purpose, registered_form
from sealtrail.signing import parse_leaf, recover
from sealtrail.store.unproven import load_unproven

_SECP256K1 = (Purpose.EVENT, Purpose.OPERATOR)


def keys_in_use(config: Config) -> dict[Purpose, bytes]:
    """Return the public halves of the configured keys, of 32 bytes as the registry has them.

    Raises:
        SealtrailError: as :func:`sealtrail.store.keystore.load_label`.
    """
    files = KeyFiles.of(config)
    return {purpose: registered_form(files.label(purpose).public) for purpose in files.paths}


def public_hex(key: Key) -> str:
    """Return a registered key as key files show it: an address of 20 bytes, or 32 bytes."""
    return "0x" + (key.public[12:] if key.purpose in _SECP256K1 else key.public).hex()


def choose_key_to_end(
    record: MemberRecord, text: str, *, block: int, in_use: Mapping[Purpose, bytes]
) -> int:
    """Return the position of the key that is to end.

    Args:
        text: hex of its public half; or a purpose: meant is the open key that came before the one in use.
        block: the chain's newest.
        in_use: keys that must not be chosen, by purpose.

    Raises:
        NotFoundError: ``key_unknown``, ``key_not_replaced``.
        InputError: ``key_malformed``, ``key_ambiguous``.
        ConflictError: ``key_in_use``.
    """
    if text.upper() in Purpose.__members__:
        return _replaced(record, Purpose[text.upper()], block, in_use)
    position = find_key(record, text)
    key = record.keys[position]
    if in_use.get(key.purpose) == key.public:
        raise _in_use(key)
    return position


def _replaced(
    record: MemberRecord, purpose: Purpose, block: int, in_use: Mapping[Purpose, bytes]
) -> int:
    name = purpose.name.lower()
    found = [n for n, k in enumerate(record.keys) if k.purpose is purpose and _is_open(k, block)]
    used = [n for n in found if record.keys[n].public == in_use.get(purpose)]
    # one that came after is the next to be used, and ending it by mistake can't be undone
    older = [n for n in found if n < used[0]] if used else found
    if len(older) == 1:
        return older[0]
    if older:
        raise InputError(
            "key_ambiguous",
            f"{len(older)} {name} keys could be meant",
            advice="name one: " + ", ".join(public_hex(record.keys[n]) for n in older),
        )
    if used:
        raise _in_use(record.keys[used[0]])
    raise NotFoundError("key_not_replaced", f"the registry has no {name} key that could end")


def require_unneeded(config: Config, key: Key) -> bool:
    """Look whether what an event or log key signed is covered by final anchors; False: there is no database here.

    Raises:
        ConflictError: ``key_still_needed``.
        UnavailableError, IntegrityError: as :func:`sealtrail.store.unproven.load_unproven`.
    """
    if key.purpose not in (Purpose.EVENT, Purpose.LOG):
        return True
    unproven = load_unproven(config.database)
    if unproven is None:
        return False
    entry = unproven.entry
    if key.purpose is Purpose.EVENT and entry is not None:
        signer = recover(entry.entry_id, parse_leaf(entry.leaf).signature)
        if registered_form(signer) == key.public:
            raise _still_needed(key, f"it signed entry {entry.leaf_index} of the log")
    for signed in map(parse_note, unproven.notes):
        wanted = key_id(signed.checkpoint.origin, key.public)
        if key.purpose is Purpose.LOG and any(s.key_id == wanted for s in signed.signatures):
            raise _still_needed(key, f"it signed a checkpoint of {signed.checkpoint.size} leaves")
    return True


def find_key(record: MemberRecord, text: str) -> int:
    """Return the position of the key with this public half.

    Raises:
        InputError: ``key_malformed``. NotFoundError: ``key_unknown``.
    """
    try:
        public = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        public = b""
    if len(public) not in (20, 32):
        raise InputError("key_malformed", f"{text!r} is no public key: 0x, and 40 or 64 hex digits")
    for position, key in enumerate(record.keys):
        if key.public == registered_form(public):
            return position
    raise NotFoundError(
        "key_unknown",
        f"the registry has no key {text} of {record.name}",
        advice="`sealtrail keys list --registry` shows those that it has",
    )


def standing(key: Key, block: int) -> str:
    """Return where a key stands at ``block``, in words."""
    if key.valid_from > block:
        words = f"valid from block {key.valid_from} on"
    elif key.valid_until == 0:
        words = f"valid since block {key.valid_from}"
    elif _is_open(key, block):
        words = f"valid since block {key.valid_from}, ends at block {key.valid_until}"
    else:
        words = f"ended: valid from block {key.valid_from} to {key.valid_until - 1}"
        words = "never valid" if key.valid_until <= key.valid_from else words
    if key.compromised_since:
        words += f"; COMPROMISED since block {key.compromised_since}"
    return words + ("; given by the stewards" if key.recovered else "")


def key_json(key: Key, position: int) -> dict[str, Any]:
    """Return what the registry says of a key, for ``--json``; blocks, 0 where there is none."""
    return {
        "position": position,
        "purpose": key.purpose.name.lower(),
        "public": public_hex(key),
        "valid_from": key.valid_from,
        "valid_until": key.valid_until,
        "compromised_since": key.compromised_since,
        "compromise_reported": key.compromise_reported,
        "recovered": key.recovered,
    }


def _is_open(key: Key, block: int) -> bool:
    return key.valid_until == 0 or key.valid_until > block


def _in_use(key: Key) -> ConflictError:
    name = key.purpose.name.lower()
    return ConflictError(
        "key_in_use",
        f"the configuration names {public_hex(key)} as the {name} key: what a node signs with an ended key"
        " never holds, and it does not start again",
        pointer=f"keys.{name}",
        advice=f"register another (`sealtrail keys register {name} FILE`), name it, restart the node, then end this"
        " one; or --even-if-in-use",
    )


def _still_needed(key: Key, what: str) -> ConflictError:
    name = key.purpose.name.lower()
    return ConflictError(
        "key_still_needed",
        f"the {name} key {public_hex(key)} is still needed: {what}, which no final anchor covers yet",
        advice="restart the node with the key that replaces it, and wait for its next anchor to be final;"
        " --even-if-in-use if there will be none",
    )
