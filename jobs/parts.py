"""A request that was split: several runs, each with an order of its own, told of as one."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from contextlib import suppress

from redis.exceptions import ResponseError

from jobs import keys
from jobs.errors import RunNotFound
from jobs.run import Run, State
from jobs.store import RunStore, read

_WORST_FIRST = (State.FAILED, State.EXPIRED, State.CANCELLED, State.PARTIAL, State.DONE)
_BEHIND_FIRST = (State.QUEUED, State.CREATING, State.WAITING, State.DOWNLOADING, State.VALIDATING)


async def read_parts(store: RunStore, run_id: str) -> list[Run]:
    """The parts of a request by its run's id, those left out that are no longer kept; most requests have one.

    Raises:
        RunNotFound, UnreadableRun: as RunStore.get().
    """
    run = await store.get(run_id)
    if not run.part_ids:
        return [run]
    others = {part.run_id: part for part in await store.get_many(run.part_ids[1:])}
    for part_id in run.part_ids[1:]:
        if part_id not in others:
            with suppress(RunNotFound):  # it has ended so long ago; one that cannot be read must not pass for that
                others[part_id] = await store.get(part_id)
    return [run, *(others[part_id] for part_id in run.part_ids if part_id in others)]


async def read_part_ids(store: RunStore, run_id: str) -> list[str]:
    """The ids of the parts of a request by its run's id, itself the first; also where its record cannot be read.

    Raises:
        RunNotFound: there is no such run.
    """
    with suppress(ResponseError, ValueError):
        state, text = await read(store.redis.hmget(keys.run(run_id), ["state", "part_ids"]))
        if state is None:
            raise RunNotFound(run_id)
        return [str(part_id) for part_id in json.loads(text)] if text else [run_id]
    return [run_id]


def combine(parts: Sequence[Run]) -> Run:
    """The parts of one request as one run: that of the first part, with what all of them have and lack.

    It is where the part is that is furthest behind; when all have ended, as well as the one that ended worst.
    """
    first = parts[0]
    if len(parts) == 1:
        return first
    unfinished = [part for part in parts if not part.state.is_final]
    rank = _BEHIND_FIRST if unfinished else _WORST_FIRST
    telling = min(unfinished or parts, key=lambda part: rank.index(part.state))
    number = f"part {first.part_ids.index(telling.run_id) + 1} of {len(first.part_ids)}"
    error = next((part.error for part in (telling, *parts) if part.error), None)
    return first.model_copy(
        update={
            "name": first.name.removesuffix(f" (1 of {len(first.part_ids)})"),
            "state": telling.state,
            "stage": telling.stage,
            "reason": f"{number}: {telling.reason or telling.state}",
            "error": error,
            "order_id": None,  # each has its own
            "updated_at": max(part.updated_at for part in parts),
            "finished_at": None if unfinished else max(part.finished_at or part.updated_at for part in parts),
            "files_total": _sum_if_known(part.files_total for part in parts),
            "files_done": sum(part.files_done for part in parts),
            "bytes_total": _sum_if_known(part.bytes_total for part in parts),
            "bytes_done": sum(part.bytes_done for part in parts),
        }
    )


def _sum_if_known(values: Iterable[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None
