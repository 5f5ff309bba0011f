"""Wait: costs no worker slot and no request; the run is parked until the watcher finds its order final."""

from __future__ import annotations

from jobs.context import StageContext
from jobs.orders import order_id_of
from jobs.outcomes import Outcome, Park
from jobs.run import Run


async def wait(run: Run, context: StageContext) -> Outcome:
    """Park the run for the watcher. Asks Planet nothing; harmless to repeat."""
    return Park(context.policy.first_check_s, f"waiting for order {order_id_of(run)} at Planet")
