"""What would become of requests if they were submitted now; nothing is written, and nothing is ordered."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from jobs.errors import BadRequest, KeyReused
from jobs.new_runs import NewRun
from jobs.request import Size, size_of
from jobs.store import RunStore
from jobs.submission import Placed, Submission, check_all

__all__ = ["Preview", "preview"]


@dataclass(frozen=True, slots=True)
class Preview:
    """What would become of one request.

    Attributes:
        is_new: whether it would be ordered.
        ordered_before: whether it would not since the very same is ordered already, or before it in the same go.
        run_id: the run that has its key, or has ordered the same, where there is one already.
        orders: the requests that would be sent to Planet: several, where it has more items than one order holds. The
            name of each would have the id of its run behind it.
        size: of all of them.
    """

    is_new: bool
    ordered_before: bool
    run_id: str | None
    orders: tuple[dict[str, Any], ...]
    size: Size


async def preview(store: RunStore, submissions: Iterable[Submission]) -> list[Preview | BadRequest | KeyReused]:
    """One answer for each submission, in order, as submitting it would have: the same checks, and the same look-ups.

    Raises:
        RedisError: Redis went away.
    """
    placed = [Placed(submission) for submission in submissions]
    checked = await check_all(placed)
    good = [entry for entry in checked if isinstance(entry, NewRun)]
    answers = iter(await store.submit_many(good, dry=True))
    seen: set[str] = set()  # the same in one go would be one run
    return [
        entry if isinstance(entry, BadRequest) else _foresee(each.submission, entry, *next(answers), seen)
        for each, entry in zip(placed, checked, strict=True)
    ]


def _foresee(submission: Submission, run: NewRun, answer: str, run_id: str, seen: set[str]) -> Preview | KeyReused:
    if answer == "reused":
        return KeyReused(submission.key or "", run_id)
    orders = tuple(json.loads(each.facts["request"]) for each in (run, *run.parts))
    size = size_of({**orders[0], "products": [product for order in orders for product in order["products"]]})
    is_repeated = run.once and run.fingerprint in seen
    seen.add(run.fingerprint)
    is_known = answer != "created"
    return Preview(
        is_new=not (is_known or is_repeated),
        ordered_before=answer == "bought" or (is_repeated and not is_known),
        run_id=run_id if is_known else None,
        orders=orders,
        size=size,
    )
