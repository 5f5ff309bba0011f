from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from starlette.datastructures import QueryParams

from planet_sdk.simulator import Fault, FaultKind, SimulatorSettings
from planet_sdk.simulator.book import OrderBook
from planet_sdk.simulator.clock import Clock, format_time
from planet_sdk.simulator.listing import list_orders
from planet_sdk.simulator.orders import Order, OrderState
from planet_sdk.simulator.refusals import Refusal

URL = "http://here/compute/ops/orders/v2"
PRODUCTS = [{"item_ids": ["a"], "item_type": "PSScene", "product_bundle": "visual"}]


class Desk:
    def __init__(self, **settings: Any) -> None:
        self.clock = Clock(lambda: 1_800_000_000.0)
        self.settings = SimulatorSettings(queued_s=1e6, **settings)
        self.book = OrderBook(self.settings, self.clock, lambda _: None)

    def create(self, name: str, *kinds: FaultKind, **request: Any) -> Order:
        self.clock.advance(1)
        body = {"name": name, "products": PRODUCTS, **request}
        return self.book.create("key", "http://here", body, (), {kind: Fault(kind=kind) for kind in kinds})

    def page(self, query: str = "") -> dict[str, Any]:
        return list_orders(self.book, "key", QueryParams(query), self.settings, URL)

    def names(self, query: str = "") -> list[str]:
        return [order["name"] for order in self.page(query)["orders"]]

    def walk(self, query: str = "") -> list[str]:
        return [order["name"] for order in self._walk_orders(query)]

    def ids(self, query: str = "") -> list[str]:
        return [order["id"] for order in self._walk_orders(query)]

    def _walk_orders(self, query: str) -> Iterator[dict[str, Any]]:
        next_query: str | None = query
        while next_query is not None:
            page = self.page(next_query)
            yield from page["orders"]
            next_query = urlsplit(page["_links"]["next"]).query if "next" in page["_links"] else None


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_the_newest_order_comes_first(desk: Desk) -> None:
    for name in "abc":
        desk.create(name)

    assert desk.names() == ["c", "b", "a"]


def test_the_list_shows_no_results(desk: Desk) -> None:
    desk.book.finish(desk.create("a"), OrderState.SUCCESS)

    assert desk.page()["orders"][0]["_links"] == {"_self": f"{URL}/{next(iter(desk.book.all())).id}"}


def test_a_page_holds_twenty_and_the_last_has_no_next(desk: Desk) -> None:
    for number in range(25):
        desk.create(str(number))

    first = desk.page()

    assert len(first["orders"]) == 20
    assert len(desk.page(urlsplit(first["_links"]["next"]).query)["orders"]) == 5
    assert "next" not in desk.page("page_size=25")["_links"]


@pytest.mark.parametrize(
    "sort",
    ["created_on DESC", "created_on ASC", "name ASC", "name DESC", "state", "last_modified DESC", "state,name DESC"],
)
def test_pages_show_every_order_once_in_every_sort(desk: Desk, sort: str) -> None:
    """Also orders of equal value, and with filters that the links to the next page must carry on."""
    for number in range(17):
        order = desk.create(f"same {number % 3}")
        if number % 2:
            desk.book.finish(order, OrderState.SUCCESS)
    desk.create("other")

    assert len(desk.walk(f"sort_by={sort}&page_size=4&name__contains=same&source_type=all")) == 17


def test_several_fields_sort_one_after_the_other(desk: Desk) -> None:
    """Each in its own direction; what is equal in all comes oldest first, on whatever page."""
    orders = [desk.create(name) for name in ("b", "a", "b", "a", "b")]
    desk.book.finish(orders[2], OrderState.SUCCESS)
    desk.book.finish(orders[1], OrderState.SUCCESS)

    assert desk.names("sort_by=name DESC, state ASC") == ["b", "b", "b", "a", "a"]
    assert desk.ids("sort_by=name DESC, state ASC&page_size=2") == [orders[n].id for n in (0, 4, 2, 3, 1)]


def test_orders_are_found_by_their_destination(desk: Desk) -> None:
    desk.create("there", delivery={"destination": {"ref": "pl:destinations/mine"}})
    desk.create("elsewhere", delivery={"destination": {"ref": "pl:destinations/other"}})
    desk.create("here")

    assert desk.names("destination_ref=pl:destinations/mine") == ["there"]


