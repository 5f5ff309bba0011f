"""Batches over real HTTP: an answer for each request, and how the whole is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from arq.connections import ArqRedis

from jobs import keys
from jobs.outcomes import Finish
from jobs.run import State
from tests.stage_rig import request
from tests.web_rig import served

from .conftest import Fleet


@pytest.fixture
async def web(redis: ArqRedis, redis_url: str) -> AsyncIterator[httpx.AsyncClient]:
    async with served(redis_url) as client:
        yield client


def requests(*names: str) -> list[dict[str, Any]]:
    return [request(name=name) for name in names]


async def test_each_request_has_its_answer_and_a_bad_one_holds_nobody_up(web: httpx.AsyncClient) -> None:
    """Bad ones of every kind: not an object, without what Planet needs, and with one of our own fields wrong."""
    bad = [7, {}, {**request(), "deadline": "soon"}, {**request(), "colour": "red"}]
    first, last = requests("first", "last")

    answer = await web.post("/v1/batches", json={"name": "all", "requests": [first, *bad, last]})

    assert answer.status_code == 201
    said = answer.json()
    assert [each["run"] is not None for each in said["answers"]] == [True, False, False, False, False, True]
    wrong = [{error["field"] for error in each["errors"]} for each in said["answers"][1:-1]]
    assert wrong == [{""}, {"name", "products"}, {"deadline"}, {"colour"}]
    batch = (await web.get(answer.headers["location"])).json()
    counts = {key: batch[key] for key in ("name", "requests", "refused", "total", "ended")}
    assert counts == {"name": "all", "requests": 6, "refused": 4, "total": 2, "ended": 0}


async def test_a_batch_that_is_sent_again_with_its_key_is_the_same(web: httpx.AsyncClient, fleet: Fleet) -> None:
    """Also when a bad request among them has been mended meanwhile: the others are known by their places."""
    one, two = requests("one", "two")
    headers = {"Idempotency-Key": "harvest"}

    first = (await web.post("/v1/batches", json={"requests": [one, 7, two]}, headers=headers)).json()
    again = (await web.post("/v1/batches", json={"requests": [one, *requests("mended"), two]}, headers=headers)).json()

    assert again["batch_id"] == first["batch_id"]
    assert [each["run"]["created"] for each in again["answers"]] == [False, True, False]
    assert [each["run"]["run_id"] for each in again["answers"]][::2] == [
        each["run"]["run_id"] for each in first["answers"][::2]
    ]
    assert await fleet.redis.zcard(keys.RUNS) == 3


async def test_a_key_that_has_another_request_is_told_in_its_answer(web: httpx.AsyncClient) -> None:
    await web.post("/v1/runs", json={**request(), "key": "taken"})
    other, good = requests("other", "good")

    said = (await web.post("/v1/batches", json={"requests": [{**other, "key": "taken"}, good]})).json()

    assert said["answers"][0]["errors"][0]["field"] == "key"
    assert said["answers"][1]["run"]["created"] is True


async def test_the_runs_of_a_batch_are_listed_page_by_page(web: httpx.AsyncClient, fleet: Fleet) -> None:
    await web.post("/v1/runs", json=request(name="alone"))
    said = (await web.post("/v1/batches", json={"requests": requests("a", "b", "c")})).json()
    run_ids = [each["run"]["run_id"] for each in said["answers"]]
    await fleet.move(run_ids[1], Finish(State.FAILED, "no"))

    first = (await web.get("/v1/runs", params={"batch_id": said["batch_id"], "limit": 2})).json()
    rest = (await web.get("/v1/runs", params={"batch_id": said["batch_id"], "before": first["next"]})).json()
    failed = (await web.get("/v1/runs", params={"batch_id": said["batch_id"], "state": "failed"})).json()

    assert [run["name"] for run in first["runs"] + rest["runs"]] == ["c", "b", "a"]
    assert rest["next"] is None
    assert [run["name"] for run in failed["runs"]] == ["b"]


async def test_a_batch_sums_up_and_is_sent_again_only_when_it_has_changed(web: httpx.AsyncClient, fleet: Fleet) -> None:
    said = (await web.post("/v1/batches", json={"requests": requests("a", "b")})).json()
    path = f"/v1/batches/{said['batch_id']}"
    tag = (await web.get(path)).headers["etag"]
    assert (await web.get(path, headers={"If-None-Match": tag})).status_code == 304

    for each in said["answers"]:
        await fleet.move(each["run"]["run_id"], Finish(State.EXPIRED, "too late"))

    batch = (await web.get(path, headers={"If-None-Match": tag})).json()
    summary = (await web.get(f"{path}/summary")).json()
    assert (batch["runs"]["expired"], batch["ended"], batch["ended_at"] is None) == (2, 2, False)
    assert summary["batch"] == batch
    assert [(group["state"], group["runs"]) for group in summary["failures"]] == [("expired", 2)]
    assert [each["batch_id"] for each in (await web.get("/v1/batches")).json()["batches"]] == [said["batch_id"]]


@pytest.mark.parametrize(
    "body", [{}, {"requests": []}, {"requests": [7] * 10_001}, {"requests": [{}], "callback_url": "x:"}]
)
async def test_what_is_no_batch_is_refused_whole(web: httpx.AsyncClient, fleet: Fleet, body: dict[str, Any]) -> None:
    answer = await web.post("/v1/batches", json=body)

    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert await fleet.redis.zcard(keys.BATCHES) == 0


async def test_a_batch_that_is_not_there_is_a_problem(web: httpx.AsyncClient) -> None:
    for path in ("/v1/batches/nobody", "/v1/batches/nobody/summary"):
        assert (await web.get(path)).status_code == 404


async def test_a_batch_may_be_larger_than_what_other_routes_read(web: httpx.AsyncClient) -> None:
    many = [{**request(name=f"field {number}"), "metadata": "x" * 3000} for number in range(2_500)]

    answer = await web.post("/v1/batches", json={"requests": many}, timeout=90)

    assert answer.status_code == 201, answer.text[:500]
    assert len(answer.request.content) > 6 * 1024 * 1024
    assert len(answer.json()["answers"]) == len(many)


async def test_older_batches_are_on_the_next_page(web: httpx.AsyncClient) -> None:
    for number in range(3):
        await web.post("/v1/batches", json={"name": f"b{number}", "requests": requests(f"r{number}")})

    first = (await web.get("/v1/batches", params={"limit": 2})).json()
    second = (await web.get("/v1/batches", params={"limit": 2, "before": first["next"]})).json()

    assert [each["name"] for each in first["batches"] + second["batches"]] == ["b2", "b1", "b0"]
    assert second["next"] is None


async def test_what_has_not_ended_of_a_batch_is_cancelled_and_what_failed_is_retried(
    web: httpx.AsyncClient, fleet: Fleet
) -> None:
    said = (await web.post("/v1/batches", json={"requests": requests("a", "b", "c")})).json()
    failed, *others = [each["run"]["run_id"] for each in said["answers"]]
    await fleet.move(failed, Finish(State.FAILED, "no"))

    cancelled = await web.post(f"/v1/batches/{said['batch_id']}/cancel")
    retried = await web.post(f"/v1/batches/{said['batch_id']}/retry")
    again = await web.post(f"/v1/batches/{said['batch_id']}/retry")

    assert cancelled.json() == {"cancelled": 2}
    assert retried.json() == {"retried": 1, "refused": 0, "left": 0}
    assert again.json() == {"retried": 0, "refused": 0, "left": 0}
    assert {(await fleet.store.get(run_id)).state for run_id in others} == {State.CANCELLED}
    assert (await fleet.store.get(failed)).state is State.QUEUED
    assert (await web.post("/v1/batches/nobody/retry")).status_code == 404


async def test_a_batch_has_a_page_with_its_runs_what_failed_and_buttons(web: httpx.AsyncClient, fleet: Fleet) -> None:
    answer = await web.post("/v1/batches", json={"name": "<b>harvest</b>", "requests": requests("a", "b", "c")})
    said = answer.json()
    first, second, _ = [each["run"]["run_id"] for each in said["answers"]]
    await fleet.move(first, Finish(State.FAILED, "no such field"))
    await fleet.move(second, Finish(State.DONE, "done"))

    text = (await web.get(f"/batches/{said['batch_id']}")).text
    failed = (await web.get(f"/batches/{said['batch_id']}", params={"state": "failed"})).text
    listed = (await web.get("/batches")).text

    assert "2 of 3 runs ended, 1 failed" in text
    assert "2 of 3 runs ended, 1 failed" in listed
    assert f'href="/batches/{said["batch_id"]}"' in listed
    assert "no such field" in text
    assert "&lt;b&gt;harvest" in text
    assert text.count("data-run-id=") == 3
    assert failed.count("data-run-id=") == 1
    assert f'data-post="/v1/batches/{said["batch_id"]}/retry"' in text
    assert (await web.get("/batches/nobody", headers={"Accept": "text/html"})).status_code == 404
