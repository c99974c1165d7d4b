"""Names and forms of tiles, entry bundles and key bundles."""

from __future__ import annotations

from pathlib import Path

import pytest

from sealtrail.errors import InputError, IntegrityError
from sealtrail.log.tiles import (
    KeyBundleReader,
    TileName,
    encode_entry_bundle,
    encode_key_bundle,
    parse_entry_bundle,
    parse_tile_name,
)
from sealtrail.log.tree import leaf_hash, root_hash
from sealtrail.store.database import Database
from sealtrail.store.log import LogStore, NewEntry, load_bundle

NAMES = [
    ("0/000", TileName(row=0, index=0)),
    ("0/067.p/1", TileName(row=0, index=67, width=1)),
    ("3/x001/x234/067", TileName(row=3, index=1_234_067)),
    ("63/x001/000.p/255", TileName(row=63, index=1_000, width=255)),
    ("entries/x001/x234/067.p/7", TileName(row="entries", index=1_234_067, width=7)),
    ("keys/999", TileName(row="keys", index=999)),
    ("0/x009/x223/x372/x036/x854/x775/807", TileName(row=0, index=2**63 - 1)),
]


@pytest.mark.parametrize(("path", "name"), NAMES)
def test_a_tile_has_one_name(path: str, name: TileName) -> None:
    assert parse_tile_name(path) == name
    assert str(name) == path


@pytest.mark.parametrize(
    "path",
    [
        "", "0", "0/", "0/0", "0/00", "0/1234", "0/x000/001", "00/000", "01/000", "64/000", "-1/000", "0/-01",
        "0/001/234", "0/x001/x234", "x0/000", "0/000.p/0", "0/000.p/256", "0/000.p/01", "0/000.p/", "0/000.p/999",
        "0/000.p/1/", "0/000/", " 0/000", "0/000\n", "0//000", "entries", "entries/", "entry/000", "Entries/000",
        "keys/000.p/-1", "0/٠٠٠", "0/x009/x223/x372/x036/x854/x775/808", "0/" + "x001/" * 40 + "000",
        "../checkpoint", "0/000.p/1?x", "seeds/000",
    ],
)  # fmt: skip
def test_another_path_names_no_tile(path: str) -> None:
    with pytest.raises(InputError) as refused:
        parse_tile_name(path)
    assert refused.value.code == "tile_path_malformed"


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        (TileName(row=0, index=0, width=1), (1, 2)),
        (TileName(row=0, index=273, width=112), (70_000, 70_001)),
        (TileName(row=1, index=1, width=17), (273 * 256, 274 * 256)),
        (TileName(row=2, index=0, width=1), (65_536, 131_072)),
        (TileName(row="entries", index=1), (512, 513)),
    ],
)
def test_a_partial_tile_belongs_to_the_sizes_of_the_standard(
    name: TileName, sizes: tuple[int, int]
) -> None:
    assert name.sizes == sizes
    for size in (sizes[0], sizes[1] - 1):
        if not name.is_full:
            assert (size >> 8 * name.level) % 256 == name.width
            assert size >> 8 * (name.level + 1) == name.index


def test_bundles_have_their_lengths_before_them() -> None:
    assert encode_entry_bundle([b"", b"ab", b"c" * 256]) == (
        b"\x00\x00" + b"\x00\x02ab" + b"\x01\x00" + b"c" * 256
    )
    assert encode_key_bundle([b"", b"k" * 64]) == bytes(4) + b"\x00\x00\x00\x02" + b"k" * 64


def entries(count: int) -> list[NewEntry]:
    return [
        NewEntry(n.to_bytes(32, "big"), b"\x01\x09" + n.to_bytes(4, "big"), None, b"", b"k" * 32)
        for n in range(count)
    ]


@pytest.fixture
def filled(tmp_path: Path) -> tuple[Database, LogStore]:
    database = Database.open(tmp_path / "node.db", readers=1)
    log = LogStore.open(database)
    database.write_sync(lambda c: log.append(c, entries(600)))
    return database, log


