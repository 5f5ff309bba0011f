"""Hosts of one fleet, and the disks they call by one name."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from arq.connections import ArqRedis

from jobs import keys
from jobs.destination import Destination, DestinationError, open_destination
from jobs.destination.local import LocalDestination
from worker.errors import NotTheSameDisk
from worker.hosts import MARK_NAME, DiskClaim


def mounted(url: str, disk: Path) -> Destination:
    """The destination of that name, as a host sees it that has this disk there."""
    destination = LocalDestination(url)
    destination.local_dir = disk
    return destination


async def test_hosts_with_one_disk_agree(redis: ArqRedis, tmp_path: Path) -> None:
    destination = open_destination(str(tmp_path / "orders"))
    for host in ("a", "b", "a"):
        await DiskClaim(redis, destination, host).renew()
    assert await destination.list() == {}, "the mark is none of the destination's files"


async def test_a_second_disk_of_the_same_name_is_refused_naming_both_hosts(redis: ArqRedis, tmp_path: Path) -> None:
    await DiskClaim(redis, mounted("file:///orders", tmp_path / "one"), "host-a").renew()
    with pytest.raises(NotTheSameDisk, match="file:///orders on host-b is not the folder that host-a writes to; mount"):
        await DiskClaim(redis, mounted("file:///orders", tmp_path / "two"), "host-b").renew()


async def test_processes_that_start_at_once_agree_on_one_mark(redis: ArqRedis, tmp_path: Path) -> None:
    destination = open_destination(str(tmp_path))
    await asyncio.gather(*(DiskClaim(redis, destination, f"host-{number}").renew() for number in range(20)))
    assert [path.name for path in tmp_path.iterdir()] == [MARK_NAME]  # noqa: ASYNC240 — a test may block


async def test_a_host_may_empty_its_folder(redis: ArqRedis, tmp_path: Path) -> None:
    """Whoever held the old mark may renew it, whichever host comes first; the rest of the fleet follows."""
    destination = open_destination(str(tmp_path))
    one, two = DiskClaim(redis, destination, "a"), DiskClaim(redis, destination, "b")
    await one.renew()
    await two.renew()
    (tmp_path / MARK_NAME).unlink()
    await one.renew()
    await two.renew()


async def test_a_record_that_nobody_renews_is_forgotten(redis: ArqRedis, tmp_path: Path) -> None:
    await DiskClaim(redis, mounted("file:///orders", tmp_path / "one"), "gone").renew()
    key = keys.disk("file:///orders")
    assert 0 < await redis.ttl(key) <= 3600
    await redis.delete(key)
    await DiskClaim(redis, mounted("file:///orders", tmp_path / "two"), "new").renew()


async def test_an_object_store_needs_no_claim(redis: ArqRedis) -> None:
    await DiskClaim(redis, open_destination("memory://hosts"), "a").renew()
    assert await redis.keys() == []


async def test_a_folder_that_cannot_be_written_is_a_clear_error(redis: ArqRedis, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DestinationError, match=r"the mark .*\.planet-orders-disk cannot be written or read"):
        await DiskClaim(redis, open_destination(str(tmp_path / "file")), "a").renew()
