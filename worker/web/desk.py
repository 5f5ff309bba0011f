"""What can be asked of the fleet over the web, each question with a bounded number of round trips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from jobs import Batch, BatchSummary, OrderQueue, RunHandle, Submission
from jobs.abreast import abreast
from jobs.batches import BatchStore
from jobs.causes import FAILED_STATES
from jobs.errors import NotPossible, RunNotFound, UnreadableRun
from jobs.intake import Answer
from jobs.listing import Cursor, Wanted, find_page
from jobs.lookup import Named, look_up
from jobs.newest_failures import FailureLook, Found, find_failures, group_newest_failures
from jobs.preview import Preview
from jobs.redaction import Redactor
from jobs.run import Run, State
from jobs.store import RunStore
from worker.fleet import WorkerView, read_fleet
from worker.web.link import Link
from worker.web.overview import FleetView, look
from worker.web.records import RunRecords, read_records
from worker.web.views import LogLines, RunDetail, RunPage, RunSummary, tell_run

_RETRIED_AT_ONCE = 10  # each takes three or four round trips


class Desk:
    """Answers questions about the fleet; every method raises RedisUnavailable where Redis is away."""

    def __init__(self, link: Link, redactor: Redactor) -> None:
        self._link, self.redactor = link, redactor

    async def list_workers(self) -> list[WorkerView]:
        """Every worker seen in the last day, those that are alive first."""
        workers = await self._link.ask(lambda store: read_fleet(store.redis))
        return [replace(worker, last_redis_error=self.redactor.text(worker.last_redis_error)) for worker in workers]

    async def list_runs(self, wanted: Wanted, limit: int, before: Cursor | None) -> RunPage:
        """A page of runs, the newest first."""

        async def read(store: RunStore) -> tuple[list[Run], Cursor | None]:
            run_ids, following = await find_page(store.redis, wanted, limit, before)
            return await store.get_many(run_ids), following

        runs, following = await self._link.ask(read)
        shown = [RunSummary.of(run, self.redactor) for run in runs]
        return RunPage(runs=shown, next=str(following) if following else None)

    async def find(self, text: str) -> Named | None:
        """The run or the batch that has this id, order or key."""
        return await self._link.ask(lambda store: look_up(store.redis, text))

    async def search_runs(self, wanted: Wanted, text: str | None, limit: int, before: Cursor | None) -> RunPage:
        """The run or the batch's runs that a text names exactly; where it names none, those in which it occurs."""
        found = await self.find(text) if text else None
        if found is None:
            return await self.list_runs(replace(wanted, text=text), limit, before)
        if found.batch_id:
            return await self.list_runs(replace(wanted, batch_id=found.batch_id), limit, before)
        runs = await self._link.ask(lambda store: store.get_many([found.run_id or ""]))
        return RunPage(runs=[RunSummary.of(run, self.redactor) for run in runs], next=None)

    async def tell_run(self, run_id: str) -> RunDetail:
        """One run's story, of a request that was split that of all parts; raises RunNotFound where there is none."""

        async def read(store: RunStore) -> RunDetail:
            run = OrderQueue(store).run(run_id)
            return tell_run(await run.status(), await run.history(), await run.files(), self.redactor)

        return await self._link.ask(read)

    async def read_records(self, run_id: str) -> RunRecords:
        """Everything that is kept of a run, secrets included; raises RunNotFound where there is none."""
        return await self._link.ask(lambda store: read_records(store, run_id))

    async def read_log(self, run_id: str) -> LogLines:
        """The log lines that a run keeps; raises RunNotFound where there is none."""
        lines = await self._link.ask(lambda store: OrderQueue(store).run(run_id).log())
        return LogLines(lines=[self.redactor.mapping(line) for line in lines])

    async def submit(self, submission: Submission) -> RunHandle:
        """Put one request into the queue; raises as OrderQueue.submit."""
        return await self._link.hand_in(lambda store: OrderQueue(store).submit(submission))

    async def preview(self, submission: Submission) -> Preview:
        """What would become of one request; raises as OrderQueue.submit."""
        (answer,) = await self._link.ask(lambda store: OrderQueue(store).preview([submission]))
        if isinstance(answer, Preview):
            return answer
        raise answer

    async def submit_batch(self, requests: Sequence[Submission], **options: Any) -> tuple[str, Sequence[Answer]]:
        """Put many requests into the queue; raises as OrderQueue.submit_batch.

        Returns:
            The batch's id, and an answer for each request.
        """
        batch = await self._link.hand_in(lambda store: OrderQueue(store).submit_batch(requests, **options))
        return batch.batch_id, batch.answers

    async def list_batches(self, limit: int, before: Cursor | None) -> tuple[list[Batch], Cursor | None]:
        """The newest batches first, and where the next page begins."""
        return await self._link.ask(lambda store: OrderQueue(store).batches.page(limit, before))

    async def get_batch(self, batch_id: str) -> Batch:
        """One batch; raises BatchNotFound where there is none."""
        return await self._link.ask(lambda store: OrderQueue(store).batch(batch_id).status())

    async def summarize_batch(self, batch_id: str) -> BatchSummary:
        """What has become of a batch; raises BatchNotFound where there is none."""
        return await self._link.ask(lambda store: OrderQueue(store).batch(batch_id).summary())

    async def cancel_batch(self, batch_id: str, *, by: str) -> int:
        """Cancel what has not ended of a batch; raises as OrderQueue.cancel_batch."""
        return await self._link.hand_in(lambda store: OrderQueue(store).cancel_batch(batch_id, by=by))

    async def list_failed(self, batch_id: str, limit: int) -> tuple[list[str], int]:
        """Runs of a batch that failed or expired, `limit` at most, and how many there are; raises BatchNotFound."""

        async def read(store: RunStore) -> tuple[list[str], int]:
            batches, found = BatchStore(store), list[str]()
            runs = (await batches.get(batch_id)).runs
            number = sum(runs[state] for state in FAILED_STATES)
            async for page in batches.pages(batch_id):
                if len(found) >= min(limit, number):
                    break
                states = await batches.read_fields(page, ["state"])
                failed = {state.encode() for state in FAILED_STATES}
                found += [run_id for run_id, (state,) in zip(page, states, strict=True) if state in failed]
            return found[:limit], number

        return await self._link.ask(read)

    async def cancel(self, run_id: str, *, by: str) -> RunSummary:
        """Cancel a run; raises as OrderQueue.cancel."""
        run = await self._link.ask(lambda store: OrderQueue(store).cancel(run_id, by=by))
        return RunSummary.of(run, self.redactor)

    async def retry(self, run_id: str, *, rebuy: bool, by: str) -> RunSummary:
        """Let an ended run go on; raises as OrderQueue.retry."""
        run = await self._link.ask(lambda store: OrderQueue(store).retry(run_id, rebuy=rebuy, by=by))
        return RunSummary.of(run, self.redactor)

    async def look_at_failures(self) -> FailureLook:
        """The newest failures by cause."""
        return await self._link.ask(lambda store: group_newest_failures(store.redis))

    async def find_failures(self, cause_id: str, limit: int, before: Cursor | None) -> Found:
        """Runs that failed for one cause, the newest first."""
        return await self._link.ask(lambda store: find_failures(store.redis, cause_id, limit, before))

    async def retry_each(self, run_ids: Sequence[str], *, by: str) -> dict[str, str]:
        """Let these runs go on, each where it ended; returns for which of them that is not possible, and why."""
        refused: dict[str, str] = {}

        async def retry(store: RunStore, run_id: str) -> None:
            try:
                await OrderQueue(store).retry(run_id, by=by)
            except (NotPossible, RunNotFound, UnreadableRun) as error:
                refused[run_id] = str(error)

        async def retry_all(store: RunStore) -> None:
            await abreast(lambda run_id: retry(store, run_id), run_ids, _RETRIED_AT_ONCE)

        await self._link.hand_in(retry_all)
        return refused

    async def hint_order(self, order_id: str) -> bool:
        """Have an order looked at soon; False where no parked run waits for it."""
        return await self._link.ask(lambda store: store.hint_order(order_id))

    async def count_runs(self) -> dict[State, int]:
        """How many runs are in each state."""
        return await self._link.ask(lambda store: store.count())

    async def look(self) -> FleetView:
        """How the fleet is."""
        return await self._link.ask(lambda store: look(store, self.redactor))