def test_tiles_of_the_store_are_hashes_of_its_leaves(filled: tuple[Database, LogStore]) -> None:
    database, log = filled
    hashes = [leaf_hash(e.leaf) for e in entries(600)]
    for name, expected in [
        (TileName(row=0, index=1), hashes[256:512]),
        (TileName(row=0, index=2, width=88), hashes[512:]),
        (TileName(row=0, index=2, width=3), hashes[512:515]),
        (TileName(row=0, index=0, width=255), hashes[:255]),
        (TileName(row=1, index=0, width=2), [root_hash(hashes[:256]), root_hash(hashes[256:512])]),
    ]:
        assert database.read_sync(lambda c, n=name: log.tile(c, n)) == b"".join(expected)
    database.close()


@pytest.mark.parametrize(
    "name",
    [
        TileName(row=0, index=2, width=89),
        TileName(row=0, index=2),
        TileName(row=0, index=3, width=1),
        TileName(row=1, index=0, width=3),
        TileName(row=2, index=0, width=1),
        TileName(row=63, index=0, width=1),
    ],
)
def test_a_tile_that_the_store_has_not_is_refused(
    filled: tuple[Database, LogStore], name: TileName
) -> None:
    database, log = filled
    with pytest.raises(IntegrityError) as refused:
        database.read_sync(lambda c: log.tile(c, name))
    assert refused.value.code == "tile_missing"
    database.close()


def test_a_bundle_that_the_store_has_not_whole_is_refused(
    filled: tuple[Database, LogStore],
) -> None:
    database, _ = filled
    whole = TileName(row="entries", index=2, width=88)
    assert len(database.read_sync(lambda c: load_bundle(c, whole))) == 88
    with pytest.raises(IntegrityError) as refused:
        database.read_sync(lambda c: load_bundle(c, TileName(row="entries", index=2, width=89)))
    assert refused.value.code == "tile_missing"
    database.close()


LEAVES = [b"a" * 191, b"", b"c"]
KEY_LISTS = [b"", b"\x01" * 32, b"\x02" * 96]


def test_an_entry_bundle_is_read_back() -> None:
    assert parse_entry_bundle(encode_entry_bundle(LEAVES), 3) == LEAVES


@pytest.mark.parametrize(
    "data",
    [
        b"",
        encode_entry_bundle(LEAVES[:2]),
        encode_entry_bundle([*LEAVES, b"d"]),
        encode_entry_bundle(LEAVES)[:-1],
        encode_entry_bundle(LEAVES) + b"\0",
        b"\xff\xff" + encode_entry_bundle(LEAVES)[2:],
    ],
)
def test_other_bytes_are_no_entry_bundle(data: bytes) -> None:
    with pytest.raises(InputError) as refused:
        parse_entry_bundle(data, 3)
    assert refused.value.code == "bundle_malformed"


@pytest.mark.parametrize("step", [1, 3, 4, 5, 35, 36, 37, 1000])
def test_a_key_bundle_is_read_back_in_whatever_pieces_it_comes(step: int) -> None:
    data = encode_key_bundle(KEY_LISTS)
    reader = KeyBundleReader(3, keys_max=3)
    found = []
    for at in range(0, len(data), step):
        found += reader.feed(data[at : at + step])
    reader.finish()
    assert found == KEY_LISTS


@pytest.mark.parametrize(
    "data",
    [
        b"",
        encode_key_bundle(KEY_LISTS[:2]),
        encode_key_bundle([*KEY_LISTS, b""]),
        encode_key_bundle(KEY_LISTS)[:-1],
        encode_key_bundle(KEY_LISTS) + b"\0",
        encode_key_bundle([bytes(32 * 4), b"", b""]),  # over the most keys of one
        b"\xff" * 4,
    ],
)
def test_other_bytes_are_no_key_bundle(data: bytes) -> None:
    reader = KeyBundleReader(3, keys_max=3)
    with pytest.raises(InputError) as refused:
        _read_all(reader, data)
    assert refused.value.code == "bundle_malformed"


def _read_all(reader: KeyBundleReader, data: bytes) -> None:
    reader.feed(data)
    reader.finish()
