"""Every way in which the simulator can go wrong, as a client sees it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from planet_sdk.simulator import Fault, FaultKind, FaultPlan, Simulator, SimulatorSettings

DATA = bytes(range(250)) * 4
REQUEST: dict[str, Any] = {
    "name": "order",
    "products": [{"item_ids": ["a", "b"], "item_type": "PSScene", "product_bundle": "visual"}],
}


SETTINGS = SimulatorSettings(queued_s=0, running_s=0, rate_limits={}, scene_size_px=16)


@pytest.fixture
def simulator(simulator: Simulator) -> Simulator:
    simulator.put("scene.tif", DATA)
    return simulator


@pytest.fixture
def client(simulator: Simulator) -> Iterator[httpx.Client]:
    base = f"{simulator.url}/compute/ops"
    with httpx.Client(auth=(simulator.api_key, ""), base_url=base, follow_redirects=True, timeout=10) as client:
        yield client


def create_order(client: httpx.Client, **request: Any) -> dict[str, Any]:
    """The order of a new request, as Get shows it."""
    order_id = client.post("/orders/v2", json={**REQUEST, **request}).json()["id"]
    order: dict[str, Any] = client.get(f"/orders/v2/{order_id}").json()
    return order


def read_until_it_breaks(client: httpx.Client, url: str, **options: Any) -> bytes:
    """The bytes that came before the connection failed."""
    got = b""
    with client.stream("GET", url, **options) as reply, pytest.raises(httpx.TransportError):  # noqa: PT012 — the bytes before the failure are the point
        for piece in reply.iter_raw():
            got += piece
    return got


def test_a_cut_body_ends_after_the_bytes_asked_for(simulator: Simulator, client: httpx.Client) -> None:
    simulator.cut_body("scene.tif", after_bytes=400)

    assert read_until_it_breaks(client, simulator.location("scene.tif")) == DATA[:400]
    assert client.get(simulator.location("scene.tif")).content == DATA
    assert simulator.report().bodies == {"scene.tif": 1}


def test_a_corrupt_body_has_the_right_length_and_the_wrong_bytes(simulator: Simulator, client: httpx.Client) -> None:
    simulator.corrupt_body("scene.tif", after_bytes=999)

    got = client.get(simulator.location("scene.tif")).content

    assert len(got) == len(DATA)
    assert [place for place in range(len(DATA)) if got[place] != DATA[place]] == [999]


def test_a_stalled_body_never_ends(simulator: Simulator, client: httpx.Client) -> None:
    """The connection stays open and silent until the client gives up."""
    simulator.stall_body("scene.tif", after_bytes=10)

    with client.stream("GET", simulator.location("scene.tif")) as reply:
        assert next(reply.iter_raw()) == DATA[:10]

    assert simulator.report().bodies.get("scene.tif", 0) == 0
    assert client.get(simulator.location("scene.tif")).content == DATA


def test_a_slow_body_arrives_whole(simulator: Simulator, client: httpx.Client) -> None:
    simulator.slow_body("scene.tif", bytes_per_s=10_000)

    assert client.get(simulator.location("scene.tif")).content == DATA
    assert simulator.report().faults == {"slow_body": 1}


def test_a_dropped_reply_has_created_the_order(simulator: Simulator, client: httpx.Client) -> None:
    """The case that buys twice: the order exists, and the client does not know it."""
    simulator.drop_reply("create")

    with pytest.raises(httpx.ReadError):
        client.post("/orders/v2", json=REQUEST)

    assert simulator.report().orders == {"order": 1}
    assert [order["name"] for order in client.get("/orders/v2").json()["orders"]] == ["order"]


def test_a_dropped_request_has_created_nothing(simulator: Simulator, client: httpx.Client) -> None:
    simulator.drop_request("create")

    with pytest.raises(httpx.ReadError):
        client.post("/orders/v2", json=REQUEST)

    assert simulator.report().orders == {}


def test_an_error_can_come_after_the_order_was_taken(simulator: Simulator, client: httpx.Client) -> None:
    simulator.fail("create", status=504, after_processing=True)

    assert client.post("/orders/v2", json=REQUEST).status_code == 504
    assert simulator.report().orders == {"order": 1}


@pytest.mark.parametrize(
    ("status", "body"),
    [(500, "Internal Server Error"), (503, "Service error -27"), (429, "max rate reached: retry-in 200ms"), (418, "")],
)
def test_an_error_has_the_body_that_planet_sends_with_it(
    simulator: Simulator, client: httpx.Client, status: int, body: str
) -> None:
    simulator.fail("list", status=status, retry_after_s=2)

    reply = client.get("/orders/v2")

    assert (reply.status_code, reply.text, reply.headers["retry-after"]) == (status, body, "2")
    assert client.get("/orders/v2").status_code == 200


def test_an_answer_can_be_anything(simulator: Simulator, client: httpx.Client) -> None:
    """A gateway's page under 200, headers of one's own."""
    simulator.fail("list", status=200, body="<html>")
    date = "Wed, 21 Oct 2026 07:28:00 GMT"
    simulator.add_fault(Fault(kind=FaultKind.ERROR, endpoint="list", headers={"Retry-After": date}))

    assert client.get("/orders/v2").text == "<html>"
    assert client.get("/orders/v2").headers["retry-after"] == date


def test_errors_can_be_kept_for_one_order(simulator: Simulator, client: httpx.Client) -> None:
    good, bad = create_order(client), create_order(client, name="cursed")
    simulator.fail("get", subject="cursed", times=None)

    statuses = [client.get(f"/orders/v2/{order['id']}").status_code for order in (good, bad, bad)]

    assert statuses == [200, 503, 503]


@pytest.mark.parametrize(("endpoint", "status"), [("storage", 400), ("link", 403)])
def test_one_link_can_expire(simulator: Simulator, client: httpx.Client, endpoint: str, status: int) -> None:
    simulator.expire_link("scene.tif", endpoint=endpoint)

    assert client.get(simulator.location("scene.tif")).status_code == status
    assert client.get(simulator.location("scene.tif")).content == DATA


def test_a_link_can_lead_elsewhere(simulator: Simulator, client: httpx.Client) -> None:
    simulator.add_fault(Fault(kind=FaultKind.MISDIRECT, subject="scene.tif", location="http://169.254.169.254/"))

    reply = client.get(simulator.location("scene.tif"), follow_redirects=False)

    assert (reply.status_code, reply.headers["location"]) == (302, "http://169.254.169.254/")


@pytest.mark.parametrize(
    ("kind", "header"),
    [
        (FaultKind.NO_CONTENT_LENGTH, "content-length"),
        (FaultKind.NO_CONTENT_DISPOSITION, "content-disposition"),
        (FaultKind.NO_ETAG, "etag"),
    ],
)
def test_a_header_can_be_missing(simulator: Simulator, client: httpx.Client, kind: FaultKind, header: str) -> None:
    simulator.spoil(kind, "scene.tif")

    reply = client.get(simulator.location("scene.tif"))

    assert header not in reply.headers
    assert reply.content == DATA


def test_a_range_can_be_ignored(simulator: Simulator, client: httpx.Client) -> None:
    simulator.spoil(FaultKind.RANGE_IGNORED, "scene.tif")

    reply = client.get(simulator.location("scene.tif"), headers={"Range": "bytes=400-"})

    assert (reply.status_code, reply.content) == (200, DATA)


def test_a_content_range_can_be_wrong(simulator: Simulator, client: httpx.Client) -> None:
    simulator.spoil(FaultKind.WRONG_CONTENT_RANGE, "scene.tif")

    reply = client.get(simulator.location("scene.tif"), headers={"Range": "bytes=400-"})

    assert (reply.status_code, reply.content) == (206, DATA[400:])
    assert reply.headers["content-range"] == "bytes 401-1000/1001"


def test_a_body_can_be_longer_than_promised(simulator: Simulator, client: httpx.Client) -> None:
    simulator.add_fault(Fault(kind=FaultKind.EXTRA_BYTES, subject="scene.tif", extra_bytes=24))

    assert client.get(simulator.location("scene.tif")).content == DATA + bytes(24)


def test_a_chunked_body_can_be_cut_too(simulator: Simulator, client: httpx.Client) -> None:
    simulator.spoil(FaultKind.NO_CONTENT_LENGTH, "scene.tif")
    simulator.cut_body("scene.tif", after_bytes=400)

    assert read_until_it_breaks(client, simulator.location("scene.tif")) == DATA[:400]


def test_names_can_point_out_of_the_folder(simulator: Simulator, client: httpx.Client) -> None:
    simulator.doom(FaultKind.EVIL_NAME)
    simulator.spoil(FaultKind.EVIL_DISPOSITION, "scene.tif")

    results = create_order(client)["_links"]["results"]

    assert results[-1]["name"] == "../../escaped.txt"
    disposition = client.get(simulator.location("scene.tif")).headers["content-disposition"]
    assert disposition == 'attachment; filename="../../escaped.txt"'


@pytest.mark.parametrize(
    ("kind", "state", "files"),
    [
        (FaultKind.ORDER_FAILED, "failed", 0),
        (FaultKind.ORDER_PARTIAL, "partial", 3),
        (FaultKind.ORDER_CANCELLED, "cancelled", 0),
    ],
)
def test_an_order_can_end_badly(
    simulator: Simulator, client: httpx.Client, kind: FaultKind, state: str, files: int
) -> None:
    simulator.doom(kind)

    order = create_order(client)

    assert (order["state"], len(order["_links"]["results"])) == (state, files)


def test_an_order_can_be_stuck(simulator: Simulator, client: httpx.Client) -> None:
    simulator.doom(FaultKind.ORDER_STUCK)
    order = create_order(client)

    simulator.advance(90 * 86_400)

    assert client.get(f"/orders/v2/{order['id']}").json()["state"] == "queued"


def test_a_seed_reproduces_a_bad_day(simulator: Simulator, client: httpx.Client) -> None:
    def spend_a_day() -> list[int]:
        simulator.reset()
        rates = {FaultKind.ERROR: 0.2, FaultKind.TOO_MANY_REQUESTS: 0.2}
        simulator.set_plan(FaultPlan(seed=3, rates=rates))
        return [client.post("/orders/v2", json={**REQUEST, "name": f"order {n}"}).status_code for n in range(40)]

    first = spend_a_day()

    assert first == spend_a_day()
    assert {202, 429} < set(first)


def test_everything_can_be_made_good_again(simulator: Simulator, client: httpx.Client) -> None:
    simulator.fail("*", times=None)
    simulator.set_plan(FaultPlan(rates={FaultKind.ERROR: 1.0}))
    assert client.get("/orders/v2").status_code == 503

    simulator.clear_faults()

    assert client.get("/orders/v2").status_code == 200
    assert simulator.report().faults == {"error": 1}
