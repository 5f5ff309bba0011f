"""Producers over real HTTP: submitting, and acting on runs."""

from __future__ import annotations

import html
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from arq.connections import ArqRedis

from jobs import keys
from jobs.outcomes import Advance, Finish
from jobs.run import Failure, FailureKind, Stage, State
from tests.stage_rig import request
from tests.web_rig import served

from .conftest import Fleet

PROBLEM = "application/problem+json"


@pytest.fixture
async def web(redis: ArqRedis, redis_url: str) -> AsyncIterator[httpx.AsyncClient]:
    async with served(redis_url) as client:
        yield client


async def test_an_order_request_becomes_a_run_at_its_address(web: httpx.AsyncClient, fleet: Fleet) -> None:
    deadline = datetime.now(UTC) + timedelta(days=2)
    ours = {"producer": "nightly", "destination": "s3://bucket/x", "deadline": deadline.isoformat(), "priority": "low"}

    answer = await web.post("/v1/runs", json={**request(), **ours})

    assert answer.status_code == 201
    said = answer.json()
    assert answer.headers["location"] == f"/v1/runs/{said['run_id']}"
    run = await fleet.store.get(said["run_id"])
    assert (said["created"], run.state, run.request) == (True, State.QUEUED, request())
    assert (run.producer, run.destination, run.priority) == ("nightly", "s3://bucket/x", "low")
    assert run.deadline_at is not None
    assert abs(run.deadline_at - deadline) < timedelta(seconds=1)
    assert (await web.get(answer.headers["location"])).json()["name"] == "field 7"


@pytest.mark.parametrize("way", ["header", "field", "both"])
async def test_the_same_key_is_the_same_run(web: httpx.AsyncClient, way: str) -> None:
    headers = {"Idempotency-Key": "field-7"} if way != "field" else {}
    body = {**request(), **({"key": "field-7"} if way != "header" else {})}

    first, second = [await web.post("/v1/runs", json=body, headers=headers) for _ in range(2)]

    assert (first.status_code, second.status_code) == (201, 200)
    assert second.json() == {"run_id": first.json()["run_id"], "created": False, "ordered_before": False}


async def test_the_very_same_request_is_ordered_again_only_on_request(web: httpx.AsyncClient) -> None:
    first, second = [await web.post("/v1/runs", json=request()) for _ in range(2)]
    third = await web.post("/v1/runs", json={**request(), "again": True})

    assert second.json() == {"run_id": first.json()["run_id"], "created": False, "ordered_before": True}
    assert third.status_code == 201


async def test_a_key_with_another_request_is_a_conflict_that_names_the_run(web: httpx.AsyncClient) -> None:
    headers = {"Idempotency-Key": "field-7"}
    first = (await web.post("/v1/runs", json=request(), headers=headers)).json()

    answer = await web.post("/v1/runs", json=request(name="another"), headers=headers)

    assert (answer.status_code, answer.headers["content-type"]) == (409, PROBLEM)
    assert answer.json()["run_ids"] == [first["run_id"]]


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": 7}, "name"),
        ({"name": "\x00"}, "name"),
        ({"products": []}, "products"),
        ({"products": {}}, "products"),
        ({"products": [{"item_ids": [], "item_type": "PSScene", "product_bundle": "analytic_udm2"}]}, "products[0]"),
        ({"tools": [{"clip": {"aoi": {"type": "Polygon", "coordinates": []}}}]}, "tools[0]"),
        ({"colour": "red"}, "colour"),
        ({"deadline": "2020-01-01T00:00:00Z"}, "deadline"),
        ({"deadline": "2030-01-01T00:00:00"}, "deadline"),
        ({"deadline": "soon"}, "deadline"),
        ({"destination": "gopher://x"}, "destination"),
        ({"priority": "urgent"}, "priority"),
        ({"key": ""}, "key"),
        ({"key": "a" * 256}, "key"),
        ({"producer": ["x"]}, "producer"),
    ],
    ids=lambda value: json.dumps(value)[:40] if isinstance(value, dict) else "",
)
async def test_a_request_that_cannot_be_ordered_is_told_field_by_field(
    web: httpx.AsyncClient, fleet: Fleet, wrong: dict[str, Any], field: str
) -> None:
    answer = await web.post("/v1/runs", json={**request(), **wrong})

    assert (answer.status_code, answer.headers["content-type"]) == (422, PROBLEM)
    assert any(each["field"].startswith(field) for each in answer.json()["errors"]), answer.text
    assert await fleet.redis.zcard(keys.RUNS) == 0


