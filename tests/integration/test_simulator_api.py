"""Auth and Orders endpoints over real HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import jwt
import pytest

from planet_sdk.simulator import Login, Simulator, SimulatorSettings

SETTINGS = SimulatorSettings(
    api_keys=("mine", "theirs"),
    logins=(Login("me@example.com", "secret", "theirs"),),
    queued_s=0,
    running_s=0,
    rate_limits={},
    scene_size_px=16,
)
REQUEST: dict[str, Any] = {
    "name": "order",
    "products": [{"item_ids": ["20220304_093300_37_2430"], "item_type": "PSScene", "product_bundle": "visual"}],
}


@pytest.fixture
def orders(simulator: Simulator) -> Iterator[httpx.Client]:
    with httpx.Client(auth=("mine", ""), base_url=f"{simulator.url}/compute/ops") as client:
        yield client


@pytest.mark.parametrize("path", ["/v0/auth/login", "/auth/v1/experimental/public/users/authenticate"])
def test_a_login_gives_a_token_that_holds_the_api_key(simulator: Simulator, path: str) -> None:
    reply = httpx.post(simulator.url + path, json={"email": "me@example.com", "password": "secret"})

    assert reply.status_code == 200
    assert jwt.decode(reply.json()["token"], options={"verify_signature": False})["api_key"] == "theirs"


def test_a_login_with_a_wrong_password_is_refused(simulator: Simulator) -> None:
    reply = httpx.post(f"{simulator.url}/v0/auth/login", json={"email": "me@example.com", "password": "guess"})

    assert reply.status_code == 401
    assert reply.json() == {"errors": None, "message": "Invalid email or password", "status": 401, "success": False}


@pytest.mark.parametrize("body", [b"{}", b"", b"not json", b"[]", b'{"email": "nobody"}'])
def test_a_login_without_an_email_is_refused(simulator: Simulator, body: bytes) -> None:
    reply = httpx.post(f"{simulator.url}/v0/auth/login", content=body)

    assert reply.status_code == 400
    assert reply.json()["errors"] == {"email": ["Not a valid email address."]}


@pytest.mark.parametrize(
    "form",
    [{"auth": ("mine", "")}, {"headers": {"Authorization": "api-key mine"}}, {"params": {"api_key": "mine"}}],
)
def test_a_key_is_taken_in_each_of_planet_s_forms(simulator: Simulator, form: dict[str, Any]) -> None:
    assert httpx.get(f"{simulator.url}/compute/ops/orders/v2", **form).status_code == 200


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"auth": ("wrong", "")},
        {"headers": {"Authorization": "Basic !!!"}},
        {"headers": {"Authorization": "Bearer mine"}},
    ],
)
def test_without_a_good_key_nothing_is_answered(simulator: Simulator, form: dict[str, Any]) -> None:
    reply = httpx.get(f"{simulator.url}/compute/ops/orders/v2", **form)

    assert reply.status_code == 401
    assert reply.json() == {"message": "Please enter your API key.", "errors": []}
    assert simulator.report().auth_failures == 1


def test_the_bundles_need_no_key(simulator: Simulator) -> None:
    spec = httpx.get(f"{simulator.url}/compute/ops/bundles/spec").json()

    assert len(spec["bundles"]) == 35
    assert spec["bundles"]["visual"]["assets"]["PSScene"] == ["ortho_visual"]


def test_a_created_order_is_queued_and_echoes_its_request(orders: httpx.Client) -> None:
    reply = orders.post("/orders/v2", json={**REQUEST, "order_type": "partial", "metadata": {"stac": {}}})

    order = reply.json()
    assert reply.status_code == 202
    assert (order["state"], order["last_message"], order["error_hints"]) == ("queued", "Preparing order", [])
    assert {**REQUEST, "order_type": "partial", "metadata": {"stac": {}}}.items() <= order.items()
    assert order["_links"] == {"_self": f"{orders.base_url}orders/v2/{order['id']}"}
    assert list(order) == sorted(order)


def test_an_order_shows_its_results_with_fresh_links_each_time(orders: httpx.Client) -> None:
    path = f"/orders/v2/{orders.post('/orders/v2', json=REQUEST).json()['id']}"

    first, second = (orders.get(path).json()["_links"]["results"] for _ in range(2))

    assert [result["name"] for result in first] == [result["name"] for result in second]
    assert first[-1]["name"] == f"{path.rpartition('/')[2]}/manifest.json"
    assert {result["delivery"] for result in first} == {"success"}
    assert not {result["location"] for result in first} & {result["location"] for result in second}


def test_an_order_that_goes_to_a_bucket_has_no_links(orders: httpx.Client) -> None:
    bucket = {"amazon_s3": {"bucket": "mine", "aws_region": "us-east-2"}}
    order_id = orders.post("/orders/v2", json={**REQUEST, "delivery": bucket}).json()["id"]

    results = orders.get(f"/orders/v2/{order_id}").json()["_links"]["results"]

    assert {(result["delivery"], result["expires_at"]) for result in results} == {
        ("success", "0001-01-01T00:00:00.000Z")
    }
    assert not any("location" in result for result in results)


def test_an_order_of_another_account_does_not_exist(orders: httpx.Client) -> None:
    order_id = orders.post("/orders/v2", json=REQUEST).json()["id"]

    reply = orders.get(f"/orders/v2/{order_id}", auth=("theirs", ""))

    assert (reply.status_code, reply.json()) == (404, {"message": f"Could not load order ID: {order_id}."})
    assert orders.get("/orders/v2", auth=("theirs", "")).json()["orders"] == []


def test_a_finished_order_can_not_be_cancelled(orders: httpx.Client) -> None:
    order_id = orders.post("/orders/v2", json=REQUEST).json()["id"]
    orders.get(f"/orders/v2/{order_id}")

    reply = orders.put(f"/orders/v2/{order_id}")

    assert (reply.status_code, reply.json()) == (409, {"message": "Order not in a cancellable state"})
    assert orders.put("/orders/v2/none").json() == {"message": "No such order ID: none."}


def test_orders_are_cancelled_alone_and_in_bulk_while_they_are_queued() -> None:
    with Simulator(SimulatorSettings(queued_s=1000, rate_limits={})) as simulator:
        url, auth = f"{simulator.url}/compute/ops", (simulator.api_key, "")
        with httpx.Client(auth=auth, base_url=url) as orders:
            ids = [orders.post("/orders/v2", json=REQUEST).json()["id"] for _ in range(4)]

            alone = orders.put(f"/orders/v2/{ids[0]}").json()
            named = orders.post("/bulk/orders/v2/cancel", json={"order_ids": ids[:2]}).json()["result"]
            counts = orders.get("/stats/orders/v2").json()
            rest = orders.post("/bulk/orders/v2/cancel", json={}).json()["result"]

            assert (alone["state"], alone["last_message"]) == ("cancelled", "Cancel success")
            assert named["succeeded"] == {"count": 1}
            failure = {"message": "Order not in a cancellable state", "order_id": ids[0]}
            assert named["failed"] == {"count": 1, "failures": [failure]}
            assert counts["user"] == counts["organization"] == {"queued_orders": 2, "running_orders": 0}
            assert rest == {"failed": {"count": 0, "failures": []}, "succeeded": {"count": 2}}


def test_too_many_active_orders_are_a_conflict() -> None:
    settings = SimulatorSettings(queued_s=1000, max_active_orders=1, rate_limits={})
    with Simulator(settings) as simulator, httpx.Client(auth=(simulator.api_key, "")) as client:
        url = f"{simulator.url}/compute/ops/orders/v2"

        assert [client.post(url, json=REQUEST).status_code for _ in range(2)] == [202, 409]
        assert simulator.report().orders == {"order": 1}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[" * 100_000,
        b'{"name": NaN}',
        b'{"name": "\\ud800"}',
        b"\xff",
        b'{"name": "x", "products": [{"item_ids": 7}]}',
    ],
)
def test_a_body_that_makes_no_sense_is_a_bad_request(orders: httpx.Client, simulator: Simulator, body: bytes) -> None:
    assert orders.post("/orders/v2", content=body).status_code == 400
    assert simulator.report().orders == {}


@pytest.mark.parametrize(("method", "path"), [("GET", "/nothing"), ("DELETE", "/orders/v2/x"), ("PATCH", "/orders/v2")])
def test_an_address_that_planet_does_not_have_is_not_found(orders: httpx.Client, method: str, path: str) -> None:
    assert orders.request(method, path).status_code == 404


def test_planet_s_rate_limits_hold_by_default() -> None:
    """With a clock that stands still, the fourth Get is one too many; a second later it is not."""
    with Simulator(SimulatorSettings(retry_after_s=1), clock=lambda: 1_800_000_000.0) as simulator:
        url = f"{simulator.url}/compute/ops/orders/v2/none"
        with httpx.Client(auth=(simulator.api_key, "")) as client:
            statuses = [client.get(url).status_code for _ in range(4)]
            refused = client.get(url)
            simulator.advance(1)

            assert statuses == [404, 404, 404, 429]
            assert (refused.text, refused.headers["retry-after"]) == ("max rate reached: retry-in 200ms", "1")
            assert client.get(url).status_code == 404
            assert simulator.report().rate_limited == 2
            assert simulator.report().peak_per_second["get"] == 5
