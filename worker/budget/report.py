"""What a worker tells of its request budget, and how much of it the fleet uses just now."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jobs import keys
from planet_sdk.limits import RequestKind
from worker.budget.rates import Limit, Rates

if TYPE_CHECKING:
    from arq.connections import ArqRedis

_PACE_BACK = 0.05  # each second after a refusal, as take_turn.lua has it


@dataclass(frozen=True, slots=True)
class BudgetUse:
    """How much of one limit is used.

    Attributes:
        kind: of requests.
        limit: so many in any window of `period_s`; where that is 0, so many at once.
        used: of them, in the window that ends now.
        waiting: processes that wait for a turn.
        paused_s: until Planet takes such requests again, as it said.
        pace: of the whole limit: below 1 for a while after Planet has refused a request as one too many.
    """

    kind: RequestKind
    limit: int
    period_s: float
    used: int
    waiting: int
    paused_s: float
    pace: float


def tell_budget(account: str, rates: Rates, max_bodies: int) -> str:
    """What a worker reports: the account whose requests it counts, and the limits it keeps to."""
    limits: dict[str, Any] = {kind.value: windows for kind, windows in rates.items()}
    if max_bodies:
        limits[RequestKind.BODY.value] = [Limit(max_bodies, 0)]
    return json.dumps({"account": account, "limits": limits})


async def read_budget(redis: ArqRedis, reports: Iterable[str], now_us: int) -> list[BudgetUse]:
    """What is used of the limits that workers report, of those kinds that somebody has asked for of late.

    One round trip, however many workers there are; a report that cannot be read, as of another version, is left out.
    """
    windows = sorted({window for report in set(reports) for window in _windows(report)}, key=str)
    async with redis.pipeline(transaction=False) as pipe:
        for account, kind, limit in windows:
            pipe.zcount(keys.budget(account, kind, "departures"), now_us - round(limit.period_s * 1_000_000), "+inf")
            pipe.zcard(keys.budget(account, kind, "pending"))
            pipe.zcard(keys.budget(account, kind, "waiters"))
            pipe.hmget(keys.budget(account, kind, "state"), ["turn", "paused_until", "pace", "refused_at"])
        answers = await pipe.execute()
    asked_for = [answers[at : at + 4] for at in range(0, len(answers), 4)]
    return [
        _use(kind, limit, counts, state, now_us)
        for (_, kind, limit), (*counts, state) in zip(windows, asked_for, strict=True)
        if state[0]
    ]


def _use(kind: RequestKind, limit: Limit, counts: Sequence[int], state: Sequence[Any], now_us: int) -> BudgetUse:
    departed, pending, waiting = counts
    paused_until, pace, refused_at = (float(each or 0) for each in state[1:])
    regained = (now_us - refused_at) / 1_000_000 * _PACE_BACK
    return BudgetUse(
        kind,
        limit.requests,
        limit.period_s,
        used=min(limit.requests, (departed if limit.period_s else 0) + pending),
        waiting=waiting,
        paused_s=max(0.0, (paused_until - now_us) / 1_000_000),
        pace=min(1.0, pace + regained) if pace else 1.0,
    )


def _windows(report: str) -> list[tuple[str, RequestKind, Limit]]:
    with suppress(ValueError, TypeError, LookupError, AttributeError):
        said = json.loads(report)
        return [
            (str(said["account"]), RequestKind(kind), Limit(int(requests), float(period_s)))
            for kind, windows in said["limits"].items()
            for requests, period_s in windows
        ]
    return []
