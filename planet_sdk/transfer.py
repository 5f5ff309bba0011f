"""The one way a file gets from a link to a disk.

Bytes are added to `<name>.part`; when all are there, and proven by size and digest, the file gets its final name. A cut
connection, an expired link, a cancelled task or a killed process is carried on from the byte that was reached.
"""

from __future__ import annotations

import asyncio
import filecmp
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from planet_sdk.checksum import file_digest
from planet_sdk.exceptions import (
    APIError,
    FileConflict,
    PlanetError,
    RequestError,
    TransferCorrupt,
    TransferError,
    TransferIncomplete,
)
from planet_sdk.models import StreamingResponse
from planet_sdk.paths import path_inside
from planet_sdk.redaction import without_secrets
from planet_sdk.retry import may_repeat
from planet_sdk.streaming_body import name_of
from planet_sdk.transfer_part import Part, part_path, sidecar_path
from planet_sdk.transfer_pump import Pump, in_thread
from planet_sdk.transfer_source import PARTIAL_CONTENT, RANGE_NOT_SATISFIABLE, WHOLE, Promise, Source
from planet_sdk.transfer_terms import Expected

if TYPE_CHECKING:
    from planet_sdk.session import Session

__all__ = ["Expected", "Progress", "Transferred", "transfer", "transfer_named_by_server"]

Progress = Callable[[int, int | None], None]

# A body that arrives whole and wrong is fetched anew so often: damage on the way passes, a wrong manifest does not.
MAX_CORRUPT = 2


@dataclass(frozen=True, slots=True)
class Transferred:
    """One file that is in its place.

    Attributes:
        path: where.
        size_bytes: its size.
        fetched_bytes: what this call read from the network for it.
        tries: how often this call asked for it.
        was_there: whether it lay there already, and was what is expected.
        sha256, md5: its digest; the one that was expected, the other is None.
    """

    path: Path
    size_bytes: int
    fetched_bytes: int
    tries: int
    was_there: bool
    sha256: str | None = None
    md5: str | None = None


async def transfer(
    session: Session,
    location: str,
    path: Path,
    *,
    expected: Expected | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
    renew: Callable[[], Awaitable[str]] | None = None,
) -> Transferred:
    """Bring the file to the path: whole, checked and durable, or not at all.

    Calling it again is harmless: what is there and right is left alone, what is half there is continued. Cancelled or
    killed, it leaves `<name>.part` and `<name>.part.json` beside the path; the next call goes on from there.

    Args:
        session: sends the requests. Its tries and seconds count only while nothing arrives.
        location: the download link, of Planet or of storage.
        path: where the file goes; folders are made.
        expected: what is known about the file, as from a manifest.
        overwrite: replace another file that lies there, once the new one is whole.
        progress: called with the bytes that are here and the size of the whole file, or None where that is not known;
            at the end with both the same, also where nothing had to be fetched.
        renew: returns a new link when this one is refused.

    Raises:
        FileConflict: another file, or less than the file, lies there.
        TransferIncomplete: the body kept ending early; what arrived is kept.
        TransferCorrupt: what came is not what is expected.
        TransferBusy: another transfer is bringing the same file.
        LinkExpired: the link was refused, and so were new ones.
        TransferError: the disk refused.
        APIError, RequestError, SessionClosed: as `Session.request`.
    """
    async with Source(session, location, path, renew) as source:
        return await _Transfer(source, Path(path), expected or Expected(), overwrite, progress).run()


async def transfer_named_by_server(
    session: Session,
    location: str,
    directory: Path,
    *,
    expected: Expected | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
    renew: Callable[[], Awaitable[str]] | None = None,
) -> Transferred:
    """Bring the file into the folder under the name that the server gives it; otherwise as `transfer`.

    The name is that of the Content-Disposition, else of the address, else `planet-XXXXXXXX` with an extension.

    Raises:
        UnsafeName: the name does not stay inside the folder; nothing was written.
        PlanetError: as `transfer`.
    """
    async with Source(session, location, Path(directory), renew) as source:
        answer = await source.persist(source.peek, _is_passing)
        source.path = path_inside(Path(directory), name_of(answer.url, answer.headers))
        return await _Transfer(source, source.path, expected or Expected(), overwrite, progress).run()


