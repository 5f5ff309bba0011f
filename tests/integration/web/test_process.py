"""The web process itself: where it listens, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import httpx
import pytest
from structlog.testing import capture_logs

from worker.settings import Settings
from worker.web import run_web
from worker.web.server import _listen

_MAIN = """
import sys
from worker.logs import configure_logs
from worker.settings import Settings
from worker.web import run_web
configure_logs(log_format="json")
sys.exit(run_web(Settings(web_host="127.0.0.1", web_port=0), sys.argv[1]))
"""


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[list[subprocess.Popen[str]]]:
    """Processes that are killed at the end if they still run."""
    started: list[subprocess.Popen[str]] = []
    yield started
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait()
        if process.stderr:
            process.stderr.close()


def start(launch: list[subprocess.Popen[str]], folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", _MAIN, f"unix://{folder}/no-redis"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ORDERS_", "PORT"))}
    root = Path(__file__).parents[3]
    process = subprocess.Popen(
        command, cwd=folder, env=environment | {"PYTHONPATH": str(root)}, stderr=subprocess.PIPE, text=True
    )
    launch.append(process)
    return process


def first_line(stream: IO[str] | None) -> dict[str, str]:
    assert stream
    line: dict[str, str] = json.loads(stream.readline())
    return line


def test_it_says_where_it_listens_and_ends_with_status_0_at_a_signal(
    launch: list[subprocess.Popen[str]], tmp_path: Path
) -> None:
    """Port 0 is a free port, whose number the log tells; Redis is not needed for any of it."""
    signals = [signal.SIGTERM, signal.SIGINT]
    processes = [start(launch, tmp_path) for _ in signals]  # side by side: starting takes the time

    for process, number in zip(processes, signals, strict=True):
        said = first_line(process.stderr)
        assert said["event"] == "web process listening"
        assert httpx.get(said["url"] + "healthz").status_code == 200
        assert httpx.get(said["url"] + "readyz").status_code == 503
        process.send_signal(number)
        assert process.wait(30) == 0


def test_an_answer_does_not_wait_for_the_acknowledgement_of_its_first_half() -> None:
    """Headers and body are two writes: with Nagle's algorithm, each answer on a kept connection took 40 ms more."""
    with _listen("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_taken_port_is_one_clear_line_and_status_3() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, capture_logs() as lines:
        port = taken.getsockname()[1]
        assert run_web(Settings(web_host="127.0.0.1", web_port=port), "unix:///nowhere") == 3

    (line,) = lines
    assert "ORDERS_WEB_PORT" in line["event"]
    assert line["port"] == port


def test_a_host_name_that_does_not_exist_is_one_clear_line_and_status_3() -> None:
    with capture_logs() as lines:
        assert run_web(Settings(web_host="no such host", web_port=0), "unix:///nowhere") == 3

    assert [line["host"] for line in lines] == ["no such host"]
