"""The simulator as a process: its own endpoints, its webhooks, its start and its end."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from planet_sdk.simulator import Simulator, SimulatorSettings
from tests.waiting import wait_until

REQUEST: dict[str, Any] = {
    "name": "order",
    "products": [{"item_ids": ["a"], "item_type": "PSScene", "product_bundle": "visual"}],
}
SERVE = """
from planet_sdk.simulator import SimulatorSettings, serve
serve(SimulatorSettings(), port=0, on_start=lambda url: print(url, flush=True))
print("stopped", flush=True)
"""


SETTINGS = SimulatorSettings(queued_s=1000, running_s=1000, rate_limits={}, scene_size_px=16)


@pytest.fixture
def control(simulator: Simulator) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{simulator.url}/_simulator") as client:
        yield client


def create_order(simulator: Simulator, **request: Any) -> str:
    url = f"{simulator.url}/compute/ops/orders/v2"
    order_id: str = httpx.post(url, json={**REQUEST, **request}, auth=(simulator.api_key, "")).json()["id"]
    return order_id


def state_of(simulator: Simulator, order_id: str) -> str:
    url = f"{simulator.url}/compute/ops/orders/v2/{order_id}"
    state: str = httpx.get(url, auth=(simulator.api_key, "")).json()["state"]
    return state


def test_faults_are_added_listed_and_cleared(simulator: Simulator, control: httpx.Client) -> None:
    body = [{"kind": "error", "endpoint": "list", "status": 502}, {"kind": "cut_body", "subject": "*.tif"}]

    assert control.post("/faults", json=body).json() == {"waiting": 2}
    assert [fault["kind"] for fault in control.get("/faults").json()] == ["error", "cut_body"]
    assert httpx.get(f"{simulator.url}/compute/ops/orders/v2", auth=(simulator.api_key, "")).status_code == 502
    assert control.delete("/faults").json() == {"waiting": 0}


def test_a_plan_is_set(simulator: Simulator, control: httpx.Client) -> None:
    control.put("/plan", json={"seed": 1, "rates": {"drop_request": 1.0}, "at_most": 1})

    with pytest.raises(httpx.ReadError):
        create_order(simulator)
    assert create_order(simulator)


def test_many_orders_are_placed_past_the_limits_and_told_when_to_finish() -> None:
    with Simulator(SimulatorSettings(queued_s=1000)) as simulator:
        order_ids = simulator.place([REQUEST] * 50)
        before = time.time()
        started_at = simulator.finish_later(dict.fromkeys(order_ids, 0.1))

        assert before - 1 < started_at < time.time() + 1
        wait_until("they have finished", lambda: simulator.report().orders_by_state == {"success": 50})
        assert simulator.report().requests == {}
        with pytest.raises(KeyError, match="no order nobody"):
            simulator.finish_later({"nobody": 1})


def test_the_report_tells_how_often_each_order_was_read(simulator: Simulator, control: httpx.Client) -> None:
    order_id = create_order(simulator)
    for _ in range(2):
        state_of(simulator, order_id)

    assert control.get("/report").json()["reads"] == {order_id: 2}


def test_an_order_is_moved_and_time_passes(simulator: Simulator, control: httpx.Client) -> None:
    moved, left = create_order(simulator), create_order(simulator)

    control.put(f"/orders/{moved}/state", json={"state": "failed", "error_hints": ["no luck"]})
    control.post("/advance", json={"seconds": 1300})

    assert (state_of(simulator, moved), state_of(simulator, left)) == ("failed", "running")


def test_the_report_tells_what_was_seen_and_a_reset_forgets_it(simulator: Simulator, control: httpx.Client) -> None:
    create_order(simulator)
    create_order(simulator)

    report = control.get("/report").json()
    times = simulator.request_times("create")

    assert report["orders"] == {"order": 2}
    assert report["orders_by_state"] == {"queued": 2}
    assert report["requests"] == {"create": 2}
    assert times == sorted(times)
    assert len(times) == 2
    assert report["answers"] == {"create": {"202": 2}}
    control.post("/reset")
    assert control.get("/report").json()["orders"] == {}


def test_links_are_ended(simulator: Simulator, control: httpx.Client) -> None:
    link = simulator.location("scene.tif")

    control.post("/links/expire")

    assert httpx.get(link).status_code == 403


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/faults", {"kind": "nonsense"}),
        ("POST", "/faults", None),
        ("PUT", "/plan", {"rates": {"error": "often"}}),
        ("PUT", "/orders/none/state", {"state": "failed"}),
        ("POST", "/advance", {"seconds": -1}),
        ("POST", "/advance", {"seconds": 1e300}),
        ("POST", "/advance", {}),
    ],
)
def test_a_mistake_is_named(control: httpx.Client, method: str, path: str, body: object) -> None:
    reply = control.request(method, path, json=body)

    assert reply.status_code == 400
    assert reply.json()["message"]


def test_open_bodies_are_counted(simulator: Simulator) -> None:
    """What a cap on transfers is held against."""
    simulator.stall_body("*.tif", after_bytes=10, times=None)
    with httpx.Client(follow_redirects=True) as client:
        replies = [client.stream("GET", simulator.location(f"{n}.tif")) for n in range(3)]
        for reply in replies:
            reply.__enter__()
        wait_until("three bodies are open", lambda: simulator.report().open_bodies_peak == 3)
        for reply in replies:
            reply.__exit__(None, None, None)


class Hook(ThreadingHTTPServer):
    """Keeps the calls it gets: authorization and payload."""

    def __init__(self) -> None:
        self.calls: list[tuple[str | None, dict[str, Any]]] = []
        super().__init__(("127.0.0.1", 0), _HookHandler)


class _HookHandler(BaseHTTPRequestHandler):
    server: Hook

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.calls.append((self.headers["Authorization"], json.loads(body)))
        self.send_response(500)  # an answer that is no success changes nothing
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def hook() -> Iterator[Hook]:
    with Hook() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_webhook_is_called_once_for_an_order(simulator: Simulator, hook: Hook) -> None:
    url = f"http://user:pass@127.0.0.1:{hook.server_port}/hook"
    order_id = create_order(simulator, notifications={"webhook": {"url": url, "per_order": True}})

    simulator.finish(order_id)

    wait_until("the webhook was called", lambda: len(hook.calls) == 1)
    authorization, payload = hook.calls[0]
    assert authorization == "Basic dXNlcjpwYXNz"
    assert payload["order_id"] == order_id
    assert [item["name"].rpartition("/")[2] for item in payload["items"]][-1] == "manifest.json"
    assert payload["items"][0]["location"].startswith("?token=")
    link = f"{simulator.url}/compute/ops/download/{payload['items'][-1]['location']}"
    assert httpx.get(link, follow_redirects=True).json()["files"]


def test_a_webhook_is_called_for_each_item_unless_told_otherwise(simulator: Simulator, hook: Hook) -> None:
    order_id = create_order(simulator, notifications={"webhook": {"url": f"http://127.0.0.1:{hook.server_port}"}})

    simulator.advance(5000)

    wait_until("three items were announced", lambda: len(hook.calls) == 3)
    assert {len(payload["items"]) for _, payload in hook.calls} == {1}
    assert state_of(simulator, order_id) == "success"


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/", "nonsense", "ftp://x", "http://[", ""])
def test_a_webhook_that_nobody_answers_harms_nothing(simulator: Simulator, url: str) -> None:
    order_id = create_order(simulator, notifications={"webhook": {"url": url}})

    simulator.finish(order_id)

    assert state_of(simulator, order_id) == "success"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serving_ends_cleanly_on_a_signal(number: signal.Signals) -> None:
    """Also while a body is being sent: nobody is waited for, and the exit status is 0."""
    with subprocess.Popen(
        [sys.executable, "-c", SERVE], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        url = process.stdout.readline().strip()
        httpx.post(f"{url}/_simulator/faults", json={"kind": "stall_body"}).raise_for_status()
        assert httpx.get(f"{url}/_simulator/report").status_code == 200

        process.send_signal(number)

        assert process.stdout.read() == "stopped\n"
        assert process.wait(10) == 0
        assert process.stderr.read() == ""


def test_a_port_that_is_taken_is_an_error_at_once(simulator: Simulator) -> None:
    port = int(simulator.url.rpartition(":")[2])

    with pytest.raises(OSError, match="in use"):
        Simulator(port=port)


async def test_it_is_an_async_context_manager_too() -> None:
    async with Simulator() as simulator, httpx.AsyncClient(follow_redirects=True) as client:
        reply = await client.get(simulator.location("scene.tif"))

    assert len(reply.content) == 1000
    assert simulator.report().bodies == {"scene.tif": 1}


def test_stopping_waits_for_nobody() -> None:
    """A body that stalls for ever does not keep the simulator from ending."""
    with Simulator(SimulatorSettings(rate_limits={})) as simulator, httpx.Client(follow_redirects=True) as client:
        simulator.stall_body("scene.tif", after_bytes=10)
        stream = client.stream("GET", simulator.location("scene.tif"))
        assert stream.__enter__().status_code == 200

    stream.__exit__(None, None, None)
