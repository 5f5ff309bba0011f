"""Whether all hosts of a fleet mean the same disk when they say `file://`.

A folder gets a file with a random mark; Redis remembers, by destination, the mark and the host that wrote it last. A
host that reads another mark in its folder has another disk there: half of the fleet's files would lie where nobody
looks for them, and validate would miss what download has fetched elsewhere. Likewise a disk that is unmounted under a
running worker: files would go into the empty mount point.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from jobs import keys
from jobs.destination import DestinationError, DiskAway
from worker.errors import NotTheSameDisk

if TYPE_CHECKING:
    from arq.connections import ArqRedis

    from jobs.destination import Destination

__all__ = ["MARK_NAME", "Disks", "check_same_disk"]

MARK_NAME = ".planet-orders-disk"
_LIFETIME_S = 7 * 86_400


@dataclass(frozen=True, slots=True)
class _Record:
    mark: str
    host: str


async def check_same_disk(
    redis: ArqRedis, destination: Destination, *, key: str, host: str | None = None, known: str | None = None
) -> str | None:
    """Record this host's mark for the destination, or find the same one recorded; object stores need none.

    Idempotent; the mark stays in the folder. A record is forgotten a week after the last check, so a worker that runs
    for long may check again now and then.

    Args:
        redis: the fleet's.
        destination: where this host puts files.
        key: of the record in Redis.
        host: this host's name; default: what the system says.
        known: the mark an earlier check returned. Who knew the old mark may record a new one: the folder was emptied.

    Returns:
        The folder's mark, or None for an object store.

    Raises:
        NotTheSameDisk: another host has another disk there.
        DestinationError: the folder cannot be written.
    """
    if destination.local_dir is None:
        return None
    mark = await asyncio.to_thread(_read_or_make_mark, destination.local_dir)
    mine = _Record(mark, host or socket.gethostname())
    if not await redis.set(key, _dump(mine), nx=True, ex=_LIFETIME_S):
        body = await redis.get(key)
        recorded = mine if body is None else _Record(**json.loads(body))
        if recorded.host != mine.host and recorded.mark not in {mark, known}:
            raise NotTheSameDisk(destination.url, mine.host, recorded.host, key)
        await redis.set(key, _dump(mine), ex=_LIFETIME_S)
    return mark


@dataclass(frozen=True, slots=True)
class _Found:
    """A folder as it was found: its mark, and the device it lies on."""

    mark: str | None
    device: int


class Disks:
    """The disks behind the folders this process writes to: asked for once, then looked at again before each use."""

    def __init__(self, redis: ArqRedis) -> None:
        self._redis = redis
        self._found: dict[str, _Found] = {}

    async def check(self, destination: Destination) -> None:
        """Return if the folder's disk is there, and the one that the fleet means; object stores need no look.

        After the first time, one small file is read and nothing is asked of Redis. A folder that was emptied or
        removed on its own disk is marked anew.

        Raises:
            DiskAway: it is another disk than before, or none.
            NotTheSameDisk: another host has another disk there.
            DestinationError: the folder cannot be written.
        """
        if destination.local_dir is None:
            return
        before = self._found.get(destination.url)
        if before is not None:
            now = await asyncio.to_thread(_look, destination.local_dir)
            if now.mark == before.mark:
                return
            if now.mark is not None or now.device != before.device:
                raise DiskAway(
                    f"{destination.url} is not on the disk it was on when this worker first looked "
                    f"({MARK_NAME} in it tells); mount that disk again, the run goes on by itself"
                )
        known = before.mark if before else None
        await check_same_disk(self._redis, destination, key=keys.disk(destination.url), known=known)
        self._found[destination.url] = await asyncio.to_thread(_look, destination.local_dir)


def _look(folder: Path) -> _Found:
    """The folder's mark, if there is one, and the device of the folder, or of the nearest one above that exists."""
    try:
        mark = (folder / MARK_NAME).read_text(encoding="ascii").strip()
    except FileNotFoundError:
        mark = None
    except (OSError, UnicodeDecodeError) as error:
        raise DiskAway(f"the mark in {folder} cannot be read: {error}; the run goes on when it can") from error
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    return _Found(mark, existing.stat().st_dev)


def _dump(record: _Record) -> str:
    return json.dumps({"mark": record.mark, "host": record.host})


def _read_or_make_mark(folder: Path) -> str:
    """The folder's mark; of several processes that make one at the same time, one wins and all read it."""
    path = folder / MARK_NAME
    try:
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            _make_mark(path)
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise DestinationError(f"the mark {path} cannot be written or read: {error}") from error


def _make_mark(path: Path) -> None:
    mark = secrets.token_hex(16)
    beside = path.with_name(f"{path.name}-{mark}")
    beside.write_text(f"{mark}\n", encoding="ascii")
    try:
        os.link(beside, path)  # whole, and only if there is none
    except FileExistsError:
        return
    except OSError:  # a disk without hard links
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
