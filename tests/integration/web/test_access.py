"""Who may do what: tokens with scopes, and without any, only this machine, and it says so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from arq.connections import ArqRedis
from structlog.testing import capture_logs

from jobs import keys
from tests.stage_rig import request
from tests.web_rig import served
from worker.settings import Settings
from worker.tokens import Scope, create_token, find_token, list_tokens, revoke_token
from worker.web import run_web

from .conftest import Fleet

ALL = list(Scope)
CALLS = {
    Scope.READ: [
        ("GET", "/"),
        ("HEAD", "/"),
        ("GET", "/v1/runs"),
        ("GET", "/v1/runs/R1"),
        ("GET", "/v1/runs/R1/files"),
        ("GET", "/runs/R1"),
        ("GET", "/openapi.json"),
    ],
    Scope.SUBMIT: [("POST", "/v1/runs")],
    Scope.OPERATE: [("POST", "/v1/runs/R1/cancel"), ("POST", "/v1/runs/R1/retry")],
}


@pytest.fixture
async def web(redis: ArqRedis, redis_url: str) -> AsyncIterator[httpx.AsyncClient]:
    async with served(redis_url) as client:
        yield client


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def test_a_token_does_what_its_scope_allows_and_nothing_else(web: httpx.AsyncClient, fleet: Fleet) -> None:
    await fleet.submit("R1")
    tokens = {scope: await create_token(fleet.redis, f"for {scope}", [scope]) for scope in ALL}

    for needed, calls in CALLS.items():
        for method, path in calls:
            for scope, token in tokens.items():
                answer = await web.request(method, path, headers=bearer(token))
                assert (answer.status_code == 403) is (scope is not needed), (method, path, scope)
                if scope is not needed and path.startswith("/v1/"):
                    assert f"has no scope '{needed}'" in answer.json()["detail"]


@pytest.mark.parametrize(
    "shown", ["", "Bearer", "Bearer x", "Basic", "Basic %%%", "Basic Og==", "Digest a", "Bearer \xff"]
)
async def test_without_a_token_that_is_known_nothing_is_answered(
    web: httpx.AsyncClient, fleet: Fleet, shown: str
) -> None:
    await create_token(fleet.redis, "somebody", ALL)
    headers = [(b"Authorization", shown.encode("latin-1"))] if shown else []

    for method, path in [*CALLS[Scope.READ], *CALLS[Scope.SUBMIT], *CALLS[Scope.OPERATE], ("GET", "/nowhere")]:
        answer = await web.request(method, path, headers=headers)
        assert answer.status_code == 401, (method, path)
        assert answer.headers["www-authenticate"].startswith("Bearer")
    assert [(await web.get(path)).status_code for path in ("/healthz", "/readyz", "/static/page.css")] == [
        200,
        503,
        200,
    ]


async def test_a_browser_may_show_a_token_as_its_password(web: httpx.AsyncClient, fleet: Fleet) -> None:
    token = await create_token(fleet.redis, "a person", [Scope.READ])

    assert (await web.get("/", auth=("anything", token))).status_code == 200


async def test_a_revoked_token_is_refused_from_that_moment_on(web: httpx.AsyncClient, fleet: Fleet) -> None:
    kept, taken_back = [await create_token(fleet.redis, name, ALL) for name in ("kept", "taken back")]
    (token_id,) = [token.id for token in await list_tokens(fleet.redis) if token.name == "taken back"]

    assert (await web.get("/v1/runs", headers=bearer(taken_back))).status_code == 200
    await revoke_token(fleet.redis, token_id)
    assert (await web.get("/v1/runs", headers=bearer(taken_back))).status_code == 401
    assert (await web.get("/v1/runs", headers=bearer(kept))).status_code == 200


async def test_redis_holds_no_token(fleet: Fleet) -> None:
    token = await create_token(fleet.redis, "somebody", ALL)

    records = await fleet.redis.hgetall(keys.TOKENS)  # type: ignore[misc]  # redis-py types both kinds of client at once
    assert token not in str(records)
    assert await find_token(fleet.redis, token) == (await list_tokens(fleet.redis))[0]


async def test_the_history_names_whose_token_it_was(web: httpx.AsyncClient, fleet: Fleet) -> None:
    await fleet.submit("R1")
    token = await create_token(fleet.redis, "night shift", [Scope.OPERATE])

    await web.post("/v1/runs/R1/cancel", headers=bearer(token))

    assert (await fleet.store.history("R1"))[-1].worker == "night shift"


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "", "[", "localhost@e"]
)
async def test_without_tokens_a_page_whose_name_was_led_here_gets_nothing(
    web: httpx.AsyncClient, fleet: Fleet, host: str
) -> None:
    for method, path in [*CALLS[Scope.READ], *CALLS[Scope.SUBMIT]]:
        answer = await web.request(method, path, headers={"Host": host}, json=request())
        assert answer.status_code in {400, 421}, (method, path)
    assert await fleet.redis.zcard(keys.RUNS) == 0


async def test_this_machine_and_the_public_name_are_answered(redis: ArqRedis, redis_url: str) -> None:
    public = {"public_url": "https://orders.example.com", "webhook_secret": "a-secret-of-16-characters"}
    async with served(redis_url, **public) as web:
        for host in ("localhost:1", "127.0.0.1", "[::1]:80", "orders.example.com"):
            assert (await web.get("/v1/runs", headers={"Host": host})).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": "http://other.localhost"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://["},
    ],
)
async def test_a_page_of_another_site_cannot_use_what_the_browser_knows(
    web: httpx.AsyncClient, fleet: Fleet, headers: dict[str, str]
) -> None:
    """Not a browser on this machine while it is open, and not one that has a token."""
    await fleet.submit("R1")
    for path in ("/v1/runs", "/v1/runs/R1/cancel"):
        assert (await web.post(path, headers=headers)).status_code == 403
    token = await create_token(fleet.redis, "a person", ALL)
    assert (await web.post("/v1/runs/R1/cancel", headers=headers, auth=("", token))).status_code == 403
    own = {"Sec-Fetch-Site": "same-origin", "Origin": "https://behind-a-proxy.example"}
    assert (await web.post("/v1/runs/R1/cancel", headers=own, auth=("", token))).status_code == 200


async def test_elsewhere_than_on_loopback_it_does_not_start_without_tokens(redis: ArqRedis, redis_url: str) -> None:
    with capture_logs() as lines:
        settings = Settings(web_host="0.0.0.0", web_port=0)
        assert await asyncio.to_thread(run_web, settings, redis_url) == 2

    (line,) = lines
    assert "planet-orders token create" in line["event"]
