"""Whether all hosts of a fleet mean the same disk when they say `file://`.

A folder gets a file with a random mark; Redis remembers, by destination, the mark and the host that wrote it last. A
host that reads another mark in its folder has another disk there: half of the fleet's files would lie where nobody
looks for them, and validate would miss what download has fetched elsewhere.
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

from jobs.destination import DestinationError
from worker.errors import NotTheSameDisk

if TYPE_CHECKING:
    from arq.connections import ArqRedis

    from jobs.destination import Destination

__all__ = ["MARK_NAME", "check_same_disk"]

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
