from __future__ import annotations

from typing import Any

import pytest

from planet_sdk.simulator import Fault, FaultKind, SimulatorSettings
from planet_sdk.simulator.book import OrderBook
from planet_sdk.simulator.clock import Clock, format_time, parse_time
from planet_sdk.simulator.orders import Order, OrderState

START_S = 1_800_000_000.0
REQUEST: dict[str, Any] = {
    "name": "order",
    "products": [{"item_ids": ["a", "b"], "item_type": "PSScene", "product_bundle": "visual"}],
}


class Desk:
    """An order book whose clock stands still unless a test moves it."""

    def __init__(self, **settings: Any) -> None:
        self.clock = Clock(lambda: START_S)
        self.finished: list[str] = []
        values = {"queued_s": 10.0, "running_s": 100.0, "jitter": 0.0, **settings}
        self.book = OrderBook(
            SimulatorSettings(**values), self.clock, lambda order: self.finished.append(order.state.value)
        )

    def create(self, *kinds: FaultKind, left_out: tuple[str, ...] = (), **request: Any) -> Order:
        faults = {kind: Fault(kind=kind) for kind in kinds}
        return self.book.create("key", "http://here", {**REQUEST, **request}, left_out, faults)

    def state_after(self, order: Order, seconds: float) -> str:
        self.clock.advance(seconds)
        self.book.settle()
        return order.state.value


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_an_order_is_queued_then_runs_then_succeeds(desk: Desk) -> None:
    order = desk.create()

    assert [order.state.value, *(desk.state_after(order, s) for s in (9, 2, 90, 10))] == [
        "queued", "queued", "running", "running", "success",
    ]  # fmt: skip
    assert desk.finished == ["success"]
    assert order.last_message == "Manifest delivery completed"


def test_changes_that_nobody_watched_happened_when_they_were_due(desk: Desk) -> None:
    """An order that nobody asked about for a day was modified when it finished, not when somebody asked."""
    order = desk.create()

    desk.state_after(order, 86_400)

    assert order.state is OrderState.SUCCESS
    assert order.modified_us - order.created_us == 110_000_000


def test_results_fill_in_while_the_order_runs_and_the_manifest_comes_last(desk: Desk) -> None:
    order = desk.create()
    counts = []
    for seconds in (5, 55, 40, 20):
        desk.state_after(order, seconds)
        counts.append(len(order.ready_files(desk.clock.now_us())))

    assert counts == [0, 2, 3, 5]
    assert order.ready_files(desk.clock.now_us())[-1].path == "manifest.json"


def test_only_a_queued_order_can_be_cancelled(desk: Desk) -> None:
    queued, running = desk.create(), desk.create()

    assert desk.book.cancel(queued)
    desk.state_after(running, 11)
    assert not desk.book.cancel(running)
    assert desk.state_after(queued, 1000) == "cancelled"
    assert queued.last_message == "Cancel success"


@pytest.mark.parametrize(
    ("kind", "state"),
    [
        (FaultKind.ORDER_FAILED, "failed"),
        (FaultKind.ORDER_PARTIAL, "partial"),
        (FaultKind.ORDER_CANCELLED, "cancelled"),
        (FaultKind.ORDER_STUCK, "queued"),
    ],
)
def test_a_doomed_order_ends_as_told(desk: Desk, kind: FaultKind, state: str) -> None:
    order = desk.create(kind)

    assert desk.state_after(order, 1000) == state


def test_an_order_of_one_item_can_be_partial_too(desk: Desk) -> None:
    one = [{**REQUEST["products"][0], "item_ids": ["a"]}]

    assert desk.state_after(desk.create(FaultKind.ORDER_PARTIAL, products=one), 1000) == "partial"


def test_a_failed_order_says_why_only_when_it_has_failed(desk: Desk) -> None:
    order = desk.create(FaultKind.ORDER_FAILED)

    assert order.to_json("u")["error_hints"] == []
    desk.state_after(order, 1000)
    assert order.to_json("u")["error_hints"] == ["Processing failed: internal error"]
    assert order.ready_files(desk.clock.now_us()) == ()


def test_a_full_order_fails_for_one_missing_item(desk: Desk) -> None:
    assert desk.state_after(desk.create(left_out=("a",)), 1000) == "failed"


def test_a_partial_order_goes_without_the_missing_item(desk: Desk) -> None:
    order = desk.create(left_out=("a",), order_type="partial")

    assert desk.state_after(order, 1000) == "partial"
    assert {file.item_id for file in order.files} == {"b", ""}
    assert order.error_hints == ("Item a is not available",)


def test_a_partial_order_that_could_deliver_nothing_fails(desk: Desk) -> None:
    assert desk.state_after(desk.create(left_out=("a", "b"), order_type="partial"), 1000) == "failed"


def test_an_order_moved_by_hand_stays_where_it_was_put(desk: Desk) -> None:
    order = desk.create()

    desk.book.finish(order, OrderState.FAILED, ["no luck"])

    assert desk.state_after(order, 1000) == "failed"
    assert order.error_hints == ("no luck",)
    assert desk.finished == ["failed"]


def test_orders_that_are_not_final_count_as_active(desk: Desk) -> None:
    orders = [desk.create() for _ in range(3)]
    desk.book.cancel(orders[0])
    assert desk.book.active["key"] == 2

    desk.state_after(orders[1], 1000)

    assert desk.book.active["key"] == 0


def test_another_account_s_order_does_not_exist(desk: Desk) -> None:
    order = desk.create()

    assert desk.book.get("key", order.id) is order
    assert desk.book.get("other", order.id) is None


def test_jitter_spreads_orders_and_a_seed_reproduces_it() -> None:
    def lengths(seed: int) -> list[int]:
        desk = Desk(jitter=0.5, seed=seed)
        orders = [desk.create() for _ in range(5)]
        desk.state_after(orders[0], 1000)
        return [round((order.modified_us - order.created_us) / 1e6) for order in orders]

    assert lengths(1) == lengths(1)
    assert len(set(lengths(1))) > 1


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("2022-11-29T22:49:24.478Z", "2022-11-29T22:49:24.478Z"),
        ("2025-01-01T00:00:21.52333Z", "2025-01-01T00:00:21.52333Z"),
        ("2025-01-01T02:00:00+02:00", "2025-01-01T00:00:00Z"),
        ("2025-01-01T02:00:00 02:00", "2025-01-01T00:00:00Z"),
        ("2025-01-01T00:00:00", "2025-01-01T00:00:00Z"),
    ],
)
def test_instants_are_read_and_written_as_planet_does(text: str, written: str) -> None:
    assert format_time(parse_time(text)) == written


@pytest.mark.parametrize("text", ["", "yesterday", "2025-13-01T00:00:00Z", "1e9"])
def test_what_is_no_instant_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        parse_time(text)


def test_time_only_moves_forward() -> None:
    with pytest.raises(ValueError, match="forward"):
        Clock().advance(-1)


def test_an_order_is_told_when_to_finish_and_runs_from_half_that_time_on(desk: Desk) -> None:
    order = desk.create(FaultKind.ORDER_STUCK)

    desk.book.finish_later(order, 8)

    assert [desk.state_after(order, s) for s in (3, 2, 4)] == ["queued", "running", "success"]
    assert order.modified_us == parse_time(format_time(int((START_S + 8) * 1_000_000)))


def test_what_was_planned_for_an_order_before_is_out_of_date(desk: Desk) -> None:
    order = desk.create()
    desk.state_after(order, 11)

    desk.book.finish_later(order, 500)

    assert [desk.state_after(order, s) for s in (499, 2)] == ["running", "success"]
