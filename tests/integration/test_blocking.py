"""The blocking twin of OrderQueue, as Django, Flask, scripts and notebooks use it."""

from __future__ import annotations

import asyncio
import gc
import inspect
import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from redis import Redis

from jobs import (
    BadRequest,
    BatchHandle,
    BlockingBatchHandle,
    BlockingOrderQueue,
    BlockingRunHandle,
    OrderQueue,
    RedisUnavailable,
    ResultTimeout,
    RunHandle,
    RunNotFound,
    State,
)
from tests.fleet_rig import Fleet
from tests.integration.cli.terminal import make_request as request
from tests.processes import processes_of
from tests.waiting import wait_until

OF_PROCESSES = {"store", "batches"}  # what the fleet's own processes reach Redis by
BAD = {"name": "bad", "products": []}


@pytest.fixture
def redis_client(redis_url: str) -> Iterator[Redis]:
    with Redis.from_url(redis_url) as client:
        client.flushall()
        yield client
        client.flushall()


@pytest.fixture
def queue(redis_client: Redis, redis_url: str) -> Iterator[BlockingOrderQueue]:
    with BlockingOrderQueue.connect(redis_url) as queue:
        yield queue


def parameters(function: Callable[..., object]) -> list[tuple[str, object, object]]:
    signature = inspect.signature(function)
    return [(each.name, each.kind, each.default) for each in signature.parameters.values()]


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [(OrderQueue, BlockingOrderQueue), (RunHandle, BlockingRunHandle), (BatchHandle, BlockingBatchHandle)],
)
def test_twins_have_the_same_methods_and_take_the_same(theirs: type, ours: type) -> None:
    methods = {name for name in vars(theirs) if not name.startswith("_")}
    assert methods - OF_PROCESSES == {name for name in vars(ours) if not name.startswith("_")} - {"close"}
    for name in methods:
        method = getattr(ours, name)
        assert parameters(method) == parameters(getattr(theirs, name)), name
        assert not inspect.iscoroutinefunction(method), name


def test_a_queue_that_connects_at_once_or_later_is_told_the_same() -> None:
    assert parameters(BlockingOrderQueue) == parameters(BlockingOrderQueue.connect) == parameters(OrderQueue.connect)


def test_a_run_is_submitted_looked_at_cancelled_and_retried(queue: BlockingOrderQueue) -> None:
    run = queue.submit(request(), key="field-7")
    again = queue.submit(request(), key="field-7")

    assert (run.created, again.created, again.run_id) == (True, False, run.run_id)
    assert queue.get(run.run_id) == run.status() == queue.run(run.run_id).status()
    assert [each.run_id for each in queue.list(State.QUEUED)] == [run.run_id]
    assert queue.cancel(run.run_id, by="a test").state is State.CANCELLED
    assert queue.retry(run.run_id).state is State.QUEUED
    assert [line.state for line in run.history()] == [State.QUEUED, State.CANCELLED, State.QUEUED]
    assert (run.files(), run.log()) == ([], [])


def test_errors_are_those_of_the_async_queue(queue: BlockingOrderQueue) -> None:
    with pytest.raises(BadRequest):
        queue.submit(BAD)
    with pytest.raises(RunNotFound):
        queue.run("01JD0000000000000000000000").status()
    with pytest.raises(ResultTimeout):
        queue.submit(request()).result(timeout=0.01)


async def test_runs_and_batches_are_waited_for(fleet: Fleet, redis_url: str) -> None:
    await fleet.start_worker()

    def produce() -> None:
        with BlockingOrderQueue(redis_url) as queue:
            ended = queue.submit(request()).result(timeout=60)
            assert ended.state is State.DONE
            batch = queue.submit_batch([request("one"), BAD], key="two")
            assert [type(answer) for answer in batch.answers] == [BlockingRunHandle, BadRequest]
            assert batch.result(timeout=60).batch.runs[State.DONE] == 1
            assert [run.name for run in queue.batch(batch.batch_id).runs()] == ["one"]
            states = iter(event.state for event in queue.events("0-0") if event.run_id == ended.run_id)
            assert State.DONE in states

    await asyncio.to_thread(produce)


async def test_it_works_where_an_event_loop_is_running(redis_client: Redis, redis_url: str) -> None:
    """As in a notebook."""
    with BlockingOrderQueue(redis_url) as queue:
        assert queue.submit(request()).status().state is State.QUEUED


def test_what_belongs_to_the_callers_thread_stays_there(queue: BlockingOrderQueue) -> None:
    """Requests that come from a database, and answers that go to one, and that may use the queue itself."""
    here = threading.current_thread()
    threads = []

    def read() -> Iterator[dict[str, object]]:
        for number in range(3):
            threads.append(threading.current_thread())
            queue.list()
            yield request(f"field {number}")

    def keep(answer: object) -> None:
        assert isinstance(answer, BlockingRunHandle)
        threads.append(threading.current_thread())
        answer.status()

    queue.submit_batch(read(), tell=keep)
    queue.submit_many(read())
    queue.preview(read())
    assert set(threads) == {here}
    assert len(threads) == 12