def test_a_page_continues_although_its_last_order_has_moved(desk: Desk) -> None:
    """An order that changes between two pages neither hides others nor ends the list."""
    orders = [desk.create(str(number)) for number in range(6)]
    first = desk.page("state=queued&page_size=3&sort_by=last_modified ASC")

    desk.book.finish(orders[2], OrderState.SUCCESS)

    assert desk.names(urlsplit(first["_links"]["next"]).query) == ["3", "4", "5"]


def test_orders_created_between_two_pages_shift_nothing(desk: Desk) -> None:
    for number in range(6):
        desk.create(str(number))
    first = desk.page("page_size=3")

    desk.create("new")

    assert desk.names(urlsplit(first["_links"]["next"]).query) == ["2", "1", "0"]


def test_states_that_are_repeated_are_alternatives(desk: Desk) -> None:
    desk.create("queued")
    desk.book.finish(desk.create("done"), OrderState.SUCCESS)
    desk.book.finish(desk.create("broken"), OrderState.FAILED)

    assert desk.names("state=success&state=failed") == ["broken", "done"]


def test_without_a_source_type_only_scenes_are_listed(desk: Desk) -> None:
    desk.create("scene")
    desk.create("mosaic", source_type="basemaps")

    assert desk.names() == ["scene"]
    assert desk.names("source_type=basemaps") == ["mosaic"]
    assert desk.names("source_type=scenes,basemaps") == desk.names("source_type=all") == ["mosaic", "scene"]


def test_names_are_found_whole_and_in_part(desk: Desk) -> None:
    for name in ("run-1", "run-10", "other"):
        desk.create(name)

    assert desk.names("name=run-1") == ["run-1"]
    assert desk.names("name__contains=run-1") == ["run-10", "run-1"]


def test_hosting_is_a_filter(desk: Desk) -> None:
    desk.create("hosted", hosting={"sentinel_hub": {}})
    desk.create("plain")

    assert (desk.names("hosting=true"), desk.names("hosting=false")) == (["hosted"], ["plain"])


@pytest.mark.parametrize("field", ["created_on", "last_modified"])
def test_intervals_include_their_start_and_exclude_their_end(desk: Desk, field: str) -> None:
    a, b, c = (format_time(desk.create(name).created_us) for name in "abc")

    assert desk.names(f"{field}={a}/{c}") == ["b", "a"]
    assert desk.names(f"{field}={b}/..") == ["c", "b"]
    assert desk.names(f"{field}=../{b}") == ["a"]
    assert desk.names(f"{field}={b}") == ["b"]


def test_what_changed_since_then_is_found(desk: Desk) -> None:
    orders = [desk.create(name) for name in "abc"]
    desk.clock.advance(100)
    since = format_time(desk.clock.now_us())

    desk.book.finish(orders[1], OrderState.SUCCESS)

    assert desk.names(f"last_modified={since}/..") == ["b"]


def test_a_list_that_lags_shows_new_orders_later() -> None:
    desk = Desk(list_lag_s=30)
    desk.create("new")

    assert desk.names() == []
    desk.clock.advance(31)
    assert desk.names() == ["new"]


def test_an_unlisted_order_can_be_fetched_and_never_listed(desk: Desk) -> None:
    order = desk.create("hidden", FaultKind.ORDER_UNLISTED)
    desk.clock.advance(1000)

    assert desk.names() == []
    assert desk.book.get("key", order.id) is order


@pytest.mark.parametrize(
    "query",
    ["state=done", "sort_by=age", "sort_by=name UP", "page_size=0", "page_size=x", f"page_size={'9' * 5000}",
     "created_on=then", "last_modified=a/b", "sort_by=name,,state", "page_marker=here",
     "page_marker=2026-01-01T00:00:00Z 7", 'page_marker=2026-01-01T00:00:00Z ["name"]'],
)  # fmt: skip
def test_a_query_that_means_nothing_is_refused(desk: Desk, query: str) -> None:
    with pytest.raises(Refusal) as refused:
        desk.page(query)
    assert refused.value.status == 400


def test_a_server_may_pass_over_what_it_does_not_know_and_keep_its_pages_small() -> None:
    desk = Desk(list_ignores=("name", "sort_by"), max_page_size=2)
    for name in "abc":
        desk.create(name)

    assert desk.names("name=a&sort_by=name&page_size=100") == ["c", "b"]
