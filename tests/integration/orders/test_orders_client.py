"""Creating, following, listing and cancelling orders over real HTTP."""

from __future__ import annotations

import copy
import inspect
from typing import TYPE_CHECKING, Any

import planet as planet_2_14
import pytest

from planet_sdk import OrdersClient, exceptions
from planet_sdk.clients import OrderStates

if TYPE_CHECKING:
    from planet_sdk import Session
    from tests.integration.orders.conftest import SmallPlanet

ORDER_ID = "2887c43b-26be-4bec-8efe-cb9e94f0ef3d"
ORDERS = "/compute/ops/orders/v2"

PUBLIC_METHODS = sorted(
    name for name, _ in inspect.getmembers(planet_2_14.OrdersClient, inspect.isfunction) if not name.startswith("_")
)


@pytest.mark.parametrize("name", [*PUBLIC_METHODS, "__init__"])
def test_every_method_takes_what_planet_2_14_takes(name: str) -> None:
    """Same names, order and defaults; ours may add arguments that are given by name only."""
    theirs = inspect.signature(getattr(planet_2_14.OrdersClient, name)).parameters.values()
    ours = inspect.signature(getattr(OrdersClient, name)).parameters.values()

    shared = [(p.name, p.kind, p.default) for p in ours if p.kind is not inspect.Parameter.KEYWORD_ONLY]
    assert shared == [(p.name, p.kind, p.default) for p in theirs]


@pytest.mark.parametrize("name", PUBLIC_METHODS)
def test_every_method_is_of_the_kind_that_planet_2_14_has(name: str) -> None:
    for kind in (inspect.iscoroutinefunction, inspect.isasyncgenfunction):
        assert kind(getattr(OrdersClient, name)) == kind(getattr(planet_2_14.OrdersClient, name))


async def test_create_posts_the_request_once_and_leaves_it_as_it_is(planet: SmallPlanet, orders: OrdersClient) -> None:
    request = {"name": "n", "products": [{"item_ids": ["a"]}]}
    before = copy.deepcopy(request)

    order = await orders.create_order(request)

    assert (order["id"], order["state"]) == (ORDER_ID, "queued")
    assert planet.created == [before]
    assert request == before


async def test_a_dropped_reply_never_sends_a_second_post(planet: SmallPlanet, orders: OrdersClient) -> None:
    """The order may exist, and a second POST may buy it again: the caller is told, and decides."""
    planet.drop_replies = 1

    with pytest.raises(exceptions.RequestError) as caught:
        await orders.create_order({"name": "n"})
    assert caught.value.may_have_reached
    assert len(planet.created) == 1


async def test_an_answer_that_is_no_object_is_an_error(planet: SmallPlanet, orders: OrdersClient) -> None:
    planet.answers[f"{ORDERS}/{ORDER_ID}"] = (200, b"[]")

    with pytest.raises(exceptions.APIError, match="not an object"):
        await orders.get_order(ORDER_ID)


@pytest.mark.parametrize("order_id", ["", "5", "../secrets", None, 7])
async def test_an_id_that_is_no_uuid_is_refused_before_anything_is_sent(
    planet: SmallPlanet, orders: OrdersClient, order_id: Any
) -> None:
    for call in (orders.get_order, orders.cancel_order, orders.wait, orders.download_order):
        with pytest.raises(exceptions.ClientError, match="not a valid UUID"):
            await call(order_id)
    with pytest.raises(exceptions.ClientError, match="not a valid UUID"):
        await orders.cancel_orders([ORDER_ID, order_id])
    assert planet.asked == []


async def test_cancelling_asks_the_right_addresses(planet: SmallPlanet, orders: OrdersClient) -> None:
    assert (await orders.cancel_order(ORDER_ID))["state"] == "cancelled"
    await orders.cancel_orders([ORDER_ID])
    await orders.cancel_orders()
    await orders.aggregated_order_stats()

    assert [(method, path) for method, path, _ in planet.asked] == [
        ("PUT", f"{ORDERS}/{ORDER_ID}"),
        ("POST", "/compute/ops/bulk/orders/v2/cancel"),
        ("POST", "/compute/ops/bulk/orders/v2/cancel"),
        ("GET", "/compute/ops/stats/orders/v2"),
    ]
    assert planet.bodies == [None, {"order_ids": [ORDER_ID]}, {}, None]


async def test_a_base_url_of_its_own_is_used(planet: SmallPlanet, orders: OrdersClient) -> None:
    await OrdersClient(orders.session, base_url=f"{planet.url}/elsewhere/").get_order(ORDER_ID)

    assert planet.asked[0][1] == f"/elsewhere/orders/v2/{ORDER_ID}"


async def test_a_list_is_read_page_by_page_and_only_as_far_as_needed(planet: SmallPlanet, orders: OrdersClient) -> None:
    planet.pages = [[{"id": n} for n in "abc"], [], [{"id": n} for n in "def"], [{"id": "g"}]]

    assert [order["id"] async for order in orders.list_orders(limit=5)] == list("abcde")
    assert len(planet.asked) == 3

    assert [order["id"] async for order in orders.list_orders(limit=0)] == list("abcdefg")


