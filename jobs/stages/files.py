"""The files of a run's order on their way to the destination, and what is noted about them; archives are unpacked."""

from __future__ import annotations

import asyncio
import errno
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from threading import Event

from jobs.abreast import abreast
from jobs.archive import UNPACK_SUFFIX, Archive, Member
from jobs.context import StageContext
from jobs.errors import DamagedArchive
from jobs.orders import order_id_of
from jobs.room import Wanted
from jobs.run import Facts, FileRecord, Run
from planet_sdk.delivery import Delivery, DeliveryFile
from planet_sdk.transfer import Transferred
from planet_sdk.transfer_pump import in_thread

__all__ = ["OrderFiles"]

_LOOKS_AT_ONCE = 32  # an object store takes tens of milliseconds to tell a size
_NOTED_AT_ONCE = 100  # files out of an archive that are written down in one script


class OrderFiles:
    """The files of the run's order: which are at the destination already, and what is noted about them.

    An archive that the run asked for is unpacked as soon as it has arrived, and removed. From then on it counts as
    there as long as each file that it held is.
    """

    def __init__(self, run: Run, context: StageContext, delivery: Delivery, noted: Iterable[FileRecord]) -> None:
        self._context = context
        self._delivery = delivery
        self._order_id = order_id_of(run)
        self._is_zipped = (run.request.get("delivery") or {}).get("archive_type") == "zip"
        self._noted: dict[str, FileRecord] = {record.path: record for record in noted}
        self._there: dict[str, int] = {}
        self._unpacking = asyncio.Lock()  # one archive after the other: the disk is what takes the time

    def key(self, file: DeliveryFile) -> str:
        """The file's path below the destination: always below a folder named after the order."""
        return f"{self._order_id}/{file.relative}"

    async def missing(self) -> list[DeliveryFile]:
        """The files to fetch: all but those that were noted whole and still lie there with their size."""
        offered = {self.key(file) for file in self._delivery.files}
        whole = [record for record in self._noted.values() if not record.problem]
        here = await self._find(record for record in whole if record.path in offered or record.archive)
        self._there = {key: size for key, size in here.items() if key in offered}
        for file in filter(self._is_archive, self._delivery.files):
            if self._is_unpacked(file, here):
                await asyncio.to_thread(file.path.unlink, missing_ok=True)  # where its end was not seen
                self._there[self.key(file)] = file.expected.size_bytes or 0
        return [file for file in self._delivery.files if self.key(file) not in self._there]

    def wanted(self, files: Iterable[DeliveryFile]) -> list[Wanted]:
        """What these take on the disk: an archive twice its size, until it is unpacked and gone."""
        archives = sum(map(self._is_archive, self._delivery.files))
        wanted = []
        for file in files:
            size = file.expected.size_bytes or 0
            if self._is_archive(file):
                size = size or self._delivery.unoffered_bytes // archives
                size *= 1 if self._is_staged else 2
            wanted.append(Wanted(file.path, size))
        return wanted

    async def keep(self, file: DeliveryFile, got: Transferred) -> None:
        """Bring a file that has arrived to its destination, and write it down; an archive is unpacked.

        Raises:
            DamagedArchive: it is removed, to be fetched again.
            UnsafeArchive, UnsafeName: nothing of it was unpacked.
        """
        if self._is_archive(file):
            async with self._unpacking:
                await self._unpack(file, is_proven=bool(got.sha256 or got.md5))
            self._there[self.key(file)] = got.size_bytes
            await self._context.notebook.note(self.totals())
            return
        key = self.key(file)
        if self._context.destination.local_dir is None:
            await self._move_out(file.path, key)
        earlier = self._noted.get(key)
        record = FileRecord(
            path=key,
            size_bytes=got.size_bytes,
            fetched_bytes=got.fetched_bytes + (earlier.fetched_bytes if earlier else 0),
            sha256=got.sha256,
            md5=got.md5,
            verified=bool(got.sha256 or got.md5),
        )
        self._noted[key], self._there[key] = record, got.size_bytes
        await self._context.notebook.note(self.totals(), {key: record})

    def totals(self) -> Facts:
        """How far the run's files have come."""
        sizes = [self._there.get(self.key(file), file.expected.size_bytes) for file in self._delivery.files]
        return {
            "files_total": len(self._delivery.files),
            "files_done": len(self._there),
            "bytes_total": sum(size or 0 for size in sizes),
            "bytes_done": sum(self._there.values()),
        }

    async def _find(self, records: Iterable[FileRecord]) -> dict[str, int]:
        """Sizes by key of those that lie at the destination as they were noted."""
        wanted = list(records)
        sizes = await abreast(lambda record: self._context.destination.stat(record.path), wanted, _LOOKS_AT_ONCE)
        return {
            record.path: size
            for record, size in zip(wanted, sizes, strict=True)
            if size is not None and size == record.size_bytes
        }

    async def _move_out(self, path: Path, key: str) -> None:
        """From the staging folder to the object store."""
        await self._context.destination.put_file(path, key)
        await asyncio.to_thread(path.unlink, missing_ok=True)

    # Archives

    def _is_archive(self, file: DeliveryFile) -> bool:
        return self._is_zipped and file.relative.lower().endswith(".zip")

    def _is_unpacked(self, file: DeliveryFile, here: Mapping[str, int]) -> bool:
        """Whether all that the archive held is there, and nothing that may be in it is missed."""
        held = [record for record in self._noted.values() if record.archive == self.key(file)]
        offered = {self.key(each) for each in self._delivery.files}
        missed = any(
            record.problem and not record.archive and key not in offered for key, record in self._noted.items()
        )
        is_whole = len(held) == max((record.archive_files or 0 for record in held), default=-1)
        return is_whole and not missed and all(record.path in here for record in held)

    async def _unpack(self, file: DeliveryFile, *, is_proven: bool) -> None:
        try:
            archive = await in_thread(Archive, file.path, self._order_id)
            with archive:
                await self._unpack_members(file, archive, is_proven=is_proven)
        except DamagedArchive:
            await asyncio.to_thread(file.path.unlink, missing_ok=True)
            raise
        await asyncio.to_thread(file.path.unlink, missing_ok=True)

    async def _unpack_members(self, file: DeliveryFile, archive: Archive, *, is_proven: bool) -> None:
        """Bring what is missing to the destination, but for what the order offers by itself or another archive had."""
        folder = file.path.parents[len(PurePosixPath(file.relative).parts) - 1]
        key = self.key(file)
        offered = {self.key(each) for each in self._delivery.files}
        members = {f"{self._order_id}/{member.path}": member for member in archive.members}
        mine = {
            name: member
            for name, member in members.items()
            if name not in offered and (name not in self._noted or self._noted[name].archive in {None, key})
        }
        here = await self._find(
            self._noted[name] for name in mine if name in self._noted and _is_well(self._noted[name])
        )
        todo = {name: member for name, member in mine.items() if name not in here}
        await asyncio.to_thread(_make_ready, folder, todo.values(), is_staged=self._is_staged)
        fresh: dict[str, FileRecord] = {}
        for name, member in todo.items():
            sha256 = await _in_stoppable_thread(archive, member, folder)
            if self._is_staged:
                await self._move_out(folder / member.path, name)
            earlier = self._noted.get(name)
            fresh[name] = FileRecord(
                path=name,
                size_bytes=member.size_bytes,
                fetched_bytes=member.packed_bytes + (earlier.fetched_bytes if earlier else 0),
                sha256=sha256,
                verified=is_proven,
                archive=key,
                archive_files=len(mine),
            )
            if len(fresh) == _NOTED_AT_ONCE:
                await self._note(fresh)
        await self._note(fresh)

    @property
    def _is_staged(self) -> bool:
        return self._context.destination.local_dir is None

    async def _note(self, fresh: dict[str, FileRecord]) -> None:
        """Write these down, and empty the dictionary."""
        if fresh:
            await self._context.notebook.note({}, fresh)
            self._noted |= fresh
            fresh.clear()


