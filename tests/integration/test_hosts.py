"""Hosts of one fleet, and the disks they call by one name."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from arq.connections import ArqRedis

from jobs import State
from jobs.destination import Destination, DestinationError, DiskAway, open_destination
from jobs.destination.local import LocalDestination
from tests.fleet_rig import Fleet
from tests.stage_rig import request
from tests.waiting import until
from worker.errors import NotTheSameDisk
from worker.hosts import MARK_NAME, Disks, check_same_disk

KEY = "orders:disk:tested"


def mounted(url: str, disk: Path) -> Destination:
    """The destination of that name, as a host sees it that has this disk there."""
    destination = LocalDestination(url)
    destination.local_dir = disk
    return destination


async def test_hosts_with_one_disk_agree(redis: ArqRedis, tmp_path: Path) -> None:
    destination = open_destination(str(tmp_path / "orders"))
    for host in ("a", "b", "a"):
        await check_same_disk(redis, destination, key=KEY, host=host)
    assert await destination.list() == {}, "the mark is none of the destination's files"


async def test_a_second_disk_of_the_same_name_is_refused_naming_both_hosts(redis: ArqRedis, tmp_path: Path) -> None:
    await check_same_disk(redis, mounted("file:///orders", tmp_path / "one"), key=KEY, host="host-a")
    with pytest.raises(NotTheSameDisk, match="file:///orders on host-b is not the folder that host-a writes to; mount"):
        await check_same_disk(redis, mounted("file:///orders", tmp_path / "two"), key=KEY, host="host-b")


async def test_processes_that_start_at_once_agree_on_one_mark(redis: ArqRedis, tmp_path: Path) -> None:
    destination = open_destination(str(tmp_path))
    await asyncio.gather(*(check_same_disk(redis, destination, key=KEY, host=f"host-{number}") for number in range(20)))
    assert [path.name for path in tmp_path.iterdir()] == [MARK_NAME]  # noqa: ASYNC240 — a test may block


async def test_a_host_may_empty_its_folder(redis: ArqRedis, tmp_path: Path) -> None:
    """Whoever knew the old mark may record a new one, whichever host comes first; the rest of the fleet follows."""
    destination = open_destination(str(tmp_path))
    await check_same_disk(redis, destination, key=KEY, host="a")
    mark = await check_same_disk(redis, destination, key=KEY, host="b")
    (tmp_path / MARK_NAME).unlink()
    new_mark = await check_same_disk(redis, destination, key=KEY, host="a", known=mark)
    assert new_mark != mark
    assert await check_same_disk(redis, destination, key=KEY, host="b", known=mark) == new_mark
    (tmp_path / MARK_NAME).unlink()
    await check_same_disk(redis, destination, key=KEY, host="b")


async def test_a_record_of_a_host_that_has_left_is_forgotten(redis: ArqRedis, tmp_path: Path) -> None:
    """The error says how to do at once what time does by itself."""
    await check_same_disk(redis, mounted("file:///orders", tmp_path / "one"), key=KEY, host="gone")
    assert 0 < await redis.ttl(KEY) <= 7 * 86_400
    with pytest.raises(NotTheSameDisk, match=f"redis-cli DEL {KEY}"):
        await check_same_disk(redis, mounted("file:///orders", tmp_path / "two"), key=KEY, host="new")
    await redis.delete(KEY)
    await check_same_disk(redis, mounted("file:///orders", tmp_path / "two"), key=KEY, host="new")


async def test_an_object_store_needs_no_claim(redis: ArqRedis) -> None:
    await check_same_disk(redis, open_destination("memory://hosts"), key=KEY, host="a")
    assert await redis.keys() == []


async def test_a_folder_that_cannot_be_written_is_a_clear_error(redis: ArqRedis, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DestinationError, match=r"the mark .*\.planet-orders-disk cannot be written or read"):
        await check_same_disk(redis, open_destination(str(tmp_path / "file")), key=KEY, host="a")


def linked(folder: Path, link: Path) -> None:
    """Let the link lead to that folder, whatever it led to before."""
    link.unlink(missing_ok=True)
    link.symlink_to(folder)


@pytest.fixture
def other_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on another device than the temporary folder."""
    memory = Path("/dev/shm")
    if not memory.is_dir() or memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("this machine has one disk only")
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        yield Path(folder)


async def test_a_disk_that_is_unmounted_is_missed_until_it_is_back(
    redis: ArqRedis, tmp_path: Path, other_disk: Path
) -> None:
    """An empty mount point looks like a folder that can be written."""
    mount_point, destination = tmp_path / "mount point", open_destination(str(tmp_path / "orders"))
    mount_point.mkdir()
    disks = Disks(redis)
    linked(other_disk, tmp_path / "orders")
    await disks.check(destination)

    linked(mount_point, tmp_path / "orders")
    with pytest.raises(DiskAway, match="mount that disk again, the run goes on by itself"):
        await disks.check(destination)
    assert list(mount_point.iterdir()) == []

    linked(other_disk, tmp_path / "orders")
    await disks.check(destination)


async def test_another_disk_with_a_mark_of_its_own_is_not_taken_for_the_first(redis: ArqRedis, tmp_path: Path) -> None:
    disks, destination = Disks(redis), open_destination(str(tmp_path / "orders"))
    await disks.check(destination)
    (tmp_path / "orders" / MARK_NAME).write_text("another\n")
    with pytest.raises(DiskAway):
        await disks.check(destination)


async def test_a_folder_that_is_removed_on_its_own_disk_is_made_again(redis: ArqRedis, tmp_path: Path) -> None:
    disks, destination = Disks(redis), open_destination(str(tmp_path / "orders"))
    await disks.check(destination)
    shutil.rmtree(tmp_path / "orders")
    await disks.check(destination)
    assert (tmp_path / "orders" / MARK_NAME).exists()


async def test_a_run_waits_for_its_disk_and_other_runs_go_on(fleet: Fleet, tmp_path: Path) -> None:
    """It costs the run no try, and what the run's own destination is counts, not the fleet's."""
    worker = await fleet.start_worker()
    assert worker.stages is not None
    worker.stages.disks = Disks(fleet.queue.store.redis)
    gone = tmp_path / "gone"
    await (await fleet.queue.submit(request(), destination=str(gone))).result(timeout=60)
    (gone / MARK_NAME).write_text("another\n")

    waiting = await fleet.queue.submit(request(), again=True, destination=str(gone))
    other = await fleet.queue.submit(request(), again=True)
    assert (await other.result(timeout=60)).state is State.DONE

    async def is_put_off() -> bool:
        return "mount that disk again" in ((await waiting.status()).reason or "")

    await until("the run waits for its disk", is_put_off)
    run = await waiting.status()
    assert (run.state, run.faults) == (State.DOWNLOADING, 0)
