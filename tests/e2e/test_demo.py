"""`planet-orders demo`, as a customer sees it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes import processes_of
from tests.waiting import until

DEMO = [sys.executable, "-m", "worker", "demo"]

pytestmark = pytest.mark.timeout(300)


def make_environment(tmp_path: Path) -> dict[str, str]:
    """Settings of a fleet of the user's own, which the demo must not touch."""
    (tmp_path / ".env").write_text("REDIS_URL=redis://127.0.0.1:1/0\nORDERS_SLOTS=0\n")
    return {**os.environ, "REDIS_URL": "redis://127.0.0.1:1/0", "ORDERS_QUEUE_NAME": "mine", "PL_API_KEY": "mine"}


def run_demo(folder: Path) -> subprocess.CompletedProcess[str]:
    environment = make_environment(folder)
    return subprocess.run(DEMO, cwd=folder, env=environment, capture_output=True, text=True, timeout=280, check=False)


def start_demo(folder: Path, log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as output:
        return subprocess.Popen(DEMO, cwd=folder, env=make_environment(folder), stdout=output, stderr=output)


async def test_the_demo_delivers_24_verified_orders_and_leaves_no_process(tmp_path: Path) -> None:
    """Exit status 0, a line for each order, the mishaps it had on purpose, and nothing running afterwards."""
    done = run_demo(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "24 orders placed for 24 requests, 0 bought twice" in done.stdout
    assert "24 ok" in done.stdout
    assert "continued from the last byte" in done.stdout
    assert "1 create reply lost" in done.stdout
    assert len(list((tmp_path / ".demo" / "orders").glob("*/manifest.json"))) == 24
    assert done.stderr == ""
    await until("no process is left", lambda: not processes_of(tmp_path))


@pytest.mark.parametrize("after", ["Starting", "queued"])
async def test_an_interrupted_demo_leaves_no_process(tmp_path: Path, after: str) -> None:
    """At whatever moment: while it starts, and while orders travel."""
    log = tmp_path / "demo.log"
    demo = start_demo(tmp_path, log)
    await until(f"it says {after!r}", lambda: after in log.read_text(), deadline_s=90)
    for number in (signal.SIGINT, signal.SIGINT, signal.SIGTERM):  # somebody is impatient
        demo.send_signal(number)
    assert demo.wait(60) == 130
    assert "Traceback" not in log.read_text()
    await until("no process is left", lambda: not processes_of(tmp_path))


def test_a_folder_that_is_not_the_demos_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / ".demo").mkdir()
    mine = tmp_path / ".demo" / "mine.txt"
    mine.write_text("mine")
    done = run_demo(tmp_path)
    assert done.returncode == 2
    assert mine.read_text() == "mine"
    assert "left alone" in done.stderr


async def test_two_demos_do_not_share_a_folder(tmp_path: Path) -> None:
    log = tmp_path / "demo.log"
    demo = start_demo(tmp_path, log)
    await until("the first has begun", lambda: "Starting" in log.read_text(), deadline_s=90)
    assert "another demo is running" in run_demo(tmp_path).stderr
    demo.send_signal(signal.SIGTERM)
    assert demo.wait(60) == 130
    await until("no process is left", lambda: not processes_of(tmp_path))
