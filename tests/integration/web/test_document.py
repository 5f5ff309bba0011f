"""The HTTP API held against its own OpenAPI document, by schemathesis; `make schema` looks longer."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import httpx
import pytest
import schemathesis
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis
from schemathesis.core import NOT_SET
from schemathesis.core.result import Ok

from jobs import OrderQueue, keys
from jobs.connection import connect
from jobs.outcomes import Advance, Finish
from jobs.run import FileRecord, Stage, State
from tests.stage_rig import request
from tests.web_rig import served_by_thread
from worker.settings import Settings
from worker.web import create_app, list_pages, pages

from .conftest import Fleet

EXAMPLES = int(os.environ.get("SCHEMA_EXAMPLES", "10"))
APP = create_app(Settings(), "unix:///nowhere")  # for what it says of itself; it is not asked anything
PAGES = [route for route in [*pages.router.routes, *list_pages.router.routes] if isinstance(route, APIRoute)]
RUNS = ["QUEUED", "WAITING", "DONE", "FAILED"]
SUBMITTING = ["submit_run", "submit_batch", "preview_run"]
CONFIG: dict[str, Any] = {
    "seed": 6,
    "generation": {"deterministic": True, "max-examples": EXAMPLES},
    "dictionaries": {"runs": {"values": RUNS}, "batches": {"values": ["HARVEST"]}},
    "parameters": {
        "path.run_id": {"dictionary": "runs", "probability": 0.7},
        "path.batch_id": {"dictionary": "batches", "probability": 0.7},
        "query.batch_id": {"dictionary": "batches", "probability": 0.5},
    },
    "operations": [
        # No schema tells what Planet sells, nor that a key is given once.
        {"include-operation-id": SUBMITTING, "checks": {"positive_data_acceptance": {"enabled": False}}},
        # It is an answer, and not a fault, that no worker is alive.
        {"include-operation-id": "is_ready", "checks": {"not_a_server_error": {"expected-statuses": [200, 405, 503]}}},
        # Each request of a batch is checked by itself, and has its errors in its answer.
        {"include-operation-id": "submit_batch", "checks": {"negative_data_rejection": {"enabled": False}}},
    ],
}
"""What is asked, always the same; and where the document cannot say all that is wrong."""
BODIES: dict[str, Any] = {
    "POST /v1/runs": request(),
    "POST /v1/preview": request(),
    "POST /v1/batches": {"requests": [request()]},
}


DOCUMENT = schemathesis.openapi.from_dict(APP.openapi(), config=schemathesis.Config.from_dict(CONFIG))
OPERATIONS = [each.ok() for each in DOCUMENT.get_all_operations() if isinstance(each, Ok)]


@pytest.fixture(scope="module")
def address(valkey_socket: Path) -> Iterator[str]:
    """Where a web process answers that has a worker, a batch, and runs in several states to tell of."""
    url = f"unix://{valkey_socket}"
    asyncio.run(fill(url))
    with served_by_thread(url) as address:
        yield address


async def fill(redis_url: str) -> None:
    redis = await connect(redis_url)
    await redis.flushall()
    fleet = Fleet(redis)
    batches = OrderQueue(fleet.store).batches
    await batches.open("HARVEST", name="all fields", producer="nightly", key="harvest", callback_url=None)
    for run_id in RUNS:
        await fleet.submit(run_id, request=request(), producer="nightly", batch_id="HARVEST")
    await batches.close("HARVEST", requests=len(RUNS), refused=0, elsewhere=0)
    file = FileRecord(path="a.tif", size_bytes=3, verified=True)
    await fleet.move("WAITING", Advance(Stage.WAIT, "order created", {"order_id": "O1"}))
    await fleet.move("DONE", Finish(State.DONE, "verified", facts={"files_done": 1, "bytes_done": 3}), [file])
    await fleet.move("FAILED", Finish(State.FAILED, "no quota"))
    await fleet.report_worker(next_sign_s=600)
    await redis.aclose()


@pytest.fixture(scope="module")
def address_without_redis() -> Iterator[str]:
    with served_by_thread("unix:///nowhere") as address:
        yield address


@pytest.fixture
def token(valkey_socket: Path) -> Iterator[None]:
    """There is one: from now on each call needs it."""
    with Redis(unix_socket_path=str(valkey_socket)) as redis:
        redis.hset(keys.TOKENS, "d", '{"name": "n", "scopes": ["read"], "created_at": "2026-11-23T00:00:00+00:00"}')
        yield
        redis.delete(keys.TOKENS)


@DOCUMENT.parametrize()
def test_every_answer_is_one_that_the_document_tells(case: Any, address: str) -> None:
    """No 5xx; status, content type, headers and body as documented; what is wrong is refused, what is right taken."""
    case.call_and_validate(base_url=address)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.label)
def test_it_also_tells_of_the_answers_without_redis_and_without_a_token(
    operation: Any, address: str, address_without_redis: str, token: None
) -> None:
    case = operation.Case(
        path_parameters=dict.fromkeys(("run_id", "batch_id", "cause"), "DONE"),
        body=BODIES.get(operation.label, NOT_SET),
        media_type="application/json",
    )

    without_redis, without_token = [case.call(base_url=each) for each in (address_without_redis, address)]

    operation.validate_response(without_redis)
    operation.validate_response(without_token)
    assert without_redis.status_code == (200 if operation.path in {"/healthz", "/metrics"} else 503)
    assert (without_token.status_code == 401) is (operation.path not in {"/healthz", "/readyz"})


def queried(dependant: Dependant) -> Iterator[str]:
    """The names of all query parameters of a route."""
    yield from (each.alias for each in dependant.query_params)
    for below in dependant.dependencies:
        yield from queried(below)


@settings(max_examples=EXAMPLES * 2, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(route=st.sampled_from(PAGES), part=st.text(min_size=1) | st.sampled_from(RUNS), data=st.data())
def test_no_page_breaks_whatever_it_is_asked(route: APIRoute, part: str, data: st.DataObject, address: str) -> None:
    values = st.text() | st.sampled_from([*State, "1", "HARVEST", "nightly"])
    query = data.draw(st.fixed_dictionaries({}, optional=dict.fromkeys(queried(route.dependant), values)))
    path = re.sub(r"{\w+}", quote(part, safe=""), route.path)

    answer = httpx.get(f"{address}{path}?{urlencode(query)}", headers={"Accept": "text/html"})

    assert answer.status_code in {200, 404, 422}, answer.text
