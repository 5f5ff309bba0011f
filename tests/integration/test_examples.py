"""The examples and the snippets of the guide do what they say, against a simulated Planet."""

from __future__ import annotations

import ast
import getpass
import inspect
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType
from typing import Any

import httpx
import pytest

from planet_sdk import OrdersClient
from planet_sdk.simulator import Simulator, SimulatorSettings
from tests.waiting import wait_until
from worker.demo.premises import find_free_port

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
PLANET_ORDERS = [sys.executable, "-m", "worker"]


@pytest.fixture
def planet() -> Iterator[Simulator]:
    with Simulator(SimulatorSettings(queued_s=0, running_s=0, activation_s=0, rate_limits={})) as simulator:
        yield simulator


@pytest.fixture
def environment(planet: Simulator, tmp_path: Path) -> dict[str, str]:
    """What a user of the simulator has set, and nothing that this machine's user has."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("ORDERS_", "PL_", "REDIS"))}
    ours = {"PL_API_URL": planet.url, "PL_API_KEY": planet.api_key, "HOME": str(tmp_path)}
    return inherited | ours | {"ORDERS_WAIT_CHECK_MIN_S": "0.2"}


def run_script(
    name: str, *arguments: str, folder: Path, environment: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, EXAMPLES / name, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


@contextmanager
def one_worker(folder: Path, environment: dict[str, str]) -> Iterator[None]:
    """A worker process of that folder's private Valkey."""
    with subprocess.Popen([*PLANET_ORDERS, "worker"], cwd=folder, env=environment, stderr=subprocess.DEVNULL) as worker:
        try:
            yield
        finally:
            worker.send_signal(signal.SIGTERM)
            worker.wait(timeout=30)


def check_the_one_order(folder: Path) -> None:
    """Below the folder lies one order, with all that its manifest promises."""
    (manifest,) = folder.glob("*/manifest.json")
    OrdersClient.validate_checksum(manifest.parent, "sha256")


