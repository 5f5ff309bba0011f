"""`verify`: what lies at the destination is read again and held against the manifest."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from jobs import keys
from jobs.destination import DestinationError, open_destination
from jobs.errors import JobsError, NotPossible
from jobs.index import pages_of
from jobs.proof import prove_files
from jobs.redaction import hide_password
from jobs.run import FileRecord, State
from planet_sdk.manifest import MANIFEST_NAME, FileCheck
from worker.board import open_console
from worker.cli.desk import Desk, at_desk, say
from worker.cli.exits import CommandError, Exit
from worker.cli.output import print_json
from worker.wording import one_line, plural, size


@dataclass(slots=True)
class Finding:
    """What one run or folder was found to be."""

    run_id: str | None
    folder: str
    files: int = 0
    bytes: int = 0
    problems: dict[str, str] = field(default_factory=dict)
    error: str | None = None  # why it could not be looked at
    repairing: bool = False

    @property
    def is_well(self) -> bool:
        """Whether each file is as promised."""
        return not self.problems and self.error is None


def verify(texts: Sequence[str], *, every: bool, repair: bool, as_json: bool) -> Exit:
    """Verify these runs and folders, or every run that has delivered files; print what is wrong."""
    if every == bool(texts):
        raise CommandError("name runs or folders, or give --all")
    folders = [text for text in texts if _is_folder(text)]
    run_texts = [text for text in texts if text not in folders]
    findings = asyncio.run(_verify_folders(folders)) if folders else []
    if run_texts or every:
        findings += at_desk(lambda desk: _verify_runs(desk, run_texts, repair=repair))
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            _tell(finding)
    return Exit.OK if all(finding.is_well for finding in findings) else Exit.FAILED


def _is_folder(text: str) -> bool:
    """A path or an address; what could be the id of a run is one, unless a folder has that name."""
    return "/" in text or text in {".", ".."} or Path(text).is_dir()


async def _verify_folders(folders: Sequence[str]) -> list[Finding]:
    with _open_bar() as bar:
        return [await _prove(Finding(None, folder), folder, "", {}, bar) for folder in folders]


async def _verify_runs(desk: Desk, texts: list[str], *, repair: bool) -> list[Finding]:
    """Every run with files, where no ids are given."""
    findings = []
    with _open_bar() as bar:
        async for run_id in _ids(desk, texts):
            finding = await _verify_run(desk, run_id, bar)
            if repair and finding.problems:
                await _repair(desk, finding, run_id)
            findings.append(finding)
    return findings


async def _repair(desk: Desk, finding: Finding, run_id: str) -> None:
    try:
        await desk.queue.revalidate(run_id)
    except NotPossible as error:
        finding.error = str(error)
    else:
        finding.repairing = True


async def _ids(desk: Desk, texts: list[str]) -> AsyncIterator[str]:
    for run_id in await desk.find_run_ids(texts):
        yield run_id
    if not texts:
        for state in (State.DONE, State.PARTIAL):
            async for page in pages_of(desk.redis, keys.state(state)):
                for run in await desk.store.get_many([run_id for run_id, _ in page]):
                    if run.files_total:
                        yield run.run_id


async def _verify_run(desk: Desk, run_id: str, bar: Progress) -> Finding:
    try:
        run = await desk.queue.get(run_id)
        if not run.state.has_files or run.order_id is None or not run.files_total:
            raise NotPossible(run_id, f"it is {run.state}, and has delivered no files to verify")
    except JobsError as error:
        return Finding(run_id, "", error=str(error))
    noted = {record.path: record for record in await desk.store.files(run_id)}
    finding = Finding(run_id, f"{hide_password(run.destination)}/{run.order_id}")
    return await _prove(finding, run.destination, run.order_id, noted, bar)


async def _prove(
    finding: Finding, destination_url: str, folder: str, noted: dict[str, FileRecord], bar: Progress
) -> Finding:
    """Fill the finding in; trouble with one destination does not hold the others up."""
    task = bar.add_task(
        finding.run_id or finding.folder, total=sum(file.size_bytes or 0 for file in noted.values()) or None
    )
    try:
        destination = open_destination(destination_url)
        if not folder:  # of archives nothing was noted; that they are there is what tells that files may lie inside
            listed = await destination.list()
            noted = {key: FileRecord(path=key) for key in listed if key.endswith(".zip")}
        proof = await prove_files(destination, folder, noted, lambda _key, done, _size: bar.advance(task, done))
    except (DestinationError, OSError) as error:
        finding.error = str(error)
        return finding
    finally:
        bar.remove_task(task)
    finding.files = len(proof.promises)
    finding.bytes = sum(promise.size_bytes or 0 for promise in proof.promises)
    finding.problems = proof.problems if folder else {key: _hint(key, why) for key, why in proof.problems.items()}
    if not proof.promises and not proof.problems:
        finding.problems = {f"{folder}/{MANIFEST_NAME}".lstrip("/"): FileCheck.MISSING}
    return finding


def _hint(key: str, problem: str) -> str:
    """A folder does not tell that an archive was unpacked in it; the run that did so knows its files' digests."""
    if key.endswith(".zip") and problem == FileCheck.MISSING:
        return f"{problem}; if it was unpacked here, verify the run by its id"
    return problem


def _open_bar() -> Progress:
    console = open_console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


def _tell(finding: Finding) -> None:
    name = finding.run_id or finding.folder
    if finding.error:
        say(f"Error: {one_line(finding.error)}")
    elif finding.is_well:
        typer.echo(f"{name}\t{plural(finding.files, 'file')}, {size(finding.bytes)}, verified")
    for key, problem in finding.problems.items():
        typer.echo(f"{name}\t{one_line(key)}\t{one_line(problem)}")
    if finding.repairing:
        say(f"{name} is validated again by the fleet, which fetches these files anew; it buys nothing.")
    elif finding.problems and finding.run_id:
        say(f"Have them fetched again, which buys nothing: planet-orders verify {finding.run_id} --repair")