async def test_a_list_is_filtered_by_what_was_given_and_nothing_else(planet: SmallPlanet, orders: OrdersClient) -> None:
    planet.pages = [[]]

    assert [order async for order in orders.list_orders()] == []
    filters = {
        "state": "queued",
        "source_type": "scenes",
        "name": "n",
        "name__contains": "c",
        "created_on": "2026-01-01T00:00:00Z/..",
        "last_modified": "../2026-01-01T00:00:00Z",
        "sort_by": "name DESC",
        "destination_ref": "pl:destinations/d",
        "user_id": "all",
    }
    assert [order async for order in orders.list_orders(hosting=False, **filters)] == []  # type: ignore[arg-type]  # texts

    assert planet.asked[0][2] == {"source_type": ["all"]}
    assert planet.asked[1][2] == {key: [value] for key, value in filters.items()} | {"hosting": ["false"]}


async def test_a_list_that_links_to_itself_ends_with_an_error(planet: SmallPlanet, orders: OrdersClient) -> None:
    planet.pages = [[{"id": "a"}]]
    planet.next_of_last_page = f"{planet.url}{ORDERS}?page_marker=0"

    with pytest.raises(exceptions.PagingError):
        [order async for order in orders.list_orders(limit=0)]
    assert len(planet.asked) == 2


async def test_a_state_that_is_none_is_refused_before_anything_is_sent(
    planet: SmallPlanet, orders: OrdersClient
) -> None:
    with pytest.raises(exceptions.ClientError, match=r"done.* is not a valid state"):
        [order async for order in orders.list_orders(state="done")]
    with pytest.raises(exceptions.ClientError, match=r"done.* is not a valid state"):
        await orders.wait(ORDER_ID, state="done")
    assert planet.asked == []


async def test_wait_tells_every_state_and_ends_at_the_final_one(planet: SmallPlanet, orders: OrdersClient) -> None:
    planet.states = ["queued", "running", "running", "partial"]
    seen: list[str] = []

    assert await orders.wait(ORDER_ID, callback=seen.append) == "partial"
    assert seen == ["queued", "running", "running", "partial"]


@pytest.mark.parametrize("final", ["failed", "cancelled"])
async def test_wait_returns_also_the_states_that_nobody_hoped_for(
    planet: SmallPlanet, orders: OrdersClient, final: str
) -> None:
    planet.states = [final]

    assert await orders.wait(ORDER_ID) == final


async def test_wait_ends_at_an_earlier_state_or_past_it(planet: SmallPlanet, orders: OrdersClient) -> None:
    planet.states = ["queued", "running"]
    assert await orders.wait(ORDER_ID, state="running") == "running"

    planet.states = ["running"]
    assert await orders.wait(ORDER_ID, state="queued") == "running"


async def test_wait_gives_up_after_its_attempts_and_does_not_sleep_after_the_last(
    planet: SmallPlanet, session: Session
) -> None:
    """The error names the order, its last state and what to do."""
    planet.states = ["running"]
    naps: list[float] = []

    async def nap(seconds: float) -> None:
        naps.append(seconds)

    client = OrdersClient(session, sleep=nap, clock=lambda: 0.0)
    with pytest.raises(exceptions.ClientError, match=rf"{ORDER_ID} is still running: .*\(3\) reached.*longer"):
        await client.wait(ORDER_ID, delay=7, max_attempts=3)
    assert naps == [7, 7]
    assert planet.readings == 3


async def test_the_last_attempt_may_be_the_one_that_succeeds(planet: SmallPlanet, orders: OrdersClient) -> None:
    planet.states = ["running", "success"]

    assert await orders.wait(ORDER_ID, max_attempts=2) == "success"


async def test_a_slow_poll_shortens_the_pause_after_it(planet: SmallPlanet, session: Session) -> None:
    planet.states = ["running", "running", "success"]
    times = iter([0.0, 2.0, 10.0, 30.0, 31.0])
    naps: list[float] = []

    async def nap(seconds: float) -> None:
        naps.append(seconds)

    await OrdersClient(session, sleep=nap, clock=lambda: next(times)).wait(ORDER_ID)
    assert naps == [3.0, 0]


@pytest.mark.parametrize("state", ["starting", None])
async def test_a_state_that_planet_does_not_document_is_an_error_of_this_package(
    planet: SmallPlanet, orders: OrdersClient, state: Any
) -> None:
    """planet 2.14 lets a bare ValueError out."""
    planet.order["state"] = state

    with pytest.raises(exceptions.ClientError, match="state"):
        await orders.wait(ORDER_ID)


def test_states_follow_each_other_as_in_planet_2_14() -> None:
    assert OrderStates.SEQUENCE == planet_2_14.clients.orders.OrderStates.SEQUENCE
    assert OrderStates.reached("running", "running")
    assert not OrderStates.passed("running", "running")
    assert [state for state in OrderStates.SEQUENCE if OrderStates.is_final(state)] == [
        "failed", "success", "partial", "cancelled",
    ]  # fmt: skip
    with pytest.raises(exceptions.ClientError):
        OrderStates.is_final("done")
