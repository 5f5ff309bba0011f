"""What nobody can read or start is set aside with the evidence, and everything else goes on."""

from __future__ import annotations

import json
import pickle
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import pytest
from arq.connections import ArqRedis

from jobs import State, UnreadableRun, keys
from jobs.codec import VERSION
from jobs.moves import By
from jobs.poison import Poison, discard_poison, list_poison
from jobs.run import RECORD_VERSION
from jobs.sweep import sweep
from tests.fleet_rig import Fleet
from tests.stage_rig import request
from tests.waiting import until
from worker.staging import clear_staging

GOOD: dict[str, Any] = {"v": VERSION, "t": None, "f": "create", "a": ["R"], "k": {}, "et": 1}
LONG_AGO = 1_000.0  # ms since 1970: due before everything else


def written(**changes: Any) -> bytes:
    return json.dumps({**GOOD, **changes}).encode()


PAYLOADS = {
    "garbage": (b"\x80\x00 garbage", "not a JSON object"),
    "a pickle": (pickle.dumps(GOOD), "not a JSON object"),
    "JSON of absurd depth": (b'{"a":' + b"[" * 100_000, "not JSON"),
    "no version that ever was": (written(v="?"), "version '?'"),
    "no function": (written(f=["create"]), "f missing or of the wrong kind"),
    "arguments that are none": (written(a="R"), "a missing or of the wrong kind"),
    "a time beyond all calendars": (written(et=10**30), "et missing or of the wrong kind"),
    "a count of tries that is none": (written(t="three"), "t missing or of the wrong kind"),
    "a function that nobody has": (written(f="no_such_function"), "no_such_function"),
}


async def enqueue(redis: ArqRedis, job_id: str, payload: bytes) -> None:
    await redis.set(keys.job(job_id), payload, px=600_000)
    await redis.zadd("arq:queue", {job_id: LONG_AGO})


async def poison_of(redis: ArqRedis, poison_id: str) -> Poison:
    async def listed() -> list[Poison]:
        return [entry for entry in await list_poison(redis) if entry.id == poison_id]

    (entry,) = await until(f"{poison_id} is set aside", listed)
    return entry


async def done(answer: Awaitable[Any] | Any) -> Any:
    """Await what redis-py types as perhaps awaitable."""
    return await answer


async def test_jobs_that_cannot_be_started_are_set_aside_and_the_queue_goes_on(fleet: Fleet, redis: ArqRedis) -> None:
    for job_id, (payload, _) in PAYLOADS.items():
        await enqueue(redis, job_id, payload)
    handle = await fleet.queue.submit(request())
    await fleet.start_worker()

    assert (await handle.result(timeout=60)).state is State.DONE
    for job_id, (_, why) in PAYLOADS.items():
        entry = await poison_of(redis, job_id)
        assert why in entry.why
        assert (entry.worker, entry.times, entry.run_id) == ("w1", 1, None)
        assert await redis.exists(keys.job(job_id), keys.in_progress(job_id)) == 0
    assert await redis.zcard("arq:queue") == 0


async def test_the_evidence_holds_no_secret_and_is_not_endless(fleet: Fleet, redis: ArqRedis) -> None:
    secret = {"password": "hunter2hunter2", "link": "https://planet.test/f?token=hunter2hunter2"}
    await enqueue(redis, "bad", written(f="unknown", a=[secret, "x" * 100_000]))
    await fleet.start_worker()

    entry = await poison_of(redis, "bad")
    assert '"link"' in entry.evidence
    assert "hunter2" not in entry.evidence
    assert len(entry.evidence) <= 4_000


async def test_an_id_that_is_no_text_is_taken_out_of_the_queue(fleet: Fleet, redis: ArqRedis) -> None:
    """Decoding it must not end one worker after another."""
    await redis.zadd("arq:queue", {b"\xff\xfe": LONG_AGO})
    await fleet.start_worker()

    assert "no job has such an id" in (await poison_of(redis, "\\xff\\xfe")).why
    assert (await (await fleet.queue.submit(request())).result(timeout=60)).state is State.DONE


async def test_a_key_of_another_kind_in_a_payloads_place_is_set_aside(fleet: Fleet, redis: ArqRedis) -> None:
    await done(redis.rpush(keys.job("bad"), "no string"))
    await redis.expire(keys.job("bad"), 600)
    await redis.zadd("arq:queue", {"bad": LONG_AGO})
    await fleet.start_worker()

    assert "WRONGTYPE" in (await poison_of(redis, "bad")).why


async def test_a_garbled_payload_of_a_runs_job_harms_nobody(fleet: Fleet, redis: ArqRedis) -> None:
    """The run knows its stage by itself."""
    handle = await fleet.queue.submit(request())
    await redis.set(keys.job((await handle.status()).job_id or ""), b"garbage", px=600_000)
    await fleet.start_worker()

    assert (await handle.result(timeout=60)).state is State.DONE


