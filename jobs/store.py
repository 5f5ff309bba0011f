"""The runs in Redis: reads, and the six scripts that write."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError
from redis.exceptions import ResponseError

from jobs import keys
from jobs.clock import now_ms
from jobs.endings import told_of
from jobs.errors import Fenced, NoPlace, NotPossible, RunNotFound, UnreadableRun
from jobs.json_text import to_json
from jobs.listing import Cursor, Wanted, find_page
from jobs.moves import By, Move
from jobs.new_runs import NewRun, parcels
from jobs.poison import is_bad_data
from jobs.policy import Policy
from jobs.run import (
    FINAL_STATES,
    RECORD_VERSION,
    Facts,
    FileRecord,
    Run,
    Stage,
    State,
    Transition,
    encode_facts,
    to_ms,
)
from jobs.scripts import script
from jobs.together import Together

if TYPE_CHECKING:
    from arq.connections import ArqRedis


T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Event:
    """One move of one run, as the fleet's event stream tells it."""

    id: str
    run_id: str
    state: State
    stage: Stage
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """How long things are kept."""

    retention: timedelta = timedelta(days=90)  # a run after its end: as long as Planet keeps an order
    result: timedelta = timedelta(hours=1)  # arq's result of a stage's job
    job: timedelta = timedelta(days=90)  # a job's payload: no run may outlive its job
    same_request: timedelta = timedelta(days=7)  # after a run's end, for which its request is not ordered again


