"""Whatever is changed in a bundle is found: by who only has the file, and by its own issuer who signs it again."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import pytest
import rfc8785

from bundle_story import Story
from bundle_world import answered, lines_of, signed, verify
from sealtrail.errors import InputError
from sealtrail.evidence.bundle.compose import SIGNED_PREFIX
from sealtrail.evidence.bundle.form import encode_line
from sealtrail.evidence.bundle.lines import SignatureLine
from sealtrail.evidence.bundle.trust import TrustFile

# What an issuer may put there as it likes: it is its own word, and named so in the report.
ISSUERS_WORD = {
    ("header", "program", "name"),
    ("header", "program", "version"),
}


@pytest.fixture(scope="module")
def story() -> Story:
    return Story("mutated")


@pytest.fixture(scope="module")
def whole(story: Story) -> bytes:
    return signed(answered(story.world, lines_of(story.world, story.recipe())), story.maker)


@pytest.fixture(scope="module")
def trust(story: Story) -> TrustFile:
    return story.world.trust(pinned=5)


def outcome(data: bytes, trust: TrustFile) -> int:
    try:
        return verify(data, trust).exit_code
    except InputError as error:
        return error.exit_code


def test_the_unchanged_bundle_holds(whole: bytes, trust: TrustFile) -> None:
    assert outcome(whole, trust) == 0


def places(line: bytes) -> Iterator[int]:
    """Yield one byte of each class of a line: each name, each value's ends and middle, each sign between them."""
    start = 0
    for at, sign in enumerate(line):
        if sign in b'{}[]:,"\n':
            yield at
            if at - start > 1:
                yield from {start + 1, (start + at) // 2, at - 1}
            start = at


def test_a_flipped_byte_of_any_class_is_found(whole: bytes, trust: TrustFile) -> None:
    offset, missed = 0, []
    # A file with one byte changed is another file: the digest says so before anything else of it is looked at,
    # but for the last line, which says what the digest is.
    for line in whole.splitlines(keepends=True):
        for at in sorted(set(places(line)))[:: 1 if line.startswith(b'{"digest"') else 11]:
            changed = bytearray(whole)
            changed[offset + at] ^= 0x01
            if outcome(bytes(changed), trust) == 0:
                missed.append((offset + at, line[:40]))
        offset += len(line)
    assert missed == []


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data + b"\n",
        lambda data: data + b" ",
        lambda data: b"\n" + data,
        lambda data: data[:-1],
        lambda data: data.replace(b'","', b'", "', 1),
        lambda data: data.replace(b"\n", b"\r\n", 1),
        lambda data: data.replace(b"\n", b"\n\n", 1),
        lambda data: b"\xef\xbb\xbf" + data,
        lambda data: data[: len(data) // 2],
        lambda data: b"".join(data.splitlines(keepends=True)[:-1]),
        lambda data: data + data.splitlines(keepends=True)[-1],
        lambda data: b"",
    ],
    ids=[
        "line at the end",
        "blank at the end",
        "line at the start",
        "no last newline",
        "blank between members",
        "carriage return",
        "empty line",
        "byte order mark",
        "half of it",
        "unsigned",
        "signed twice",
        "empty",
    ],
)
def test_another_byte_form_is_malformed(change: Any, whole: bytes, trust: TrustFile) -> None:
    with pytest.raises(InputError) as caught:
        verify(change(whole), trust)
    assert caught.value.code == "bundle_malformed"
    assert caught.value.exit_code == 2


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of each value in a line that is no object or list."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves(inner, (*path, name))
    elif isinstance(value, list):
        for n, inner in enumerate(value):
            yield from leaves(inner, (*path, n))
    else:
        yield path


def altered(value: Any) -> Any:
    """Return another value of the same kind."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if value.startswith("0x"):
        return value[:-1] + ("0" if value[-1] != "0" else "1")
    try:
        data = bytearray(base64.b64decode(value, validate=True))
    except ValueError:
        data = bytearray()
    if data and len(value) % 4 == 0 and len(data) > 16:
        data[len(data) // 2] ^= 1
        return base64.b64encode(data).decode()
    return value[:-1] + ("x" if value[-1:] != "x" else "y")


def resigned(lines: list[bytes], story: Story) -> bytes:
    """Return the file with the issuer's signature over whatever those lines are."""
    digest = sha256(b"".join(lines)).digest()
    signer = story.maker.peer_signer
    line = SignatureLine(
        digest="0x" + digest.hex(),
        public_key="0x" + signer.public_key.hex(),
        value=signer.sign(SIGNED_PREFIX + digest),
    )
    return b"".join([*lines, encode_line(line)])


def test_a_value_that_the_issuer_changed_and_signed_again_is_found(
    story: Story, trust: TrustFile
) -> None:
    lines = answered(story.world, lines_of(story.world, story.recipe()))
    encoded = [encode_line(line) for line in lines]
    missed, tried = [], 0
    for n, data in enumerate(encoded):
        for path in leaves(json.loads(data)):
            changed = json.loads(data)
            inner = changed
            for step in path[:-1]:
                inner = inner[step]
            if path[-1] == "type":
                continue
            inner[path[-1]] = altered(inner[path[-1]])
            again = [*encoded[:n], rfc8785.dumps(changed) + b"\n", *encoded[n + 1 :]]
            tried += 1
            name = (changed["type"], *(step for step in path if isinstance(step, str)))
            found = outcome(resigned(again, story), trust) != 0
            if found == (name in ISSUERS_WORD):
                missed.append(name)
    assert tried > 100
    assert missed == []
