from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from redis import Redis

from jobs import keys
from tests.integration.cli.terminal import Command, Outcome
from worker.cli import main


@pytest.fixture
def empty_redis(redis_url: str) -> Iterator[Redis]:
    client: Redis = Redis.from_url(redis_url)
    client.flushall()
    yield client
    client.flushall()
    client.close()


@pytest.fixture
def command(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    empty_redis: Redis,
    redis_url: str,
) -> Command:
    """Runs `planet-orders` in an empty folder, on an empty Redis; `stdin` is what is piped in."""
    monkeypatch.chdir(tmp_path)
    for name in [each for each in os.environ if each.startswith(("ORDERS_", "PL_"))]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("COLUMNS", raising=False)  # as wide as a pipe
    monkeypatch.setenv("REDIS_URL", redis_url)

    def run(*arguments: str, stdin: str = "") -> Outcome:
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
            status = main(arguments)
        captured = capsys.readouterr()
        return Outcome(status, captured.out, captured.err)

    return run


@pytest.fixture
def runs(empty_redis: Redis) -> Callable[[], int]:
    """How many runs there are."""
    return lambda: int(str(empty_redis.zcard(keys.RUNS)))
