"""Tokens for machines, against a token service and an API of its own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qs

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from planet_sdk import Auth, Session
from planet_sdk.exceptions import AuthException, InvalidAPIKey, RequestError
from planet_sdk.limits import LocalLimiter
from planet_sdk.oauth import OAuthM2M
from planet_sdk.retry import RetryPolicy
from tests.waiting import until


class Service:
    """Makes tokens, and an API that takes only the newest."""

    def __init__(self) -> None:
        self.url = ""
        self.tokens: list[str] = []
        self.forms: list[dict[str, list[str]]] = []
        self.answer: dict[str, object] | None = None
        self.refusals: list[int] = []
        self.posts = 0

    async def token(self, request: Request) -> Response:
        self.forms.append(parse_qs((await request.body()).decode()))
        if self.refusals:
            return Response(status_code=self.refusals.pop(0))
        self.tokens.append(f"token-{len(self.tokens) + 1}")
        return JSONResponse(self.answer or {"access_token": self.tokens[-1], "expires_in": 3600})

    async def api(self, request: Request) -> Response:
        self.posts += request.method == "POST"
        if request.headers.get("authorization") != f"Bearer {self.tokens[-1] if self.tokens else ''}":
            return Response(status_code=401)
        return JSONResponse({"ok": True})

    def app(self) -> Starlette:
        return Starlette(
            routes=[Route("/token", self.token, methods=["POST"]), Route("/api", self.api, methods=["GET", "POST"])]
        )


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    service = Service()
    server = uvicorn.Server(uvicorn.Config(service.app(), port=0, log_config=None, lifespan="off"))
    serving = asyncio.create_task(server.serve())
    await until("the service listens", lambda: server.started)
    service.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    yield service
    server.should_exit = True
    await serving


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def session(service: Service, clock: Clock) -> AsyncIterator[Session]:
    auth = OAuthM2M("machine", "its-secret", token_url=f"{service.url}/token", clock=clock)
    retry = RetryPolicy(max_tries=3, base_s=0.001, cap_s=0.001)
    async with Session(auth, base_url=service.url, limiter=LocalLimiter({}), retry=retry) as session:
        yield session


async def test_one_token_serves_all_requests_of_a_session(service: Service, session: Session) -> None:
    await asyncio.gather(*(session.request("GET", f"{service.url}/api") for _ in range(20)))

    assert service.tokens == ["token-1"]
    assert service.forms[0]["grant_type"] == ["client_credentials"]
    assert service.forms[0]["audience"] == ["https://api.planet.com/"]


async def test_a_token_is_renewed_before_it_ends(service: Service, session: Session, clock: Clock) -> None:
    await session.request("GET", f"{service.url}/api")
    clock.now = 3600 - 61
    await session.request("GET", f"{service.url}/api")
    assert len(service.tokens) == 1
    clock.now = 3600 - 59
    await session.request("GET", f"{service.url}/api")
    assert len(service.tokens) == 2


async def test_a_token_that_is_refused_is_replaced_once(service: Service, session: Session) -> None:
    await session.request("GET", f"{service.url}/api")
    service.tokens.append("revoked elsewhere")
    await session.request("GET", f"{service.url}/api")
    assert len(service.forms) == 2


async def test_credentials_that_are_refused_say_so(service: Service, session: Session) -> None:
    service.refusals = [401]
    with pytest.raises(AuthException, match="machine were refused"):
        await session.request("GET", f"{service.url}/api")


@pytest.mark.parametrize(
    "answer", [{"token": "x"}, {"access_token": "x", "expires_in": "soon"}, {"access_token": "x\n"}]
)
async def test_an_answer_without_a_usable_token_says_so(
    service: Service, session: Session, answer: dict[str, object]
) -> None:
    service.answer = answer
    with pytest.raises(AuthException, match="access token"):
        await session.request("GET", f"{service.url}/api")


async def test_a_post_waits_for_a_token_service_in_trouble(service: Service, session: Session) -> None:
    """Without a token nothing was sent, so even a POST may be tried again."""
    service.refusals = [503, 503]
    await session.request("POST", f"{service.url}/api", json={})
    assert service.posts == 1


async def test_a_token_service_that_stays_away_is_told_apart_from_a_lost_post(
    service: Service, session: Session, clock: Clock
) -> None:
    service.refusals = [503] * 3
    with pytest.raises(RequestError) as caught:
        await session.request("POST", f"{service.url}/api", json={})
    assert not caught.value.may_have_reached
    assert service.posts == 0


async def test_an_api_that_refuses_every_token_is_an_invalid_key(service: Service, session: Session) -> None:
    service.answer = {"access_token": "never-the-newest", "expires_in": 3600}
    with pytest.raises(InvalidAPIKey):
        await session.request("GET", f"{service.url}/api")


async def test_neither_secret_nor_token_is_logged(
    service: Service, session: Session, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    await session.request("GET", f"{service.url}/api")
    assert "its-secret" not in caplog.text + repr(Auth.from_oauth_m2m("machine", "its-secret"))
    assert "token-1" not in caplog.text


def test_a_session_finds_the_machine_s_credentials_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PL_API_KEY", raising=False)
    monkeypatch.setenv("PL_AUTH_CLIENT_ID", "machine")
    monkeypatch.setenv("PL_AUTH_CLIENT_SECRET", "its-secret")
    assert isinstance(Session()._auth, OAuthM2M)

    monkeypatch.delenv("PL_AUTH_CLIENT_SECRET")
    with pytest.raises(AuthException, match="PL_AUTH_CLIENT_SECRET"):
        Session()


def test_client_credentials_are_not_stored_where_nobody_would_find_them(tmp_path: Path) -> None:
    with pytest.raises(AuthException, match="PL_AUTH_CLIENT_ID"):
        Auth.from_oauth_m2m("machine", "its-secret").write(tmp_path / "secrets.json")
    assert list(tmp_path.iterdir()) == []