async def test_two_keys_that_differ_are_refused(web: httpx.AsyncClient) -> None:
    answer = await web.post("/v1/runs", json={**request(), "key": "a"}, headers={"Idempotency-Key": "b"})

    assert [each["field"] for each in answer.json()["errors"]] == ["key"]


def nested(depth: int) -> bytes:
    head, tail = json.dumps(request()).encode()[:-1], b"}"
    return head + b', "metadata": ' + b"[" * depth + b"]" * depth + tail


GARBAGE = {
    "nothing": (b"", 422),
    "half": (b'{"name": ', 400),
    "a list": (b"[]", 422),
    "a text": (b'"x"', 422),
    "no text": (b"\xff\xfe", 400),
    "deep": (nested(200), 422),
    "deeper": (nested(900), 422),
    "deepest": (b"[" * 1_000_000, 400),
    "half a character": (b'{"name": "\\ud800", "products": [{}]}', 422),
    "half a character in a key": (b'{"name": "x", "products": [{}], "\\ud800": 1}', 422),
    "half a character deep down": (b'{"name": "x", "products": [{"a": {"\\ud800": 1}}]}', 422),
    "no number": (b'{"name": "x", "products": [{"a": NaN}]}', 422),
    "a long number": (b'{"name": ' + b"9" * 10_000 + b"}", 400),
    "a key twice": (b'{"name": 1, "name": 2}', 422),
}


@pytest.mark.parametrize(("body", "status"), GARBAGE.values(), ids=GARBAGE.keys())
async def test_garbage_is_the_senders_problem(web: httpx.AsyncClient, fleet: Fleet, body: bytes, status: int) -> None:
    answer = await web.post("/v1/runs", content=body, headers={"Content-Type": "application/json"})

    assert (answer.status_code, answer.headers["content-type"]) == (status, PROBLEM)
    assert answer.json()["detail"]
    assert await fleet.redis.zcard(keys.RUNS) == 0


async def test_a_body_that_is_not_json_or_too_large_is_named_so(web: httpx.AsyncClient) -> None:
    form = await web.post("/v1/runs", data={"name": "x"})
    large = await web.post("/v1/runs", content=b" " * 7_000_000, headers={"Content-Type": "application/json"})

    assert [(each.status_code, each.headers["content-type"]) for each in (form, large)] == [
        (415, PROBLEM),
        (413, PROBLEM),
    ]


async def test_a_run_is_cancelled_and_may_be_cancelled_again(web: httpx.AsyncClient, fleet: Fleet) -> None:
    run_id = (await web.post("/v1/runs", json=request())).json()["run_id"]

    for _ in range(2):
        answer = await web.post(f"/v1/runs/{run_id}/cancel")
        assert (answer.status_code, answer.json()["state"]) == (200, "cancelled")
    assert await fleet.redis.zcard("arq:queue") == 0


async def test_a_failed_run_goes_on_where_it_failed(web: httpx.AsyncClient, fleet: Fleet) -> None:
    await fleet.submit("R1")
    await fleet.move("R1", Advance(Stage.DOWNLOAD, "ready", {"order_id": "O1"}))
    failure = Failure(kind=FailureKind.BUG, type="E", message="no")
    await fleet.move("R1", Finish(State.FAILED, "gave up", failure))

    answer = await web.post("/v1/runs/R1/retry")

    assert (answer.status_code, answer.json()["state"], answer.json()["error"]) == (200, "downloading", None)
    assert (await fleet.store.get("R1")).rebuys == 0


async def test_a_new_order_is_placed_only_on_request(web: httpx.AsyncClient, fleet: Fleet) -> None:
    await fleet.submit("R1")
    await fleet.move("R1", Finish(State.FAILED, "no", facts={"order_id": "O1", "order_state": "failed"}))

    refused = await web.post("/v1/runs/R1/retry")
    bought = await web.post("/v1/runs/R1/retry", params={"rebuy": True})

    assert (refused.status_code, refused.headers["content-type"]) == (409, PROBLEM)
    assert "only a new order helps" in refused.json()["detail"]
    assert (bought.status_code, bought.json()["state"]) == (200, "queued")


