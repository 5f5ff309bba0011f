"""Quicklooks of what runs have delivered: made when somebody looks, one at a time, and kept for the next who does."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from jobs.run import FileRecord
from worker.quicklook.process import make_quicklook
from worker.quicklook.terms import NoPicture
from worker.web.answers import answer_problem
from worker.web.asking import AtDesk
from worker.web.problems import REFUSED, problem
from worker.web.records import RunRecords
from worker.wording import sentence

_KEPT_BYTES = 32 * 1024 * 1024
_MOST_WAITING = 8
_FAILURE_KEPT_S = 60.0  # a disk may be mounted, or a key mended, meanwhile
_MOST_FAILURES = 1_000
_VERSION = b"1"  # raise it when the same file is to look different

router = APIRouter(prefix="/v1", tags=["runs"], responses=REFUSED)


class Busy(Exception):
    """So many pictures wait to be made that this one would take too long."""


@dataclass(frozen=True, slots=True)
class Subject:
    """One file of a run that may be looked at: nothing else at the destination ever is."""

    destination: str
    file: FileRecord

    @property
    def tag(self) -> str:
        """The same for the same content of the same file."""
        parts = (self.destination, self.file.path, self.file.sha256 or self.file.md5, self.file.size_bytes)
        return sha256(_VERSION + "\0".join(map(str, parts)).encode()).hexdigest()[:32]


def subjects_of(records: RunRecords) -> list[Subject]:
    """The pictures among a run's files, those for the eye first; masks are none."""
    found = [
        Subject(part.run.destination, file)
        for part in records.parts
        for file in part.files
        if _is_picture(file) and part.run.destination
    ]
    return sorted(found, key=lambda subject: ("visual" not in subject.file.path.lower(), subject.file.path))


def why_none(files: Sequence[FileRecord]) -> str:
    """Why a run has nothing to look at."""
    if not files:
        return "Nothing has been delivered yet."
    if all(file.path.lower().endswith((".zip", "manifest.json")) for file in files):
        return "It was delivered as an archive, which is not opened here."
    return "There is no picture among its files: none is a GeoTIFF, or they are masks."


def _is_picture(file: FileRecord) -> bool:
    name = file.path.rpartition("/")[2].lower()
    return name.endswith((".tif", ".tiff")) and "udm" not in name and not file.problem


class Quicklooks:
    """Makes pictures one at a time, and keeps them, up to a bound, and for a minute why there is none."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._failed: OrderedDict[str, tuple[float, str]] = OrderedDict()
        self._making: dict[str, asyncio.Task[bytes]] = {}
        self._turn = asyncio.Semaphore(1)

    async def look_at(self, subject: Subject) -> bytes:
        """The picture as a PNG; whoever asks while it is made gets the same one.

        Raises:
            NoPicture: there is none, and why.
            Busy: too many others are being made.
        """
        tag = subject.tag
        if tag in self._kept:
            self._kept.move_to_end(tag)
            return self._kept[tag]
        if why := self.failure(subject):
            raise NoPicture(why)
        if tag not in self._making:
            if len(self._making) >= _MOST_WAITING:
                raise Busy
            task = asyncio.create_task(self._make(subject), name=f"quicklook of {subject.file.path}")
            self._making[tag] = task
            task.add_done_callback(lambda made: self._note_end(tag, made))
        return await asyncio.shield(self._making[tag])

    def failure(self, subject: Subject) -> str | None:
        """Why there was no picture of it a moment ago; None where that is not known."""
        at, why = self._failed.get(subject.tag, (0.0, ""))
        return why if why and time.monotonic() - at < _FAILURE_KEPT_S else None

    async def close(self) -> None:
        """End the making of pictures."""
        tasks = list(self._making.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _note_end(self, tag: str, made: asyncio.Task[bytes]) -> None:
        """Make room for others; an error is looked at, also where nobody waits for the picture any longer."""
        self._making.pop(tag, None)
        if not made.cancelled():
            made.exception()

    async def _make(self, subject: Subject) -> bytes:
        async with self._turn:
            try:
                picture = await make_quicklook(subject.destination, subject.file.path)
            except NoPicture as error:
                self._failed[subject.tag] = (time.monotonic(), str(error))
                if len(self._failed) > _MOST_FAILURES:
                    self._failed.popitem(last=False)
                raise
        self._kept[subject.tag] = picture
        while sum(map(len, self._kept.values())) > _KEPT_BYTES and len(self._kept) > 1:
            self._kept.popitem(last=False)
        return picture


@router.get(
    "/runs/{run_id}/quicklook",
    operation_id="get_quicklook",
    response_class=Response,
    responses={
        200: {
            "description": "The picture, 640 pixels wide or high; what holds nothing is transparent.",
            "content": {"image/png": {"schema": {"type": "string", "format": "binary"}}},
        },
        304: {"description": "It is as it was when it had the ETag of `If-None-Match`."},
        404: problem("There is no such run, or no picture of it; `detail` says why."),
        503: problem("Redis is away, or too many pictures are being made; try again in a moment."),
    },
)
async def get_quicklook(
    request: Request,
    desk: AtDesk,
    run_id: str,
    file: Annotated[
        str | None, Query(max_length=4000, description="The path of one of the run's files; else its first picture.")
    ] = None,
) -> Response:
    """A small picture of the delivered imagery, as PNG: made from the GeoTIFF at the destination when asked for."""
    records = await desk.read_records(run_id)
    subjects = [subject for subject in subjects_of(records) if file is None or subject.file.path == file]
    if not subjects:
        return answer_problem(request, 404, why_none(records.files) if file is None else "The run has no such picture.")
    headers = {"ETag": f'"{subjects[0].tag}"', "Cache-Control": "private, no-cache"}
    if headers["ETag"] in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    quicklooks: Quicklooks = request.app.state.quicklooks
    try:
        picture = await quicklooks.look_at(subjects[0])
    except NoPicture as error:
        why = desk.redactor.text(f"{subjects[0].file.path}: {error}")
        return answer_problem(request, 404, sentence(f"there is no quicklook of {why}"))
    except Busy:
        return answer_problem(request, 503, "Too many pictures are being made.", {"Retry-After": "5"})
    return Response(picture, media_type="image/png", headers=headers)
