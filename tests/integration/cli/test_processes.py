"""Help, `config`, `check`, `worker` and `simulator`; and one request all the way, through processes of their own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from planet_sdk.simulator import Simulator, SimulatorSettings
from tests.integration.cli.terminal import Command, make_request
from tests.waiting import until

PLANET_ORDERS = [sys.executable, "-m", "worker"]
COMMANDS = [
    "demo",
    "submit",
    "status",
    "list",
    "watch",
    "cancel",
    "retry",
    "failed",
    "verify",
    "worker",
    "web",
    "simulator",
    "config",
    "check",
]


def start(*arguments: str, environment: dict[str, str], log: Path) -> subprocess.Popen[bytes]:
    """A `planet-orders` process in the folder of its log."""
    with log.open("wb") as output:
        return subprocess.Popen(
            [*PLANET_ORDERS, *arguments], cwd=log.parent, env=environment, stdout=output, stderr=output
        )


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    settings = SimulatorSettings(queued_s=0.1, running_s=0.1, rate_limits={})
    with Simulator(settings) as running:
        yield running


@pytest.fixture
def environment(redis_url: str, simulator: Simulator, tmp_path: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ORDERS_", "PL_"))}
    return {
        **kept,
        "REDIS_URL": redis_url,
        "PL_API_URL": simulator.url,
        "PL_API_KEY": simulator.api_key,
        "HOME": str(tmp_path),
        "ORDERS_HEALTH_INTERVAL_S": "0.2",
        "ORDERS_WAIT_CHECK_MIN_S": "0.2",
        "ORDERS_RETRY_BASE_S": "0.1",
    }


@pytest.fixture
def worker(environment: dict[str, str], tmp_path: Path, command: Command) -> Iterator[subprocess.Popen[bytes]]:
    """A worker process of its own, on the test's Redis and simulator."""
    process = start("worker", environment=environment, log=tmp_path / "worker.log")
    yield process
    process.terminate()
    assert process.wait(30) == 0


def test_help_names_every_command_and_every_exit_status(command: Command) -> None:
    text = command("--help").out
    for word in (*COMMANDS, "Examples:", "Exit status:", "130"):
        assert word in text
    assert command().out == text


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(command: Command, name: str) -> None:
    outcome = command(name, "--help")
    assert outcome.status == 0
    assert f"Usage: planet-orders {name}" in outcome.out


def test_help_and_completion_import_nothing_heavy() -> None:
    heavy = (
        "pydantic_settings",
        "httpx",
        "arq",
        "redis",
        "fastapi",
        "uvicorn",
        "numpy",
        "obstore",
        "rich.live",
        "honcho",
    )
    code = (
        "import sys; from worker.cli import main; main(['--help']); "
        f"print('HEAVY', [name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "HEAVY []"


def test_the_version_is_printed(command: Command) -> None:
    assert command("--version").out.startswith("planet-orders ")


def test_an_unknown_command_is_one_line(command: Command) -> None:
    outcome = command("sumbit")
    assert (outcome.status, outcome.out) == (2, "")
    assert len(outcome.err.splitlines()) == 1


def test_config_shows_every_setting_and_no_secret(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PL_API_KEY", "PLAK0123456789")
    monkeypatch.setenv("ORDERS_SLOTS", "7")
    lines = {line["variable"]: line for line in json.loads(command("config", "--json").out)}
    assert lines["ORDERS_SLOTS"]["value"] == "7"
    assert lines["ORDERS_SLOTS"]["origin"] == "environment (ORDERS_SLOTS)"
    table = command("config").out
    assert all(variable in table for variable in lines)
    assert "PLAK0123456789" not in table


def test_a_mistyped_setting_is_mentioned(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERS_SLOT", "7")
    assert "did you mean ORDERS_SLOTS" in command("list").err


def test_check_without_a_worker_fails_with_1(command: Command) -> None:
    outcome = command("check")
    assert outcome.status == 1
    assert "no worker is alive" in outcome.out


def test_check_without_redis_fails_with_3(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    outcome = command("check")
    assert outcome.status == 3
    assert "redis        FAILED" in outcome.out


def test_a_worker_without_a_key_does_not_start_and_says_how_to_mend_it(
    command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    outcome = command("worker")
    assert (outcome.status, outcome.out) == (2, "")
    assert "export PL_API_KEY=" in outcome.err
    assert len(outcome.err.splitlines()) == 1


def test_a_simulator_on_a_port_that_is_taken_says_so(command: Command) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        outcome = command("simulator", "--port", str(taken.getsockname()[1]))
    assert outcome.status == 2
    assert "in use" in outcome.err


def test_the_simulator_prints_its_address_and_ends_with_a_signal() -> None:
    process = subprocess.Popen(
        [*PLANET_ORDERS, "simulator", "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    with process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert httpx.get(f"{url}/_simulator/report").json()["orders"] == {}
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0


async def test_ctrl_c_while_waiting_says_that_the_runs_go_on(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "order.json").write_text(json.dumps(make_request()))
    log = tmp_path / "submit.log"
    process = start("submit", "order.json", "--wait", environment=environment, log=log)
    await until("the run is submitted", lambda: "No worker is alive" in log.read_text())
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130
    assert "What was submitted goes on" in log.read_text()
    assert "Traceback" not in log.read_text()


def test_a_request_goes_all_the_way_and_status_tells_its_story(
    command: Command, worker: subprocess.Popen[bytes], environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`submit --wait` returns when the files are at the destination, verified; `check` finds the fleet well."""
    for name in ("PL_API_URL", "PL_API_KEY"):
        monkeypatch.setenv(name, environment[name])
    submitted = command("submit", "--wait", "--timeout", "60s", "--json", stdin=json.dumps(make_request()))
    (entry,) = json.loads(submitted.out)
    assert (submitted.status, entry["state"], entry["error"]) == (0, "done", None)
    story = json.loads(command("status", entry["run_id"], "--json").out)
    assert story["files"]
    assert all(file["verified"] for file in story["files"])
    told = command("status", entry["run_id"]).out
    for word in ("creating", "waiting", "downloading", "validating", "done", "verified", story["order_id"]):
        assert word in told
    assert command("watch", entry["run_id"]).status == 0
    checked = command("check", "--planet")
    assert (checked.status, checked.out.count(" ok      ")) == (0, 4)
    checks = json.loads(command("check", "--planet", "--json").out)
    assert [(each["check"], each["ok"]) for each in checks] == [
        ("redis", True), ("workers", True), ("destination", True), ("planet", True)
    ]  # fmt: skip


def test_a_wrong_key_shows_in_the_runs_error_and_in_check(
    command: Command, environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment["PL_API_KEY"] = "wrong-key"
    for name in ("PL_API_URL", "PL_API_KEY"):
        monkeypatch.setenv(name, environment[name])
    process = start("worker", environment=environment, log=tmp_path / "worker.log")
    try:
        outcome = command("submit", "--wait", "--timeout", "60s", stdin=json.dumps(make_request()))
    finally:
        process.terminate()
        process.wait(30)
    assert outcome.status == 1
    assert "failed: " in outcome.err
    assert "401" in outcome.err or "key" in outcome.err
    (run_id,) = outcome.out.split()
    log = json.loads(command("status", run_id, "--json").out)["log"]
    assert (log[-1]["event"], log[-1]["run_id"], log[-1]["stage"]) == ("stage ended", run_id, "create")
    assert "last log lines" in command("status", run_id).out
    assert "planet       FAILED" in command("check", "--planet").out
