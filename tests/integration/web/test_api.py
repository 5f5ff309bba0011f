"""The JSON API, for reading."""

from __future__ import annotations

import json
import re
from typing import Any

import httpx
import pytest

from jobs import keys
from jobs.outcomes import Advance, Finish
from jobs.run import FileRecord, Stage, State

from .conftest import Fleet

PROBLEM = "application/problem+json"


async def read_all(web: httpx.AsyncClient, **params: Any) -> list[str]:
    run_ids: list[str] = []
    while True:
        page = (await web.get("/v1/runs", params=params)).json()
        run_ids += [run["run_id"] for run in page["runs"]]
        if page["next"] is None:
            return run_ids
        params["before"] = page["next"]


async def test_runs_are_listed_newest_first(web: httpx.AsyncClient, fleet: Fleet) -> None:
    for run_id in ("R1", "R2", "R3"):
        await fleet.submit(run_id)

    page = (await web.get("/v1/runs", params={"limit": 2})).json()

    assert [run["run_id"] for run in page["runs"]] == ["R3", "R2"]
    assert page["runs"][0]["state"] == "queued"
    assert page["next"]


@pytest.mark.parametrize("limit", [1, 3, 4, 100])
async def test_paging_shows_every_run_once_even_if_all_came_in_one_millisecond(
    web: httpx.AsyncClient, fleet: Fleet, limit: int
) -> None:
    run_ids = [f"R{number}" for number in range(7)]
    for run_id in run_ids:
        await fleet.submit(run_id)
    await fleet.redis.zadd(keys.RUNS, dict.fromkeys(run_ids, 1_795_000_000_000))

    assert await read_all(web, limit=limit) == run_ids[::-1]


async def test_paging_goes_on_when_the_last_run_of_a_page_has_left_the_state(
    web: httpx.AsyncClient, fleet: Fleet
) -> None:
    for run_id in ("R1", "R2", "R3"):
        await fleet.submit(run_id)
    first = (await web.get("/v1/runs", params={"state": "queued", "limit": 2})).json()
    await fleet.move("R2", Finish(State.FAILED, "no"))

    assert await read_all(web, state="queued", before=first["next"]) == ["R1"]


async def test_runs_that_are_no_longer_kept_are_left_out(web: httpx.AsyncClient, fleet: Fleet) -> None:
    for run_id in ("R1", "R2", "R3"):
        await fleet.submit(run_id)
    await fleet.redis.delete(keys.run("R2"), keys.history("R2"))

    assert await read_all(web, limit=1) == ["R3", "R1"]


async def test_a_run_comes_with_its_history_its_files_and_its_request(web: httpx.AsyncClient, fleet: Fleet) -> None:
    await fleet.submit("R1", request={"name": "field", "products": []})
    file = FileRecord(path="a.tif", size_bytes=3, verified=True)
    await fleet.move("R1", Advance(Stage.WAIT, "order created", {"order_id": "O1"}), [file])

    run = (await web.get("/v1/runs/R1")).json()

    assert (run["state"], run["order_id"], run["request"]) == ("waiting", "O1", {"name": "field", "products": []})
    assert [line["reason"] for line in run["history"]] == ["submitted", "started", "order created"]
    assert [(file["path"], file["verified"]) for file in run["files"]] == [("a.tif", True)]
    assert "fingerprint" not in run


async def test_an_unknown_run_is_a_problem_document(web: httpx.AsyncClient) -> None:
    answer = await web.get("/v1/runs/nobody", headers={"Accept": "text/html"})

    assert (answer.status_code, answer.headers["content-type"]) == (404, PROBLEM)
    problem = answer.json()
    assert (problem["title"], problem["status"], problem["instance"]) == ("Not Found", 404, "/v1/runs/nobody")
    assert "nobody" in problem["detail"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("limit", "0"),
        ("limit", "501"),
        ("limit", "x"),
        ("state", "lost"),
        ("before", "yesterday"),
        ("before", "9" * 99),
    ],
)
async def test_a_wrong_parameter_is_named(web: httpx.AsyncClient, name: str, value: str) -> None:
    answer = await web.get("/v1/runs", params={name: value})

    assert (answer.status_code, answer.headers["content-type"]) == (422, PROBLEM)
    assert [error["field"] for error in answer.json()["errors"]] == [name]


async def test_an_empty_parameter_counts_as_none(web: httpx.AsyncClient, fleet: Fleet) -> None:
    await fleet.submit("R1")

    assert await read_all(web, before="", state="") == ["R1"]


async def test_the_api_is_told_to_people_without_anything_from_elsewhere(web: httpx.AsyncClient) -> None:
    page = await web.get("/docs")
    document = (await web.get("/openapi.json")).json()

    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    for path, operations in document["paths"].items():
        assert path in page.text
        assert all(f'id="{operation["operationId"]}"' in page.text for operation in operations.values())
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', page.text)


async def test_another_method_is_answered_with_those_there_are(web: httpx.AsyncClient) -> None:
    answer = await web.delete("/v1/runs")

    assert (answer.status_code, answer.headers["content-type"]) == (405, PROBLEM)
    assert answer.headers["allow"] == "GET, POST"


async def test_head_is_answered_as_get_without_the_body(web: httpx.AsyncClient) -> None:
    for path in ("/", "/healthz", "/v1/runs"):
        answer = await web.head(path)
        assert (answer.status_code, answer.content) == (200, b"")


async def test_the_openapi_document_names_every_operation_and_every_reference_in_it_leads_somewhere(
    web: httpx.AsyncClient,
) -> None:
    document = (await web.get("/openapi.json")).json()
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    references = re.findall(r'"\$ref": "#/components/schemas/([^"]+)"', json.dumps(document))

    assert {operation["operationId"] for operation in operations} == {
        "cancel_batch",
        "cancel_run",
        "get_batch",
        "get_batch_summary",
        "get_fleet",
        "get_history",
        "get_log",
        "get_map",
        "get_metrics",
        "get_quicklook",
        "get_run",
        "is_alive",
        "is_ready",
        "list_batches",
        "list_failures",
        "list_files",
        "list_runs",
        "preview_run",
        "retry_batch",
        "retry_failures",
        "retry_run",
        "submit_batch",
        "submit_run",
    }
    assert "$defs" not in json.dumps(document)
    assert set(references) <= set(document["components"]["schemas"])
