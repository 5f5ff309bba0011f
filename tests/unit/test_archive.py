"""An archive that somebody else made is looked through before anything is unpacked."""

from __future__ import annotations

import hashlib
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path
from threading import Event

import pytest

from jobs.archive import Archive
from jobs.errors import DamagedArchive, UnsafeArchive
from planet_sdk.exceptions import UnsafeName

FOLDER = "2887c43b-26be-4bec-8efe-cb9e94f0ef3d"


def entry(name: str, method: int = zipfile.ZIP_DEFLATED, mode: int = stat.S_IFREG | 0o644) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.compress_type, info.external_attr = method, mode << 16
    return info


def write(path: Path, *entries: tuple[zipfile.ZipInfo | str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for each, body in entries:
            archive.writestr(entry(each) if isinstance(each, str) else each, body)
    return path


def unpack_all(path: Path, folder: Path) -> dict[str, str]:
    with Archive(path, FOLDER) as archive:
        return {member.path: archive.unpack(member, folder, Event()) for member in archive.members}


def files_below(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_files_come_out_whole_below_the_folder_and_the_orders_id_is_left_out(tmp_path: Path) -> None:
    path = write(
        tmp_path / "o.zip",
        (entry("PSScene/", mode=stat.S_IFDIR | 0o755), b""),
        ("PSScene/a.tif", b"a" * 3_000_000),
        (f"{FOLDER}/b.xml", b"<b/>"),
    )

    unpacked = unpack_all(path, tmp_path / "out")

    assert files_below(tmp_path / "out") == ["PSScene/a.tif", "b.xml"]
    assert unpacked["PSScene/a.tif"] == hashlib.sha256(b"a" * 3_000_000).hexdigest()
    assert (tmp_path / "out/b.xml").read_bytes() == b"<b/>"


@pytest.mark.parametrize(
    "name",
    [
        "../evil",
        "a/../../evil",
        "/etc/evil",
        "C:/evil",
        "C:evil",
        "a\\..\\evil",
        "a//b",
        "./a",
        "a\nb",
        "a.tif.part",
        "é" * 200,
    ],
)
def test_a_name_that_no_file_may_have_is_refused(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / "o.zip", ("good.tif", b"good"), (name, b"evil"))

    with pytest.raises(UnsafeName):
        Archive(path, FOLDER)


def test_a_name_that_ends_at_a_nul_is_refused(tmp_path: Path) -> None:
    """Python's zipfile would show the part before it."""
    path = write(tmp_path / "o.zip", ("good.tifXevil", b"good"))
    path.write_bytes(path.read_bytes().replace(b"tifXevil", b"tif\x00evil"))

    with pytest.raises(UnsafeName):
        Archive(path, FOLDER)


@pytest.mark.parametrize(
    ("names", "why"),
    [
        (("a.tif", "A.TIF"), "more than one file"),
        (("\u00e9.tif", "e\u0301.tif"), "more than one file"),
        ((f"{FOLDER}/a.tif", "a.tif"), "more than one file"),
        (("a", "a/b.tif"), "a file and a folder"),
        (("A/b.tif", "a"), "a file and a folder"),
    ],
)
def test_two_names_for_one_place_are_refused(tmp_path: Path, names: tuple[str, str], why: str) -> None:
    path = write(tmp_path / "o.zip", *((name, b"x") for name in names))

    with pytest.raises(UnsafeArchive, match=why):
        Archive(path, FOLDER)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_the_same_name_twice_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "o.zip", ("a.tif", b"1"), ("a.tif", b"2"))

    with pytest.raises(UnsafeArchive, match="more than one file"):
        Archive(path, FOLDER)


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFSOCK, stat.S_IFDIR])
def test_what_is_no_file_is_refused(tmp_path: Path, kind: int) -> None:
    path = write(tmp_path / "o.zip", (entry("link", mode=kind | 0o777), b"/etc/passwd"))

    with pytest.raises(UnsafeArchive, match="link or a device"):
        Archive(path, FOLDER)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_method_that_takes_unbounded_memory_is_refused(tmp_path: Path, method: int) -> None:
    path = write(tmp_path / "o.zip", (entry("a.tif", method), b"a" * 1000))

    with pytest.raises(UnsafeArchive, match="packed by method"):
        Archive(path, FOLDER)


def test_an_encrypted_file_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "o.zip", (entry("a.tif", zipfile.ZIP_STORED), b"a"))
    body = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        body[body.index(signature) + offset] |= 1
    path.write_bytes(body)

    with pytest.raises(UnsafeArchive, match="encrypted"):
        Archive(path, FOLDER)


def test_a_bomb_is_refused_before_it_is_lit(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "o.zip", "w") as archive, archive.open(entry("zeros.tif"), "w") as file:
        for _ in range(70):
            file.write(bytes(1024 * 1024))

    with pytest.raises(UnsafeArchive, match="would become 73,400,320"):
        Archive(tmp_path / "o.zip", FOLDER)


def test_a_directory_without_end_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "o.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(200):
            info = entry(f"{number}")
            info.comment = bytes(60_000)
            archive.writestr(info, b"")

    with pytest.raises(UnsafeArchive, match="directory is longer"):
        Archive(path, FOLDER)


def test_a_link_that_waits_in_the_folder_is_not_followed(tmp_path: Path) -> None:
    path = write(tmp_path / "o.zip", ("PSScene/a.tif", b"a"))
    (tmp_path / "out").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out/PSScene").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(UnsafeName):
        unpack_all(path, tmp_path / "out")
    assert files_below(tmp_path / "elsewhere") == []


def flip(body: bytearray) -> bytearray:
    body[len(body) // 3] ^= 0xFF
    return body


DAMAGE: dict[str, Callable[[bytearray], bytearray]] = {
    "a bit": flip,
    "cut": lambda body: body[: len(body) // 2],
    "empty": lambda _: bytearray(),
    "a page": lambda _: bytearray(b"<html>nothing here</html>"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_what_is_damaged_leaves_no_file_and_is_told_apart(tmp_path: Path, damage: str) -> None:
    path = write(tmp_path / "o.zip", (entry("a.tif", zipfile.ZIP_STORED), b"a" * 10_000))
    path.write_bytes(DAMAGE[damage](bytearray(path.read_bytes())))

    with pytest.raises(DamagedArchive, match=r"o\.zip cannot be unpacked"):
        unpack_all(path, tmp_path / "out")
    assert files_below(tmp_path / "out") == []


def test_a_file_whose_size_is_a_lie_is_damaged(tmp_path: Path) -> None:
    path = write(tmp_path / "o.zip", (entry("a.tif"), b"a" * 10_000))
    body = path.read_bytes()
    true, lie = (10_000).to_bytes(4, "little"), (9_000).to_bytes(4, "little")
    path.write_bytes(body.replace(true, lie))

    with pytest.raises(DamagedArchive):
        unpack_all(path, tmp_path / "out")
    assert files_below(tmp_path / "out") == []


def test_when_stopped_it_leaves_nothing(tmp_path: Path) -> None:
    path, stop = write(tmp_path / "o.zip", ("a.tif", b"a")), Event()
    stop.set()

    with Archive(path, FOLDER) as archive, pytest.raises(InterruptedError):
        archive.unpack(archive.members[0], tmp_path / "out", stop)
    assert files_below(tmp_path / "out") == []
