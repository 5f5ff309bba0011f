"""The worker processes of a storm: struck, mourned, replaced; and the server of their queue, ended under them."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic

from arq.connections import ArqRedis
from redis.exceptions import RedisError

from jobs import keys
from tests.chaos.plan import Blow, Restart, Strike
from tests.processes import Processes
from tests.waiting import until
from worker.fleet import read_fleet

_LOOK_S = 0.05
_STOP_PATIENCE_S = 60


@dataclass
class ChaosFleet:
    """Keeps so many workers running, whatever is done to them."""

    processes: Processes
    redis: ArqRedis
    blows: Counter[Blow] = field(default_factory=Counter)
    restarts: Counter[Restart] = field(default_factory=Counter)
    strays: list[str] = field(default_factory=list)
    """Workers that ended though nobody ended them, or otherwise than they were told to."""
    recoveries_s: list[float] = field(default_factory=list)
    """After each SIGKILL that hit jobs in hand: until the last of them was in other hands, or had ended."""
    over: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the storm is over: nobody waits for what has not happened by then."""
    _workers: list[subprocess.Popen[bytes]] = field(default_factory=list)
    _down: set[int] = field(default_factory=set)

    def start(self, workers: int) -> None:
        """Start the workers."""
        self._workers = [self._start(number) for number in range(workers)]

    def _start(self, number: int) -> subprocess.Popen[bytes]:
        return self.processes.start("worker", ORDERS_WORKER_NAME=f"w{number}")

    def replace_the_dead(self) -> None:
        """Note who ended by itself, and start another in its place, as a supervisor would."""
        for number, worker in enumerate(self._workers):
            if number not in self._down and worker.poll() is not None:
                self.strays.append(f"w{number} (process {worker.pid}) ended by itself with status {worker.returncode}")
                self._workers[number] = self._start(number)

    async def strike(self, strike: Strike) -> None:
        """Do to a worker what was planned, or to the next one that is up, and see it back at work."""
        numbers = [(strike.worker + more) % len(self._workers) for more in range(len(self._workers))]
        number = next((number for number in numbers if number not in self._down), None)
        if number is None:
            return
        self._down.add(number)
        self.blows[strike.blow] += 1
        in_hand: dict[str, bytes] = {}
        match strike.blow:
            case Blow.FREEZE:
                await self._freeze(number, strike.freeze_s)
            case Blow.TERMINATE:
                await self._terminate(number)
            case Blow.KILL:
                in_hand = await self._kill(number)
        await asyncio.gather(self._see_back(number), self._see_recovered(in_hand))

    async def _see_back(self, number: int) -> None:
        await self._wait_until(lambda: self._is_at_work(number))
        self._down.discard(number)

    async def _see_recovered(self, in_hand: dict[str, bytes]) -> None:
        killed_at = monotonic()
        if in_hand and await self._wait_until(lambda: self._is_taken_over(in_hand)):
            self.recoveries_s.append(monotonic() - killed_at)

    async def _freeze(self, number: int, seconds: float) -> None:
        pid = self._workers[number].pid
        os.kill(pid, signal.SIGSTOP)
        try:
            await asyncio.sleep(seconds)  # the freeze itself
        finally:
            os.kill(pid, signal.SIGCONT)

    async def _terminate(self, number: int) -> None:
        await self._end_politely(number)
        self._workers[number] = self._start(number)

    async def _end_politely(self, number: int) -> None:
        worker = self._workers[number]
        worker.terminate()
        try:
            status = await asyncio.to_thread(worker.wait, _STOP_PATIENCE_S)
        except subprocess.TimeoutExpired:
            status = None
            worker.kill()
        if status not in {0, -signal.SIGTERM}:  # one that has barely started has nobody yet to hear the signal
            self.strays.append(f"w{number} (process {worker.pid}) ended with status {status} on SIGTERM")

    async def _kill(self, number: int) -> dict[str, bytes]:
        """Kill and replace a worker; returns what it had in hand."""
        in_hand = await self._in_hand(f"w{number}/")
        self._workers[number].kill()
        self._workers[number].wait()
        self._workers[number] = self._start(number)
        return in_hand

    async def _wait_until(self, is_so: Callable[[], Awaitable[bool]]) -> bool:
        """Whether it was so before the storm was over."""
        while not self.over.is_set():
            with suppress(RedisError, OSError):  # its server is being restarted
                if await is_so():
                    return True
            await asyncio.sleep(_LOOK_S)  # between two looks
        return False

    async def _is_at_work(self, number: int) -> bool:
        """Whether the worker's present process has said so; one that ended is somebody else's to replace."""
        worker = self._workers[number]
        there = any(view.is_alive and view.pid == worker.pid for view in await read_fleet(self.redis))
        return there or worker.poll() is not None

    async def _in_hand(self, owner_prefix: str) -> dict[str, bytes]:
        """The jobs whose marks name this worker, with the marks; none where their server is being restarted."""
        with suppress(RedisError, OSError):
            marks = await self._marks([job_id.decode() for job_id in await self.redis.zrange("arq:queue", 0, -1)])
            return {job_id: mark for job_id, mark in marks.items() if mark.startswith(owner_prefix.encode())}
        return {}

    async def _is_taken_over(self, in_hand: dict[str, bytes]) -> bool:
        """Whether each of the jobs has left the queue, or is in other hands than at first."""
        marks = await self._marks(list(in_hand))
        queued = await self.redis.zmscore("arq:queue", list(in_hand))
        still = (
            score is not None and marks[job_id] in {in_hand[job_id], b""}
            for job_id, score in zip(in_hand, queued, strict=True)
        )
        return not any(still)

    async def _marks(self, job_ids: list[str]) -> dict[str, bytes]:
        marks = await self.redis.mget([keys.in_progress(job_id) for job_id in job_ids]) if job_ids else []
        return {job_id: mark or b"" for job_id, mark in zip(job_ids, marks, strict=True)}

    async def restart_server(self, how: Restart) -> None:
        """End the server of the queue, and return when another answers."""
        before = (await self.redis.info("server"))["process_id"]
        if how is Restart.KILL:
            os.kill(before, signal.SIGKILL)
        else:
            with suppress(RedisError, OSError):
                await self.redis.shutdown()
        self.restarts[how] += 1
        await until("another server answers", lambda: self._has_another(before), deadline_s=_STOP_PATIENCE_S)

    async def _has_another(self, before: int) -> bool:
        with suppress(RedisError, OSError):
            return bool((await self.redis.info("server"))["process_id"] != before)
        return False

    async def stop(self) -> None:
        """End all workers politely, once nobody is struck any more."""
        self.replace_the_dead()
        async with asyncio.TaskGroup() as ending:
            for number in range(len(self._workers)):
                ending.create_task(self._end_politely(number))
