"""A download begins only where the disk has room for it beside what other downloads of the worker still need."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from jobs.room import Room, Wanted


@pytest.fixture
def third(tmp_path: Path) -> int:
    """A third of the free disk."""
    return shutil.disk_usage(tmp_path).free // 3


def test_what_is_there_already_needs_no_room(tmp_path: Path, third: int) -> None:
    """Only what is still to come counts; and a file of unknown size counts as nothing."""
    whole, half = Wanted(tmp_path / "whole.tif", 4), Wanted(tmp_path / "half.tif", 6 * third)
    whole.path.write_bytes(b"1234")
    with (tmp_path / "half.tif.part").open("wb") as part:
        part.truncate(5 * third)  # sparse: takes no room itself

    assert (whole.still_bytes, half.still_bytes) == (0, third)
    assert Room().claim("R1", tmp_path, [whole, half, Wanted(tmp_path / "unknown.tif", 0)]) is None


def test_where_there_is_not_enough_it_says_how_much_is_missing(tmp_path: Path, third: int) -> None:
    why = Room().claim("R1", tmp_path / "new", [Wanted(tmp_path / "huge.tif", 4 * third)])

    assert why is not None
    assert f"and {4 * third:,} are to come; make room, the run goes on by itself" in why
    assert "other downloads" not in why


def test_what_other_downloads_still_need_is_theirs(tmp_path: Path, third: int) -> None:
    room, theirs = Room(), Wanted(tmp_path / "theirs.tif", 2 * third)
    assert room.claim("R1", tmp_path, [theirs]) is None

    why = room.claim("R2", tmp_path, [Wanted(tmp_path / "ours.tif", 2 * third)])
    assert why is not None
    assert f"{2 * third:,} are kept for other downloads" in why

    with theirs.path.open("wb") as file:
        file.truncate(2 * third)
    assert room.claim("R2", tmp_path, [Wanted(tmp_path / "ours.tif", 2 * third)]) is None


def test_a_download_that_has_ended_keeps_nothing(tmp_path: Path, third: int) -> None:
    room = Room()
    for run_id in ("R1", "R2"):
        assert room.claim(run_id, tmp_path, [Wanted(tmp_path / run_id, 2 * third)]) is None
        room.release(run_id)
        room.release(run_id)


def test_a_run_that_asks_again_is_not_in_its_own_way(tmp_path: Path, third: int) -> None:
    room = Room()
    for _ in range(2):
        assert room.claim("R1", tmp_path, [Wanted(tmp_path / "a.tif", 2 * third)]) is None


def test_one_that_was_refused_keeps_nothing(tmp_path: Path, third: int) -> None:
    room = Room()
    assert room.claim("R1", tmp_path, [Wanted(tmp_path / "a.tif", 4 * third)]) is not None
    assert room.claim("R2", tmp_path, [Wanted(tmp_path / "b.tif", 2 * third)]) is None


def test_who_needs_nothing_is_never_refused(tmp_path: Path, third: int) -> None:
    room = Room()
    assert room.claim("R1", tmp_path, [Wanted(tmp_path / "a.tif", 2 * third)]) is None
    assert room.claim("R2", tmp_path, []) is None


def test_only_what_is_staged_at_once_needs_room(tmp_path: Path, third: int) -> None:
    files = [Wanted(tmp_path / f"{number}.tif", third // 10) for number in range(100)]

    assert Room().claim("R1", tmp_path, files, at_once=4) is None
    assert Room().claim("R1", tmp_path, files) is not None
