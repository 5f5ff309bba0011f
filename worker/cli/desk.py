"""What a command needs to work with runs: the settings, and an open connection to the fleet's Redis."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import typer
from arq.connections import ArqRedis

from jobs import keys
from jobs.connection import connect
from jobs.queue import OrderQueue
from jobs.redaction import Redactor
from jobs.store import RunStore
from worker.cli.exits import CommandError
from worker.connection import lifetimes_of, open_redis
from worker.fleet import WorkerView, read_fleet
from worker.settings import Settings
from worker.settings_report import warn_unknown_variables

T = TypeVar("T")

_RETRIES = 5  # about a second and a half: a person waits, and can repeat the command
_INSIST_S = 1.0
_ID_LENGTH = 26  # of a ULID
_SEARCHED = 10_000  # newest runs among which a shortened id is looked up


@dataclass(frozen=True, slots=True)
class Desk:
    """An open connection to the fleet, seen from the command line."""

    settings: Settings
    redis: ArqRedis
    queue: OrderQueue

    @property
    def store(self) -> RunStore:
        """The runs themselves."""
        return self.queue.store

    @property
    def redactor(self) -> Redactor:
        """Takes secrets out of what is shown, those of the settings among them."""
        return Redactor(self.settings.secrets)

    async def workers_alive(self) -> list[WorkerView]:
        """The workers that take jobs."""
        return [worker for worker in await read_fleet(self.redis) if worker.is_alive]

    async def warn_if_nobody_works(self) -> None:
        """Say on stderr that queued runs wait for a worker, if they do."""
        if not await self.workers_alive():
            say("No worker is alive: what is queued waits, and nothing is lost. Start one with: planet-orders worker")

    async def find_run_id(self, text: str) -> str:
        """The whole id of a run from a unique start or end of it, among the newest 10,000; a whole id is not checked.

        Raises:
            CommandError: no run, or more than one, has such an id.
        """
        return await self._find_id(text, keys.RUNS, "run", "runs", "list")

    async def find_batch_id(self, text: str) -> str:
        """As `find_run_id`, for a batch."""
        return await self._find_id(text, keys.BATCHES, "batch", "batches", "batch")

    async def _find_id(self, text: str, index: str, one: str, many: str, command: str) -> str:
        text = text.strip().upper()
        if len(text) == _ID_LENGTH:
            return text
        newest: list[str] = [each.decode() for each in await self.redis.zrevrange(index, 0, _SEARCHED - 1)]
        found = [each for each in newest if each.startswith(text) or each.endswith(text)] if text else []
        match found:
            case [the_one]:
                return the_one
            case []:
                raise CommandError(f"no {one}'s id begins or ends with {text!r}; `planet-orders {command}` shows them")
        what = f"{len(found):,} {many}' ids begin or end with {text!r}"
        raise CommandError(f"{what}, such as {found[0]}; give more of it")

    async def find_run_ids(self, texts: list[str]) -> list[str]:
        """As `find_run_id`, for several; each once, in order."""
        return list(dict.fromkeys([await self.find_run_id(text) for text in texts]))


def at_desk(work: Callable[[Desk], Awaitable[T]]) -> T:
    """Read the settings, connect, do the work, and close everything again.

    Raises:
        ValidationError: bad settings.
        WorkerError: there is no usable Redis.
    """
    settings = read_settings()
    with open_redis(settings) as url:
        return asyncio.run(_work_connected(settings, url, work))


@contextmanager
def _insisting_on_the_end() -> Iterator[None]:
    """Cancel this task once more, each second, as long as it has not ended after Ctrl-C.

    One cancellation can get lost: before Python 3.12 `asyncio.wait_for`, which redis-py sends with, swallows one that
    comes in the moment at which what it waits for is done.
    """
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    next_look: asyncio.TimerHandle

    def look(was_cancelled: bool) -> None:
        nonlocal next_look
        is_cancelled = bool(task and task.cancelling())
        if task and is_cancelled and was_cancelled:
            task.uncancel()  # asyncio.run tells Ctrl-C from other ends by there being just one
            task.cancel()
        next_look = loop.call_later(_INSIST_S, look, is_cancelled)

    next_look = loop.call_later(_INSIST_S, look, False)
    try:
        yield
    finally:
        next_look.cancel()


async def _work_connected(settings: Settings, url: str, work: Callable[[Desk], Awaitable[T]]) -> T:
    with _insisting_on_the_end():
        redis = await connect(url, queue_name=settings.queue_name, retries=_RETRIES)
        store = RunStore(redis, queue=settings.queue_name, lifetimes=lifetimes_of(settings))
        try:
            return await work(Desk(settings, redis, OrderQueue(store)))
        finally:
            await redis.aclose()


def read_settings() -> Settings:
    """The settings of this process; a variable that looks like one and is none is mentioned on stderr."""
    settings = Settings()
    for warning in warn_unknown_variables():
        say(f"Warning: {warning}")
    return settings


def say(text: str) -> None:
    """A word to the person at the terminal, on stderr."""
    typer.echo(text, err=True)
