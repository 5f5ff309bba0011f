"""What a type checker must find: each line that is ignored here is an error, or the ignoring is one."""

from __future__ import annotations

from datetime import datetime

from jobs import BlockingOrderQueue, BlockingRunHandle, OrderQueue, RunHandle
from planet_sdk import Session, data_filter, order_request


async def misuse(session: Session, queue: OrderQueue, run: RunHandle) -> None:
    """Nine slips, each in a line of its own."""
    orders, data = session.client("orders"), session.client("data")
    order_request.product("20220304_093300_37_2430", "visual", "PSScene")  # type: ignore[arg-type]  # one id is no list
    order_request.build_request("field")  # type: ignore[call-arg]  # no products
    data_filter.date_range_filter("acquired", gte="2022-01-01")  # type: ignore[arg-type]  # a text is no datetime
    data_filter.range_filter("cloud_cover", below=0.1)  # type: ignore[call-arg]  # there is lt and lte
    await data.search(["PSScene"])  # type: ignore[misc]  # it is iterated, not awaited
    await orders.create_order([])  # type: ignore[arg-type]  # one request at a time
    (await orders.get_order("2887c43b-26be-4bec-8efe-cb9e94f0ef3d")).state  # type: ignore[attr-defined]  # noqa: B018 — an order is a dict
    await queue.get(run)  # type: ignore[arg-type]  # the id is wanted, not the handle
    await run.result(timeout=datetime.max)  # type: ignore[arg-type]  # noqa: DTZ901 — seconds are wanted, no time of day


def misuse_blocking(queue: BlockingOrderQueue, run: BlockingRunHandle) -> None:
    """The twins are typed as exactly."""
    queue.get(run)  # type: ignore[arg-type]  # the id is wanted, not the handle
    queue.cancel("01JD0000000000000000000000", rebuy=True)  # type: ignore[call-arg]  # that is for retry()
    run.result(timeout="an hour")  # type: ignore[arg-type]  # seconds are wanted
