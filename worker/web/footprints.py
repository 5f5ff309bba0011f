"""Where a run's items lie: read from the descriptions delivered with them, and kept for the next who looks."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jobs.abreast import abreast
from jobs.destination import open_destination
from jobs.errors import DestinationError
from planet_sdk.strict_json import read_json
from worker.web.records import RunRecords
from worker.web.shapes import Shape, read_shape
from worker.wording import plural

_MOST_FILES = 100
_MOST_BYTES = 1024 * 1024  # of a description; Planet's have a thousand
_MOST_NAME = 200  # characters
_READ_AT_ONCE = 8
_PATIENCE_S = 1.0  # for which a page waits; what is read later is there on the next look
_LONGEST_S = 20.0
_MOST_RUNS = 200
_TROUBLE_KEPT_S = 60.0


@dataclass(frozen=True, slots=True)
class Footprints:
    """The outlines of a run's items, and what is to be said about those that are missing; empty where nothing is."""

    shapes: Sequence[tuple[str, Shape]] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class _Kept:
    footprints: Footprints
    until: float


class FootprintReader:
    """Reads footprints at destinations, at most for so long, and keeps those of the runs last looked at."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[tuple[str, str], ...], _Kept] = OrderedDict()
        self._reading: dict[tuple[tuple[str, str], ...], asyncio.Task[Footprints]] = {}

    async def read(self, records: RunRecords) -> Footprints:
        """The footprints of a run's items, as far as they can be read in a second."""
        wanted = _descriptions_of(records)
        kept = self._kept.get(wanted)
        if not wanted:
            return Footprints()
        if kept and kept.until > time.monotonic():
            return kept.footprints
        task = self._reading.get(wanted)
        if task is None:
            task = asyncio.create_task(self._read(wanted), name="read footprints")
            self._reading[wanted] = task
            task.add_done_callback(lambda _: self._reading.pop(wanted, None))
        done, _ = await asyncio.wait([task], timeout=_PATIENCE_S)
        return task.result() if done else Footprints(note="The footprints are still being read.")

    async def close(self) -> None:
        """End the reading."""
        tasks = list(self._reading.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _read(self, wanted: tuple[tuple[str, str], ...]) -> Footprints:
        footprints, is_whole = await _read_all(wanted)
        self._kept[wanted] = _Kept(footprints, float("inf") if is_whole else time.monotonic() + _TROUBLE_KEPT_S)
        if len(self._kept) > _MOST_RUNS:
            self._kept.popitem(last=False)
        return footprints


def _descriptions_of(records: RunRecords) -> tuple[tuple[str, str], ...]:
    """Destination and path of the files that describe items: Planet's own, or else those of STAC."""
    files = [(part.run.destination, file.path) for part in records.parts for file in part.files if not file.problem]
    own = [(where, path) for where, path in files if where and path.lower().endswith("_metadata.json")]
    stac = [
        (where, path)
        for where, path in files
        if where and path.endswith(".json") and path.rpartition("/")[2] not in {"manifest.json", "catalog.json"}
    ]
    return tuple((own or stac)[: _MOST_FILES + 1])


async def _read_all(wanted: Sequence[tuple[str, str]]) -> tuple[Footprints, bool]:
    """The footprints, and whether they are all there will be; trouble with one file does not hide the others."""
    if any(where.startswith("memory://") for where, _ in wanted):
        return Footprints(note="Footprints are not shown: the destination is the memory of a worker."), True
    notes = [f"Only the first {_MOST_FILES} footprints are shown."] if len(wanted) > _MOST_FILES else []
    trouble: list[str] = []

    async def read_one(each: tuple[str, str]) -> tuple[str, Shape] | None:
        where, path = each
        try:
            return _footprint_in(await open_destination(where).read(path, limit_bytes=_MOST_BYTES), path)
        except DestinationError as error:
            trouble.append(str(error))
            return None

    try:
        async with asyncio.timeout(_LONGEST_S):
            found = await abreast(read_one, wanted[:_MOST_FILES], _READ_AT_ONCE)
    except TimeoutError:
        return Footprints(note="Footprints are not shown: the destination does not answer in time."), False
    if trouble:
        notes.append(f"{plural(len(trouble), 'footprint')} could not be read: {trouble[0]}.")
    return Footprints([each for each in found if each], " ".join(notes)), not trouble


def _footprint_in(body: bytes, path: str) -> tuple[str, Shape] | None:
    """The item that a file describes; None where it describes none."""
    try:
        said: Any = read_json(body)
    except ValueError:
        return None
    if not isinstance(said, dict):
        return None
    shape = read_shape(said.get("geometry"))
    name = said.get("id")
    return (name[:_MOST_NAME] if isinstance(name, str) else path, shape) if shape else None
