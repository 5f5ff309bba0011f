"""Validate: what lies at the destination is held against the manifest, whatever download believed.

Files that are missing or wrong go back to download, those alone, a bounded number of times. Without a manifest, the
sizes and digests that download noted are what counts.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial

import structlog

from jobs.context import StageContext
from jobs.orders import order_id_of
from jobs.outcomes import Advance, Finish, Outcome
from jobs.run import Failure, FailureKind, FileRecord, Run, Stage, State
from jobs.stages.abreast import abreast
from planet_sdk.checksum import check_order_folder
from planet_sdk.exceptions import ChecksumMismatch, ClientError
from planet_sdk.manifest import MANIFEST_NAME, MAX_MANIFEST_BYTES, FileCheck, ManifestEntry, read_manifest

log = structlog.get_logger(__name__)

_SIDE_BY_SIDE = os.cpu_count() or 1  # reading and hashing keeps one core busy for each file
_NAMED = 5  # files that a reason names


@dataclass(frozen=True, slots=True)
class _Promise:
    """What a file at the destination has to be."""

    key: str
    size_bytes: int | None = None
    digest: tuple[str, str] | None = None  # algorithm, value


async def validate(run: Run, context: StageContext) -> Outcome:
    """End the run with its files proven, or send the wrong ones back to download.

    Changes nothing at the destination but this: a file that is not the delivered one is removed, after that was noted,
    so that it is fetched again. Harmless to repeat.

    Raises:
        OSError: the destination cannot be read.
        DestinationError: likewise.
        Fenced: this worker no longer owns the job.
    """
    noted = {record.path: record for record in await context.notebook.files()}
    promises, problems = await _promises(run, context, noted)
    problems |= await _check_all(context, promises)
    if problems:
        return await _send_back(run, context, noted, problems)
    await _note_proven(context, noted, promises)
    sizes = [noted[promise.key].size_bytes if promise.key in noted else promise.size_bytes for promise in promises]
    facts = {"files_total": len(promises), "files_done": len(promises)}
    state = State.PARTIAL if run.order_state == "partial" else State.DONE
    return Finish(state, f"{len(promises)} files, {sum(size or 0 for size in sizes):,} bytes, verified", facts=facts)


async def _promises(
    run: Run, context: StageContext, noted: Mapping[str, FileRecord]
) -> tuple[list[_Promise], dict[str, str]]:
    """What has to be there, by the manifest and by download's notes, and what is wrong with the manifest itself."""
    folder = order_id_of(run)
    manifest = f"{folder}/{MANIFEST_NAME}"
    promised = {key: _as_noted(record) for key, record in noted.items()}
    size = await context.destination.stat(manifest)
    if size is None:
        return list(promised.values()), {}  # where it was noted, it counts as missing
    if size > MAX_MANIFEST_BYTES:
        return [], {manifest: f"{FileCheck.BAD_SIZE}: {size:,} bytes, more than any manifest has"}
    try:
        entries = read_manifest(await context.destination.read(manifest))
    except ClientError as error:
        return [], {manifest: str(error)}
    archives = [key for key in noted if key.endswith(".zip")]
    inside = [entry for entry in entries if archives and f"{folder}/{entry.path}" not in noted]
    listed = [entry for entry in entries if entry not in inside]
    promised |= {f"{folder}/{entry.path}": _as_listed(f"{folder}/{entry.path}", entry) for entry in listed}
    return list(promised.values()), await _check_archives(context, folder, archives, inside)


def _as_listed(key: str, entry: ManifestEntry) -> _Promise:
    """What the manifest promises."""
    return _Promise(key, entry.size_bytes, _strongest(entry.sha256, entry.md5))


def _as_noted(record: FileRecord) -> _Promise:
    """What download saw arrive; for files that the manifest does not list, as itself."""
    return _Promise(record.path, record.size_bytes, _strongest(record.sha256, record.md5))


