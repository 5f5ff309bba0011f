from __future__ import annotations

import heapq
import random
import uuid
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .clock import MICROSECONDS, Clock
from .faults import Fault, FaultKind
from .orders import LAST_MESSAGES, Order, OrderState
from .settings import SimulatorSettings


@dataclass(slots=True, order=True)
class _Move:
    """A change of state that is due at a time, unless the order has moved otherwise before."""

    due_us: int
    number: int
    order: Order
    state: OrderState
    moves: int


class OrderBook:
    """All orders of all accounts, their way from state to state, and the indexes that keep lists quick.

    `settle` applies what has become due; every method that reads or moves orders calls it first.
    """

    def __init__(self, settings: SimulatorSettings, clock: Clock, on_final: Callable[[Order], None]) -> None:
        self._settings, self._clock, self._on_final = settings, clock, on_final
        self._random = random.Random(settings.seed)  # noqa: S311 — must be reproducible
        self._orders: dict[str, Order] = {}
        self._by_key: dict[str, list[Order]] = {}
        self._by_name: dict[tuple[str, str], list[Order]] = {}
        self._modified: list[tuple[int, int, Order]] = []
        self._due: list[_Move] = []
        self._number = 0
        self._last_us = 0
        self.active: Counter[str] = Counter()

    def create(
        self,
        api_key: str,
        base_url: str,
        request: Mapping[str, Any],
        left_out: tuple[str, ...],
        faults: Mapping[FaultKind, Fault],
    ) -> Order:
        """Take a request that has been checked; the order is queued and will move by itself."""
        self.settle()
        now_us = self._stamp()
        order = Order(
            id=str(uuid.uuid4()),
            api_key=api_key,
            base_url=base_url,
            request=request,
            created_us=now_us,
            modified_us=now_us,
            left_out=left_out,
        )
        apply_faults(order, faults)
        self._orders[order.id] = order
        self._by_key.setdefault(api_key, []).append(order)
        self._by_name.setdefault((api_key, order.name), []).append(order)
        self._modified.append((now_us, len(self._modified), order))
        self.active[api_key] += 1
        self._plan(order, stuck=FaultKind.ORDER_STUCK in faults)
        return order

    def listed_until_us(self) -> int:
        """The list shows orders that were created by then: it lags behind, where the settings say so."""
        return max(self._clock.now_us(), self._last_us) - int(self._settings.list_lag_s * MICROSECONDS)

    def settle(self) -> None:
        """Apply every change of state that is due by now, in the order in which they fell due."""
        now_us = self._clock.now_us()
        while self._due and self._due[0].due_us <= now_us:
            move = heapq.heappop(self._due)
            if move.order.moves == move.moves:
                self._move(move.order, move.state, move.due_us)

    def get(self, api_key: str, order_id: str) -> Order | None:
        """This account's order; another account's does not exist."""
        self.settle()
        order = self._orders.get(order_id.lower())
        return order if order is not None and order.api_key == api_key else None

    def find(self, order_id: str) -> Order | None:
        """The order, whoever it belongs to."""
        self.settle()
        return self._orders.get(order_id.lower())

    def all(self) -> Iterable[Order]:
        """Every order there is."""
        self.settle()
        return self._orders.values()

    def cancel(self, order: Order) -> bool:
        """Cancel an order that is still queued; False when it is too late."""
        if order.state is not OrderState.QUEUED:
            return False
        self.finish(order, OrderState.CANCELLED)
        return True

    def finish(self, order: Order, state: OrderState, error_hints: Iterable[str] = ()) -> None:
        """Move an order to `state` at once, whatever was planned for it."""
        order.error_hints = tuple(error_hints) or order.error_hints
        self._move(order, state, self._clock.now_us())

    def finish_later(self, order: Order, in_s: float) -> None:
        """Let an order that is not final end `in_s` from now as it is bound to, and run from half that time on."""
        self.settle()
        now_us, wait_us = self._clock.now_us(), int(in_s * MICROSECONDS)
        order.moves += 1  # what was planned for it is out of date
        order.final_us = now_us + wait_us
        if order.state is OrderState.QUEUED:
            self._schedule(order, OrderState.RUNNING, now_us + wait_us // 2)
        else:
            self._schedule(order, order.outcome, order.final_us)

    def newest_first(self, api_key: str) -> Iterator[Order]:
        """The account's orders by time of creation."""
        return reversed(self._by_key.get(api_key, ()))

    def named(self, api_key: str, name: str) -> Iterator[Order]:
        """The account's orders of exactly this name, newest first."""
        return reversed(self._by_name.get((api_key, name), ()))

    def modified_since(self, api_key: str, start_us: int) -> Iterator[Order]:
        """The account's orders whose last change is at `start_us` or after it, oldest change first."""
        for moment_us, _, order in self._modified[bisect_left(self._modified, (start_us, 0)) :]:
            if order.modified_us == moment_us and order.api_key == api_key:
                yield order

    def _move(self, order: Order, state: OrderState, at_us: int) -> None:
        was_final = order.state.is_final
        order.state, order.modified_us = state, self._stamp(at_us)
        order.moves += 1
        order.last_message = LAST_MESSAGES[state]
        self._modified.append((order.modified_us, len(self._modified), order))
        if state is OrderState.RUNNING:
            order.running_us = order.modified_us
            order.final_us = max(order.final_us, order.modified_us)
            self._schedule(order, order.outcome, order.final_us)
        elif state.is_final and not was_final:
            self.active[order.api_key] -= 1
            self._on_final(order)

    def _plan(self, order: Order, *, stuck: bool) -> None:
        queued_us, running_us = (self._vary(seconds) for seconds in (self._settings.queued_s, self._settings.running_s))
        order.final_us = order.created_us + queued_us + running_us
        if not stuck:
            self._schedule(order, OrderState.RUNNING, order.created_us + queued_us)

    def _schedule(self, order: Order, state: OrderState, due_us: int) -> None:
        self._number += 1
        heapq.heappush(self._due, _Move(due_us, self._number, order, state, order.moves))

    def _vary(self, seconds: float) -> int:
        jitter = self._settings.jitter
        return int(seconds * self._random.uniform(1 - jitter, 1 + jitter) * MICROSECONDS)

    def _stamp(self, at_us: int | None = None) -> int:
        """A moment later than every one given out before, so that moments order orders."""
        self._last_us = max(self._clock.now_us() if at_us is None else at_us, self._last_us + 1)
        return self._last_us


def apply_faults(order: Order, faults: Mapping[FaultKind, Fault]) -> None:
    """Let the order head for the end that its faults and its left out items give it."""
    item_ids = [item for product in order.request["products"] for item in product.get("item_ids", ())]
    if order.left_out:
        is_partial = order.request.get("order_type") == "partial" and set(item_ids) > set(order.left_out)
        order.outcome = OrderState.PARTIAL if is_partial else OrderState.FAILED
        order.error_hints = tuple(f"Item {item_id} is not available" for item_id in order.left_out)
    if FaultKind.ORDER_PARTIAL in faults:
        order.left_out = order.left_out or tuple(item_ids[1:][-1:])  # the only item stays
        order.outcome, order.error_hints = OrderState.PARTIAL, ("Some assets are not available",)
    if FaultKind.ORDER_FAILED in faults:
        order.outcome, order.error_hints = OrderState.FAILED, ("Processing failed: internal error",)
    if FaultKind.ORDER_CANCELLED in faults:
        order.outcome = OrderState.CANCELLED
    order.is_listable = FaultKind.ORDER_UNLISTED not in faults
    if FaultKind.EVIL_NAME in faults:
        order.evil_name = faults[FaultKind.EVIL_NAME].name
