"""A run whose disk is full, or cannot be written, waits or ends with that reason; other runs go on."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobs import FailureKind, RunFailed, RunHandle, State
from tests.fleet_rig import Fleet
from tests.stage_rig import request
from tests.waiting import until


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 256 KiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", folder], check=False, capture_output=True
    )
    if done.returncode:
        pytest.skip("this user may not mount")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


async def waits(handle: RunHandle, words: tuple[str, ...]) -> bool:
    run = await handle.status()
    return run.state is State.DOWNLOADING and any(word in (run.reason or "") for word in words)


def files_in(folder: Path, pattern: str) -> list[Path]:
    """Those that are not empty."""
    return [path for path in folder.rglob(pattern) if path.stat().st_size]


async def test_a_run_waits_for_room_at_no_try_and_other_runs_go_on(fleet: Fleet, small_disk: Path) -> None:
    with (small_disk / "filler").open("wb") as filler:
        filler.write(bytes(250 * 1024))
    await fleet.start_worker()

    crowded = await fleet.queue.submit(request(), destination=str(small_disk))
    other = await fleet.queue.submit(request(), again=True)

    assert (await other.result(timeout=60)).state is State.DONE
    await until("the run waits for room", lambda: waits(crowded, ("make room", "No space left")))
    assert (await crowded.status()).faults == 0
    assert files_in(small_disk, "*.tif") == []


async def test_a_destination_that_is_no_folder_ends_the_run_and_says_so(fleet: Fleet, tmp_path: Path) -> None:
    """Nobody else's run has to wait for somebody to mend it."""
    (tmp_path / "file").write_text("")
    await fleet.start_worker()

    blocked = await fleet.queue.submit(request(), destination=str(tmp_path / "file" / "orders"))
    other = await fleet.queue.submit(request(), again=True)

    assert (await other.result(timeout=60)).state is State.DONE
    with pytest.raises(RunFailed, match="Not a directory"):
        await blocked.result(timeout=60)
    error = (await blocked.status()).error
    assert error is not None
    assert error.kind is FailureKind.PRODUCER


async def test_a_folder_that_vanishes_under_a_download_is_made_again(fleet: Fleet) -> None:
    fleet.simulator.slow_body("*.tif", bytes_per_s=2_000)
    await fleet.start_worker()
    handle = await fleet.queue.submit(request())

    parts = await until("half a file is there", lambda: files_in(fleet.folder, "*.tif.part"))
    parts[0].parent.rename(fleet.folder / "gone")
    fleet.simulator.clear_faults()

    run = await handle.result(timeout=60)

    assert run.state is State.DONE
    for file in await handle.files():
        assert (fleet.folder / file.path).stat().st_size == file.size_bytes
