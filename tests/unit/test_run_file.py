"""Runs as files: the same tree, leaves and proofs as in memory; and files that are not what was written."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest

from sealtrail.errors import IntegrityError
from sealtrail.log.item_index import Run, add_postings, parts_of, run_length, sorted_lists
from sealtrail.log.item_run import RunInMemory, prove_in_run
from sealtrail.store.run_file import RunFile, merge_runs, run_name, write_run
from sealtrail.store.run_shelf import RunShelf

LOG, OTHER_LOG = b"\x01" * 32, b"\x02" * 32
OFTEN = [sha256(b"often %d" % n).digest() for n in range(3)]


def lists_of(run: Run) -> dict[bytes, bytes]:
    """Postings of which every fourth is of one of three keys."""
    lists: dict[bytes, bytes] = {}
    for n in range(run.first, run.end):
        key = OFTEN[n // 4 % 3] if n % 4 == 3 else sha256(b"%d" % n).digest()
        add_postings(lists, n, [key])
    return lists


@pytest.mark.parametrize("postings", [1, 2, 14, 15, 16, 17, 300, 340, 341, 342, 343, 4096])
def test_a_file_has_the_tree_and_proofs_of_its_postings(tmp_path: Path, postings: int) -> None:
    run = Run(0, postings)
    lists = lists_of(run)
    memory = RunInMemory(run, lists)
    assert write_run(tmp_path, run, LOG, [sorted_lists(lists)]) == memory.head
    file = RunFile.open(tmp_path / run_name(run))
    file.check()
    assert file.head == memory.head
    assert [leaf for block in file.blocks() for leaf in block] == memory.leaves
    keys = [*lists, *OFTEN, *(sha256(b"absent %d" % n).digest() for n in range(20))]
    for key in keys[:: max(1, len(keys) // 60)]:
        assert prove_in_run(file, key) == prove_in_run(memory, key)


@pytest.mark.parametrize("size", [1, 7, 16, 100])
def test_leaves_may_come_in_portions_of_any_size(tmp_path: Path, size: int) -> None:
    run = Run(0, 900)
    leaves = sorted_lists(lists_of(run))
    portions = [leaves[n : n + size] for n in range(0, len(leaves), size)]
    assert write_run(tmp_path, run, LOG, portions) == RunInMemory(run, lists_of(run)).head


@pytest.fixture
def parts(tmp_path: Path) -> Path:
    for part in parts_of(Run(0, run_length(1))):
        write_run(tmp_path, part, LOG, [sorted_lists(lists_of(part))])
    return tmp_path


def test_a_merged_run_is_that_of_all_postings(parts: Path) -> None:
    run = Run(0, run_length(1))
    memory = RunInMemory(run, lists_of(run))
    assert merge_runs(parts, run, LOG, parts_of(run)) == memory.head
    file = RunFile.open(parts / run_name(run))
    file.check()
    assert [leaf for block in file.blocks() for leaf in block] == memory.leaves
    for key in OFTEN:
        assert prove_in_run(file, key) == prove_in_run(memory, key)


def refused(folder: Path, parts: list[Run], log_id: bytes = LOG) -> str:
    with pytest.raises(IntegrityError) as error:
        merge_runs(folder, Run(0, run_length(1)), log_id, parts)
    assert error.value.code == "item_run_damaged"
    assert list(folder.glob("*.unfinished")) == []
    assert not (folder / run_name(Run(0, run_length(1)))).exists()
    return str(error.value.context.get("file"))


def test_parts_that_are_missing_or_not_all_are_not_merged(parts: Path) -> None:
    of = parts_of(Run(0, run_length(1)))
    assert refused(parts, of[:3]) == "None"
    (parts / run_name(of[2])).unlink()
    assert refused(parts, of) == run_name(of[2])


def test_parts_of_another_log_or_place_are_not_merged(parts: Path) -> None:
    of = parts_of(Run(0, run_length(1)))
    assert refused(parts, of, OTHER_LOG) == run_name(of[0])
    (parts / run_name(of[1])).write_bytes((parts / run_name(of[3])).read_bytes())
    assert refused(parts, of) == run_name(of[1])


@pytest.mark.parametrize("at", [16, 100, 1000, -1000, -153])
def test_a_part_with_a_flipped_byte_is_not_merged(parts: Path, at: int) -> None:
    of = parts_of(Run(0, run_length(1)))
    path = parts / run_name(of[1])
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)
    with pytest.raises(IntegrityError):
        RunFile.open(path).check()
    assert refused(parts, of) == path.name


@pytest.mark.parametrize("at", [0, 15, -1, -33, -100, -152])
def test_a_flipped_byte_in_head_or_footer_shows_on_opening(tmp_path: Path, at: int) -> None:
    run = Run(0, 100)
    write_run(tmp_path, run, LOG, [sorted_lists(lists_of(run))])
    path = tmp_path / run_name(run)
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)
    with pytest.raises(IntegrityError) as error:
        RunFile.open(path)
    assert error.value.code == "item_run_damaged"


@pytest.mark.parametrize(
    "content", [b"", b"sealtrail/run/1\n", bytes(1000), b"sealtrail/run/1\n" * 20]
)
def test_what_is_no_run_is_not_opened(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "0-1.run").write_bytes(content)
    with pytest.raises(IntegrityError) as error:
        RunFile.open(tmp_path / "0-1.run")
    assert error.value.code == "item_run_damaged"


def test_runs_of_another_log_or_beyond_its_end_are_deleted(parts: Path) -> None:
    of = parts_of(Run(0, run_length(1)))
    shelf = RunShelf(parts, LOG)
    shelf.load(postings=of[2].end)
    assert shelf.runs() == of[:3]
    assert not (parts / run_name(of[3])).exists()
    other = RunShelf(parts, OTHER_LOG)
    other.load(postings=of[2].end)
    assert other.runs() == []
    assert list(parts.iterdir()) == []


def test_a_deleted_run_is_read_on_by_who_has_it(parts: Path) -> None:
    of = parts_of(Run(0, run_length(1)))
    shelf = RunShelf(parts, LOG)
    shelf.load(postings=of[3].end)
    file = shelf.get(of[0])
    assert file is not None
    shelf.keep({of[1]}, lambda run: run == of[2])
    assert shelf.runs() == of[1:3]
    assert not file.path.exists()
    file.check()
