"""A zipped order goes all the way through a real worker, and can be looked at and proven afterwards."""

from __future__ import annotations

from jobs import RunHandle, State
from tests.fleet_rig import Fleet
from tests.stage_rig import request
from tests.waiting import until

ZIPPED = {"archive_type": "zip", "single_archive": True}


async def test_a_zipped_order_ends_as_its_files_and_is_proven_again_on_request(fleet: Fleet) -> None:
    await fleet.start_worker()
    handle = await fleet.queue.submit(request(delivery=ZIPPED))

    run = await handle.result(timeout=60)

    files = await handle.files()
    assert (run.state, run.files_done, run.files_total) == (State.DONE, len(files), len(files))
    assert run.bytes_done == sum(file.size_bytes or 0 for file in files)
    for file in files:
        assert (fleet.folder / file.path).stat().st_size == file.size_bytes
    assert list(fleet.folder.rglob("*.zip")) == []

    (picture, *_) = fleet.folder.rglob("*_clip.tif")
    picture.write_bytes(b"spoilt")
    await fleet.queue.revalidate(handle.run_id)
    await until("the file is mended", lambda: has_ended_again(handle))

    assert picture.stat().st_size > 6
    assert (await handle.status()).refetches == 1


async def has_ended_again(handle: RunHandle) -> bool:
    run = await handle.status()
    return run.state is State.DONE and run.refetches == 1
