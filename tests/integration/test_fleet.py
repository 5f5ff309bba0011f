"""The whole way of a run: a producer, a worker with its watcher, a real Valkey and a simulated Planet over HTTP."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from arq.connections import ArqRedis
from arq.jobs import Job
from arq.worker import func

from jobs import BadRequest, KeyReused, NotPossible, ResultTimeout, RunFailed, Stage, State, Submission
from planet_sdk.checksum import file_digest
from tests.fleet_rig import SETTINGS, Fleet, fleet_on
from tests.stage_rig import request
from tests.waiting import until


async def test_a_request_goes_in_and_verified_files_come_out(fleet: Fleet) -> None:
    await fleet.start_worker()
    handle = await fleet.queue.submit(request())

    run = await handle.result(timeout=60)

    assert (run.state, run.files_done) == (State.DONE, run.files_total)
    files = await handle.files()
    assert {Path(file.path).name for file in files} >= {"manifest.json"}
    for file in files:
        path = fleet.folder / file.path
        assert path.stat().st_size == file.size_bytes
        assert file.sha256 is None or file_digest(path, "sha256") == file.sha256
    assert list(fleet.folder.rglob("*.part*")) == []


async def test_the_history_tells_the_story_stage_by_stage(fleet: Fleet) -> None:
    await fleet.start_worker()
    handle = await fleet.queue.submit(request())
    await handle.result(timeout=60)

    states = [line.state for line in await handle.history()]
    in_order = [State.QUEUED, State.CREATING, State.WAITING, State.DOWNLOADING, State.VALIDATING, State.DONE]
    assert list(dict.fromkeys(states)) == in_order


async def test_arqs_own_client_reads_how_the_job_of_a_stage_ended(fleet: Fleet) -> None:
    await fleet.start_worker()
    run = await (await fleet.queue.submit(request())).result(timeout=60)

    redis = fleet.queue.store.redis
    ended = await Job(f"{run.run_id}:create:0", redis, _deserializer=redis.job_deserializer).result_info()

    assert ended is not None
    assert (ended.function, list(ended.args), ended.success) == ("create", [run.run_id], True)
    assert ended.result["state"] == "waiting"


async def test_a_plain_job_whose_id_looks_like_that_of_a_stage_is_run_all_the_same(fleet: Fleet) -> None:
    async def work(_: Any, number: int) -> int:
        return number

    worker = await fleet.start_worker()
    worker.functions["work"] = func(cast("Any", work), name="work")
    job = await fleet.queue.store.redis.enqueue_job("work", 7, _job_id="field:download:7")

    assert job is not None
    assert await job.result(timeout=30, poll_delay=0.02) == 7


async def test_a_worker_goes_on_at_once_with_a_stage_that_has_its_turn(fleet: Fleet) -> None:
    """Files that one worker has fetched are validated by it, however many others are free."""
    for name in ("w1", "w2", "w3"):
        await fleet.start_worker(name)
    handles = [await fleet.queue.submit(request()) for _ in range(4)]

    for handle in handles:
        await handle.result(timeout=60)
        workers = {line.state: line.worker for line in await handle.history()}
        assert workers[State.VALIDATING] == workers[State.DONE]


async def test_the_order_carries_the_runs_id_in_its_name_and_is_created_once(fleet: Fleet) -> None:
    await fleet.start_worker()
    handle = await fleet.queue.submit(request())
    run = await handle.result(timeout=60)

    assert run.order_name == f"field 7-{run.run_id}"
    assert fleet.simulator.report().orders == {run.order_name: 1}


async def test_a_lost_reply_to_the_post_buys_nothing_twice(fleet: Fleet) -> None:
    """Planet takes the order and the connection breaks before the answer: the order is found by its name."""
    fleet.simulator.drop_reply("create")
    await fleet.start_worker()

    run = await (await fleet.queue.submit(request())).result(timeout=60)

    assert list(fleet.simulator.report().orders.values()) == [1]
    assert run.state is State.DONE


async def test_a_cut_body_is_continued_from_its_last_byte(fleet: Fleet) -> None:
    fleet.simulator.cut_body("*.tif", after_bytes=400)
    await fleet.start_worker()

    run = await (await fleet.queue.submit(request())).result(timeout=60)

    assert run.state is State.DONE
    assert "bytes=400-" in {asked for ranges in fleet.simulator.report().ranges.values() for asked in ranges}


async def test_an_order_that_fails_at_planet_ends_its_run_with_the_reason(
    redis: ArqRedis, redis_url: str, tmp_path: Path
) -> None:
    async with fleet_on(redis, redis_url, tmp_path, replace(SETTINGS, unavailable_items=("2022*",))) as fleet:
        await fleet.start_worker()
        handle = await fleet.queue.submit(request())
        with pytest.raises(RunFailed, match="failed at Planet"):
            await handle.result(timeout=60)
        run = await handle.status()
        assert (run.state, run.order_state) == (State.FAILED, "failed")
        with pytest.raises(NotPossible, match="rebuy"):
            await fleet.queue.retry(run.run_id)


async def test_a_refused_order_fails_its_run_and_a_retry_goes_on_from_there(
    redis: ArqRedis, redis_url: str, tmp_path: Path
) -> None:
    """Nothing was bought, so the retry creates the order."""
    forbidden = replace(SETTINGS, forbidden_items=("2022*",))
    async with fleet_on(redis, redis_url, tmp_path, forbidden) as refused, refused.worker():
        handle = await refused.queue.submit(request())
        with pytest.raises(RunFailed, match="permission"):
            await handle.result(timeout=60)
    async with fleet_on(redis, redis_url, tmp_path, SETTINGS) as allowed:
        await allowed.start_worker()
        run = await allowed.queue.retry(handle.run_id)
        assert (run.state, run.stage, run.error) == (State.QUEUED, Stage.CREATE, None)
        assert (await allowed.queue.run(run.run_id).result(timeout=60)).state is State.DONE


async def test_a_run_nobody_has_started_is_cancelled_at_once(fleet: Fleet) -> None:
    handle = await fleet.queue.submit(request())

    run = await fleet.queue.cancel(handle.run_id)

    assert run.state is State.CANCELLED
    assert await fleet.queue.store.redis.zcard("arq:queue") == 0
    assert (await fleet.queue.cancel(handle.run_id)).state is State.CANCELLED


async def test_cancelling_a_waiting_run_cancels_its_order_at_planet(
    redis: ArqRedis, redis_url: str, tmp_path: Path
) -> None:
    async with fleet_on(redis, redis_url, tmp_path, replace(SETTINGS, queued_s=600)) as fleet:
        await fleet.start_worker()
        handle = await fleet.queue.submit(request())

        async def is_waiting() -> bool:
            return (await handle.status()).state is State.WAITING

        await until("the run waits for Planet", is_waiting)
        await fleet.queue.cancel(handle.run_id)
        with pytest.raises(RunFailed):
            await handle.result(timeout=30)
        run = await handle.status()
        assert (run.state, run.order_state) == (State.CANCELLED, "cancelled")


async def test_cancelling_reaches_a_download_in_hand(fleet: Fleet) -> None:
    fleet.simulator.slow_body("*.tif", bytes_per_s=50, times=None)
    worker = await fleet.start_worker()
    handle = await fleet.queue.submit(request())

    def is_downloading() -> bool:
        jobs = [worker.pulse.in_hand(job_id) for job_id in worker.job_tasks]
        return any(job and job.stage == "download" and job.bytes_done for job in jobs)

    await until("bytes are coming in", is_downloading)
    await fleet.queue.cancel(handle.run_id)
    with pytest.raises(RunFailed):
        await handle.result(timeout=30)
    assert (await handle.status()).state is State.CANCELLED


async def test_a_run_past_its_deadline_expires(redis: ArqRedis, redis_url: str, tmp_path: Path) -> None:
    async with fleet_on(redis, redis_url, tmp_path, replace(SETTINGS, queued_s=600)) as fleet:
        await fleet.start_worker()
        handle = await fleet.queue.submit(request(), deadline=timedelta(seconds=1))
        with pytest.raises(RunFailed):
            await handle.result(timeout=60)
        assert (await handle.status()).state is State.EXPIRED


async def test_a_deadline_that_comes_in_the_middle_of_a_download_ends_it(fleet: Fleet) -> None:
    """A stage may take hours; the deadline does not wait for its end."""
    fleet.simulator.stall_body("*.tif", after_bytes=400, times=None)
    await fleet.start_worker()
    handle = await fleet.queue.submit(request(), deadline=timedelta(seconds=4))
    with pytest.raises(RunFailed, match="deadline"):
        await handle.result(timeout=60)
    assert (await handle.status()).state is State.EXPIRED


async def test_a_second_worker_finishes_what_a_stopped_one_began(fleet: Fleet) -> None:
    fleet.simulator.stall_body("*.tif", after_bytes=400, times=None)
    async with fleet.worker("w1"):
        handle = await fleet.queue.submit(request())

        def is_half_there() -> bool:
            return any(part.stat().st_size for part in fleet.folder.rglob("*.tif.part"))

        await until("half a file is there", is_half_there)
    assert (await handle.status()).state is State.DOWNLOADING
    fleet.simulator.clear_faults()
    async with fleet.worker("w2"):
        assert (await handle.result(timeout=60)).state is State.DONE
    assert {line.worker for line in await handle.history()} >= {"w1", "w2"}
    assert "bytes=400-" in {asked for ranges in fleet.simulator.report().ranges.values() for asked in ranges}


async def test_what_was_damaged_after_delivery_is_fetched_again_without_another_order(fleet: Fleet) -> None:
    await fleet.start_worker()
    handle = await fleet.queue.submit(request())
    await handle.result(timeout=60)
    gone, wrong = [file for file in await handle.files() if file.path.endswith((".tif", ".xml"))][:2]
    whole = {file.path: (fleet.folder / file.path).read_bytes() for file in (gone, wrong)}
    (fleet.folder / gone.path).unlink()
    (fleet.folder / wrong.path).write_bytes(b"?" * len(whole[wrong.path]))

    await fleet.queue.revalidate(handle.run_id)

    assert (await handle.result(timeout=60)).state is State.DONE
    assert {path: (fleet.folder / path).read_bytes() for path in whole} == whole
    assert list(fleet.simulator.report().orders.values()) == [1]


async def test_a_run_without_files_cannot_be_validated_again(fleet: Fleet) -> None:
    handle = await fleet.queue.submit(request())
    with pytest.raises(NotPossible, match="delivered no files"):
        await fleet.queue.revalidate(handle.run_id)


async def test_the_same_key_never_buys_twice(fleet: Fleet) -> None:
    first, second = await asyncio.gather(*(fleet.queue.submit(request(), key="field-7") for _ in range(2)))
    assert first.run_id == second.run_id
    assert sorted([first.created, second.created]) == [False, True]
    with pytest.raises(KeyReused):
        await fleet.queue.submit(request(["20220605_124027_64_0000"]), key="field-7")


async def test_of_many_requests_each_has_its_answer_and_a_bad_one_holds_nobody_up(fleet: Fleet) -> None:
    bad: dict[str, Any] = {"name": "no products", "products": []}
    good, refused = await fleet.queue.submit_many([request(), Submission(bad)])

    assert isinstance(refused, BadRequest)
    assert refused.problems[0].field == "products"
    assert not isinstance(good, BadRequest | KeyReused)
    assert [run.run_id for run in await fleet.queue.list()] == [good.run_id]


async def test_waiting_for_a_result_ends_when_the_time_is_up_and_the_run_goes_on(fleet: Fleet) -> None:
    handle = await fleet.queue.submit(request())
    with pytest.raises(ResultTimeout, match="queued"):
        await handle.result(timeout=0.05)
    await fleet.start_worker()
    assert (await fleet.queue.run(handle.run_id).result(timeout=60)).state is State.DONE


async def test_a_destination_that_is_none_is_refused_before_anything_is_written(fleet: Fleet) -> None:
    with pytest.raises(BadRequest, match="destination"):
        await fleet.queue.submit(request(), destination="ftp://somewhere/else")
    assert await fleet.queue.list() == []


async def test_a_run_whose_destination_cannot_be_used_ends_and_says_so(fleet: Fleet) -> None:
    """However it came into Redis: another producer may have written it."""
    facts = {"run_id": "R1", "name": "field 7", "request": request(), "destination": "ftp://somewhere/else"}
    await fleet.queue.store.submit("R1", facts, fingerprint="f", key=None)
    await fleet.start_worker()

    with pytest.raises(RunFailed, match="ftp"):
        await fleet.queue.run("R1").result(timeout=30)