async def test_a_job_of_a_newer_version_is_left_for_newer_workers_and_then_set_aside(
    fleet: Fleet, redis: ArqRedis
) -> None:
    """While a fleet is renewed, old and new workers share a queue."""
    await enqueue(redis, "newer", written(v=VERSION + 1))
    await fleet.start_worker()

    async def left() -> bool:
        return bool(await redis.exists(keys.left("newer")))

    await until("it was left", left)

    async def is_due_later() -> bool:
        due, in_hand = await redis.zscore("arq:queue", "newer"), await redis.exists(keys.in_progress("newer"))
        return bool(due and due > LONG_AGO and not in_hand)

    await until("it is back in the queue", is_due_later)
    assert await list_poison(redis) == []
    await redis.set(keys.left("newer"), 60, ex=600)  # that was often enough
    await redis.zadd("arq:queue", {"newer": LONG_AGO})

    assert f"version {VERSION + 1}" in (await poison_of(redis, "newer")).why


async def test_runs_with_a_damaged_record_are_set_aside_and_go_on_once_they_are_mended(
    fleet: Fleet, redis: ArqRedis
) -> None:
    """All ways of being damaged are in tests/unit/test_run_record.py; a count is read by the start of a job only."""
    damages = {"state": "melting", "starts": "many", "created_at": "long ago"}
    bad = {name: await fleet.queue.submit(request(), again=True) for name in damages}
    good = await fleet.queue.submit(request(), again=True)
    created_at = await done(redis.hget(keys.run(bad["created_at"].run_id), "created_at"))
    for name, damage in damages.items():
        await done(redis.hset(keys.run(bad[name].run_id), name, damage))
    await fleet.start_worker()

    reasons = {"state": "state: Input should be", "starts": "not an integer", "created_at": "attempt to compare"}
    for name, why in reasons.items():
        assert why in (await poison_of(redis, bad[name].run_id)).why
    assert (await good.result(timeout=60)).state is State.DONE
    assert (await sweep(fleet.queue.store, By.person())).recovered == ()
    assert [run.run_id for run in await fleet.queue.list()] == [good.run_id]
    with pytest.raises(UnreadableRun):
        await bad["state"].status()

    await done(redis.hset(keys.run(bad["state"].run_id), "state", "queued"))
    await done(redis.hset(keys.run(bad["created_at"].run_id), "created_at", created_at))
    await done(redis.hdel(keys.run(bad["starts"].run_id), "starts"))
    recovered = (await sweep(fleet.queue.store, By.person())).recovered
    assert set(recovered) == {handle.run_id for handle in bad.values()}
    for handle in bad.values():
        assert (await handle.result(timeout=60)).state is State.DONE


async def test_a_key_of_another_kind_in_a_records_place_hides_no_other_run(fleet: Fleet, redis: ArqRedis) -> None:
    bad, lost = [await fleet.queue.submit(request(), again=True) for _ in range(2)]
    await redis.set(keys.run(bad.run_id), "no hash")
    await redis.zrem("arq:queue", (await lost.status()).job_id or "")
    await fleet.start_worker()

    assert "WRONGTYPE" in (await poison_of(redis, bad.run_id)).why
    assert (await lost.result(timeout=60)).state is State.DONE
    assert [run.run_id for run in await fleet.queue.list()] == [lost.run_id]
    await redis.delete(keys.run(bad.run_id))


async def test_a_record_of_a_newer_version_is_left_as_it_is_for_newer_workers(fleet: Fleet, redis: ArqRedis) -> None:
    """A deploy that was rolled back: nothing of the run is touched, not even its count of starts."""
    handle = await fleet.queue.submit(request())
    await done(redis.hset(keys.run(handle.run_id), "version", str(RECORD_VERSION + 1)))
    job_id = (await done(redis.hget(keys.run(handle.run_id), "job_id")) or b"").decode()
    await fleet.start_worker()

    async def is_back() -> bool:
        return bool(await redis.exists(keys.left(job_id))) and not await redis.exists(keys.in_progress(job_id))

    await until("it was left", is_back)
    assert await done(redis.hexists(keys.run(handle.run_id), "starts")) is False
    assert await list_poison(redis) == []

    await done(redis.hdel(keys.run(handle.run_id), "version"))
    await redis.zadd("arq:queue", {job_id: LONG_AGO}, xx=True)
    assert (await handle.result(timeout=60)).state is State.DONE


async def test_a_parked_run_with_a_damaged_record_holds_no_other_up(fleet: Fleet, redis: ArqRedis) -> None:
    await done(redis.hset(keys.run("R1"), mapping={"run_id": "R1", "state": "waiting"}))
    await redis.expire(keys.run("R1"), 600)
    await redis.zadd(keys.WATCH, {"R1": LONG_AGO})
    await fleet.start_worker()

    assert (await (await fleet.queue.submit(request())).result(timeout=60)).state is State.DONE
    assert "stage: Field required" in (await poison_of(redis, "R1")).why
    assert (await redis.zscore(keys.WATCH, "R1") or 0) > LONG_AGO


async def test_what_was_staged_for_a_run_that_cannot_be_read_stays(
    fleet: Fleet, redis: ArqRedis, tmp_path: Path
) -> None:
    handle = await fleet.queue.submit(request())
    await done(redis.hset(keys.run(handle.run_id), "state", "melting"))
    (tmp_path / "staging" / handle.run_id).mkdir(parents=True)

    assert await clear_staging(tmp_path / "staging", fleet.queue.store) == []


async def test_an_entry_can_be_discarded(fleet: Fleet, redis: ArqRedis) -> None:
    await enqueue(redis, "bad", b"garbage")
    await fleet.start_worker()
    await poison_of(redis, "bad")

    assert await discard_poison(redis, "bad")
    assert await list_poison(redis) == []
    assert not await discard_poison(redis, "bad")
