"""Validate: what lies at the destination is held against the manifest, whatever download believed.

Files that are missing or wrong go back to download, those alone, a bounded number of times. Without a manifest, the
sizes and digests that download noted are what counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import structlog

from jobs.context import StageContext
from jobs.orders import order_id_of
from jobs.outcomes import Advance, Finish, Outcome
from jobs.proof import MOST_NAMED, Promise, prove_files
from jobs.run import Failure, FailureKind, FileRecord, Run, Stage, State
from planet_sdk.manifest import FileCheck

log = structlog.get_logger(__name__)


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
    proof = await prove_files(context.destination, order_id_of(run), noted, context.progress)
    promises = proof.promises
    if proof.problems:
        return await _send_back(run, context, noted, proof.problems)
    await _note_proven(context, noted, promises)
    sizes = [noted[promise.key].size_bytes if promise.key in noted else promise.size_bytes for promise in promises]
    files, size_bytes = len(promises), sum(size or 0 for size in sizes)
    facts = {"files_total": files, "files_done": files, "bytes_total": size_bytes, "bytes_done": size_bytes}
    state = State.PARTIAL if run.order_state == "partial" else State.DONE
    return Finish(state, f"{files} files, {size_bytes:,} bytes, verified", facts=facts)


async def _send_back(
    run: Run, context: StageContext, noted: Mapping[str, FileRecord], problems: Mapping[str, str]
) -> Outcome:
    """Write down what is wrong, remove it, and have it fetched again, unless that was done too often."""
    await context.notebook.note({}, {key: _as_wrong(key, noted, problem) for key, problem in problems.items()})
    named = "; ".join(f"{key} ({problem})" for key, problem in list(problems.items())[:MOST_NAMED])
    text = f"{len(problems)} files are not as promised: {named}" + ("; …" if len(problems) > MOST_NAMED else "")
    log.warning("files not as promised", run_id=run.run_id, order_id=run.order_id, files=list(problems)[:MOST_NAMED])
    if run.refetches >= context.policy.max_refetches:
        text = f"{text}; fetched again {run.refetches} times to no avail"
        failure = Failure(kind=FailureKind.PLANET, type="FilesNotAsPromised", message=text, stage=Stage.VALIDATE)
        return Finish(State.FAILED, text, failure)
    for key, problem in problems.items():
        if problem != FileCheck.MISSING:
            await context.destination.delete(key)
    return Advance(Stage.DOWNLOAD, f"{text}; fetching again", {"refetches": run.refetches + 1})


async def _note_proven(context: StageContext, noted: Mapping[str, FileRecord], promises: Iterable[Promise]) -> None:
    """Write down what download could not prove by itself."""
    unproven = [promise for promise in promises if promise.key not in noted or not noted[promise.key].verified]
    if unproven:
        await context.notebook.note({}, {promise.key: _as_proven(promise, noted) for promise in unproven})


def _as_proven(promise: Promise, noted: Mapping[str, FileRecord]) -> FileRecord:
    record = noted.get(promise.key) or FileRecord(path=promise.key, size_bytes=promise.size_bytes)
    return record.model_copy(
        update={"verified": True, "problem": None, **dict([promise.digest] if promise.digest else [])}
    )


def _as_wrong(key: str, noted: Mapping[str, FileRecord], problem: str) -> FileRecord:
    record = noted.get(key) or FileRecord(path=key)
    return record.model_copy(update={"verified": False, "problem": problem})
