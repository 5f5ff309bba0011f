"""Ending a run before it is done: somebody cancelled it, or its deadline is past."""

from __future__ import annotations

import asyncio
import shutil
from datetime import datetime
from math import inf
from typing import Any

from jobs.context import StageContext
from jobs.failures import after_failure
from jobs.orders import (
    DEAD_STATES,
    DELIVERED_STATES,
    cancel_surplus,
    facts_of,
    find_orders,
    intent_since,
    settle_wait_s,
    state_of,
    valid_id,
)
from jobs.outcomes import Again, Finish
from jobs.run import Run, State
from planet_sdk import OrdersClient
from planet_sdk.exceptions import Conflict, MissingResource, PlanetError


def reason_to_end(run: Run, now: datetime) -> tuple[State, str] | None:
    """The state and the reason with which a run has to end now, or None."""
    if run.cancel_requested:
        return State.CANCELLED, "cancelled on request"
    if run.deadline_at is not None and run.deadline_at <= now:
        return State.EXPIRED, f"its deadline ({run.deadline_at:%Y-%m-%d %H:%M:%S} UTC) is past"
    return None


def until_deadline_s(run: Run, now: datetime) -> float:
    """Seconds until the run's deadline: endless where it has none, below zero where it is past."""
    return inf if run.deadline_at is None else (run.deadline_at - now).total_seconds()


async def end_early(run: Run, context: StageContext, state: State, why: str) -> Finish | Again:
    """End the run, and cancel its order where Planet still allows it.

    An order that may exist is looked for first. Trouble on the way to Planet is ridden out like a stage's; in the end
    the run ends all the same, and its reason names the order that goes on. Harmless to repeat.

    Args:
        run: not final.
        context: as a stage has it.
        state: cancelled or expired.
        why: the start of the reason.
    """
    try:
        end = await _end(run, context, state, why)
    except PlanetError as error:
        after = after_failure(run, error, context.policy)
        if isinstance(after, Again):
            return after
        order = f"order {run.order_id or run.order_name!r}"
        end = Finish(state, f"{why}; {order} could not be cancelled at Planet and may go on there: {after.reason}")
    if isinstance(end, Finish):  # files that were on their way to an object store
        await asyncio.to_thread(shutil.rmtree, context.staging / run.run_id, ignore_errors=True)
    return end


async def _end(run: Run, context: StageContext, state: State, why: str) -> Finish | Again:
    if run.order_id is not None:
        return await _end_with_order(context, run.order_id, run.order_state, state, why)
    if run.intent_at is None:
        return Finish(state, f"{why}; nothing was ordered")
    orders = await find_orders(context.orders, run)
    if orders:
        order, *surplus = orders
        await cancel_surplus(context.orders, surplus)
        return await _end_with_order(context, valid_id(order) or "", state_of(order), state, why)
    wait_s = settle_wait_s(run, context)
    if wait_s > 0:
        reason = f"{why}; looking whether Planet took order {run.order_name!r}, again in {wait_s:.0f} s"
        return Again(wait_s, reason, charge=False, facts={"intent_at": intent_since(run, context)})
    return Finish(state, f"{why}; Planet has no order named {run.order_name!r}", facts={"intent_at": None})


async def _end_with_order(
    context: StageContext, order_id: str, order_state: str | None, state: State, why: str
) -> Finish:
    known = {"order_id": order_id, "intent_at": None}
    if order_state in DELIVERED_STATES | DEAD_STATES:
        return Finish(state, f"{why}; order {order_id} had ended at Planet already: {order_state}", facts=known)
    try:
        order, end = await _cancel(context.orders, order_id)
    except MissingResource:
        return Finish(state, f"{why}; Planet does not know order {order_id}", facts=known)
    return Finish(state, f"{why}; order {order_id} {end}", facts={**known, **facts_of(order)})


async def _cancel(orders: OrdersClient, order_id: str) -> tuple[dict[str, Any], str]:
    """Cancel the order if Planet lets us; returns it, and what has become of it."""
    try:
        return await orders.cancel_order(order_id), "is cancelled at Planet"
    except Conflict:
        order = await orders.get_order(order_id)
    match state_of(order):
        case "cancelled":  # by us, if the reply was lost
            return order, "is cancelled at Planet"
        case ended if ended in DELIVERED_STATES | DEAD_STATES:
            return order, f"had ended at Planet already: {ended}"
        case _:
            return order, "is past the point where Planet cancels, and goes on there"
