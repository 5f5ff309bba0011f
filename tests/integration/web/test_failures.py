"""Failures by cause over the web, and a retry for a whole group."""

from __future__ import annotations

import httpx
import pytest
from arq.connections import ArqRedis

from jobs import keys
from jobs.causes import group_failures
from jobs.newest_failures import find_failures, group_newest_failures
from jobs.outcomes import Advance, Finish
from jobs.run import Failure, FailureKind, Stage, State

from .conftest import Fleet

ORDER_ID = "2887c43b-26be-4bec-8efe-cb9e94f0ef3d"
FULL = Failure(
    kind=FailureKind.TEMPORARY, type="DestinationUnavailable", message="the disk is full", stage=Stage.CREATE
)


async def fail(fleet: Fleet, *run_ids: str, failure: Failure = FULL, state: State = State.FAILED) -> None:
    for run_id in run_ids:
        await fleet.submit(run_id)
        await fleet.move(run_id, Finish(state, failure.message, failure))


async def test_failures_are_told_by_cause_with_what_to_do(web: httpx.AsyncClient, fleet: Fleet) -> None:
    await fail(fleet, "R1", "R2", "R3")
    refused = Failure(
        kind=FailureKind.PRODUCER, type="InvalidAPIKey", message="Planet answered 401", stage=Stage.CREATE
    )
    await fail(fleet, "R4", failure=refused)

    told = (await web.get("/v1/failures")).json()

    assert (told["failed"], told["looked_at"]) == (4, 4)
    first, second = told["causes"]
    assert (first["runs"], first["type"], first["example_message"]) == (3, FULL.type, FULL.message)
    assert first["run_ids"] == ["R3", "R2", "R1"]
    assert first["first_at"] <= first["last_at"]
    assert second["advice"] == "mend PL_API_KEY, restart the workers, then retry"


async def test_a_cause_has_the_same_id_for_the_web_and_the_command_line(web: httpx.AsyncClient, fleet: Fleet) -> None:
    await fail(fleet, "R1")
    await fail(fleet, "R2", state=State.EXPIRED)

    told = (await web.get("/v1/failures")).json()

    by_command = await group_failures(fleet.redis)
    assert {cause["cause"] for cause in told["causes"]} == {group.cause.id for group in by_command}


async def test_a_group_is_retried_in_one_call_and_buys_nothing_twice(web: httpx.AsyncClient, fleet: Fleet) -> None:
    """Each goes on where it ended; its history names who asked."""
    await fail(fleet, "R1")
    await fleet.submit("R2")
    await fleet.move("R2", Advance(Stage.WAIT, "order created", {"order_id": ORDER_ID}))
    await fleet.move("R2", Finish(State.FAILED, FULL.message, FULL))
    (cause,) = (await web.get("/v1/failures")).json()["causes"]

    answer = (await web.post(f"/v1/failures/{cause['cause']}/retry")).json()

    assert answer == {"retried": ["R2", "R1"], "refused": [], "left": 0, "next": None}
    runs = [await fleet.store.get(run_id) for run_id in ("R1", "R2")]
    assert [(run.state, run.order_id) for run in runs] == [(State.QUEUED, None), (State.WAITING, ORDER_ID)]
    assert (await fleet.store.history("R1"))[-1].worker == "the HTTP API"
    assert (await web.get("/v1/failures")).json()["causes"] == []


async def test_a_large_group_is_retried_in_several_calls_that_say_what_is_left(
    web: httpx.AsyncClient, fleet: Fleet
) -> None:
    await fail(fleet, *(f"R{number}" for number in range(7)))
    (cause,) = (await web.get("/v1/failures")).json()["causes"]
    path, retried, left, before = f"/v1/failures/{cause['cause']}/retry", [], [], ""

    while True:
        answer = (await web.post(path, params={"limit": 3, "before": before})).json()
        retried += answer["retried"]
        left.append(answer["left"])
        if answer["next"] is None:
            break
        before = answer["next"]

    assert left == [4, 1, 0]
    assert sorted(retried) == [f"R{number}" for number in range(7)]


