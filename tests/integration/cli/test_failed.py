"""`failed`: causes, their runs, what was set aside."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from arq.connections import ArqRedis
from redis import Redis

from jobs import keys
from jobs.causes import group_failures
from jobs.moves import By, plan_move
from jobs.outcomes import Finish
from jobs.poison import keep_poison
from jobs.run import Failure, FailureKind, Stage, State, encode_facts
from jobs.store import RunStore
from tests.integration.cli.terminal import Command, make_request


@pytest.fixture
def at_store(redis_url: str, empty_redis: Redis) -> Callable[[Callable[[RunStore], Awaitable[Any]]], Any]:
    """Does something with a store of its own, from a test that is no coroutine."""

    def run(work: Callable[[RunStore], Awaitable[Any]]) -> Any:
        async def connected() -> Any:
            redis: ArqRedis = ArqRedis.from_url(redis_url)
            try:
                return await work(RunStore(redis))
            finally:
                await redis.aclose()

        return asyncio.run(connected())

    return run


AtStore = Callable[[Callable[[RunStore], Awaitable[Any]]], Any]


def let_fail(at_store: AtStore, command: Command, message: str, **failure: Any) -> str:
    """Submit a run, and let it end as a worker would."""
    run_id = command("submit", stdin=json.dumps(make_request())).out.strip()
    known = {"kind": FailureKind.PRODUCER, "type": "InvalidAPIKey", "stage": Stage.CREATE, **failure}

    async def move(store: RunStore) -> None:
        outcome = Finish(State.FAILED, message, Failure(message=message, **known))
        await store.move(plan_move(await store.get(run_id), outcome, By.person()))

    at_store(move)
    return run_id


def test_without_failures_there_is_nothing_to_show(command: Command) -> None:
    outcome = command("failed")
    assert (outcome.status, outcome.out, outcome.err) == (0, "", "Nothing has failed.\n")
    assert json.loads(command("failed", "--json").out) == {"causes": [], "set_aside": []}


def test_runs_are_grouped_by_cause_the_most_frequent_first(command: Command, at_store: AtStore) -> None:
    odd = let_fail(at_store, command, "no", type="NoPermission")
    let_fail(at_store, command, "Planet answered 401: key 17 is wrong")
    newest = let_fail(at_store, command, "Planet answered 401: key 18 is wrong")

    first, second = json.loads(command("failed", "--json").out)["causes"]
    assert (first["runs"], first["type"]) == (2, "InvalidAPIKey")
    assert first["message"] == "Planet answered 401: key … is wrong"
    assert (first["example"], first["example_message"]) == (newest, "Planet answered 401: key 18 is wrong")
    assert first["first_at"] < first["last_at"]
    assert "PL_API_KEY" in first["advice"]
    assert (second["runs"], second["example"]) == (1, odd)

    told = command("failed").out
    for word in ("2 runs", "InvalidAPIKey in create", newest, f"planet-orders failed --retry {first['cause']}"):
        assert word in told


def test_what_expired_is_shown_and_what_is_older_is_left_out(command: Command, at_store: AtStore) -> None:
    run_id = command("submit", stdin=json.dumps(make_request())).out.strip()

    async def expire(store: RunStore) -> None:
        outcome = Finish(State.EXPIRED, "its deadline (2026-11-22 22:01:02 UTC) is past; nothing was ordered")
        await store.move(plan_move(await store.get(run_id), outcome, By.person()))

    at_store(expire)
    (cause,) = json.loads(command("failed", "--since", "1h", "--json").out)["causes"]
    assert (cause["state"], cause["example"]) == ("expired", run_id)

    async def age(store: RunStore) -> None:
        await store.redis.zadd(keys.state(State.EXPIRED), {run_id: 1_000})

    at_store(age)
    assert json.loads(command("failed", "--since", "1h", "--json").out)["causes"] == []


def test_the_runs_of_a_cause_are_retried_together(command: Command, at_store: AtStore) -> None:
    wrong_key = [let_fail(at_store, command, f"Planet answered 401: key {number}") for number in range(3)]
    let_fail(at_store, command, "no", type="NoPermission")
    cause = json.loads(command("failed", "--json").out)["causes"][0]["cause"]

    asked = command("failed", "--retry", cause)
    assert (asked.status, asked.out) == (2, "")
    assert "add --yes" in asked.err

    outcome = command("failed", "--retry", cause, "--yes")
    assert outcome.status == 0
    assert outcome.out.splitlines() == [f"{run_id}\tqueued" for run_id in wrong_key]
    assert [each["type"] for each in json.loads(command("failed", "--json").out)["causes"]] == ["NoPermission"]


def test_retrying_a_cause_buys_nothing(command: Command, at_store: AtStore) -> None:
    run_id = let_fail(at_store, command, "the order failed at Planet", type="OrderFailed", kind=FailureKind.PLANET)

    async def note(store: RunStore) -> None:
        facts = encode_facts({"order_state": "failed", "order_id": "8d7f6910-d563-4902-abcd-573a8e8641c8"})
        await store.redis.hset(keys.run(run_id), mapping=facts)  # type: ignore[misc] # redis-py: "perhaps awaitable"

    at_store(note)
    cause = json.loads(command("failed", "--json").out)["causes"][0]["cause"]
    outcome = command("failed", "--retry", cause, "--yes")
    assert (outcome.status, outcome.out) == (1, "")
    assert "--rebuy" in outcome.err


def test_an_unknown_cause_is_one_line(command: Command) -> None:
    outcome = command("failed", "--retry", "00000000", "--yes")
    assert (outcome.status, outcome.out) == (2, "")
    assert len(outcome.err.splitlines()) == 1


def test_a_damaged_record_is_a_cause_of_its_own(command: Command, at_store: AtStore) -> None:
    run_id = let_fail(at_store, command, "no")

    async def damage(store: RunStore) -> None:
        await store.redis.hset(keys.run(run_id), "error", "{")  # type: ignore[misc] # redis-py: "perhaps awaitable"

    at_store(damage)
    (cause,) = json.loads(command("failed", "--json").out)["causes"]
    assert (cause["type"], cause["example"]) == ("Unreadable", run_id)
    assert command("status", run_id).err.startswith(f"Error: run {run_id} cannot be read (error: ")


def test_what_was_set_aside_is_shown_until_it_is_discarded(command: Command, at_store: AtStore) -> None:
    async def keep(store: RunStore) -> None:
        await keep_poison(store.redis, "job-7", why="not a JSON object", evidence=b"\x80\x1b[31mgarbage", worker="w1")

    at_store(keep)
    told = command("failed").out
    for word in ("job job-7", "not a JSON object", "garbage", "planet-orders failed --discard job-7"):
        assert word in told
    assert "\x1b" not in told
    assert json.loads(command("failed", "--json").out)["set_aside"][0]["times"] == 1

    assert command("failed", "--discard", "job-7").status == 0
    assert command("failed").out == ""
    assert command("failed", "--discard", "job-7").status == 2


def test_many_failures_are_read_page_by_page(at_store: AtStore) -> None:
    """More than a page, many of them in the same millisecond."""

    async def count(store: RunStore) -> list[int]:
        error = Failure(kind=FailureKind.BUG, type="KeyError", message="'x'").model_dump_json()
        async with store.redis.pipeline(transaction=False) as pipe:
            for number in range(2_300):
                pipe.hset(keys.run(f"R{number}"), mapping={"stage": "create", "error": error})
                pipe.expire(keys.run(f"R{number}"), timedelta(minutes=1))
                pipe.zadd(keys.state(State.FAILED), {f"R{number}": 1_000 + number // 1_100})
            await pipe.execute()
        return [group.runs for group in await group_failures(store.redis)]

    assert at_store(count) == [2_300]