class RunStore:
    """Reads and moves runs. Every write is one script: it happens whole, or not at all."""

    def __init__(self, redis: ArqRedis, *, queue: str = "arq:queue", lifetimes: Lifetimes | None = None) -> None:
        self.redis = redis
        self.queue = queue
        self.lifetimes = lifetimes or Lifetimes()
        self._together = Together(redis)
        self._submit, self._begin, self._note, self._move, self._ask_cancel, self._hint = (
            script(redis, name) for name in ("submit", "begin", "note", "move", "ask_cancel", "hint")
        )

    # What producers do

    async def submit(self, run_id: str, facts: Facts, *, fingerprint: str, key: str | None) -> tuple[str, str]:
        """Write a new run and enqueue its create job, in one transaction.

        Returns:
            ("created", run_id), ("known", the run that the key already has), or ("reused", that run, when its
            request is another one). Idempotent with a key; without one, a repeated call is a second run.
        """
        (answer,) = await self.submit_many([NewRun(run_id, facts, fingerprint, key)])
        return answer

    async def submit_many(self, runs: Iterable[NewRun], *, dry: bool = False) -> list[tuple[str, str]]:
        """Submit several runs, up to a hundred in one transaction; each has its own answer, as from submit().

        For a run that is to be written `once`, that may also be ("bought", the run that has ordered the same lately).
        With `dry`, the answers are the same and nothing is written.
        """
        prefixes = {
            "run": keys.run(""),
            "history": keys.history(""),
            "job": keys.job(""),
            "same": keys.same_request(""),
            "batch": keys.batch(""),
            "batch_runs": keys.batch_runs(""),
        }
        lives = {"job_ms": ms(self.lifetimes.job), "same_ms": ms(self.lifetimes.same_request)}
        shared = json.dumps({**prefixes, **lives, "dry": dry})
        bell = keys.bell(self.queue)
        answers: list[tuple[str, str]] = []
        for texts in parcels(runs, now_ms()):
            said = await self._submit(
                keys=[keys.RUNS, keys.state(State.QUEUED), keys.EVENTS, self.queue, bell, keys.SERVER, keys.LINE],
                args=[shared, *texts],
            )
            answers += [(what.decode(), run_id.decode()) for what, run_id in zip(said[::2], said[1::2], strict=True)]
        return answers

    async def ask_cancel(self, run_id: str) -> str:
        """Note that a run is to be cancelled; whoever has it, or gets it next, does it. Idempotent.

        Returns:
            The id of the run's job, or the empty string where it has none.
        """
        answer = await self._ask_cancel(
            keys=[keys.run(run_id), keys.WATCH, self.queue, keys.bell(self.queue), keys.ABORTS],
            args=[run_id, *FINAL_STATES],
        )
        parts: list[str] = [part.decode() for part in answer]
        match parts:
            case ["asked", job_id]:
                return job_id
            case ["final", state]:
                raise NotPossible(run_id, f"it has ended already ({state}); there is nothing to cancel")
            case _:
                raise RunNotFound(run_id)

    # What workers do

    async def begin(
        self, run_id: str, job_id: str, by: By, destination: str, *, running_orders: int = Policy().running_orders
    ) -> Run:
        """Count the start of a stage and read the run; one that has no destination gets the fleet's.

        Raises:
            Fenced: another worker has the job, or the run has moved on: nothing was counted.
            NoPlace: it would place an order, and `running_orders` are under way already: nothing was counted.
            RunNotFound: there is no such run.
            UnreadableRun: its record is damaged, or of a newer version: then nothing was counted.
        """
        with _bad_data_as_unreadable(run_id):
            answer = await self._together.run(
                self._begin,
                keys=[
                    keys.run(run_id),
                    keys.history(run_id),
                    keys.in_progress(job_id),
                    keys.state(State.QUEUED),
                    keys.state(State.CREATING),
                    keys.EVENTS,
                    keys.SERVER,
                    keys.state(State.WAITING),
                    keys.FULL,
                ],
                args=[run_id, job_id, by.owner, by.name, destination, RECORD_VERSION, keys.batch(""), running_orders],
            )
        what, *pairs = answer
        match what.decode():
            case "begun":
                return Run.from_hash(dict(zip(pairs[::2], pairs[1::2], strict=True)), run_id)
            case "newer":
                why = f"it has version {pairs[0].decode()}, newer than {RECORD_VERSION}"
                raise UnreadableRun(run_id, why, is_newer=True)
            case "unknown":
                raise RunNotFound(run_id)
            case "full":
                raise NoPlace(run_id)
            case why:
                raise Fenced(job_id, why)

    async def note(self, run: Run, by: By, facts: Facts, files: Mapping[str, FileRecord] | None = None) -> None:
        """Write down what the stage in hand must not forget. Idempotent; fenced by the job.

        Raises:
            Fenced: this worker no longer owns the job: nothing was written.
        """
        job_id = run.job_id or ""
        order_id = facts.get("order_id")
        what = {
            "fields": encode_facts(facts),
            "files": {path: record.model_dump_json(exclude_none=True) for path, record in (files or {}).items()},
        }
        answer = await self._together.run(
            self._note,
            keys=[
                keys.run(run.run_id),
                keys.files(run.run_id),
                keys.in_progress(job_id),
                keys.order(order_id) if order_id else "",
            ],
            args=[run.run_id, job_id, by.owner, run.starts, to_json(what)],
        )
        if answer != b"noted":
            raise Fenced(job_id, answer.decode())

    async def move(self, move: Move) -> Run | None:
        """Move a run: its record, its job, the next job and the history, all at once.

        Safe to repeat when the answer was lost: the same Move is made once.

        Returns:
            The run, if its owner has taken the next job on: begun, as from begin().

        Raises:
            Fenced: whoever asks may not, or no longer; nothing was changed.
        """
        run, job_id = move.run, move.run.job_id
        what, *pairs = await self._together.run(
            self._move,
            keys=[
                keys.run(run.run_id),
                keys.history(run.run_id),
                keys.files(run.run_id),
                keys.state(move.state),
                keys.EVENTS,
                keys.WATCH,
                self.queue,
                keys.bell(self.queue),
                keys.producer_key(run.key) if run.key else "",
                keys.order(move.order_id) if move.order_id else "",
                *([make(job_id) for make in _JOB_KEYS] if job_id else [""] * len(_JOB_KEYS)),
                keys.job(move.next_job_id) if move.next_job_id else "",
                keys.log(run.run_id),
                keys.in_progress(move.next_job_id) if move.next_job_id else "",
                keys.LINE,
                keys.FULL,
            ],
            args=[
                move.as_json(
                    now_ms=now_ms(),
                    state_prefix=keys.state(""),
                    job_ms=ms(self.lifetimes.job),
                    result_ms=ms(self.lifetimes.result),
                    retention_ms=ms(self.lifetimes.retention),
                    **told_of(move, queue=self.queue, job_ms=ms(self.lifetimes.job)),
                )
            ],
        )
        if what not in {b"moved", b"again"}:
            raise Fenced(job_id or run.run_id, what.decode())
        return Run.from_hash(dict(zip(pairs[::2], pairs[1::2], strict=True)), run.run_id) if pairs else None

    async def hint_order(self, order_id: str) -> bool:
        """Have the watcher look at the run of this order now: somebody says that the order has changed.

        Nothing moves because of it: the order's state is read from Planet first. Idempotent; a burst costs one look.

        Returns:
            False where the order belongs to no parked run.
        """
        bell = keys.watch_bell(self.queue)
        return bool(await self._hint(keys=[keys.order(order_id), keys.WATCH, bell]))

    # Reads

    async def get(self, run_id: str) -> Run:
        """Read one run.

        Raises:
            RunNotFound: there is no such run.
            UnreadableRun: its record is damaged, or of a newer version.
        """
        with _bad_data_as_unreadable(run_id):
            fields = await read(self.redis.hgetall(keys.run(run_id)))
        if not fields:
            raise RunNotFound(run_id)
        return Run.from_hash(fields, run_id)

    async def get_many(self, run_ids: Sequence[str]) -> list[Run]:
        """Read several runs in one round trip; those that are gone, or cannot be read, are left out."""
        async with self.redis.pipeline(transaction=False) as pipe:
            for run_id in run_ids:
                pipe.hgetall(keys.run(run_id))
            found = await pipe.execute(raise_on_error=False)
        runs = []
        for run_id, fields in zip(run_ids, found, strict=True):
            if isinstance(fields, Exception) and not is_bad_data(fields):
                raise fields
            with suppress(UnreadableRun):
                runs += [Run.from_hash(fields, run_id)] if fields and isinstance(fields, dict) else []
        return runs

    async def newest(
        self, state: State | None = None, limit: int = 50, before: Run | datetime | None = None
    ) -> list[Run]:
        """The newest runs first: by creation, or, with a state, by when they came into it."""
        cursor = Cursor.behind(before, state) if isinstance(before, Run) else Cursor(to_ms(before)) if before else None
        run_ids, _ = await find_page(self.redis, Wanted(state), limit, cursor)
        return await self.get_many(run_ids)

    async def count(self) -> dict[State, int]:
        """How many runs are in each state."""
        async with self.redis.pipeline(transaction=False) as pipe:
            for state in State:
                pipe.zcard(keys.state(state))
            return dict(zip(State, await pipe.execute(), strict=True))

    async def history(self, run_id: str) -> list[Transition]:
        """The run's transitions, oldest first; those that cannot be read, as of a newer version, are left out."""
        lines = await read(self.redis.lrange(keys.history(run_id), 0, -1))
        return _readable(Transition, lines)

    async def files(self, run_id: str) -> list[FileRecord]:
        """The files of the run's order, by path; a record that cannot be read is left out."""
        records = await read(self.redis.hgetall(keys.files(run_id)))
        return sorted(_readable(FileRecord, records.values()), key=lambda file: file.path)

    async def log(self, run_id: str) -> list[dict[str, Any]]:
        """The last log lines of the run's stages that failed, oldest first: each an event with its fields."""
        lines = await read(self.redis.lrange(keys.log(run_id), 0, -1))
        return [json.loads(line) for line in lines]

    async def run_of_order(self, order_id: str) -> str | None:
        """The run an order belongs to."""
        run_id = await self.redis.get(keys.order(order_id))
        return run_id.decode() if run_id else None

    async def last_event_id(self) -> str:
        """Where the event stream stands; events() from here misses nothing that comes later."""
        newest = await self.redis.xrevrange(keys.EVENTS, count=1)
        return newest[0][0].decode() if newest else "0-0"

    async def events(self, after: str, block_s: float = 5) -> AsyncIterator[Event | None]:
        """Moves after the event `after`, as they happen; None each time nothing came for `block_s` seconds."""
        while True:
            answer = await self.redis.xread({keys.EVENTS: after}, count=500, block=round(block_s * 1000))
            if not answer:
                yield None
            for _, entries in answer:
                for event_id, fields in entries:
                    after = event_id.decode()
                    if event := _event(after, fields):
                        yield event


