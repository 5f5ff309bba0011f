"""The run's record and the six scripts that write it, on a real Valkey."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from arq.connections import ArqRedis
from arq.jobs import Job, JobStatus
from redis.asyncio.client import PubSub
from redis.exceptions import ResponseError

from jobs import keys
from jobs.errors import Fenced, NotPossible, RunNotFound
from jobs.moves import By, plan_move
from jobs.new_runs import NewRun
from jobs.outcomes import Advance, Again, Finish, Park
from jobs.parked import ParkedRuns
from jobs.run import Failure, FailureKind, FileRecord, Run, Stage, State
from jobs.store import RunStore
from jobs.sweep import sweep
from tests.waiting import until

ME = By.owner_of_job("w1", "w1/boot-1")
RUN_ID = "01JD0000000000000000000001"
ORDER_ID = "2887c43b-26be-4bec-8efe-cb9e94f0ef3d"


@pytest.fixture
def store(redis: ArqRedis) -> RunStore:
    return RunStore(redis)


async def submit(store: RunStore, run_id: str = RUN_ID, **facts: Any) -> Run:
    defaults = {"run_id": run_id, "name": "field", "request": {"name": "field"}}
    await store.submit(run_id, {**defaults, **facts}, fingerprint="f", key=facts.get("key"))
    return await store.get(run_id)


async def take(store: RunStore, run: Run, by: By = ME) -> Run:
    """Own the run's job, as a worker's claim does, and begin it."""
    assert run.job_id
    await store.redis.psetex(keys.in_progress(run.job_id), 15_000, by.owner)
    return await store.begin(run.run_id, run.job_id, by, "file:///data")


async def test_a_submitted_run_is_queued_with_its_create_job(store: RunStore) -> None:
    run = await submit(store)

    assert (run.state, run.stage, run.step, run.job_id) == (State.QUEUED, Stage.CREATE, 0, f"{RUN_ID}:create:0")
    assert await Job(run.job_id or "", store.redis).status() is JobStatus.queued
    assert [line.reason for line in await store.history(RUN_ID)] == ["submitted"]


async def test_what_cannot_be_written_takes_no_run_before_it_along(store: RunStore) -> None:
    ids = [f"01JD000000000000000000000{number}" for number in range(1, 4)]
    runs = [NewRun(each, {"run_id": each, "name": "field", "request": {"name": each}}, each) for each in ids]
    await store.redis.set(keys.history(ids[1]), "another's")

    with pytest.raises(ResponseError, match="WRONGTYPE"):
        await store.submit_many(runs)

    run = await store.get(ids[0])
    assert await Job(run.job_id or "", store.redis).status() is JobStatus.queued
    assert [each.run_id for each in await store.newest()] == [ids[0]]
    await store.redis.delete(keys.history(ids[1]), keys.run(ids[1]), keys.same_request(ids[1]))


async def test_the_same_key_is_the_same_run(store: RunStore) -> None:
    run = await submit(store, key="k")

    assert await store.submit("OTHER", {"run_id": "OTHER"}, fingerprint="f", key="k") == ("known", run.run_id)
    assert await store.submit("OTHER", {"run_id": "OTHER"}, fingerprint="g", key="k") == ("reused", run.run_id)
    assert await store.redis.zcard(store.queue) == 1


async def test_many_runs_are_written_at_once_and_each_has_its_own_answer(store: RunStore) -> None:
    """Keys are known again within one call too, and asking again after a lost answer writes nothing."""
    runs = [
        NewRun(f"R{number}", {"run_id": f"R{number}", "name": "field", "request": "{}"}, "f", key=f"k{number % 150}")
        for number in range(250)
    ]
    written = [("created", f"R{number}") if number < 150 else ("known", f"R{number - 150}") for number in range(250)]

    assert await store.submit_many(runs) == written
    assert await store.submit_many(runs[:150]) == written[:150]
    assert await store.redis.zcard(store.queue) == 150
    assert (await store.get("R149")).state is State.QUEUED
    assert [line.reason for line in await store.history("R149")] == ["submitted"]


async def test_a_stage_begins_only_for_the_owner_of_its_job(store: RunStore) -> None:
    run = await submit(store)
    await store.redis.psetex(keys.in_progress(run.job_id or ""), 15_000, "somebody else")

    with pytest.raises(Fenced):
        await store.begin(RUN_ID, run.job_id or "", ME, "file:///data")
    assert (await store.get(RUN_ID)).state is State.QUEUED


async def test_begin_counts_the_start_and_gives_the_fleets_destination(store: RunStore) -> None:
    run = await take(store, await submit(store))

    assert (run.state, run.starts, run.tries, run.worker, run.destination) == (
        State.CREATING,
        1,
        1,
        "w1",
        "file:///data",
    )


async def test_advance_ends_the_job_and_enqueues_the_next_in_one_step(store: RunStore) -> None:
    run = await take(store, await submit(store))
    await store.move(plan_move(run, Advance(Stage.WAIT, "created", {"order_id": ORDER_ID}), ME))

    moved = await store.get(RUN_ID)
    assert (moved.state, moved.stage, moved.job_id, moved.step) == (State.WAITING, Stage.WAIT, f"{RUN_ID}:wait:1", 1)
    assert (moved.starts, moved.tries, moved.order_id) == (0, 0, ORDER_ID)
    assert await store.redis.zrange(store.queue, 0, -1) == [b"%s:wait:1" % RUN_ID.encode()]
    assert await store.redis.exists(keys.job(run.job_id or ""), keys.in_progress(run.job_id or "")) == 0
    assert await store.run_of_order(ORDER_ID) == RUN_ID


async def test_the_owner_of_a_job_can_take_on_the_next_one_with_the_move(store: RunStore) -> None:
    """The run comes back begun, its job is claimed; when asked again after a lost answer, it still is."""
    run = await take(store, await submit(store))
    move = replace(plan_move(run, Advance(Stage.WAIT, "created"), ME), take_s=15)

    begun = await store.move(move)
    assert begun is not None
    assert (begun.stage, begun.job_id, begun.starts, begun.tries) == (Stage.WAIT, f"{RUN_ID}:wait:1", 1, 1)
    assert await store.redis.get(keys.in_progress(f"{RUN_ID}:wait:1")) == ME.owner.encode()
    assert await store.move(move) == begun
    await store.move(plan_move(begun, Finish(State.DONE, "verified"), ME))


async def test_a_job_that_was_taken_on_and_lost_since_is_not_handed_out_again(store: RunStore) -> None:
    run = await take(store, await submit(store))
    move = replace(plan_move(run, Advance(Stage.WAIT, "created"), ME), take_s=15)
    await store.move(move)
    theirs = await take(store, await store.get(RUN_ID), By.owner_of_job("w2", "w2/boot-1"))

    assert await store.move(move) is None
    assert theirs.starts == 2


async def test_what_does_not_go_on_at_once_is_not_taken_on(store: RunStore) -> None:
    """A stage that is to be tried again, or a run that is parked, is for whoever comes first when it is due."""
    run = await take(store, await submit(store))
    assert await store.move(replace(plan_move(run, Again(0, "no answer"), ME), take_s=15)) is None
    run = await take(store, await store.get(RUN_ID))
    assert await store.move(replace(plan_move(run, Park(0, "waiting"), ME), take_s=15)) is None


async def test_a_move_that_is_asked_for_twice_is_made_once(store: RunStore) -> None:
    """When the answer to a commit is lost, the worker asks again."""
    run = await take(store, await submit(store))
    move = plan_move(run, Advance(Stage.WAIT, "created"), ME)

    await store.move(move)
    await store.move(move)

    assert (await store.get(RUN_ID)).step == 1
    assert [line.reason for line in await store.history(RUN_ID)] == ["submitted", "started", "created"]


async def test_a_commit_that_comes_too_late_is_refused(store: RunStore) -> None:
    """The lease has gone to another worker meanwhile: what the first one learnt is dropped."""
    slow = await take(store, await submit(store))
    other = By.owner_of_job("w2", "w2/boot-1")
    theirs = await take(store, slow, other)

    with pytest.raises(Fenced):
        await store.note(slow, ME, {"order_id": ORDER_ID})
    with pytest.raises(Fenced):
        await store.move(plan_move(slow, Advance(Stage.WAIT, "created"), ME))
    await store.move(plan_move(theirs, Advance(Stage.WAIT, "created by the other"), other))
    with pytest.raises(Fenced):
        await store.move(plan_move(slow, Advance(Stage.WAIT, "created"), ME))
    assert (await store.get(RUN_ID)).reason == "created by the other"


async def test_a_worker_whose_lease_came_back_may_not_commit_if_another_began_meanwhile(store: RunStore) -> None:
    first = await take(store, await submit(store))
    await take(store, first, By.owner_of_job("w2", "w2/boot-1"))
    await store.redis.psetex(keys.in_progress(first.job_id or ""), 15_000, ME.owner)

    with pytest.raises(Fenced):
        await store.note(first, ME, {"order_id": ORDER_ID})
    with pytest.raises(Fenced):
        await store.move(plan_move(first, Advance(Stage.WAIT, "created"), ME))


async def test_a_job_that_makes_progress_is_not_counted_as_deadly(store: RunStore) -> None:
    run = await submit(store)
    for _ in range(3):
        run = await take(store, run)
    assert (run.starts, run.vain_starts) == (3, 3)

    await store.note(run, ME, {}, {"a.tif": FileRecord(path="a.tif")})

    assert (await take(store, run)).vain_starts == 2


async def test_an_order_that_was_placed_is_progress(store: RunStore) -> None:
    await submit(store)
    for _ in range(3):
        run = await take(store, await store.get(RUN_ID))

    await store.note(run, ME, {"order_id": ORDER_ID})

    assert (await store.get(RUN_ID)).vain_starts == 1


async def test_a_start_that_ends_well_without_progress_does_not_clear_those_that_did_not(store: RunStore) -> None:
    """A run that ends its worker at each second start is set aside as well."""
    await submit(store)
    for _ in range(3):  # two workers died
        run = await take(store, await store.get(RUN_ID))

    await store.move(plan_move(run, Again(0, "waiting", charge=False), ME))
    assert (await store.get(RUN_ID)).vain_starts == 2
    run = await take(store, await store.get(RUN_ID))
    await store.move(plan_move(run, Advance(Stage.WAIT, "ordered"), ME))

    assert (await store.get(RUN_ID)).vain_starts == 0


async def test_the_last_fifty_log_lines_of_stages_that_failed_stay_with_the_run(store: RunStore) -> None:
    await submit(store)
    for start in (0, 30):
        run = await take(store, await store.get(RUN_ID))
        lines = tuple(f'{{"event": "line", "number": {number}}}' for number in range(start, start + 30))
        await store.move(replace(plan_move(run, Again(0, "oops"), ME), log=lines))

    assert [line["number"] for line in await store.log(RUN_ID)] == list(range(10, 60))
    assert await store.redis.ttl(keys.log(RUN_ID)) > 0


async def test_a_parked_run_has_no_job_and_is_moved_by_the_watcher(store: RunStore) -> None:
    run = await take(store, await submit(store))
    await store.move(plan_move(run, Park(0, "waiting for Planet"), ME))
    parked = await store.get(RUN_ID)

    assert (parked.state, parked.job_id) == (State.WAITING, None)
    assert await store.redis.zcard(store.queue) == 0
    (due,) = await ParkedRuns(store.redis).due(10)
    assert due.run_id == RUN_ID

    await ParkedRuns(store.redis).put_off({due: 60})
    assert await ParkedRuns(store.redis).due(10) == []

    await store.move(plan_move(parked, Advance(Stage.DOWNLOAD, "ready"), By.watcher("w1")))
    assert (await store.get(RUN_ID)).state is State.DOWNLOADING
    with pytest.raises(Fenced):
        await store.move(plan_move(parked, Advance(Stage.DOWNLOAD, "ready"), By.watcher("w2")))


async def test_again_waits_in_the_queue_and_counts_the_fault(store: RunStore) -> None:
    run = await take(store, await submit(store))
    failure = Failure(kind=FailureKind.TEMPORARY, type="RequestError", message="no answer")
    await store.move(plan_move(run, Again(30, "no answer", failure=failure), ME))

    again = await store.get(RUN_ID)
    assert (again.faults, again.error, again.state) == (1, failure, State.CREATING)
    score = await store.redis.zscore(store.queue, again.job_id or "")
    assert score is not None
    assert 25_000 < score - datetime.now(UTC).timestamp() * 1000 < 35_000


async def test_an_ended_run_and_all_that_is_its_own_have_a_lifetime(store: RunStore) -> None:
    run = await take(store, await submit(store, key="k"))
    await store.note(run, ME, {"order_id": ORDER_ID}, {"a.tif": FileRecord(path="a.tif", size_bytes=1)})
    run = await store.get(RUN_ID)
    await store.move(plan_move(run, Finish(State.DONE, "verified"), ME))

    mine = [keys.run, keys.history, keys.files]
    lifetimes = [await store.redis.ttl(make(RUN_ID)) for make in mine]
    lifetimes += [await store.redis.ttl(keys.producer_key("k")), await store.redis.ttl(keys.order(ORDER_ID))]
    assert all(89 * 86400 < seconds <= 90 * 86400 for seconds in lifetimes)
    assert (await store.get(RUN_ID)).finished_at is not None
    assert [file.path for file in await store.files(RUN_ID)] == ["a.tif"]


async def test_a_wish_to_cancel_brings_a_parked_run_forward(store: RunStore) -> None:
    run = await take(store, await submit(store))
    await store.move(plan_move(run, Park(60, "waiting"), ME))

    assert await store.ask_cancel(RUN_ID) == ""
    (due,) = await ParkedRuns(store.redis).due(10)
    assert (due.run_id, due.has_to_end) == (RUN_ID, True)
    assert (await store.get(RUN_ID)).cancel_requested


async def test_an_ended_or_unknown_run_cannot_be_cancelled(store: RunStore) -> None:
    run = await take(store, await submit(store))
    await store.move(plan_move(run, Finish(State.FAILED, "no"), ME))

    with pytest.raises(NotPossible, match="ended already"):
        await store.ask_cancel(RUN_ID)
    with pytest.raises(RunNotFound):
        await store.ask_cancel("nobody")


async def test_the_sweep_brings_back_a_run_whose_job_is_gone_and_leaves_the_others(store: RunStore) -> None:
    lost = await submit(store)
    await submit(store, "01JD0000000000000000000002")
    await store.redis.zrem(store.queue, lost.job_id or "")

    swept = await sweep(store, By.person("sweep"))

    assert swept.recovered == (RUN_ID,)
    run = await store.get(RUN_ID)
    assert (run.state, run.job_id) == (State.QUEUED, f"{RUN_ID}:create:1")
    assert await store.redis.zscore(store.queue, run.job_id or "") is not None
    assert (await sweep(store, By.person("sweep"))).recovered == ()


async def test_the_sweep_leaves_alone_what_ends_while_it_looks(store: RunStore) -> None:
    """The ids come from an index that is read a moment before the runs."""
    run = await take(store, await submit(store))
    await store.move(plan_move(run, Finish(State.DONE, "verified"), ME))
    await store.redis.zadd(keys.state(State.VALIDATING), {RUN_ID: 1, "gone": 1})

    assert (await sweep(store, By.person("sweep"))).recovered == ()
    assert (await store.get(RUN_ID)).job_id is None
    await store.redis.delete(keys.state(State.VALIDATING))


async def test_events_tell_each_move_in_order(store: RunStore) -> None:
    after = await store.last_event_id()
    run = await take(store, await submit(store))
    await store.move(plan_move(run, Finish(State.FAILED, "no"), ME))

    seen = []
    async for event in store.events(after):
        assert event is not None
        seen.append((event.state, event.reason))
        if event.state.is_final:
            break
    assert seen == [(State.QUEUED, "submitted"), (State.CREATING, "started"), (State.FAILED, "no")]


async def test_a_hint_makes_the_parked_run_of_an_order_due_and_tells_the_watcher(store: RunStore) -> None:
    run = await take(store, await submit(store))
    await store.note(run, ME, {"order_id": ORDER_ID})
    assert not await store.hint_order(ORDER_ID), "the run is not parked yet"
    await store.move(plan_move(run, Park(60, "waiting"), ME))

    async with store.redis.pubsub() as bell:
        await bell.subscribe(keys.watch_bell(store.queue))
        assert await store.hint_order(ORDER_ID)
        await until("the bell rings", lambda: heard(bell, RUN_ID.encode()))

    assert [due.run_id for due in await ParkedRuns(store.redis).due(10)] == [RUN_ID]
    assert not await store.hint_order("2887c43b-0000-4bec-8efe-cb9e94f0ef3d"), "nobody's order"


async def heard(bell: PubSub, what: bytes) -> bool:
    message = await bell.get_message(ignore_subscribe_messages=True)
    return bool(message) and message["data"] == what


async def test_lines_of_a_newer_version_hide_nothing_of_the_others(store: RunStore) -> None:
    await submit(store)
    melting: dict[Any, Any] = {"run_id": RUN_ID, "state": "melting", "stage": "melt", "reason": "", "at": 1}
    async with store.redis.pipeline() as pipe:
        pipe.rpush(keys.history(RUN_ID), json.dumps(melting), "no JSON")
        pipe.hset(keys.files(RUN_ID), mapping={"a.tif": "[]", "b.tif": FileRecord(path="b.tif").model_dump_json()})
        pipe.xadd(keys.EVENTS, melting)
        await pipe.execute()
    await store.ask_cancel(RUN_ID)
    run = await take(store, await store.get(RUN_ID))
    await store.move(plan_move(run, Finish(State.CANCELLED, "asked for"), ME))

    assert [line.state for line in await store.history(RUN_ID)] == [State.QUEUED, State.CREATING, State.CANCELLED]
    assert [file.path for file in await store.files(RUN_ID)] == ["b.tif"]
    events = store.events("0-0")
    seen = [await anext(events) for _ in range(3)]
    assert [event.state for event in seen if event] == [State.QUEUED, State.CREATING, State.CANCELLED]
