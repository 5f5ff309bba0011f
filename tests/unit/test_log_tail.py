"""The last log lines of a job: what is remembered, and what of it is written down."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from worker.log_tail import as_lines, collect_lines
from worker.logs import configure_logs

log = structlog.get_logger("worker.test")


@pytest.fixture(autouse=True)
def configured() -> Iterator[None]:
    """Logs as a worker has them, on a console, whose renderer takes events apart."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    configure_logs("INFO", "console", secrets=["hunter2hunter2"], stream=io.StringIO())
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


async def test_what_is_logged_inside_is_remembered_also_by_its_tasks_and_threads() -> None:
    log.info("before")
    with collect_lines() as tail, structlog.contextvars.bound_contextvars(run_id="R"):
        log.info("inside", number=1)
        await asyncio.create_task(asyncio.to_thread(log.warning, "in a thread"))
        logging.getLogger("planet_sdk").warning("of a library")
    log.info("after")

    lines = [json.loads(line) for line in as_lines(tail)]
    assert [line["event"] for line in lines] == ["inside", "in a thread", "of a library"]
    assert (lines[0]["number"], lines[0]["level"], lines[0]["run_id"]) == (1, "info", "R")


async def test_two_jobs_side_by_side_have_lines_of_their_own() -> None:
    async def job(name: str) -> list[str]:
        with collect_lines() as tail:
            log.info(name)
            await asyncio.sleep(0)
            log.info(name)
        return [json.loads(line)["event"] for line in as_lines(tail)]

    assert list(await asyncio.gather(job("a"), job("b"))) == [["a", "a"], ["b", "b"]]


def test_no_secret_is_remembered() -> None:
    with collect_lines() as tail:
        log.info("asked", link="https://planet.test/f?token=abc", password="x", text="hunter2hunter2")
    (line,) = as_lines(tail)
    assert "abc" not in line
    assert "hunter2" not in line
    assert json.loads(line)["password"] != "x"


def test_only_the_last_fifty_lines_are_kept_and_none_is_endless() -> None:
    with collect_lines() as tail:
        for number in range(80):
            log.info("line", number=number)
    assert [json.loads(line)["number"] for line in as_lines(tail)] == list(range(30, 80))

    with collect_lines() as tail:
        for number in range(50):
            log.info("line", number=number, text="x" * 100_000 + "end")
    lines = as_lines(tail)
    assert 0 < sum(map(len, lines)) <= 32_000
    assert json.loads(lines[-1])["number"] == 49
    assert json.loads(lines[-1])["text"].endswith("end")
