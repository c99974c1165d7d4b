"""Archives of documents: what is in them comes out, and what is hostile in them is refused by name."""

from __future__ import annotations

import gzip
import io
import os
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from sealtrail.cli import capture_archives, documents
from sealtrail.cli.capture_archives import read_archive
from sealtrail.errors import InputError, TooLargeError

FILES = {"a.json": b"{}", "deep/er/b.xml": b"<a/>", "c.txt": b"no", "__MACOSX/._a.json": b"no"}


def write_zip(path: Path, files: dict[str, bytes], mode: int = zipfile.ZIP_DEFLATED) -> None:
    with zipfile.ZipFile(path, "w", mode) as archive:
        for name, content in files.items():
            archive.writestr(name, content)


def write_tar(path: Path, files: dict[str, bytes]) -> None:
    with tarfile.open(path, "w:gz" if path.name.endswith("gz") else "w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))


WRITERS: dict[str, Callable[[Path, dict[str, bytes]], None]] = {
    "a.zip": write_zip,
    "A.ZIP": write_zip,
    "a.tar": write_tar,
    "a.tar.gz": write_tar,
    "a.tgz": write_tar,
}


@pytest.fixture(params=WRITERS)
def archive(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[dict[str, bytes]], Path]:
    def make(files: dict[str, bytes]) -> Path:
        path = tmp_path / str(request.param)
        WRITERS[request.param](path, files)
        return path

    return make


def refusal(path: Path) -> InputError:
    with pytest.raises(InputError) as caught:
        list(read_archive(path))
    return caught.value


def test_its_documents_come_out_and_nothing_else(
    archive: Callable[[dict[str, bytes]], Path],
) -> None:
    path = archive(FILES)
    assert [(m.name, m.content) for m in read_archive(path)] == [
        (f"{path}:a.json", b"{}"),
        (f"{path}:deep/er/b.xml", b"<a/>"),
    ]


def test_one_packed_document_comes_out(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(b"{}\n{}"))
    assert [(m.name, m.content) for m in read_archive(path)] == [(f"{path}:a.jsonl", b"{}\n{}")]


def test_names_that_lead_elsewhere_are_only_names(
    archive: Callable[[dict[str, bytes]], Path], tmp_path: Path
) -> None:
    path = archive({"../../evil.json": b"1", "/etc/evil.json": b"2"})
    before = sorted(tmp_path.rglob("*"))
    assert [m.content for m in read_archive(path)] == [b"1", b"2"]
    assert sorted(tmp_path.rglob("*")) == before


def test_a_name_that_is_no_text_is_spelt_out(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    write_tar(path, {os.fsdecode(b"a\xff.json"): b"{}"})
    assert [m.name for m in read_archive(path)] == [f"{path}:a\\xff.json"]


def test_a_member_without_a_name_is_no_document(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    write_zip(path, {"x": b"", "b.json": b"{}", "folder.zip/": b""})
    content = path.read_bytes()
    name = content.index(b"PK\x01\x02") + 46  # of the first member in the list of all
    path.write_bytes(content[:name] + b"\0" + content[name + 1 :])
    assert [m.content for m in read_archive(path)] == [b"{}"]


def test_links_and_devices_are_no_documents(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as archive:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE):
            info = tarfile.TarInfo(f"{kind.decode()}.json")
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
    assert list(read_archive(path)) == []


def test_an_archive_in_an_archive_is_refused(
    archive: Callable[[dict[str, bytes]], Path],
) -> None:
    assert refusal(archive({"b.zip": b""})).code == "archive_nested"


def test_a_member_that_unpacks_to_too_much_is_refused(
    archive: Callable[[dict[str, bytes]], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capture_archives, "FILE_BYTES_MAX", 1_000)
    monkeypatch.setattr(documents, "FILE_BYTES_MAX", 1_000)
    error = refusal(archive({"a.json": b" " * 5_000}))
    assert isinstance(error, TooLargeError)
    assert error.code == "file_too_large"


def test_members_that_unpack_to_too_much_together_are_refused(
    archive: Callable[[dict[str, bytes]], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capture_archives, "ARCHIVE_BYTES_MAX", 30_000)
    assert refusal(archive({f"{n}.json": b" " * 9_000 for n in range(5)})).code == (
        "archive_too_large"
    )


def test_too_many_members_are_refused(
    archive: Callable[[dict[str, bytes]], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capture_archives, "MEMBERS_MAX", 3)
    assert refusal(archive({f"{n}.json": b"" for n in range(4)})).code == "archive_too_large"


def test_a_tar_that_says_too_much_of_a_member_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capture_archives, "TAR_HEADERS_BYTES_MAX", 100_000)
    path = tmp_path / "a.tar.gz"
    with tarfile.open(path, "w:gz", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(tarfile.TarInfo("a.json"))
        long = tarfile.TarInfo("b.json")
        long.pax_headers = {"comment": "x" * 1_000_000}
        archive.addfile(long)
    assert refusal(path).code == "archive_too_large"


def test_what_is_long_and_no_document_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capture_archives, "TAR_HEADERS_BYTES_MAX", 20_000)
    path = tmp_path / "a.tar"
    write_tar(path, {"film.mp4": b"x" * 1_000_000, "a.json": b"{}"})
    assert [m.content for m in read_archive(path)] == [b"{}"]


def test_a_member_that_wants_more_memory_than_there_is_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    write_zip(path, {"a.json": b"{}"}, zipfile.ZIP_LZMA)
    content = bytearray(path.read_bytes())
    properties = content.index(b"a.json") + len(b"a.json") + 4  # behind version and length
    content[properties + 1 : properties + 5] = b"\xff" * 4  # the dictionary's size
    path.write_bytes(content)
    program = (
        "import resource, sys; from pathlib import Path\n"
        "from sealtrail.cli.capture_archives import read_archive\n"
        "from sealtrail.errors import InputError\n"
        "resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))\n"
        "try: list(read_archive(Path(sys.argv[1])))\n"
        "except InputError as error: print(error.code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True
    )
    assert done.stdout == "archive_malformed\n"


def test_an_encrypted_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    write_zip(path, {"a.json": b"{}"}, zipfile.ZIP_STORED)
    content = bytearray(path.read_bytes())
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    assert refusal(path).code == "archive_encrypted"


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.gz", "a.json.gz"])
@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04", b"\x1f\x8b\x08\x00"])
def test_what_is_no_archive_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    error = refusal(path) if (name, content) != ("a.json.gz", b"") else None
    assert error is None or error.code == "archive_malformed"


def test_a_damaged_archive_is_refused_at_every_byte(
    archive: Callable[[dict[str, bytes]], Path],
) -> None:
    path = archive({"a.json": b'{"a": 1}', "b.json": b'{"b": 2}'})
    whole = path.read_bytes()
    for place in range(0, len(whole), 7):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            list(read_archive(path))
        except InputError as error:
            assert error.code.startswith(("archive_", "file_"))  # noqa: PT017 - many are still whole


def test_a_broken_off_archive_gives_what_was_before_and_then_fails(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    write_tar(path, {"a.json": b"{}", "b.json": b"x" * 2_000})
    path.write_bytes(path.read_bytes()[:2_500])
    members = read_archive(path)
    assert next(members).content == b"{}"
    with pytest.raises(InputError):
        list(members)


def test_a_zip_of_too_many_members_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capture_archives, "MEMBERS_MAX", 3)
    path = tmp_path / "a.zip"
    write_zip(path, {f"{n}.txt": b"" for n in range(3)} | {"a.json": b"{}"})
    with pytest.raises(TooLargeError) as caught:
        next(read_archive(path))
    assert caught.value.code == "archive_too_large"
    # its own count is not gone by
    content = bytearray(path.read_bytes())
    content[-14:-10] = b"\1\0\1\0"
    path.write_bytes(content)
    assert refusal(path).code == "archive_too_large"
    monkeypatch.setattr(capture_archives, "MEMBERS_MAX", 4)
    assert [m.content for m in read_archive(path)] == [b"{}"]


def test_a_zip_whose_list_is_too_long_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capture_archives, "ZIP_LIST_BYTES_MAX", 70_000)
    path = tmp_path / "a.zip"
    write_zip(path, {"x" * 60_000 + ".json": b"{}"})
    assert [m.content for m in read_archive(path)] == [b"{}"]
    write_zip(path, {c * 60_000 + ".json": b"{}" for c in "xy"})
    assert refusal(path).code == "archive_too_large"
