"""A batch as its producer sees it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

from jobs.batch import Batch
from jobs.batch_summary import BatchSummary, summarize
from jobs.batches import BatchStore
from jobs.errors import BatchTimeout
from jobs.intake import Answer
from jobs.run import Run

_LOOK_S = 0.1, 1.0  # first and longest pause between two looks, each of one command


class BatchHandle:
    """One batch, seen from outside: rebuild it from its id with OrderQueue.batch(batch_id).

    Attributes:
        answers: for each request its run, or what is wrong with it, as submit_batch() got them; a handle that was
            rebuilt has none.
    """

    def __init__(self, batches: BatchStore, batch_id: str, answers: Sequence[Answer] = ()) -> None:
        self._batches = batches
        self.batch_id = batch_id
        self.answers = tuple(answers)

    def __repr__(self) -> str:
        return f"BatchHandle({self.batch_id!r})"

    async def status(self) -> Batch:
        """The batch as it is now, with its counts: one command, however many runs it has."""
        return await self._batches.get(self.batch_id)

    async def runs(self) -> AsyncIterator[Run]:
        """Its runs, in the order of their requests; those that are no longer kept are left out."""
        async for page in self._batches.pages(self.batch_id):
            for run in await self._batches.read_runs(page):
                yield run

    async def summary(self) -> BatchSummary:
        """What has become of it so far: counts, files, bytes, failures by cause. Reads each run, a page at a time."""
        return await summarize(self._batches, self.batch_id)

    async def result(self, timeout: float | None = None) -> BatchSummary:  # noqa: ASYNC109 — as RunHandle.result
        """Wait until all of its runs have ended, well or not, and tell what has become of them.

        Arguments:
            timeout: seconds to wait; None for as long as it takes.

        Raises:
            BatchTimeout: the time was up; the runs go on.
            BatchNotFound: there is no such batch.
        """
        try:
            async with asyncio.timeout(timeout):
                pause_s, longest_s = _LOOK_S
                while not (await self.status()).has_ended:
                    await asyncio.sleep(pause_s)
                    pause_s = min(pause_s * 2, longest_s)
        except TimeoutError as error:
            raise BatchTimeout(await self.status(), timeout or 0) from error
        return await self.summary()
