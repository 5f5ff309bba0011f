"""What producers use: put requests in, ask how they are, get told when they are done."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Self

from ulid import ULID

from jobs.abreast import abreast
from jobs.batch_handle import BatchHandle
from jobs.batches import BatchStore
from jobs.connection import connect
from jobs.embedded import EmbeddedValkey
from jobs.errors import BadRequest, Fenced, KeyReused, NotPossible
from jobs.handles import RunHandle
from jobs.intake import Answer, take_in
from jobs.moves import By, Move, plan_move
from jobs.new_runs import in_doubt
from jobs.outcomes import Finish
from jobs.parts import combine, read_parts
from jobs.preview import Preview, preview
from jobs.resumption import plan_retry, plan_revalidation
from jobs.run import Run, State
from jobs.store import Event, Lifetimes, RunStore
from jobs.submission import Placed, Submission, as_submission, callback_address, in_batch

_CANCELLED_AT_ONCE = 20  # runs of a batch, each of which takes two or three round trips


def join_embedded(url: str | None, data_dir: Path | None) -> EmbeddedValkey | None:
    """The private Valkey of the data folder, if neither `url` nor `REDIS_URL` names a Redis; to be closed.

    Raises:
        EmbeddedUnavailable: it cannot be started or reached.
    """
    if url or os.environ.get("REDIS_URL"):
        return None
    return EmbeddedValkey(data_dir or Path(os.environ.get("ORDERS_DATA_DIR") or ".planet-orders"))


class OrderQueue:
    """The producer's side of the fleet.

    Example:
        async with OrderQueue.connect() as queue:
            run = await queue.submit(request, key="field-7-2026-11")
            ended = await run.result(timeout=3600)
    """

    def __init__(self, store: RunStore) -> None:
        self.store = store
        self.batches = BatchStore(store)

    @classmethod
    @asynccontextmanager
    async def connect(
        cls,
        url: str | None = None,
        *,
        queue: str = "arq:queue",
        data_dir: Path | None = None,
        same_request_days: float = 7,
    ) -> AsyncIterator[Self]:
        """The queue of a fleet, as long as the block runs.

        Arguments:
            url: the fleet's Redis; without one, `REDIS_URL`, and where that is not set either, the private Valkey of
                the data folder, which is started if need be.
            queue: arq's queue, as `ORDERS_QUEUE_NAME` names it for the workers.
            data_dir: the data folder; without one, `ORDERS_DATA_DIR`, or `.planet-orders` in the working directory.
            same_request_days: how long after a run's end its very request is not ordered again, at most 90; 0: it
                always is. `ORDERS_SAME_REQUEST_DAYS` is the same for the command line.

        Raises:
            RedisUnavailable, EmbeddedUnavailable: there is no usable Redis.
        """
        valkey = await asyncio.to_thread(join_embedded, url, data_dir)
        try:
            address = valkey.url if valkey else url or os.environ["REDIS_URL"]
            redis = await connect(address, queue_name=queue)
            try:
                lifetimes = Lifetimes(same_request=timedelta(days=same_request_days))
                yield cls(RunStore(redis, queue=queue, lifetimes=lifetimes))
            finally:
                await redis.aclose()
        finally:
            if valkey:
                await asyncio.to_thread(valkey.close)

    async def submit(self, request: Mapping[str, Any] | Submission, **options: Any) -> RunHandle:
        """Put one request into the queue; `options` are the fields of Submission.

        A request with more items than an order holds (500) becomes several runs, which the handle tells of as one.
        The run and its first job are written in one transaction. With a `key` the call is idempotent for as long as
        runs are kept, and another key is another order. Without one, the very same request, its name included, is not
        ordered a second time while its run goes on, nor within a week after its end, unless `again` asks for it: the
        handle is that run's.

        Raises:
            BadRequest: the request cannot be ordered; nothing was written.
            KeyReused: the key belongs to a run with another request; nothing was written.
            SubmitUncertain: Redis went away or refused; says how to go on without ordering twice.
        """
        (answer,) = await self.submit_many([as_submission(request, options)])
        if isinstance(answer, BadRequest | KeyReused):
            raise answer
        return answer

    async def submit_many(self, requests: Iterable[Mapping[str, Any] | Submission]) -> list[Answer]:
        """Put many requests into the queue: one answer for each, in order, a run or what is wrong with it.

        One transaction takes up to a hundred, and while it is on its way the next hundred are checked. A bad request
        does not hold the others up.

        Raises:
            SubmitUncertain: Redis went away or refused; names the runs in doubt. Those before them were taken.
        """
        answers: list[Answer] = []
        await take_in(self.store, [Placed(as_submission(request, {})) for request in requests], answers.append)
        return answers

    async def preview(
        self, requests: Iterable[Mapping[str, Any] | Submission]
    ) -> list[Preview | BadRequest | KeyReused]:
        """Tell what would become of requests if they were submitted now: one answer for each, in order.

        The same checks and look-ups are made, and nothing is written. Caps are the workers' to know.

        Raises:
            RedisError: Redis went away or refused.
        """
        return await preview(self.store, [as_submission(request, {}) for request in requests])

    async def submit_batch(
        self,
        requests: Iterable[Mapping[str, Any] | Submission],
        *,
        name: str = "",
        key: str | None = None,
        producer: str | None = None,
        callback_url: str | None = None,
        tell: Callable[[Answer], None] | None = None,
    ) -> BatchHandle:
        """Put many requests into the queue as one batch, which counts its runs and ends with the last of them.

        With a `key` the call is idempotent: after a crash, submit the same requests with the same key, and what was
        taken is found, what was not is submitted, and nothing is bought twice. Request number n, if it has no key of
        its own, gets the batch's with `-n` behind it.

        Arguments:
            requests: read as they are sent, so that they need not all be in memory.
            name: for people to read.
            key: of the batch.
            producer: who asks, where a request does not say.
            callback_url: told of the batch's end, if the fleet allows it to be.
            tell: called with each answer as it comes, in order, for what must be kept should this be interrupted.

        Returns:
            The batch, with an answer for each request: its run, or what is wrong with it.

        Raises:
            BadRequest: the callback's address cannot be one; nothing was written.
            SubmitUncertain: Redis went away or refused; names the runs in doubt. Those before them were taken.
        """
        answers: list[Answer] = []
        url = callback_address(callback_url)
        with in_doubt([]):
            batch_id = await self.batches.open(str(ULID()), name=name, producer=producer, key=key, callback_url=url)
        submissions = (as_submission(request, {}) for request in requests)

        def keep(answer: Answer) -> None:
            answers.append(answer)
            if tell:
                tell(answer)

        await take_in(self.store, in_batch(submissions, batch_id, key=key, producer=producer), keep)
        await self._close_batch(batch_id, answers)
        return BatchHandle(self.batches, batch_id, answers)

    async def _close_batch(self, batch_id: str, answers: Sequence[Answer]) -> None:
        handles = [answer for answer in answers if isinstance(answer, RunHandle)]
        known = [handle.run_id for handle in handles if not handle.created]
        with in_doubt([]):
            elsewhere = await self.batches.count_elsewhere(batch_id, known)
            refused = len(answers) - len(handles)
            await self.batches.close(batch_id, requests=len(answers), refused=refused, elsewhere=elsewhere)

    def batch(self, batch_id: str) -> BatchHandle:
        """Rebuild a batch's handle from its id alone; asks nothing."""
        return BatchHandle(self.batches, batch_id)

    def run(self, run_id: str) -> RunHandle:
        """Rebuild a handle from its id alone; asks nothing."""
        return RunHandle(self.store, run_id, created=False)

    async def get(self, run_id: str) -> Run:
        """Read one run, of a request that was split its first part; raises RunNotFound if there is none."""
        return await self.store.get(run_id)

    async def list(
        self, state: State | str | None = None, limit: int = 50, before: Run | datetime | None = None
    ) -> list[Run]:
        """The newest runs first: by creation, or, with a state, by when they came into it.

        Arguments:
            state: only runs in this state.
            limit: the most runs to list.
            before: the last run of the page before; the next page begins behind it. Or a time.
        """
        return await self.store.newest(State(state) if state else None, limit, before)

    async def cancel(self, run_id: str, *, by: str = "") -> Run:
        """Cancel a run, and its order at Planet where Planet still allows it.

        A run nobody has started is cancelled at once; of any other it is noted, and done by whoever has it in hand.
        Idempotent.

        Raises:
            NotPossible: the run has ended already.
            RunNotFound: there is no such run.
        """
        return await self._each_part(run_id, partial(self._cancel, by=by))

    async def cancel_batch(self, batch_id: str, *, by: str = "") -> int:
        """Cancel every run of a batch that has not ended, as cancel() does; returns how many there were. Idempotent.

        Raises:
            BatchNotFound: there is no such batch.
        """
        await self.batches.get(batch_id)
        cancelled = 0
        async for page in self.batches.pages(batch_id):
            unfinished = [run for run in await self.store.get_many(page) if not run.state.is_final]
            cancelled += sum(await abreast(partial(self._cancel_if_possible, by=by), unfinished, _CANCELLED_AT_ONCE))
        return cancelled

    async def _cancel_if_possible(self, run: Run, *, by: str) -> bool:
        """Whether it was; not if the run has ended in this moment."""
        try:
            await self._cancel(run, by=by)
        except NotPossible:
            return False
        return True

    async def _cancel(self, run: Run, *, by: str) -> None:
        if run.state is State.CANCELLED:
            return
        if run.state is State.QUEUED and run.intent_at is None:
            outcome = Finish(State.CANCELLED, "cancelled before it was started")
            try:
                await self.store.move(plan_move(run, outcome, By.person(by)))
            except Fenced:
                pass  # a worker has taken it in this moment: it will see the wish
            else:
                return
        await self.store.ask_cancel(run.run_id)

    async def _each_part(self, run_id: str, act: Callable[[Run], Awaitable[None]]) -> Run:
        """Do something with a run, or with those parts of a split request for which it is possible."""
        parts = await read_parts(self.store, run_id)
        refusals = []
        for part in parts:
            try:
                await act(part)
            except NotPossible as error:
                refusals.append(error)
        if len(refusals) == len(parts):
            raise refusals[0]
        return combine(await read_parts(self.store, run_id))

    async def retry(self, run_id: str, *, rebuy: bool = False, by: str = "") -> Run:
        """Let an ended run go on from the stage it ended in.

        Nothing is bought again, unless `rebuy` asks for a new order, which Planet bills anew.

        Raises:
            NotPossible: the run has not ended, is done, or could only go on with a new order.
            RunNotFound: there is no such run.
        """
        return await self._each_part(run_id, lambda run: self._move_ended(plan_retry(run, By.person(by), rebuy=rebuy)))

    async def revalidate(self, run_id: str, *, by: str = "") -> Run:
        """Let the fleet validate the files of a run once more, and fetch again what is missing or wrong.

        Nothing is bought. What Planet no longer offers (an order is kept for 90 days) cannot be fetched again.

        Raises:
            NotPossible: the run has delivered no files to this fleet.
            RunNotFound: there is no such run.
        """
        return await self._each_part(run_id, lambda run: self._move_ended(plan_revalidation(run, By.person(by))))

    async def _move_ended(self, move: Move) -> None:
        try:
            await self.store.move(move)
        except Fenced as error:
            raise NotPossible(move.run.run_id, "somebody else moved it in this moment; look at it again") from error

    async def events(self, after: str | None = None) -> AsyncIterator[Event]:
        """Every move of every run as it happens, from the event id `after` on, or from now."""
        async for event in self.store.events(after or await self.store.last_event_id()):
            if event:
                yield event
