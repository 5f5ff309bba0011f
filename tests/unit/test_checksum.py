"""An order's folder, held against its manifest."""

from __future__ import annotations

import hashlib
import json
import tracemalloc
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from planet_sdk import OrdersClient
from planet_sdk.checksum import digest, file_digest
from planet_sdk.exceptions import ChecksumMismatch, ClientError, UnsafeName

if TYPE_CHECKING:
    from pathlib import Path

FILES = {"PSScene/a.tif": b"a" * 300_000, "PSScene/b.json": b"{}"}


def _write_manifest(folder: Path, files: dict[str, bytes], **changes: Any) -> None:
    entries = [
        {
            "path": path,
            "size": len(body),
            "digests": {"md5": hashlib.md5(body).hexdigest(), "sha256": hashlib.sha256(body).hexdigest()},
            **changes,
        }
        for path, body in files.items()
    ]
    (folder / "manifest.json").write_text(json.dumps({"name": "", "files": entries}))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A whole order, as it was downloaded."""
    for path, body in FILES.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(body)
    _write_manifest(tmp_path, FILES)
    return tmp_path


@pytest.mark.parametrize("checksum", ["md5", "MD5", "Sha256", "SHA256"])
def test_a_whole_order_passes(folder: Path, checksum: str) -> None:
    OrdersClient.validate_checksum(folder, checksum)


def test_the_folder_may_be_named_by_text(folder: Path) -> None:
    """planet 2.14 needs a Path."""
    OrdersClient.validate_checksum(str(folder), "md5")


def test_every_bad_file_is_listed_not_only_the_first(folder: Path) -> None:
    (folder / "PSScene/a.tif").write_bytes(b"b" * 300_000)
    (folder / "PSScene/b.json").unlink()

    with pytest.raises(ChecksumMismatch, match="2 of 2 files") as caught:
        OrdersClient.validate_checksum(folder, "sha256")
    assert caught.value.problems == ["PSScene/a.tif: bad_digest (sha256)", "PSScene/b.json: missing"]


def test_a_stump_is_found_by_its_size(folder: Path) -> None:
    (folder / "PSScene/a.tif").write_bytes(b"a" * 300)

    with pytest.raises(ChecksumMismatch, match=r"bad_size .300 bytes, the manifest says 300,000"):
        OrdersClient.validate_checksum(folder, "sha256")


def test_a_file_without_a_digest_does_not_pass(folder: Path) -> None:
    _write_manifest(folder, FILES, digests={})

    with pytest.raises(ChecksumMismatch, match="gives no md5"):
        OrdersClient.validate_checksum(folder, "md5")


def test_another_checksum_is_refused(folder: Path) -> None:
    with pytest.raises(ClientError, match="must be one of MD5 or SHA256"):
        OrdersClient.validate_checksum(folder, "crc32")


def test_a_folder_without_a_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ClientError, match="does not exist"):
        OrdersClient.validate_checksum(tmp_path, "md5")


def test_a_manifest_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").mkdir()

    with pytest.raises(ClientError, match="cannot be read"):
        OrdersClient.validate_checksum(tmp_path, "md5")


def test_a_manifest_cannot_make_it_read_outside_the_folder(folder: Path) -> None:
    (folder.parent / "secret").write_bytes(b"x")
    _write_manifest(folder, {"../secret": b"x"})

    with pytest.raises(UnsafeName):
        OrdersClient.validate_checksum(folder, "md5")


def test_a_link_cannot_make_it_read_outside_the_folder(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    secret = tmp_path_factory.mktemp("elsewhere") / "secret"
    secret.write_bytes(b"x")
    (folder / "link").symlink_to(secret)
    _write_manifest(folder, {"link": b"x"})

    with pytest.raises(UnsafeName):
        OrdersClient.validate_checksum(folder, "md5")


@pytest.mark.parametrize("inner_folder", ["", "files/"])
def test_files_may_lie_in_the_archive_beside_the_manifest(tmp_path: Path, inner_folder: str) -> None:
    with zipfile.ZipFile(tmp_path / "output.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path, body in FILES.items():
            archive.writestr(inner_folder + path, body)
    _write_manifest(tmp_path, FILES)

    OrdersClient.validate_checksum(tmp_path, "sha256")


def test_the_manifest_may_list_the_archive_itself(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "output.zip", "w") as archive:
        archive.writestr("a", b"a")
    _write_manifest(tmp_path, {"output.zip": (tmp_path / "output.zip").read_bytes()})

    OrdersClient.validate_checksum(tmp_path, "md5")


def test_files_that_the_archive_lacks_or_holds_otherwise_are_listed(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "output.zip", "w") as archive:
        archive.writestr("PSScene/a.tif", b"b" * 300_000)
    _write_manifest(tmp_path, FILES)

    with pytest.raises(ChecksumMismatch) as caught:
        OrdersClient.validate_checksum(tmp_path, "sha256")
    assert caught.value.problems == ["PSScene/a.tif: bad_digest (sha256)", "PSScene/b.json: missing"]


def test_a_damaged_archive_is_a_problem_and_not_a_crash(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "output.zip", "w") as archive:
        for path, body in FILES.items():
            archive.writestr(path, body)
    whole = (tmp_path / "output.zip").read_bytes()
    _write_manifest(tmp_path, FILES)

    (tmp_path / "output.zip").write_bytes(whole.replace(b"a" * 1000, b"c" * 1000, 1))
    with pytest.raises(ChecksumMismatch, match=r"PSScene/a.tif: .*"):
        OrdersClient.validate_checksum(tmp_path, "sha256")

    (tmp_path / "output.zip").write_bytes(whole[:500])
    with pytest.raises(ChecksumMismatch, match=r"output.zip: no readable archive"):
        OrdersClient.validate_checksum(tmp_path, "sha256")


async def test_a_digest_is_the_same_in_a_thread(folder: Path) -> None:
    path = folder / "PSScene/a.tif"

    assert await digest(path, "SHA256") == file_digest(path, "sha256") == hashlib.sha256(path.read_bytes()).hexdigest()


def test_memory_stays_flat_whatever_the_size_of_the_file(tmp_path: Path) -> None:
    """planet 2.14 reads whole files into memory."""
    with (tmp_path / "large").open("wb") as file:
        file.truncate(64 * 1024 * 1024)

    tracemalloc.start()
    try:
        file_digest(tmp_path / "large", "md5")
        assert tracemalloc.get_traced_memory()[1] < 4 * 1024 * 1024
    finally:
        tracemalloc.stop()
