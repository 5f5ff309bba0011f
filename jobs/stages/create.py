"""Create: the order is placed at Planet exactly once.

The order is held against the day's caps, and the intent written down, right before the POST. Whatever happens then (a
lost reply, a crash, an answer without sense), the next try looks the order up by its name, which holds the run's id,
and adopts it. Only when Planet's list has had time to show an order and shows none is the POST sent again.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import structlog
from redis.exceptions import RedisError

from jobs.context import StageContext
from jobs.errors import CapReached, JobsError, LeaseInDoubt
from jobs.failures import after_failure, sort_failure
from jobs.orders import cancel_surplus, facts_of, find_orders, has_id, intent_since, settle_wait_s, valid_id
from jobs.outcomes import Advance, Again, Finish, Outcome, Requeue
from jobs.run import Facts, Failure, FailureKind, Run, Stage, State
from planet_sdk import exceptions

log = structlog.get_logger(__name__)

# Raised before anything is sent.
_NOT_SENT = (
    exceptions.AuthException,
    exceptions.FeatureError,
    exceptions.GeoJSONError,
    exceptions.SessionClosed,
    exceptions.SpecificationException,
)


class OrderUncertain(JobsError):
    """Whether Planet took the order is not known; the next try finds out."""

    def __init__(self, run: Run, why: object) -> None:
        super().__init__(
            f"whether Planet took order {run.order_name!r} is not known ({why}); "
            "it is looked up by its name before anything is sent again"
        )


async def create(run: Run, context: StageContext) -> Outcome:
    """Place the run's order, or find the one that was placed already.

    Harmless to repeat. Killed at any point, the next try finds the order if there is one.

    Raises:
        PlanetError: the look-up failed.
        RedisError: nothing was sent, since the intent could not be written down.
        Fenced: this worker no longer owns the job.
    """
    if run.order_id:
        return Advance(Stage.WAIT, f"order {run.order_id} was placed already", {"intent_at": None})
    if run.intent_at is not None:
        found = await _settle_intent(run, context)
        if found is not None:
            return found
    return await _place(run, context)


async def _settle_intent(run: Run, context: StageContext) -> Outcome | None:
    """Find out what became of an earlier POST; None when it is certain enough that there is no order."""
    orders = await find_orders(context.orders, run)
    if orders:
        return await _adopt(run, context, orders)
    wait_s = settle_wait_s(run, context)
    if wait_s > 0:
        reason = f"Planet shows no order named {run.order_name!r} yet; looking again in {wait_s:.0f} s"
        return Again(wait_s, reason, charge=False, facts={"intent_at": intent_since(run, context)})
    log.warning("order not found", run_id=run.run_id, order_name=run.order_name, intent_at=str(run.intent_at))
    return None


async def _adopt(run: Run, context: StageContext, orders: list[dict[str, Any]]) -> Outcome:
    """Take the first order; the others were bought by mistake and are cancelled before it is written down."""
    order, *surplus = orders
    cancelled = await cancel_surplus(context.orders, surplus)
    reason = f"found order {valid_id(order)} by its name"
    if surplus:
        reason += f"; cancelled {cancelled} of {len(surplus)} others of that name"
        log.warning("surplus orders found", run_id=run.run_id, orders=len(surplus), cancelled=cancelled)
    return await _keep(run, order, context, reason)


async def _place(run: Run, context: StageContext) -> Outcome:
    intent = _Intent(run, context)
    try:
        order = await context.orders.create_order(_order_request(run, context), before_sending=intent.write)
    except LeaseInDoubt as error:  # nothing was sent
        delay_s = context.policy.backoff_s(run.faults)
        return Again(delay_s, f"waiting: {error}", charge=False, facts={"intent_at": None})
    except CapReached as error:  # likewise
        return after_failure(run, error, context.policy, {"intent_at": None})
    except exceptions.PlanetError as error:
        if _is_refusal(error):
            await intent.give_back()
            return _after_refusal(run, context, error)
        return _look_later(run, context, error)
    except asyncio.CancelledError:
        if intent.may_be_written:
            with suppress(JobsError, RedisError):
                await context.notebook.note({"intent_at": context.now()})
        raise
    if not has_id(order):
        return _look_later(run, context, "the answer has no order id")
    return await _keep(run, order, context, f"order {valid_id(order)} was placed")


def _order_request(run: Run, context: StageContext) -> dict[str, Any]:
    """What is sent: the producer's request, under the name by which the order is found again, and with our webhook.

    A webhook of the producer's own stays, and is the only one.
    """
    told = run.request.get("notifications") or {}
    if context.webhook_url and not told.get("webhook"):
        told = {**told, "webhook": {"url": context.webhook_url, "per_order": True}}
    return {**run.request, "name": run.order_name, **({"notifications": told} if told else {})}


@dataclass(slots=True)
class _Intent:
    """What is written down, through the fence of the job, when a POST's turn has come: from here on it may be taken."""

    run: Run
    context: StageContext
    may_be_written: bool = False
    day: int | None = None  # on which the order is counted

    async def write(self) -> None:
        """Return while the job is certainly this worker's, and the order counted where there are caps.

        Raises:
            CapReached: there is no room for the order today.
            RedisError: it could not be counted, or written down.
            Fenced: the job is another's.
            LeaseInDoubt: it may be, since this worker stood still with the answer in its hands.
        """
        if self.context.caps:
            self.day = await self.context.caps.count(self.run)
        self.may_be_written = True
        await self.context.notebook.note({"intent_at": self.context.now()})
        self.context.check_lease()

    async def give_back(self) -> None:
        """Uncount the order, which was not placed; it stays counted where somebody else may be about to place it."""
        if self.context.caps and self.day is not None:
            with suppress(LeaseInDoubt, RedisError, OSError):
                self.context.check_lease()
                await self.context.caps.give_back(self.run, self.day)


