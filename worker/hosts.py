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
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from jobs import keys
from jobs.destination import Destination, DestinationError
from worker.errors import NotTheSameDisk

if TYPE_CHECKING:
    from arq.connections import ArqRedis

__all__ = ["MARK_NAME", "DiskClaim"]

MARK_NAME = ".planet-orders-disk"
_LIFETIME_S = 3600


@dataclass(frozen=True, slots=True)
class _Record:
    mark: str
    host: str


class DiskClaim:
    """One host's word that a destination is the disk on which the rest of the fleet works.

    Call `renew` at the start and every few minutes: a record that nobody renews is forgotten after an hour, so that a
    folder which was emptied between two runs of a fleet is no obstacle. Object stores need no claim; for them `renew`
    does nothing.
    """

    def __init__(self, redis: ArqRedis, destination: Destination, host: str) -> None:
        self._redis, self._destination, self._host = redis, destination, host
        self._key = keys.disk(destination.url)
        self._mark: str | None = None

    async def renew(self) -> None:
        """Record this host's mark, or find the same one recorded. Idempotent; the mark stays in the folder.

        Raises:
            NotTheSameDisk: another host at work has another disk there.
            DestinationError: the folder cannot be written.
        """
        if self._destination.local_dir is None:
            return
        mark = await asyncio.to_thread(_read_or_make_mark, self._destination.local_dir)
        mine = _Record(mark, self._host)
        if not await self._redis.set(self._key, _dump(mine), nx=True, ex=_LIFETIME_S):
            await self._compare(mine)
        self._mark = mark

    async def _compare(self, mine: _Record) -> None:
        body = await self._redis.get(self._key)
        recorded = mine if body is None else _Record(**json.loads(body))
        # A folder that was emptied has a new mark: this host, or one that held the old mark, may say so.
        is_renewal = recorded.host == self._host or recorded.mark in {mine.mark, self._mark}
        if not is_renewal:
            raise NotTheSameDisk(self._destination.url, self._host, recorded.host)
        await self._redis.set(self._key, _dump(mine), ex=_LIFETIME_S)


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
