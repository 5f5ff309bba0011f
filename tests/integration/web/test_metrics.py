"""/metrics: the fleet as Prometheus sees it."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from arq.connections import ArqRedis
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families
from redis import Redis

from jobs import keys
from jobs.batches import BatchStore
from jobs.outcomes import Advance, Finish, Park
from jobs.run import Failure, FailureKind, FileRecord, Stage, State
from planet_sdk.limits import RequestKind
from worker.budget import read_rates, tell_budget
from worker.budget.turns import Turns
from worker.tally import Tally
from worker.tokens import Scope, create_token

from .conftest import Fleet, browse

PLAIN = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = {"Accept": "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"}
Samples = dict[tuple[str, tuple[str, ...]], float]


def read(text: str) -> Samples:
    """Samples by name and the values of their labels, in the order of the labels' names."""
    return {
        (
            sample.name.removeprefix("planet_orders_"),
            tuple(value for _, value in sorted(sample.labels.items())),
        ): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def scrape(web: httpx.AsyncClient) -> Samples:
    answer = await web.get("/metrics")
    assert answer.status_code == 200
    return read(answer.text)


async def test_runs_and_what_waits_are_counted_by_state_and_stage(web: httpx.AsyncClient, fleet: Fleet) -> None:
    for run_id in ("R1", "R2", "R3"):
        await fleet.submit(run_id)
    await fleet.move("R1", Advance(Stage.WAIT, "placed", {"order_id": "o1"}))
    await fleet.move("R1", Park(60, "parked"))
    await fleet.move("R2", Finish(State.FAILED, "bad"))
    await fleet.report_worker(jobs=[{"job_id": "R3:create:0", "stage": "create"}], loop_lag_ms=250)
    await fleet.report_worker("w2", silent_s=60)
    found = await scrape(web)

    assert found["redis_up", ()] == 1
    assert found["runs", ("queued",)] == found["runs", ("waiting",)] == found["runs", ("failed",)] == 1
    assert found["runs", ("done",)] == 0
    assert found["waiting_runs", ("create",)] == 0, "the only one is in hand"
    assert found["waiting_runs", ("wait",)] == found["parked_runs", ()] == 1
    assert found["jobs_in_hand", ("create",)] == found["slots_busy", ()] == 1
    assert found["slots", ()] == 16
    assert found["loop_lag_seconds", ()] == 0.25
    assert (found["workers", ("alive",)], found["workers", ("vanished",)]) == (1, 1)
    assert found["watcher_on_duty", ()] == 0


async def test_how_old_what_waits_is_is_told(web: httpx.AsyncClient, fleet: Fleet, redis: ArqRedis) -> None:
    await fleet.submit("R1")
    await fleet.move("R1", Advance(Stage.WAIT, "placed", {"order_id": "o1"}))
    seconds, _ = await redis.time()
    await redis.zadd("arq:queue", {"R1:wait:1": (seconds - 100) * 1000})
    await redis.zadd(keys.state(State.WAITING), {"R1": (seconds - 200) * 1000})
    await redis.zadd(keys.WATCH, {"R1": (seconds - 300) * 1000})
    found = await scrape(web)

    assert found["due_jobs", ()] == 1
    assert 100 <= found["oldest_due_job_age_seconds", ()] < 160
    assert 200 <= found["oldest_run_age_seconds", ("wait",)] < 260
    assert 300 <= found["watch_late_seconds", ()] < 360
    assert found["oldest_run_age_seconds", ("download",)] == 0


async def test_what_workers_have_counted_is_told(web: httpx.AsyncClient, fleet: Fleet, redis_url: str) -> None:
    tally = Tally()
    run = await fleet.submit("R1")
    await fleet.report_worker()
    failure = Failure(kind=FailureKind.TEMPORARY, type="E", message="m")
    for seconds in (0.02, 0.5, 100_000.0):
        tally.stage_ended(run, Finish(State.FAILED, "bad"), failure, seconds)
    tally.kept({"a": FileRecord(path="a", size_bytes=10), "b": FileRecord(path="b", size_bytes=5, problem="cut")})
    tally.request_sent(RequestKind.GET)
    tally.list_read()
    with Redis.from_url(redis_url) as connection:
        tally.hand_over(connection, "w1", "boot-1")
    found = await scrape(web)

    assert found["stage_faults_total", ("temporary", "create")] == 3
    assert found["stage_faults_total", ("bug", "create")] == 0
    assert (found["files_total", ()], found["file_bytes_total", ()]) == (1, 10)
    assert found["planet_requests_total", ("get",)] == 1
    assert found["last_list_timestamp_seconds", ()] > 1_700_000_000
    buckets = [found["stage_duration_seconds_bucket", (most, "failed", "create")] for most in ("0.01", "0.03", "1.0")]
    assert buckets == [0, 1, 2]
    assert found["stage_duration_seconds_bucket", ("43200.0", "failed", "create")] == 2
    assert found["stage_duration_seconds_count", ("failed", "create")] == 3
    assert found["stage_duration_seconds_sum", ("failed", "create")] == pytest.approx(100_000.52)


async def test_what_is_used_of_the_request_budget_is_told(web: httpx.AsyncClient, fleet: Fleet) -> None:
    """As workers report their limits; of two limits of a kind, the tightest and the nearest."""
    rates = read_rates("get=10/s+30/min, list=0")
    await fleet.report_worker(budget=tell_budget("a", rates, 0))
    turns = Turns(fleet.redis, "a", RequestKind.GET, rates[RequestKind.GET])
    for _ in range(6):
        await turns.take("w1", 0)
    found = await scrape(web)

    assert found["planet_request_limit", ("get",)] == 0.5
    assert found["planet_request_use", ("get",)] == 0.6
    assert found["planet_pause_seconds", ("get",)] == 0
    assert ("planet_request_limit", ("create",)) not in found, "none was sent of late"


async def test_labels_that_nobody_knows_are_left_out(web: httpx.AsyncClient, redis: ArqRedis) -> None:
    """Whatever lies in Redis, as of a newer version, the number of time series is bounded, and nothing breaks."""
    before = len(await scrape(web))
    odd = {"ended|lost": 7, "stage|fly|done|1": 1, "faults": 1, "newest|other": 5, "orders": "many", b"\xff": 1}
    await redis.hset(keys.TALLY, mapping=odd)  # type: ignore[misc]  # redis-py types it as perhaps no coroutine

    assert len(await scrape(web)) == before


async def test_batches_that_go_on_are_counted(web: httpx.AsyncClient, fleet: Fleet) -> None:
    batches = BatchStore(fleet.store)
    for name in ("B1", "B2"):
        await batches.open(name, name=name, producer=None, key=None, callback_url=None)
    await batches.close("B1", requests=0, refused=0, elsewhere=0)

    assert (await scrape(web))["open_batches", ()] == 1


async def test_openmetrics_is_written_for_those_who_ask_for_it(web: httpx.AsyncClient, fleet: Fleet) -> None:
    await fleet.submit("R1")
    plain, open_ = await web.get("/metrics"), await web.get("/metrics", headers=OPENMETRICS)
    odd = await web.get("/metrics", headers={"Accept": "application/openmetrics-text;version=many"})

    assert plain.headers["Content-Type"] == PLAIN
    assert open_.headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0; charset=utf-8")
    names = {family.name for family in read_openmetrics(open_.text)}  # type: ignore[no-untyped-call]  # as published
    assert "planet_orders_runs" in names
    assert odd.status_code == 200


async def test_metrics_are_for_those_who_may_read(web: httpx.AsyncClient, redis: ArqRedis) -> None:
    reader = await create_token(redis, "prometheus", [Scope.READ])
    submitter = await create_token(redis, "shop", [Scope.SUBMIT])

    async def status(token: str | None) -> int:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return (await web.get("/metrics", headers=headers)).status_code

    assert [await status(None), await status(submitter), await status(reader)] == [401, 403, 200]


async def test_without_redis_metrics_say_so_and_nothing_else(tmp_path: Path) -> None:
    """It is no error: Prometheus must see that Redis is away, and not that the web process is."""
    async with browse(f"unix://{tmp_path}/nowhere") as web:
        found = await scrape(web)

    assert found["redis_up", ()] == 0
    assert {name for name, _ in found} == {"redis_up", "build_info"}
