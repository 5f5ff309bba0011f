"""What stages know about orders at Planet: where they stand, and how to find them again."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from jobs.context import StageContext
from jobs.errors import JobsError
from jobs.redaction import Redactor
from jobs.run import Facts, Run
from planet_sdk import OrdersClient
from planet_sdk.exceptions import ClientError, Conflict, MissingResource

LIVE_STATES = frozenset({"queued", "running"})
DELIVERED_STATES = frozenset({"success", "partial"})
DEAD_STATES = frozenset({"failed", "cancelled"})

_REDACTOR = Redactor()  # a message may quote a link, and whoever has a link can fetch the file
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")
_UUID = re.compile(r"[0-9a-f]{8}(-?)([0-9a-f]{4}\1){3}[0-9a-f]{12}", re.IGNORECASE)
_MAX_MESSAGE = 2_000  # characters of Planet's last word on an order
_MAX_HINTS_SIZE = 20_000  # characters of its error hints as JSON


class NoOrder(JobsError):
    """The run has come to a stage for which it needs an order, and has none."""

    def __init__(self, run: Run) -> None:
        super().__init__(f"run {run.run_id} came to {run.stage} without an order id; retry it to look the order up")


def order_id_of(run: Run) -> str:
    """The id of the run's order, or NoOrder."""
    if run.order_id is None:
        raise NoOrder(run)
    return run.order_id


def has_id(order: object) -> bool:
    """Whether this is an order at all, though perhaps one whose id cannot be used."""
    return isinstance(order, Mapping) and bool(order.get("id"))


def valid_id(order: object) -> str | None:
    """The id of an order as Planet answered it, if it is one: a UUID, which is safe in an address and as a folder."""
    order_id = order.get("id") if isinstance(order, Mapping) else None
    return order_id if isinstance(order_id, str) and _UUID.fullmatch(order_id) else None


def state_of(order: Mapping[str, Any]) -> str:
    """Planet's word for where an order stands; the empty text where it says nothing that could be one."""
    state = order.get("state")
    return _readable(state)[:100] if isinstance(state, str) else ""


def facts_of(order: Mapping[str, Any]) -> Facts:
    """What a run keeps of its order: Planet's state, last message and error hints, none of them endless."""
    message, hints = order.get("last_message"), order.get("error_hints")
    hints = hints if isinstance(hints, list) else [hints] if hints else []
    try:
        written = _readable(json.dumps(_REDACTOR.value(hints), ensure_ascii=False))
    except RecursionError:
        written = '["error hints that are nested too deep to be kept"]'
    if len(written) > _MAX_HINTS_SIZE:
        written = json.dumps([f"{written[:_MAX_HINTS_SIZE]} … the rest is at Planet"])
    return {
        "order_state": state_of(order) or None,
        "order_message": _readable(_REDACTOR.text(str(message)[: 5 * _MAX_MESSAGE]))[:_MAX_MESSAGE]
        if message
        else None,
        "error_hints": json.loads(written) or None,
    }


def _readable(text: str) -> str:
    """The text without what a terminal obeys, and without halves of characters, which Redis cannot keep."""
    return _CONTROL.sub(" ", text).encode(errors="replace").decode()


def intent_since(run: Run, context: StageContext) -> datetime:
    """From when on Planet's list has to have shown the order: the last moment at which its POST can have been sent.

    A worker that died or stood still in this job may have sent it some time after it wrote the intent down: connecting
    takes its time. So its end is taken to have happened now.
    """
    now = context.now()
    return now if run.starts > 1 else min(run.intent_at or now, now)


def settle_wait_s(run: Run, context: StageContext) -> float:
    """Seconds until an order that the list does not show is believed not to be there."""
    believed_at = intent_since(run, context) + timedelta(seconds=context.policy.settle_s)
    return (believed_at - context.now()).total_seconds()


async def read_order(orders: OrdersClient, order_id: str) -> dict[str, Any]:
    """The order as it is now, with fresh links to its files once there are any.

    Raises:
        ClientError: the answer is no order, or another one: a proxy's page, say.
        PlanetError: as OrdersClient.get_order().
    """
    order: Any = await orders.get_order(order_id)
    if not isinstance(order, dict) or order.get("id", order_id) != order_id:
        raise ClientError(f"the answer to a question for order {order_id} is not that order; it is asked for again")
    return order


async def find_orders(orders: OrdersClient, run: Run) -> list[dict[str, Any]]:
    """All orders that carry the run's name at Planet, the one to adopt first: the oldest that has not failed.

    The filter is Planet's, the comparison is made here once more: a list that ignores its filter must not make a
    run adopt the order of somebody else.
    """
    listed = orders.list_orders(name=run.order_name, limit=0)
    found = [order async for order in listed if has_id(order) and order.get("name") == run.order_name]
    return sorted(found, key=lambda order: (state_of(order) in DEAD_STATES, _created_at(order)))


async def cancel_surplus(orders: OrdersClient, surplus: list[dict[str, Any]]) -> int:
    """Cancel orders that were made twice, where Planet still allows it; return how many it did cancel."""
    cancelled = 0
    for order in surplus:
        order_id = valid_id(order)
        if order_id and state_of(order) not in DELIVERED_STATES | DEAD_STATES:
            try:
                await orders.cancel_order(order_id)
            except (Conflict, MissingResource):
                continue
            cancelled += 1
    return cancelled


def _created_at(order: Mapping[str, Any]) -> datetime:
    """When the order was made; one that does not say counts as new, since the oldest is looked for."""
    try:
        created_at = datetime.fromisoformat(str(order.get("created_on")))
    except ValueError:
        return datetime.max.replace(tzinfo=UTC)
    return created_at if created_at.tzinfo else created_at.replace(tzinfo=UTC)
