"""What producers use: put requests in, ask how they are, get told when they are done."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self, TypeVar

from ulid import ULID

from jobs.connection import connect
from jobs.destination import destination_url
from jobs.embedded import EmbeddedValkey
from jobs.errors import BadRequest, DestinationError, Fenced, KeyReused, NotPossible, Problem, ResultTimeout, RunFailed
from jobs.moves import By, Move, plan_move
from jobs.new_runs import NewRun, in_doubt
from jobs.outcomes import Finish
from jobs.request import canonical, check_request, fingerprint
from jobs.run import Facts, FileRecord, Run, Stage, State, Transition
from jobs.store import Event, RunStore

T = TypeVar("T")

_AT_ONCE = 100  # runs submitted in one round trip
_CHECKED_AT_ONCE = 10  # requests checked before others in this process get their turn: about a millisecond


@dataclass(frozen=True, slots=True)
class Submission:
    """One request with what goes with it.

    Attributes:
        request: the JSON that creates the order, as `planet_sdk.order_request.build_request` makes it.
        key: makes the submission idempotent: the same key returns the same run, for as long as runs are kept.
        destination: where the files end up, as a URL; without one, the fleet's own.
        producer: who asks, for people to read.
        batch_id: runs that were submitted together share it.
        deadline: when the run expires if it has not ended by then.
        allow_unknown: let item types and bundles pass that this version does not know; Planet decides.
    """

    request: Mapping[str, Any]
    key: str | None = None
    destination: str | None = None
    producer: str | None = None
    batch_id: str | None = None
    deadline: datetime | timedelta | None = None
    allow_unknown: bool = False


class OrderQueue:
    """The producer's side of the fleet.

    Example:
        async with OrderQueue.connect() as queue:
            run = await queue.submit(request, key="field-7-2026-11")
            ended = await run.result(timeout=3600)
    """

    def __init__(self, store: RunStore) -> None:
        self.store = store

    @classmethod
    @asynccontextmanager
    async def connect(
        cls, url: str | None = None, *, queue: str = "arq:queue", data_dir: Path | None = None
    ) -> AsyncIterator[Self]:
        """The queue of a fleet, as long as the block runs.

        Arguments:
            url: the fleet's Redis; without one, `REDIS_URL`, and where that is not set either, the private Valkey of
                the data folder, which is started if need be.
            queue: arq's queue, as `ORDERS_QUEUE_NAME` names it for the workers.
            data_dir: the data folder; without one, `ORDERS_DATA_DIR`, or `.planet-orders` in the working directory.

        Raises:
            RedisUnavailable, EmbeddedUnavailable: there is no usable Redis.
        """
        url = url or os.environ.get("REDIS_URL")
        folder = data_dir or Path(os.environ.get("ORDERS_DATA_DIR") or ".planet-orders")
        valkey = None if url else await asyncio.to_thread(EmbeddedValkey, folder)
        try:
            redis = await connect(url or (valkey.url if valkey else ""), queue_name=queue)
            try:
                yield cls(RunStore(redis, queue=queue))
            finally:
                await redis.aclose()
        finally:
            if valkey:
                await asyncio.to_thread(valkey.close)

    async def submit(self, request: Mapping[str, Any] | Submission, **options: Any) -> RunHandle:
        """Put one request into the queue; `options` are the fields of Submission.

        The run and its first job are written in one transaction. With a `key` the call is idempotent; without one, a
        repeated call is a second run, and a second order.

        Raises:
            BadRequest: the request cannot be ordered; nothing was written.
            KeyReused: the key belongs to a run with another request; nothing was written.
            SubmitUncertain: Redis went away or refused; says how to go on without ordering twice.
        """
        (answer,) = await self.submit_many([_submission(request, options)])
        if isinstance(answer, BadRequest | KeyReused):
            raise answer
        return answer

    async def submit_many(
        self, requests: Iterable[Mapping[str, Any] | Submission]
    ) -> list[RunHandle | BadRequest | KeyReused]:
        """Put many requests into the queue: one answer for each, in order, a run or what is wrong with it.

        One transaction takes up to a hundred, and while it is on its way the next hundred are checked. A bad request
        does not hold the others up.

        Raises:
            SubmitUncertain: Redis went away or refused; names the runs in doubt. Those before them were taken.
        """
        answers: list[RunHandle | BadRequest | KeyReused] = []
        sent: asyncio.Task[list[RunHandle | BadRequest | KeyReused]] | None = None
        try:
            for chunk in _chunks([_submission(request, {}) for request in requests], _AT_ONCE):
                checked = await _check_all(chunk)
                if sent:
                    answers += await sent
                sent = asyncio.create_task(self._send(chunk, checked))
            if sent:
                answers += await sent
        finally:
            if sent:  # leave nothing on its way behind an error
                await asyncio.gather(sent, return_exceptions=True)
        return answers

    async def _send(
        self, chunk: Sequence[Submission], checked: Sequence[NewRun | BadRequest]
    ) -> list[RunHandle | BadRequest | KeyReused]:
        good = [entry for entry in checked if not isinstance(entry, BadRequest)]
        with in_doubt(good):
            answers = iter(await self.store.submit_many(good))
        return [
            entry if isinstance(entry, BadRequest) else self._handle(submission, *next(answers))
            for submission, entry in zip(chunk, checked, strict=True)
        ]

    def _handle(self, submission: Submission, answer: str, run_id: str) -> RunHandle | KeyReused:
        if answer == "reused":
            return KeyReused(submission.key or "", run_id)
        return RunHandle(self, run_id, created=answer == "created")

    def run(self, run_id: str) -> RunHandle:
        """Rebuild a handle from its id alone; asks nothing."""
        return RunHandle(self, run_id, created=False)

    async def get(self, run_id: str) -> Run:
        """Read one run; raises RunNotFound if there is none."""
        return await self.store.get(run_id)

    async def list(
        self, state: State | str | None = None, limit: int = 50, before: datetime | None = None
    ) -> list[Run]:
        """The newest runs first: by creation, or, with a state, by when they came into it."""
        return await self.store.newest(State(state) if state else None, limit, before)

    async def cancel(self, run_id: str, *, by: str = "") -> Run:
        """Cancel a run, and its order at Planet where Planet still allows it.

        A run nobody has started is cancelled at once; of any other it is noted, and done by whoever has it in hand.
        Idempotent.

        Raises:
            NotPossible: the run has ended already.
            RunNotFound: there is no such run.
        """
        run = await self.store.get(run_id)
        if run.state is State.CANCELLED:
            return run
        if run.state is State.QUEUED and run.intent_at is None:
            outcome = Finish(State.CANCELLED, "cancelled before it was started")
            try:
                await self.store.move(plan_move(run, outcome, By.person(by)))
            except Fenced:
                pass  # a worker has taken it in this moment: it will see the wish
            else:
                return await self.store.get(run_id)
        await self.store.ask_cancel(run_id)
        return await self.store.get(run_id)

    async def retry(self, run_id: str, *, rebuy: bool = False, by: str = "") -> Run:
        """Let an ended run go on from the stage it ended in.

        Nothing is bought again, unless `rebuy` asks for a new order, which Planet bills anew.

        Raises:
            NotPossible: the run has not ended, is done, or could only go on with a new order.
            RunNotFound: there is no such run.
        """
        run = await self.store.get(run_id)
        stage, learnt = _resume_at(run, rebuy=rebuy)
        facts = {"error": None, "cancel_requested": None, "deadline_at": None, "refetches": None, **learnt}
        reason = "ordered again on request" if rebuy else "retried on request"
        state = State.QUEUED if stage is Stage.CREATE else stage.state
        move = Move(run, By.person(by), state, stage, reason, facts, enters_stage=True, next_stage=stage)
        await self._move_ended(move)
        return await self.store.get(run_id)

    async def revalidate(self, run_id: str, *, by: str = "") -> Run:
        """Let the fleet validate the files of a run once more, and fetch again what is missing or wrong.

        Nothing is bought. What Planet no longer offers (an order is kept for 90 days) cannot be fetched again.

        Raises:
            NotPossible: the run has delivered no files to this fleet.
            RunNotFound: there is no such run.
        """
        run = await self.store.get(run_id)
        if not run.state.has_files or run.order_id is None or not run.files_total:
            raise NotPossible(run_id, f"it is {run.state}, and has delivered no files to validate")
        facts = dict.fromkeys(("error", "cancel_requested", "deadline_at", "refetches"))
        stage = Stage.VALIDATE
        await self._move_ended(
            Move(
                run,
                By.person(by),
                stage.state,
                stage,
                "validated again on request",
                facts,
                enters_stage=True,
                next_stage=stage,
            )
        )
        return await self.store.get(run_id)

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


class RunHandle:
    """One run, seen from outside. It holds nothing but the id: rebuild it with OrderQueue.run(run_id)."""

    def __init__(self, queue: OrderQueue, run_id: str, *, created: bool) -> None:
        self._queue = queue
        self.run_id = run_id
        self.created = created  # False: the key had this run already

    def __repr__(self) -> str:
        return f"RunHandle({self.run_id!r})"

    async def status(self) -> Run:
        """The run as it is now."""
        return await self._queue.get(self.run_id)

    async def history(self) -> list[Transition]:
        """Its transitions, oldest first."""
        return await self._queue.store.history(self.run_id)

    async def files(self) -> list[FileRecord]:
        """The files of its order, as far as they are known."""
        return await self._queue.store.files(self.run_id)

    async def log(self) -> list[dict[str, Any]]:
        """The last log lines of its stages that failed, oldest first: each an event with its fields."""
        return await self._queue.store.log(self.run_id)

    async def result(self, timeout: float | None = None) -> Run:  # noqa: ASYNC109 — arq's Job.result has this name too
        """Wait until the run has ended and return it, its files being at its destination.

        Arguments:
            timeout: seconds to wait; None for as long as it takes.

        Raises:
            RunFailed: it ended without its files; the error carries the run.
            ResultTimeout: the time was up; the run goes on.
        """
        try:
            async with asyncio.timeout(timeout):
                run = await self._ended()
        except TimeoutError as error:
            state = (await self.status()).state
            raise ResultTimeout(self.run_id, timeout or 0, state) from error
        if not run.state.has_files:
            raise RunFailed(run)
        return run

    async def _ended(self) -> Run:
        """Read the record only when the event stream gives reason to, and now and then in case it was trimmed."""
        store = self._queue.store
        after = await store.last_event_id()
        run = await self.status()
        if run.state.is_final:
            return run
        async for event in store.events(after):
            if event is None or (event.run_id == self.run_id and event.state.is_final):
                run = await self.status()
                if run.state.is_final:
                    return run
        raise AssertionError("an event stream does not end")


def _submission(request: Mapping[str, Any] | Submission, options: Mapping[str, Any]) -> Submission:
    return request if isinstance(request, Submission) else Submission(request, **options)


async def _check_all(chunk: Sequence[Submission]) -> list[NewRun | BadRequest]:
    """What the store writes for each, or what is wrong with it; the loop goes on turning meanwhile."""
    checked: list[NewRun | BadRequest] = []
    for submission in chunk:
        if len(checked) % _CHECKED_AT_ONCE == 0:
            await asyncio.sleep(0)
        checked.append(_check(submission))
    return checked


def _check(submission: Submission) -> NewRun | BadRequest:
    try:
        request = check_request(submission.request, allow_unknown=submission.allow_unknown)
        destination = _destination(submission.destination)
        deadline_at = _deadline_at(submission.deadline)
    except BadRequest as error:
        return error
    run_id = str(ULID())
    text = canonical(request)
    facts = {
        "run_id": run_id,
        "name": request["name"],
        "request": text,
        "key": submission.key,
        "destination": destination,
        "producer": submission.producer,
        "batch_id": submission.batch_id,
        "deadline_at": deadline_at,
    }
    return NewRun(run_id, facts, fingerprint(text), submission.key)


def _destination(destination: str | None) -> str | None:
    try:
        return destination_url(destination) if destination else None
    except DestinationError as error:
        raise BadRequest([Problem("destination", str(error))]) from error


def _deadline_at(deadline: datetime | timedelta | None) -> datetime | None:
    if deadline is None:
        return None
    now = datetime.now(UTC)
    if isinstance(deadline, timedelta):
        deadline = now + deadline
    if deadline.tzinfo is None:
        raise BadRequest([Problem("deadline", "it has no time zone; use datetime.now(UTC) + timedelta(…)")])
    if deadline <= now:
        raise BadRequest([Problem("deadline", f"{deadline.isoformat()} is past already")])
    return deadline


def _resume_at(run: Run, *, rebuy: bool) -> tuple[Stage, Facts]:
    """Where an ended run goes on, and what of it starts afresh."""
    if not run.state.is_final:
        raise NotPossible(run.run_id, f"it has not ended, it is {run.state}; cancel it first")
    if run.state is State.DONE:
        raise NotPossible(run.run_id, "it is done; submit the request anew to order it again")
    if rebuy:
        fresh = ("order_id", "order_state", "order_message", "error_hints", "intent_at", "files_total", "bytes_total")
        none_yet = ("files_done", "bytes_done")
        return Stage.CREATE, {"rebuys": run.rebuys + 1, **dict.fromkeys((*fresh, *none_yet))}
    if run.order_state in {"failed", "cancelled"}:
        raise NotPossible(
            run.run_id,
            f"order {run.order_id} is {run.order_state} at Planet; only a new order helps: retry with rebuy (--rebuy)",
        )
    if run.order_id is None:
        return Stage.CREATE, {}
    return (run.stage if run.stage in {Stage.DOWNLOAD, Stage.VALIDATE} else Stage.WAIT), {}


def _chunks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
