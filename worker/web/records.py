"""Everything that Redis keeps of one request: one run, or those that it was split into."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jobs.parts import combine, read_parts
from jobs.run import FileRecord, Run, Transition
from jobs.store import RunStore


@dataclass(frozen=True, slots=True)
class PartRecords:
    """One run with its history and its files."""

    run: Run
    history: Sequence[Transition]
    files: Sequence[FileRecord]


@dataclass(frozen=True, slots=True)
class RunRecords:
    """A request's runs, the first of which is the one that was asked for."""

    parts: Sequence[PartRecords]
    log: Sequence[dict[str, Any]]

    @property
    def run(self) -> Run:
        """All parts as one run."""
        return combine([part.run for part in self.parts])

    @property
    def history(self) -> list[Transition]:
        """The transitions of all parts, oldest first."""
        return sorted((line for part in self.parts for line in part.history), key=lambda line: line.at)

    @property
    def files(self) -> list[FileRecord]:
        """The files of all parts."""
        return [file for part in self.parts for file in part.files]


async def read_records(store: RunStore, run_id: str) -> RunRecords:
    """Read all of a run, in four round trips for each of its parts.

    Raises:
        RunNotFound, UnreadableRun: as RunStore.get().
    """
    parts, log = [], []
    for run in await read_parts(store, run_id):
        parts.append(PartRecords(run, await store.history(run.run_id), await store.files(run.run_id)))
        log += await store.log(run.run_id)
    return RunRecords(parts, log)