def read_snippets(page: str) -> list[CodeType]:
    """The Python blocks of a page, ready to run; a traceback names the page and the line."""
    text = (ROOT / page).read_text(encoding="utf-8")
    blocks = re.finditer(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    padded = ["\n" * text[: block.start(1)].count("\n") + block[1] for block in blocks]
    return [compile(source, page, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT) for source in padded]


async def run_snippet(snippet: CodeType, namespace: dict[str, Any]) -> None:
    running = eval(snippet, namespace)  # exec would drop the coroutine
    if inspect.isawaitable(running):
        await running


async def test_the_snippets_of_the_guide_run_in_their_order(
    planet: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Top to bottom in one namespace, as a reader would type them; in the end the files are there."""
    login = planet.settings.logins[0]
    monkeypatch.setattr(getpass, "getpass", lambda: login.password)
    monkeypatch.chdir(tmp_path)
    for name, value in (("HOME", str(tmp_path)), ("PL_API_URL", planet.url), ("PL_API_KEY", planet.api_key)):
        monkeypatch.setenv(name, value)
    namespace: dict[str, Any] = {"input": lambda _: login.email}

    for snippet in read_snippets("docs/sdk.md"):
        await run_snippet(snippet, namespace)

    assert namespace["state"] == "success"
    assert all(path.is_file() for path in [*namespace["paths"], namespace["path"]])
    assert namespace["same_name"] != []
    assert namespace["scene"].read_bytes() == (tmp_path / "scenes" / "copy.tif").read_bytes()
    assert len(namespace["items"]) == 10
    assert namespace["again"]["features"] == namespace["items"]
    assert namespace["names"] == ["clear_june"]
    assert namespace["seen"] == ["active"]


async def test_the_readme_shows_an_order_with_the_sdk_alone(
    planet: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PL_API_URL", planet.url)
    monkeypatch.setenv("PL_API_KEY", planet.api_key)
    request = json.loads((EXAMPLES / "order.json").read_text(encoding="utf-8"))

    _, with_the_sdk = read_snippets("README.md")
    await run_snippet(with_the_sdk, {"request": request})

    check_the_one_order(tmp_path / "imagery")


def test_the_example_of_the_sdk_delivers_verified_files(tmp_path: Path, environment: dict[str, str]) -> None:
    done = run_script("sdk_download.py", "here", folder=tmp_path, environment=environment)

    assert done.returncode == 0, done.stderr
    paths = [tmp_path / line for line in done.stdout.splitlines()]
    assert len(paths) == 9
    assert all(path.is_file() for path in paths)
    check_the_one_order(tmp_path / "here")


def test_the_example_of_the_sdk_says_in_one_line_what_is_wrong(tmp_path: Path, environment: dict[str, str]) -> None:
    done = run_script("sdk_download.py", folder=tmp_path, environment=environment | {"PL_API_KEY": "nobody's"})

    assert done.returncode == 1
    assert "InvalidAPIKey" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_example_of_a_producer_buys_once_however_often_it_is_run(
    planet: Simulator, tmp_path: Path, environment: dict[str, str]
) -> None:
    """A good request and a bad one: the good one comes home, the bad one is named; the second time buys nothing."""
    bad = tmp_path / "bad.json"
    bad.write_text(json.dumps({"name": "bad", "products": []}))
    files = [str(EXAMPLES / "order.json"), str(bad)]

    with one_worker(tmp_path, environment):
        first = run_script("producer.py", *files, folder=tmp_path, environment=environment)
        second = run_script("producer.py", *files, folder=tmp_path, environment=environment)

    assert first.stdout.count("verified") == 9, first.stderr
    assert "bad.json: products" in first.stderr
    assert first.returncode == 1, "one of the two did not come home"
    assert second.stdout == first.stdout
    assert len(planet.report().orders) == 1


def test_the_example_of_a_batch_sums_it_up_and_buys_once_however_often_it_is_run(
    planet: Simulator, tmp_path: Path, environment: dict[str, str]
) -> None:
    order = json.loads((EXAMPLES / "order.json").read_text(encoding="utf-8"))
    files = [tmp_path / name for name in ("one.json", "two.json", "bad.json")]
    for path, request in zip(files, [order, {**order, "name": "again"}, {"name": "bad"}], strict=True):
        path.write_text(json.dumps(request))

    with one_worker(tmp_path, environment):
        arguments = ["harvest", *map(str, files)]
        first = run_script("batch.py", *arguments, folder=tmp_path, environment=environment)
        second = run_script("batch.py", *arguments, folder=tmp_path, environment=environment)

    assert first.stdout.splitlines()[0] == "2 done", first.stderr
    assert "bad.json: products" in first.stderr
    assert first.returncode == 1, "one of the three did not come home"
    assert second.stdout == first.stdout
    assert len(planet.report().orders) == 2


def test_the_example_of_a_web_application_submits_and_tells(
    planet: Simulator, tmp_path: Path, environment: dict[str, str]
) -> None:
    """Over WSGI and without an event loop: the same key is the same run, and the files come home."""
    server = [sys.executable, str(EXAMPLES / "wsgi_app.py"), "0"]
    with (
        one_worker(tmp_path, environment),
        subprocess.Popen(server, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True) as serving,
        httpx.Client(base_url=(serving.stdout or sys.stdin).readline().strip(), timeout=60) as web,
    ):
        order, key = json.loads((EXAMPLES / "order.json").read_text(encoding="utf-8")), {"Idempotency-Key": "field-7"}
        answers = [web.post("/orders", json=order, headers=key) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [201, 200]
        assert answers[0].json() == answers[1].json()
        assert web.post("/orders", json={**order, "name": "other"}, headers=key).status_code == 409
        assert "products" in web.post("/orders", json={"name": "bad"}).json()["error"]
        run = f"/orders/{answers[0].json()['run_id']}"
        wait_until("the run is done", lambda: web.get(run).json()["state"] == "done")
        assert len(web.get(run).json()["files"]) == 9
        serving.send_signal(signal.SIGINT)
        assert serving.wait(timeout=30) == 0


def test_the_example_of_a_management_command_may_be_run_again_and_again(
    planet: Simulator, tmp_path: Path, environment: dict[str, str]
) -> None:
    def run(*arguments: str) -> list[list[str]]:
        done = run_script("management_command.py", *arguments, folder=tmp_path, environment=environment)
        assert done.returncode == 0, done.stderr
        return [line.split("\t") for line in done.stdout.splitlines()]

    bad = tmp_path / "bad.json"
    bad.write_text(json.dumps({"name": "bad", "products": []}))
    with one_worker(tmp_path, environment):
        ((_, run_id, *_), (*_, problem)) = run("fields.sqlite", str(EXAMPLES / "order.json"), str(bad))
        assert "products" in problem
        wait_until("the run is done", lambda: run("fields.sqlite")[0] == ["1", run_id, "done", "-"])
    assert len(planet.report().orders) == 1


@pytest.fixture
def web(environment: dict[str, str], tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of a program that uses the HTTP API of a fleet with one worker, with a token."""
    url = f"http://127.0.0.1:{(port := find_free_port())}"
    more = environment | {"ORDERS_WEB_PORT": str(port)}
    serving = [*PLANET_ORDERS, "web"]
    with (
        one_worker(tmp_path, environment),
        subprocess.Popen(serving, cwd=tmp_path, env=more, stderr=subprocess.DEVNULL) as process,
    ):
        token = [*PLANET_ORDERS, "token", "create", "an example", "--scope", "submit", "--scope", "read"]
        made = subprocess.run(token, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
        wait_until("the web process answers", lambda: answers(url))
        yield environment | {"ORDERS_URL": url, "ORDERS_TOKEN": made.stdout.strip(), "ORDERS_PAUSE_S": "0.2"}
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz").is_success
    except httpx.TransportError:
        return False


@pytest.mark.parametrize(
    "program",
    [
        pytest.param(
            ["node", "submit.mjs"],
            marks=pytest.mark.skipif(not shutil.which("node"), reason="no node here: install nodejs, 18 or newer"),
        ),
        pytest.param(["sh", "submit.sh"], marks=pytest.mark.skipif(not shutil.which("curl"), reason="no curl here")),
    ],
    ids=["JavaScript", "shell"],
)
def test_the_examples_over_http_buy_once_however_often_they_are_run(
    planet: Simulator, tmp_path: Path, web: dict[str, str], program: list[str]
) -> None:
    """They tell the run's end and its files; a refused request is named by its field."""
    bad = tmp_path / "bad.json"
    bad.write_text(json.dumps({"name": "bad", "products": []}))

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [program[0], str(EXAMPLES / program[1]), *arguments]
        return subprocess.run(command, cwd=tmp_path, env=web, capture_output=True, text=True, timeout=90, check=False)

    first, second = (run("field-7", str(EXAMPLES / "order.json")) for _ in range(2))
    refused = run("field-8", str(bad))

    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert first.stdout.splitlines()[1:] == second.stdout.splitlines()[1:]
    assert first.stdout.splitlines()[1].endswith("  done")
    assert len(first.stdout.splitlines()) == 2 + 9
    assert refused.returncode != 0
    assert "products" in refused.stderr
    assert len(planet.report().orders) == 1