class _Transfer:
    """One call's work, from looking at what lies there to the final name."""

    def __init__(
        self, source: Source, path: Path, expected: Expected, overwrite: bool, progress: Progress | None
    ) -> None:
        self._source = source
        self._path = path
        self._expected = expected
        self._overwrite = overwrite
        self._progress = progress
        self._part = Part(path, expected)
        self._pump = Pump(self._part, self._report)
        self._size = expected.size_bytes  # of the whole file, once somebody said
        self._furthest = 0
        self._told: tuple[int, int | None] | None = None
        self._corrupt = 0
        self._must_be_the_same = False  # as the file that lies there: nobody said what is expected

    async def run(self) -> Transferred:
        if there := await self._already_there():
            return there
        try:
            await in_thread(self._part.claim)
            if there := await self._already_there():  # whoever held the lock before has finished it
                return there
            self._furthest = self._part.size
            await self._source.persist(self._attempt, self._may_repeat)
        finally:
            await in_thread(self._part.release)
        return self._transferred(self._part.size, was_there=self._must_be_the_same)

    async def _already_there(self) -> Transferred | None:
        """Return the file that lies there if it is the right one, None if it has to be fetched, or fetched to tell."""
        self._must_be_the_same = False
        if (self._overwrite and not self._expected.digest) or not await asyncio.to_thread(_exists, self._path):
            return None
        wanted = self._expected if self._expected != Expected() else await self._as_promised()
        if wanted == Expected():
            self._must_be_the_same = True
            return None
        size, problem = await in_thread(_compare, self._path, wanted)
        if problem is None:
            return self._transferred(size, was_there=True)
        if self._overwrite:
            return None
        raise FileConflict(self._path, problem)

    async def _as_promised(self) -> Expected:
        """Return what the server says about the file, where nobody else does; nothing of it is read."""
        answer = await self._source.persist(self._source.peek, _is_passing)
        return Expected(size_bytes=Promise.of(answer.status_code, answer.headers).version.size_bytes)

    async def _attempt(self) -> None:
        try:
            await self._fetch_rest()
            if self._must_be_the_same and not await in_thread(_are_the_same, part_path(self._path), self._path):
                await in_thread(self._part.forget)
                raise FileConflict(self._path, "another file lies there")
            await in_thread(self._part.finish)
        except (TransferCorrupt, _OtherBytes) as error:
            self._corrupt += isinstance(error, TransferCorrupt)
            await in_thread(self._part.forget)
            raise
        finally:
            if self._part.size > self._furthest:
                self._furthest = self._part.size
                self._source.progressed()

    def _may_repeat(self, error: PlanetError) -> bool:
        if isinstance(error, TransferCorrupt):
            return self._corrupt <= MAX_CORRUPT
        return isinstance(error, (TransferIncomplete, _OtherBytes)) or _is_passing(error)

    async def _fetch_rest(self) -> None:
        part = self._part
        if part.is_whole_and_proven:
            return
        start = part.size if part.can_continue else 0
        try:
            async with self._source.open(_range_headers(start, part.version.validator)) as answer:
                await self._receive(answer, start)
        except APIError as error:
            if error.status != RANGE_NOT_SATISFIABLE or not start:
                raise
            if Promise.of(RANGE_NOT_SATISFIABLE, error.headers).version.size_bytes != part.size:
                raise _OtherBytes(self._path) from error
        if self._size is not None and part.size < self._size:
            raise TransferIncomplete(self._path, part.size, self._size)

    async def _receive(self, answer: StreamingResponse, start: int) -> None:
        promise = Promise.of(answer.status_code, answer.headers)
        if answer.status_code == PARTIAL_CONTENT:
            if promise.start != start or promise.version.contradicts(self._part.version):
                raise _OtherBytes(self._path)
        elif answer.status_code not in WHOLE:
            raise self._no_file(answer, f"is no file ({answer.status_code})")
        if not (promise.is_readable or self._expected.digest):
            raise self._no_file(answer, f"is encoded as {', '.join(promise.encodings)}, which nobody asked for")
        self._size = self._promised_size(promise)
        if self._size is None and answer.status_code == PARTIAL_CONTENT:  # whether it is the last piece, nobody knows
            raise _OtherBytes(self._path)
        if promise.start == 0:
            await in_thread(self._part.start_over, promise.version, without_secrets(answer.url))
        room = None if self._size is None else self._size - self._part.size
        try:
            if promise.encodings:
                fits = await self._pump.pour(answer.aiter_bytes(), room)
            else:
                fits = await self._pump.pour(answer.aiter_raw(), room, answer.straight_rest)
        except RequestError as error:
            raise TransferIncomplete(self._path, self._part.size, self._size) from error
        if not fits:
            raise TransferCorrupt(self._path, "size", f"more than {self._size}", self._size or 0)

    def _no_file(self, answer: StreamingResponse, why: str) -> APIError:
        message = f"{self._path.name}: the answer {why}"
        return APIError(message, status=answer.status_code, headers=answer.headers)

    def _promised_size(self, promise: Promise) -> int | None:
        promised, wanted = promise.version.size_bytes, self._expected.size_bytes
        if promised is None and promise.start:
            promised = self._part.version.size_bytes
        if promised is not None and wanted is not None and promised != wanted:
            raise TransferCorrupt(self._path, "size", promised, wanted)
        return wanted if promised is None else promised

    def _report(self) -> None:
        self._tell(self._part.size, self._size)

    def _tell(self, here: int, whole: int | None) -> None:
        if self._progress and self._told != (here, whole):
            self._told = here, whole
            self._progress(here, whole)

    def _transferred(self, size: int, *, was_there: bool) -> Transferred:
        self._tell(size, size)
        digest = dict([self._expected.digest]) if self._expected.digest else {}
        return Transferred(
            path=self._path,
            size_bytes=size,
            fetched_bytes=self._pump.received,
            tries=self._source.tries,
            was_there=was_there,
            **digest,
        )