def _is_well(record: FileRecord) -> bool:
    return record.problem is None and record.archive is not None


def _make_ready(folder: Path, members: Iterable[Member], *, is_staged: bool) -> None:
    """Remove what a killed unpacking left, and see that there is room; a staged file leaves as soon as it is whole.

    Raises:
        OSError: there is not enough.
    """
    for leftover in folder.rglob(f".*{UNPACK_SUFFIX}"):
        leftover.unlink(missing_ok=True)
    sizes: Sequence[int] = [member.size_bytes for member in members]
    needed, free = max(sizes, default=0) if is_staged else sum(sizes), shutil.disk_usage(folder).free
    if needed > free:
        text = f"{folder} has room for {free:,} bytes, and {needed:,} are to be unpacked; make room"
        raise OSError(errno.ENOSPC, text)


async def _in_stoppable_thread(archive: Archive, member: Member, folder: Path) -> str:
    """Unpack one file; if cancelled, stop the thread, and wait for its end."""
    stop = Event()
    unpacking = asyncio.get_running_loop().run_in_executor(None, archive.unpack, member, folder, stop)
    try:
        return await asyncio.shield(unpacking)
    except asyncio.CancelledError:
        stop.set()
        await asyncio.wait([unpacking])
        unpacking.exception()  # seen: the cancellation is what is raised
        raise
