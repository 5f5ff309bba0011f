"""What the watcher makes of an order: whether a parked run goes on, ends, or waits."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import structlog

from jobs.context import StageContext
from jobs.ending import end_early, reason_to_end
from jobs.failures import sort_failure
from jobs.orders import DELIVERED_STATES, LIVE_STATES, facts_of, order_id_of, read_order, state_of
from jobs.outcomes import Advance, Finish, Outcome
from jobs.request import cloud_target
from jobs.run import Failure, FailureKind, Run, Stage, State
from planet_sdk.exceptions import MissingResource, PlanetError

log = structlog.get_logger(__name__)


def judge(run: Run, order: Mapping[str, Any]) -> Outcome | None:
    """What follows for a run from where its order stands; None while Planet is at it. Asks nothing.

    Args:
        run: parked, or anywhere after create.
        order: as Planet's list, its single answer or its webhook shows it.
    """
    facts = facts_of(order)
    state, message = state_of(order), facts["order_message"]
    said = f": {message}" if message else ""
    if state in DELIVERED_STATES:
        target = cloud_target(run.request)
        if target:
            end = State.PARTIAL if state == "partial" else State.DONE
            return Finish(end, f"delivered by Planet to {target}; there is nothing to download", facts=facts)
        return Advance(Stage.DOWNLOAD, f"the order is {state} at Planet{said}", facts)
    if state == "failed":
        hints = "; ".join(map(str, facts["error_hints"] or ()))[:1_000]
        text = f"the order failed at Planet{said}" + (f" ({hints})" if hints else "")
        failure = Failure(kind=FailureKind.PLANET, type="OrderFailed", message=text, stage=Stage.WAIT)
        return Finish(State.FAILED, text, failure, facts)
    if state == "cancelled":
        return Finish(State.CANCELLED, f"the order was cancelled at Planet{said}", facts=facts)
    if state not in LIVE_STATES:
        log.warning("unknown order state", run_id=run.run_id, order_id=run.order_id, order_state=state)
    return None


async def look(run: Run, context: StageContext, order: Mapping[str, Any] | None = None) -> Outcome | None:
    """Judge the order of one parked run; None when it is to be looked at again later.

    A wish to cancel and a deadline that is past end the run. Trouble on the way to Planet never does.

    Args:
        run: parked.
        context: as a stage has it.
        order: as Planet's list has just shown it; without it, Planet is asked.
    """
    why = reason_to_end(run, context.now())
    if why is not None:
        return await end_early(run, context, *why)
    order_id = order_id_of(run)
    try:
        return judge(run, await read_order(context.orders, order_id) if order is None else order)
    except MissingResource as error:
        # An order may be asked for before all of Planet knows it.
        if context.now() - run.updated_at < timedelta(seconds=context.policy.settle_s):
            return None
        text = f"Planet does not know order {order_id}: it is over 90 days old, or belongs to another account"
        failure = sort_failure(error, Stage.WAIT).model_copy(update={"message": text})
        return Finish(State.FAILED, text, failure)
    except PlanetError as error:
        reason = sort_failure(error, Stage.WAIT).message
        log.warning("order not looked at", run_id=run.run_id, order_id=order_id, reason=reason)
        return None