class _OtherBytes(TransferError):
    """The answer's bytes are not the continuation of those that are here: the file has to be started over."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path.name}: the server sent other bytes than the rest of this file", path)


def _is_passing(error: PlanetError) -> bool:
    return may_repeat(error, "GET")


def _range_headers(start: int, validator: str | None) -> dict[str, str]:
    if not start:
        return {}
    return {"Range": f"bytes={start}-", **({"If-Range": validator} if validator else {})}


def _exists(path: Path) -> bool:
    """Tell whether something lies there; clears the sidecar that a kill between its last two steps leaves."""
    try:
        if not path.exists():
            return False
        if not part_path(path).exists():
            sidecar_path(path).unlink(missing_ok=True)
    except OSError as error:
        raise TransferError(f"{path}: cannot be looked at ({error.strerror})", path) from error
    return True


def _are_the_same(part: Path, path: Path) -> bool:
    try:
        return filecmp.cmp(part, path, shallow=False)
    except OSError as error:
        raise TransferError(f"{path}: the file that lies there cannot be read ({error.strerror})", path) from error


def _compare(path: Path, wanted: Expected) -> tuple[int, str | None]:
    """Return the size of the file that lies there, and what is wrong with it, or None."""
    try:
        if not path.is_file():
            return 0, "something that is no file lies there"
        size = path.stat().st_size
        if wanted.size_bytes is not None and size != wanted.size_bytes:
            return size, f"a file of {size:,} bytes lies there, and {wanted.size_bytes:,} are expected"
        if wanted.digest and file_digest(path, wanted.digest[0]) != wanted.digest[1]:
            return size, f"a file with another {wanted.digest[0]} lies there"
    except OSError as error:
        raise TransferError(f"{path}: the file that lies there cannot be read ({error.strerror})", path) from error
    return size, None