def test_an_error_of_the_callers_in_the_midst_of_a_batch_leaves_the_queue_as_it_was(queue: BlockingOrderQueue) -> None:
    def fail(answer: object) -> None:
        raise LookupError("the database is away")

    with pytest.raises(LookupError):
        queue.submit_batch([request()], key="harvest", tell=fail)
    assert queue.submit_batch([request()], key="harvest").status().total == 1


def test_threads_share_it(redis_client: Redis, redis_url: str) -> None:
    """The first call comes from all of them at once, and each gets the one run of the key."""
    with BlockingOrderQueue(redis_url) as queue, ThreadPoolExecutor(8) as threads:
        runs = [threads.submit(queue.submit, request(), key="same") for _ in range(40)]
        assert len({run.result().run_id for run in runs}) == 1


def test_an_iteration_may_be_given_up_half_way(queue: BlockingOrderQueue, redis_client: Redis) -> None:
    queue.submit_batch([request("one"), request("two")], key="two")
    for _ in range(20):
        events = queue.events("0-0")
        next(events)
        del events
    gc.collect()
    assert len(queue.list(limit=1)) == 1
    assert int(redis_client.info("clients")["connected_clients"]) < 10  # type: ignore[index]  # redis types it so


def test_close_ends_what_other_threads_wait_for(redis_client: Redis, redis_url: str) -> None:
    queue = BlockingOrderQueue(redis_url)
    run = queue.submit(request())
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(run.result)
        wait_until("it waits", lambda: int(redis_client.info("clients")["blocked_clients"]))  # type: ignore[index]  # as above
        queue.close()
        with pytest.raises(RuntimeError, match="was closed"):
            waiting.result(timeout=30)
    queue.close()
    with pytest.raises(RuntimeError, match="was closed"):
        run.status()


def test_without_a_redis_it_can_be_made_and_says_so_when_it_is_used() -> None:
    queue = BlockingOrderQueue("redis://127.0.0.1:1/0")
    with pytest.raises(RedisUnavailable, match="check REDIS_URL"):
        queue.list()


def run_program(source: str, redis_url: str, folder: Path, **more: str) -> subprocess.Popen[str]:
    """Start a program of its own, for which each warning is an error."""
    environment = {**os.environ, "REDIS_URL": redis_url, **more}
    head = f"from jobs import BlockingOrderQueue\nqueue, request = BlockingOrderQueue(), {request()!r}\n"
    return subprocess.Popen(
        [sys.executable, "-X", "dev", "-W", "error", "-c", head + textwrap.dedent(source)],
        cwd=folder,
        env=environment | {"PYTHONPATH": str(Path(__file__).parents[2])},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def end_of(program: subprocess.Popen[str]) -> tuple[list[str], str, int]:
    out, err = program.communicate(timeout=60)
    return out.splitlines(), err, program.returncode


def test_a_process_that_is_forked_has_a_connection_of_its_own(
    redis_client: Redis, redis_url: str, tmp_path: Path
) -> None:
    """As by gunicorn, of a queue that was used before; neither disturbs the other, and both end without a word."""
    program = """
    import os, sys

    run = queue.submit(request, key="same")
    events = queue.events("0-0")
    next(events)
    if (child := os.fork()) == 0:
        print(run.status().state, queue.submit(request, key="same").created)
        try:
            next(events)
        except RuntimeError as error:
            print(error)
        sys.exit(0)
    print(os.waitpid(child, 0)[1], queue.cancel(run.run_id).state, next(events).state)
    """
    out, err, status = end_of(run_program(program, redis_url, tmp_path))
    assert out[0] == "queued False"
    assert out[1].startswith("this was begun in the process that this one was forked from")
    assert (out[2:], err, status) == (["0 cancelled cancelled"], "", 0)


def test_processes_that_are_forked_share_the_private_valkey(tmp_path: Path) -> None:
    """Made before the fork, used after it; the last one to end ends the server."""
    program = """
    import os, sys

    child = os.fork()
    created = queue.submit(request, key="same").created
    if child == 0:
        sys.exit(created)
    print(created + os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """
    assert end_of(run_program(program, "", tmp_path)) == (["1"], "", 0)
    wait_until("the server has ended", lambda: not processes_of(tmp_path))


def test_ctrl_c_ends_the_call_and_leaves_the_queue(redis_client: Redis, redis_url: str, tmp_path: Path) -> None:
    program = run_program(
        """
        run = queue.submit(request)
        try:
            run.result()
        except KeyboardInterrupt:
            print(run.status().state, len(queue.list()))
            input()
        """,
        redis_url,
        tmp_path,
    )

    def blocked() -> int:
        return int(redis_client.info("clients")["blocked_clients"])  # type: ignore[index]  # as above

    wait_until("it waits", blocked)
    program.send_signal(signal.SIGINT)
    wait_until("nothing waits in its name any more", lambda: blocked() == 0)
    out, err = program.communicate("\n", timeout=60)
    assert (out, err, program.returncode) == ("queued 1\n", "", 0)