def _strongest(sha256: str | None, md5: str | None) -> tuple[str, str] | None:
    if sha256:
        return "sha256", sha256
    return ("md5", md5) if md5 else None


async def _check_all(context: StageContext, promises: Iterable[_Promise]) -> dict[str, str]:
    """Check the files side by side; return what is wrong, by key."""
    promised = list(promises)
    found = await abreast(partial(_check, context), promised, _SIDE_BY_SIDE)
    return {promise.key: problem for promise, problem in zip(promised, found, strict=True) if problem}


async def _check(context: StageContext, promise: _Promise) -> str | None:
    size = await context.destination.stat(promise.key)
    if size is None:
        return FileCheck.MISSING
    if promise.size_bytes is not None and size != promise.size_bytes:
        return f"{FileCheck.BAD_SIZE}: {size:,} bytes, {promise.size_bytes:,} were promised"
    if promise.digest:
        algorithm, value = promise.digest
        if await context.destination.digest(promise.key, algorithm) != value:
            return f"{FileCheck.BAD_DIGEST}: its {algorithm} is not the promised one"
    context.progress(promise.key, size, size)
    return None


async def _check_archives(
    context: StageContext, folder: str, archives: list[str], inside: list[ManifestEntry]
) -> dict[str, str]:
    """Check the files that a manifest lists and that lie in the archives beside it.

    In an object store, an archive is held against the digest or size it arrived with, and is not opened.
    """
    if not inside or context.destination.local_dir is None:
        return {}
    algorithm = "sha256" if all(entry.sha256 for entry in inside) else "md5"
    try:
        await asyncio.to_thread(check_order_folder, context.destination.local_dir / folder, algorithm)
    except ChecksumMismatch as error:
        return dict.fromkeys(archives, f"{FileCheck.BAD_DIGEST}: {'; '.join(error.problems[:_NAMED])}")
    return {}


async def _send_back(
    run: Run, context: StageContext, noted: Mapping[str, FileRecord], problems: Mapping[str, str]
) -> Outcome:
    """Write down what is wrong, remove it, and have it fetched again, unless that was done too often."""
    await context.notebook.note({}, {key: _as_wrong(key, noted, problem) for key, problem in problems.items()})
    named = "; ".join(f"{key} ({problem})" for key, problem in list(problems.items())[:_NAMED])
    text = f"{len(problems)} files are not as promised: {named}" + ("; …" if len(problems) > _NAMED else "")
    log.warning("files not as promised", run_id=run.run_id, order_id=run.order_id, files=list(problems)[:_NAMED])
    if run.refetches >= context.policy.max_refetches:
        text = f"{text}; fetched again {run.refetches} times to no avail"
        failure = Failure(kind=FailureKind.PLANET, type="FilesNotAsPromised", message=text, stage=Stage.VALIDATE)
        return Finish(State.FAILED, text, failure)
    for key, problem in problems.items():
        if problem != FileCheck.MISSING:
            await context.destination.delete(key)
    return Advance(Stage.DOWNLOAD, f"{text}; fetching again", {"refetches": run.refetches + 1})


async def _note_proven(context: StageContext, noted: Mapping[str, FileRecord], promises: Iterable[_Promise]) -> None:
    """Write down what download could not prove by itself."""
    unproven = [promise for promise in promises if promise.key not in noted or not noted[promise.key].verified]
    if unproven:
        await context.notebook.note({}, {promise.key: _as_proven(promise, noted) for promise in unproven})


def _as_proven(promise: _Promise, noted: Mapping[str, FileRecord]) -> FileRecord:
    record = noted.get(promise.key) or FileRecord(path=promise.key, size_bytes=promise.size_bytes)
    return record.model_copy(
        update={"verified": True, "problem": None, **dict([promise.digest] if promise.digest else [])}
    )


def _as_wrong(key: str, noted: Mapping[str, FileRecord], problem: str) -> FileRecord:
    record = noted.get(key) or FileRecord(path=key)
    return record.model_copy(update={"verified": False, "problem": problem})
