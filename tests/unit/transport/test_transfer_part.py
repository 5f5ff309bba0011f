from __future__ import annotations

import errno
import hashlib
import json
import os
from pathlib import Path

import pytest

from planet_sdk.exceptions import TransferBusy, TransferCorrupt, TransferError
from planet_sdk.transfer_part import Part, part_path, sidecar_path
from planet_sdk.transfer_terms import Expected, Version

VERSION = Version(etag='"1"', size_bytes=6)
URL = "https://storage.example/a.tif"
PROMISED = Expected(6, hashlib.sha256(b"abcdef").hexdigest())


def claimed(path: Path, expected: Expected | None = None) -> Part:
    part = Part(path, expected or Expected())
    part.claim()
    return part


def leave_behind(path: Path, content: bytes, expected: Expected | None = None) -> None:
    part = claimed(path, expected)
    part.start_over(VERSION, URL)
    part.append([content])
    part.release()


def test_a_part_becomes_the_file(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "a.tif"
    part = claimed(path, PROMISED)
    part.start_over(VERSION, URL)
    part.append([b"abc", b"", b"def"])
    assert (part.size, part.is_whole_and_proven, path.exists()) == (6, True, False)

    part.finish()
    part.release()
    part.release()

    assert path.read_bytes() == b"abcdef"
    assert list(path.parent.iterdir()) == [path]


def test_what_was_left_behind_is_continued_and_hashed_again(tmp_path: Path) -> None:
    leave_behind(tmp_path / "a.tif", b"abc", PROMISED)

    part = claimed(tmp_path / "a.tif", PROMISED)
    assert (part.size, part.version, part.can_continue) == (3, VERSION, True)
    part.append([b"def"])
    part.finish()
    part.release()

    assert (tmp_path / "a.tif").read_bytes() == b"abcdef"


def test_a_part_that_somebody_else_changed_does_not_become_the_file(tmp_path: Path) -> None:
    part = claimed(tmp_path / "a.tif")
    part.start_over(VERSION, URL)
    part.append([b"abc"])
    part_path(tmp_path / "a.tif").write_bytes(b"abcd")

    with pytest.raises(TransferCorrupt):
        part.finish()
    part.release()


@pytest.mark.parametrize(
    "version", [{"etag": 5}, {"etag": "a\nb"}, {"etag": "ä"}, {"size_bytes": "6"}, {"unknown": 1}, [], None]
)
def test_a_sidecar_that_makes_no_sense_is_as_good_as_none(version: object, tmp_path: Path) -> None:
    part_path(tmp_path / "a.tif").write_bytes(b"abc")
    sidecar_path(tmp_path / "a.tif").write_text(json.dumps({"format": 1, "version": version, "expected": {}}))

    part = claimed(tmp_path / "a.tif")
    assert part.size == 0
    part.release()


@pytest.mark.parametrize("sidecar", [None, "", "no json", "[]", '{"format": 2}', '{"format": 1, "version": 3}'])
def test_without_a_sidecar_only_a_digest_allows_to_continue(sidecar: str | None, tmp_path: Path) -> None:
    for expected, size in ((Expected(6), 0), (PROMISED, 3)):
        part_path(tmp_path / "a.tif").write_bytes(b"abc")
        if sidecar is not None:
            sidecar_path(tmp_path / "a.tif").write_text(sidecar)
        part = claimed(tmp_path / "a.tif", expected)
        assert part.size == (size if sidecar != '{"format": 2}' else 0)
        part.release()


def test_a_part_of_another_file_is_not_continued(tmp_path: Path) -> None:
    leave_behind(tmp_path / "a.tif", b"abc", PROMISED)

    part = claimed(tmp_path / "a.tif", Expected(6, hashlib.sha256(b"other!").hexdigest()))

    assert (part.size, part.can_continue) == (0, False)
    part.release()


def test_a_part_longer_than_the_file_is_not_continued(tmp_path: Path) -> None:
    leave_behind(tmp_path / "a.tif", b"abcdefgh")

    part = claimed(tmp_path / "a.tif", Expected(6))

    assert part.size == 0
    part.release()


@pytest.mark.parametrize(("content", "what"), [(b"abc", "size"), (b"abcdeX", "sha256")])
def test_what_is_not_the_file_does_not_become_it(content: bytes, what: str, tmp_path: Path) -> None:
    part = claimed(tmp_path / "a.tif", PROMISED)
    part.start_over(VERSION, URL)
    part.append([content])

    with pytest.raises(TransferCorrupt) as caught:
        part.finish()
    part.forget()
    part.release()

    assert caught.value.what == what
    assert list(tmp_path.iterdir()) == []


def test_nobody_else_gets_the_part_and_afterwards_everybody(tmp_path: Path) -> None:
    part = claimed(tmp_path / "a.tif")
    with pytest.raises(TransferBusy):
        claimed(tmp_path / "a.tif")
    part.release()
    claimed(tmp_path / "a.tif").release()


def test_a_symbolic_link_as_part_file_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("precious")
    part_path(tmp_path / "a.tif").symlink_to(tmp_path / "victim")

    with pytest.raises(TransferError):
        claimed(tmp_path / "a.tif")
    assert (tmp_path / "victim").read_text() == "precious"


def test_a_folder_that_cannot_be_made_is_a_transfer_error_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(TransferError, match="cannot be written") as caught:
        claimed(tmp_path / "file" / "a.tif")
    assert isinstance(caught.value.__cause__, OSError)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full, a disk without space")
def test_a_full_disk_is_a_transfer_error_and_nothing_is_added_after_it(tmp_path: Path) -> None:
    part = claimed(tmp_path / "a.tif")
    part.start_over(VERSION, URL)
    part.append([b"abc"])
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, part._descriptor)
    os.close(full)

    for _ in range(2):
        with pytest.raises(TransferError, match="No space left") as caught:
            part.append([b"def"])
        assert isinstance(caught.value.__cause__, OSError)
        assert caught.value.__cause__.errno == errno.ENOSPC
    part.release()

    assert part_path(tmp_path / "a.tif").read_bytes() == b"abc"