_JOB_KEYS = (keys.in_progress, keys.job, keys.retry, keys.result)


@contextmanager
def _bad_data_as_unreadable(run_id: str) -> Iterator[None]:
    """A key of another type, or text where a number is kept: no patience with Redis mends that."""
    try:
        yield
    except ResponseError as error:
        if is_bad_data(error):
            raise UnreadableRun(run_id, str(error)) from error
        raise


async def read(answer: Awaitable[T] | T) -> T:
    """Await what redis-py types as perhaps awaitable."""
    return await answer if isinstance(answer, Awaitable) else answer


def _readable(model: type[M], texts: Iterable[bytes]) -> list[M]:
    found = []
    for text in texts:
        with suppress(ValidationError):
            found.append(model.model_validate_json(text))
    return found


def _event(event_id: str, fields: Mapping[bytes, bytes]) -> Event | None:
    """What the stream holds; None where it cannot be read, as of a newer version with further states."""
    try:
        text: dict[str, Any] = {name.decode(): value.decode() for name, value in fields.items()}
        at = datetime.fromtimestamp(int(text["at"]) / 1000, UTC)
        return Event(event_id, text["run_id"], State(text["state"]), Stage(text["stage"]), text["reason"], at)
    except (KeyError, ValueError, OverflowError, OSError):  # the last two: no such year
        return None


def ms(duration: timedelta) -> int:
    """A duration in milliseconds."""
    return round(duration.total_seconds() * 1000)
