"""Tiles: every name is read back, and belongs to the tree sizes that the standard says."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sealtrail.errors import InputError
from sealtrail.log.tiles import INDEX_MAX, LEVEL_MAX, TILE_WIDTH, TileName, parse_tile_name

NAMES = st.builds(
    TileName,
    row=st.one_of(st.integers(0, LEVEL_MAX), st.sampled_from(["entries", "keys"])),
    index=st.one_of(st.integers(0, 2_000), st.integers(0, INDEX_MAX)),
    width=st.integers(1, TILE_WIDTH),
)


@given(NAMES)
def test_a_name_is_read_back(name: TileName) -> None:
    assert parse_tile_name(str(name)) == name


@given(st.text(alphabet="0123456789x/.pentriskys-", max_size=40))
def test_a_text_is_a_name_in_its_one_form_or_refused(text: str) -> None:
    assert _name_or_code(text) in (text, "tile_path_malformed")


def _name_or_code(text: str) -> str:
    try:
        return str(parse_tile_name(text))
    except InputError as error:
        return error.code


@given(st.integers(0, LEVEL_MAX), st.integers(1, 2**62))
def test_the_partial_tile_of_a_size_and_level_is_its_and_no_others(level: int, size: int) -> None:
    """C2SP tlog-tiles: at level l of a tree of size s it has floor(s / 256**l) mod 256 hashes."""
    units = size // 256**level
    width = units % 256
    if width:
        first, end = TileName(row=level, index=units // 256, width=width).sizes
        assert first <= size < end
        for other in (width - 1, width + 1):
            if 0 < other < TILE_WIDTH:
                first, end = TileName(row=level, index=units // 256, width=other).sizes
                assert not first <= size < end


@given(NAMES)
def test_the_sizes_of_neighbours_follow_one_another(name: TileName) -> None:
    first, end = name.sizes
    assert first < end
    if not name.is_full:
        following = TileName(row=name.row, index=name.index, width=name.width + 1)
        assert following.sizes[0] == end