@pytest.mark.parametrize("action", ["cancel", "retry"])
async def test_what_is_not_there_or_not_possible_is_told(web: httpx.AsyncClient, fleet: Fleet, action: str) -> None:
    await fleet.submit("R1")
    await fleet.move("R1", Finish(State.DONE, "done"))

    assert (await web.post(f"/v1/runs/nobody/{action}")).status_code == 404
    assert (await web.post(f"/v1/runs/R1/{action}")).status_code == 409


async def test_a_run_is_sent_again_only_when_it_has_changed(web: httpx.AsyncClient, fleet: Fleet) -> None:
    await fleet.submit("R1")
    first = await web.get("/v1/runs/R1")
    tag = first.headers["etag"]

    same = [await web.get("/v1/runs/R1", headers={"If-None-Match": each}) for each in (tag, f'"x", W/{tag}', "*")]
    await fleet.move("R1", Advance(Stage.WAIT, "order placed"))
    changed = await web.get("/v1/runs/R1", headers={"If-None-Match": tag})

    assert [(each.status_code, each.content, each.headers["etag"]) for each in same] == [(304, b"", tag)] * 3
    assert changed.status_code == 200
    assert changed.headers["etag"] != tag


async def test_a_run_in_parts(web: httpx.AsyncClient, fleet: Fleet) -> None:
    await fleet.submit("R1")

    assert (await web.get("/v1/runs/R1/files")).json() == {"files": []}
    assert [line["reason"] for line in (await web.get("/v1/runs/R1/history")).json()["history"]] == ["submitted"]
    assert (await web.get("/v1/runs/R1/log")).json() == {"lines": []}
    for part in ("files", "history", "log"):
        assert (await web.get(f"/v1/runs/nobody/{part}")).status_code == 404


async def test_runs_are_filtered_by_producer(web: httpx.AsyncClient, fleet: Fleet) -> None:
    for number, producer in enumerate(["a", "b", "a", "b"]):
        await fleet.submit(f"R{number}", producer=producer)
    await fleet.move("R0", Finish(State.FAILED, "no"))

    async def listed(**params: str) -> list[str]:
        page = (await web.get("/v1/runs", params=params)).json()
        assert page["next"] is None
        return [run["run_id"] for run in page["runs"]]

    assert await listed(producer="a") == ["R2", "R0"]
    assert await listed(producer="a", state="failed") == ["R0"]
    assert await listed(producer="nobody") == []


async def test_a_preview_tells_what_would_be_ordered_and_writes_nothing(
    web: httpx.AsyncClient, redis: ArqRedis
) -> None:
    new = await web.post("/v1/preview", json=request())
    before = await redis.dbsize()
    run = (await web.post("/v1/runs", json=request())).json()
    known = (await web.post("/v1/preview", json=request())).json()

    assert (new.status_code, before) == (200, 0)
    assert {name: new.json()[name] for name in ("would", "run_id", "orders", "items")} == {
        "would": "order",
        "run_id": None,
        "orders": 1,
        "items": 1,
    }
    assert new.json()["hectares"] > 0
    assert (known["would"], known["run_id"]) == ("ordered before", run["run_id"])


async def test_a_preview_refuses_what_submitting_would(web: httpx.AsyncClient) -> None:
    await web.post("/v1/runs", json={**request(), "key": "taken"})

    wrong = await web.post("/v1/preview", json={**request(), "products": [{"item_type": "PSScene"}]})
    reused = await web.post("/v1/preview", json={**request(name="other"), "key": "taken"})

    assert wrong.status_code == 422
    assert all(error["field"].startswith("products") for error in wrong.json()["errors"])
    assert reused.status_code == 409


async def test_the_example_of_the_form_can_be_ordered(web: httpx.AsyncClient) -> None:
    page = (await web.get("/submit")).text
    example = page.partition('<pre id="example" hidden>')[2].partition("</pre>")[0]

    answer = await web.post("/v1/preview", json=json.loads(html.unescape(example)))

    assert (answer.status_code, answer.json()["items"]) == (200, 1)
