"""What has become of a batch: totals, and failures by cause."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jobs.batch import Batch
from jobs.batches import BatchStore
from jobs.causes import CAUSE_FIELDS, FAILED_STATES, CauseGroup, Groups, cause_of
from jobs.run import State, from_ms


@dataclass(frozen=True, slots=True)
class BatchSummary:
    """What has become of a batch.

    Attributes:
        batch: its record, with how many runs are in each state.
        files: how many its runs have delivered.
        bytes: how large these are together.
        failures: its runs that failed or expired, by cause, the most frequent first.
    """

    batch: Batch
    files: int
    bytes: int
    failures: Sequence[CauseGroup]

    def as_dict(self) -> dict[str, Any]:
        """For programs: plain JSON, without anything secret."""
        failures = [group.as_dict() for group in self.failures]
        return {**self.batch.as_dict(), "files": self.files, "bytes": self.bytes, "failures": failures}


async def summarize(batches: BatchStore, batch_id: str) -> BatchSummary:
    """Read each of a batch's runs, a page at a time; those that are no longer kept count in the states only."""
    batch = await batches.get(batch_id)
    files = size_bytes = 0
    groups = Groups()
    async for page in batches.pages(batch_id):
        records = await batches.read_fields(page, ("state", "finished_at", "files_done", "bytes_done", *CAUSE_FIELDS))
        for run_id, (state, finished_at, files_done, bytes_done, *why) in zip(page, records, strict=True):
            files, size_bytes = files + int(files_done or 0), size_bytes + int(bytes_done or 0)
            if state and finished_at and State(state.decode()) in FAILED_STATES:
                groups.add(run_id, from_ms(finished_at), *cause_of(State(state.decode()), why))
    return BatchSummary(batch, files, size_bytes, groups.most_frequent_first())