async def test_a_run_that_only_a_new_order_helps_is_named_and_does_not_hold_the_others_up(
    web: httpx.AsyncClient, fleet: Fleet
) -> None:
    await fail(fleet, "R1")
    await fleet.submit("R2")
    facts = {"order_id": ORDER_ID, "order_state": "failed"}
    await fleet.move("R2", Finish(State.FAILED, FULL.message, FULL, facts))
    (cause,) = (await web.get("/v1/failures")).json()["causes"]

    answer = (await web.post(f"/v1/failures/{cause['cause']}/retry")).json()

    assert answer["retried"] == ["R1"]
    assert [each["run_id"] for each in answer["refused"]] == ["R2"]
    assert "only a new order helps" in answer["refused"][0]["detail"]
    assert answer["next"] is None


async def test_a_cause_that_no_run_has_any_more_has_nothing_to_retry(web: httpx.AsyncClient) -> None:
    """So that a call whose answer was lost may be repeated."""
    answer = await web.post("/v1/failures/0123abcd/retry")

    assert (answer.status_code, answer.json()) == (200, {"retried": [], "refused": [], "left": 0, "next": None})
    assert (await web.post("/v1/failures/nonsense/retry")).status_code == 422


async def test_no_more_than_the_newest_failures_are_looked_at(fleet: Fleet) -> None:
    """Of both states together, however many there are; and the next look goes on behind them."""
    await fail(fleet, "R1", "R2")
    await fail(fleet, "R3", "R4", state=State.EXPIRED)
    await fail(fleet, "R5")

    look = await group_newest_failures(fleet.redis, most=3)

    assert (look.looked_at, look.failed) == (3, 5)
    assert {group.cause.state: group.runs for group in look.groups} == {State.EXPIRED: 2, State.FAILED: 1}
    cause_id = next(group.cause.id for group in look.groups if group.cause.state is State.FAILED)
    first = await find_failures(fleet.redis, cause_id, 10, most=3)
    assert [run.run_id for run in first.runs] == ["R5"]
    second = await find_failures(fleet.redis, cause_id, 10, first.next, most=3)
    assert [run.run_id for run in second.runs] == ["R2", "R1"]
    assert second.next is None


async def test_failures_of_one_millisecond_are_all_found_however_small_the_steps(redis: ArqRedis, fleet: Fleet) -> None:
    await fail(fleet, "R1", "R2", "R3")
    await redis.zadd(keys.state(State.FAILED), dict.fromkeys(["R1", "R2", "R3"], 1_000))
    (group,) = (await group_newest_failures(redis)).groups
    found, before = [], None
    for _ in range(3):
        step = await find_failures(redis, group.cause.id, 1, before)
        found += [run.run_id for run in step.runs]
        before = step.next

    assert (found, before) == (["R3", "R2", "R1"], None)


async def test_a_record_that_cannot_be_read_is_a_cause_and_is_refused_a_retry(
    web: httpx.AsyncClient, fleet: Fleet
) -> None:
    await fail(fleet, "R1")
    async with fleet.redis.pipeline() as pipe:
        pipe.hset(keys.run("R1"), "error", "{no json")
        await pipe.execute()
    (cause,) = (await web.get("/v1/failures")).json()["causes"]

    answer = (await web.post(f"/v1/failures/{cause['cause']}/retry")).json()

    assert cause["type"] == "Unreadable"
    assert [each["run_id"] for each in answer["refused"]] == ["R1"]


@pytest.mark.parametrize("path", ["/v1/failures", "/failures"])
async def test_no_secret_of_a_failure_is_shown(web: httpx.AsyncClient, fleet: Fleet, path: str) -> None:
    secret = Failure(kind=FailureKind.BUG, type="E", message="GET https://h/f?token=S3CRET refused")
    await fail(fleet, "R1", failure=secret)

    answer = await web.get(path)

    assert answer.status_code == 200
    assert "S3CRET" not in answer.text


async def test_the_page_of_failures_tells_what_the_api_tells(web: httpx.AsyncClient, fleet: Fleet) -> None:
    hostile = Failure(kind=FailureKind.BUG, type="<b>", message="<script>alert(1)</script>", stage=Stage.CREATE)
    await fail(fleet, "R1", "R2")
    await fail(fleet, "R3", failure=hostile)
    told = (await web.get("/v1/failures")).json()

    text = (await web.get("/failures")).text

    assert "Retry all 2" in text
    assert "<script>" not in text
    for cause in told["causes"]:
        assert f"/v1/failures/{cause['cause']}/retry" in text
        assert all(f"/runs/{run_id}" in text for run_id in cause["run_ids"])


async def test_the_page_says_that_nothing_has_failed(web: httpx.AsyncClient) -> None:
    assert "Nothing has failed" in (await web.get("/failures")).text