def _after_refusal(run: Run, context: StageContext, error: exceptions.PlanetError) -> Outcome:
    no_intent: Facts = {"intent_at": None}
    if isinstance(error, exceptions.Conflict):  # too many active orders
        failure = sort_failure(error, run.stage)
        return Requeue(f"waiting: {failure.message}", failure, no_intent)
    return after_failure(run, error, context.policy, no_intent)


def _look_later(run: Run, context: StageContext, why: exceptions.PlanetError | str) -> Outcome:
    """Keep the intent, as of now: the POST may have been sent long after it was first written down."""
    error = OrderUncertain(run, why)
    error.__cause__ = why if isinstance(why, exceptions.PlanetError) else None
    return after_failure(run, error, context.policy, {"intent_at": context.now()})


async def _keep(run: Run, order: dict[str, Any], context: StageContext, reason: str) -> Outcome:
    """Write the id down at once, and go on; an order whose id cannot be used is not bought a second time.

    Where Redis is away just now, the id goes with the outcome, which is committed with more patience.
    """
    order_id = valid_id(order)
    if order_id is None:
        text = f"Planet has order {run.order_name!r} under the id {order['id']!r:.60}, which is no UUID; look there"
        failure = Failure(kind=FailureKind.PLANET, type="BadOrderId", message=text, stage=Stage.CREATE)
        return Finish(State.FAILED, text, failure)
    facts: Facts = {"order_id": order_id, "intent_at": None, **facts_of(order)}
    with suppress(RedisError, OSError):
        await context.notebook.note(facts)
    return Advance(Stage.WAIT, reason, facts)


def _is_refusal(error: exceptions.PlanetError) -> bool:
    """Whether it is certain that Planet did not take the order."""
    match error:
        case exceptions.RequestError():
            return not error.may_have_reached
        case exceptions.APIError(status=int() as status):
            return status < HTTPStatus.INTERNAL_SERVER_ERROR and status != HTTPStatus.REQUEST_TIMEOUT
        case _:
            return isinstance(error, _NOT_SENT)
