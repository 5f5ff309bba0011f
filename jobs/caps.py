"""Caps on what one day may order, in the whole fleet and by each producer: counted right before an order is placed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from jobs import keys
from jobs.errors import CapReached
from jobs.request import Size, size_of
from jobs.run import Run
from jobs.scripts import script

if TYPE_CHECKING:
    from arq.connections import ArqRedis

__all__ = ["Allowance", "Caps"]

What = Literal["orders", "items", "hectares"]


@dataclass(frozen=True, slots=True)
class Allowance:
    """What may be ordered from one midnight UTC to the next; None: as much as anybody likes."""

    orders: float | None = None
    items: float | None = None
    hectares: float | None = None


@dataclass(frozen=True, slots=True)
class _Counter:
    """One of the sums that an order is part of.

    Attributes:
        name: of the sum.
        amount: by which the order makes it grow; None where that cannot be told.
        cap: what it must not exceed.
        setting: that says so.
        whose: the cap it is, for people.
    """

    name: str
    what: What
    amount: float | None
    cap: float | None
    setting: str
    whose: str

    def refuse_unknown(self) -> None:
        if self.amount is None and self.cap is not None:
            how = "clip it to a polygon" if self.what == "hectares" else "name its quads"
            why = (
                f"how many {self.what} it orders cannot be told, and {self.setting} caps them: {how}, or unset the cap"
            )
            raise CapReached(self.setting, why)

    def refuse(self, used: float) -> CapReached:
        """The error of an order for which there is not enough left."""
        amount, cap = self.amount or 0, self.cap or 0
        allowed = f"{self.whose} may order {cap:,.10g} {self.what} a day"
        if amount > cap:
            why = f"{allowed}, and this alone has {amount:,.10g}: split it, or raise"
        else:
            taken = f"{used:,.10g} of them are ordered since midnight UTC, and this has {amount:,.10g}"
            why = f"{allowed}, {taken}: retry it tomorrow, or raise"
        return CapReached(self.setting, f"{why} {self.setting}")


@dataclass(frozen=True, slots=True)
class Caps:
    """The caps of a fleet, and the count of what it orders.

    Days begin at midnight UTC, on the server's clock. An order that may have been placed stays counted.
    """

    redis: ArqRedis
    fleet: Allowance = Allowance()
    producer: Allowance = Allowance()

    async def count(self, run: Run) -> int:
        """Count the run's order; returns the day. Idempotent for a day.

        Raises:
            CapReached: it would break a cap; nothing was counted.
            RedisError: it could not be counted: do not place it.
        """
        return await self._spend(_counters(self, run.producer or "", size_of(run.request)), order=_mark(run))

    async def check(self, producer: str | None, size: Size, orders: int) -> None:
        """Return if there is room today for so many orders of a producer, of that size together; counts nothing.

        Raises:
            CapReached: there is not, or that cannot be told.
        """
        await self._spend(_counters(self, producer or "", size, orders), order="", dry=True)

    async def _spend(self, counters: Iterable[_Counter], *, order: str, dry: bool = False) -> int:
        known = []
        for counter in counters:
            counter.refuse_unknown()
            known += [counter] if counter.amount is not None else []
        what = {
            "spent": keys.spent(""),
            "counted": keys.counted(""),
            "order": order,
            "dry": dry,
            "counters": [_told(counter) for counter in known],
        }
        answer, number, *used = await script(self.redis, "spend")(keys=[], args=[json.dumps(what)])
        if answer == b"over":
            raise known[number - 1].refuse(float(used[0]))
        return int(number)

    async def give_back(self, run: Run, day: int) -> None:
        """Uncount the run's order, which was certainly not placed. Idempotent."""
        counters = _counters(self, run.producer or "", size_of(run.request))
        amounts = json.dumps([_told(counter) for counter in counters if counter.amount is not None])
        await script(self.redis, "give_back")(
            keys=[keys.spent(str(day)), keys.counted(str(day))], args=[_mark(run), amounts]
        )


def _counters(caps: Caps, producer: str, size: Size, orders: int = 1) -> Iterator[_Counter]:
    amounts: dict[What, float | None] = {"orders": orders, "items": size.items, "hectares": size.hectares}
    for what, amount in amounts.items():
        setting = f"ORDERS_CAP_{what.upper()}"
        yield _Counter(what, what, amount, getattr(caps.fleet, what), setting, "the fleet")
        cap, whose = getattr(caps.producer, what), f"producer {producer!r}" if producer else "whoever gives no name"
        yield _Counter(f"{what}:{producer}", what, amount, cap, f"{setting}_PER_PRODUCER", whose)


def _told(counter: _Counter) -> dict[str, str | float | None]:
    cap = {} if counter.cap is None else {"cap": counter.cap}
    return {"name": counter.name, "amount": counter.amount, **cap}


def _mark(run: Run) -> str:
    """What tells this order from the others of the day: a run that is bought anew is another order."""
    return f"{run.run_id}:{run.rebuys}"
