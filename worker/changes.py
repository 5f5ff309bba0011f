"""What has changed at Planet: its list of orders, the latest change first, read down to where it was read before.

How far it was read is kept in Redis as Planet's own time of the last change seen: no clock of ours has a say, and
whoever takes the watch over goes on from there. A look reads a little further back, and now and then one reads as far
back as the list may lag. A change moves its order to the head of the list, so pages that shift while they are read show
an order twice, and skip none.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any, cast

from arq.connections import ArqRedis

from jobs import keys
from jobs.orders import DEAD_STATES, DELIVERED_STATES, state_of, valid_id
from planet_sdk import OrdersClient
from worker.errors import WorkerError

_PAGE = 500  # orders handed on at once, and asked for; a server may send fewer
_FIRST_LOOK = 100, 2  # orders, or times as many as are waited for, where nothing says how far the list has been read
_SHALLOW, _DEEP_EVERY = 0.1, 1 / 3  # of the list's lag: how far back most looks read, and how often one reads all of it
_OLDER = 20  # orders from before the time asked for, by which a server shows that it sorts and does not filter
_MARK_LIFE_S = 7 * 86_400
_MARK_LIFE_IDLE_S = 600  # nobody waits: what changes meanwhile is nothing to a run that is parked later


class ListUnusable(WorkerError):
    """Planet's list cannot tell what has changed."""

    def __init__(self) -> None:
        super().__init__(
            "the server's list of orders tells no last_modified, or neither keeps to it nor sorts by it; orders are "
            "read one by one. ORDERS_WAIT=poll does so from the start"
        )


@dataclass(frozen=True, slots=True)
class ListedOrder:
    """An order as the list shows it: without links.

    Attributes:
        is_new: whether this change has not been seen before.
    """

    order_id: str
    order: Mapping[str, Any]
    is_new: bool

    @property
    def is_final(self) -> bool:
        """Whether Planet has done with it."""
        return state_of(self.order) in DELIVERED_STATES | DEAD_STATES


class OrderChanges:
    """The changes since the last look, for one account.

    Args:
        orders: asks Planet.
        redis: keeps how far was read.
        lag_s: by how much the list may lag.
    """

    def __init__(self, orders: OrdersClient, redis: ArqRedis, lag_s: float) -> None:
        self._orders, self._redis, self._lag_s = orders, redis, lag_s
        self._deep_at = 0.0

    async def pages(self, waited_for: int) -> AsyncGenerator[list[ListedOrder], None]:
        """Yield the orders that have changed since the last look, the latest change first.

        Only a look that is read to its end counts: what it showed, or was to show, comes again otherwise.

        Args:
            waited_for: how many orders somebody waits for: says how far the very first look reads.

        Raises:
            ListUnusable: the server tells no times of changes, or neither filters nor sorts by them.
            PlanetError: the list could not be read.
        """
        started_at = monotonic()
        is_deep = started_at >= self._deep_at
        overlap_s = self._lag_s * (1 + _DEEP_EVERY if is_deep else _SHALLOW)
        seen = await self._last_seen()
        since = seen - timedelta(seconds=overlap_s) if seen else None
        latest, page = seen, list[ListedOrder]()
        is_empty = True
        async with aclosing(self._listed(since, max(_FIRST_LOOK[0], _FIRST_LOOK[1] * waited_for))) as listed:
            async for order, at in listed:
                is_empty = False
                if at is None:
                    raise ListUnusable
                is_new = seen is None or at > seen
                latest = max(latest or at, at)
                if order_id := valid_id(order):
                    page.append(ListedOrder(order_id, order, is_new))
                if len(page) == _PAGE:
                    yield page
                    page = []
        yield page
        if is_deep:
            self._deep_at = started_at + self._lag_s * _DEEP_EVERY
        if is_empty:  # the last change seen ought to be there still: that was another server, or another account
            await self._redis.delete(keys.CHANGES)
        elif latest:
            await self._redis.set(keys.CHANGES, latest.isoformat(), ex=_MARK_LIFE_S)

    async def rest(self) -> None:
        """Forget soon how far the list was read, unless it is read again: nobody waits."""
        await self._redis.expire(keys.CHANGES, _MARK_LIFE_IDLE_S)

    async def _listed(
        self, since: datetime | None, first_look: int
    ) -> AsyncGenerator[tuple[dict[str, Any], datetime | None], None]:
        """The orders with the times of their changes, down to `since`; also where the server does not filter."""
        listing = self._orders.list_orders(
            limit=0 if since else first_look,
            last_modified=f"{since:%Y-%m-%dT%H:%M:%S.%fZ}/.." if since else None,
            sort_by="last_modified DESC",
            page_size=_PAGE if since else min(_PAGE, first_look),
        )
        older = 0
        async with aclosing(cast("AsyncGenerator[dict[str, Any], None]", listing)) as orders:
            async for order in orders:
                at = _changed_at(order)
                if since is None or at is None or at >= since:
                    if older:
                        raise ListUnusable
                    yield order, at
                elif (older := older + 1) == _OLDER:
                    return

    async def _last_seen(self) -> datetime | None:
        text = await self._redis.get(keys.CHANGES)
        return _read_time(text.decode(errors="replace")) if text else None


def _changed_at(order: object) -> datetime | None:
    text = order.get("last_modified") if isinstance(order, dict) else None
    return _read_time(text) if isinstance(text, str) else None


def _read_time(text: str) -> datetime | None:
    """The instant, in UTC; None where it is none, or so far away that nothing can be counted from it."""
    try:
        moment = datetime.fromisoformat(text)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment if 1900 < moment.year < 9000 else None  # noqa: PLR2004 — years
