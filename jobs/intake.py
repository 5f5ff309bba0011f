"""Requests on their way into the queue: checked and sent a hundred at a time, each with an answer of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

from jobs.errors import BadRequest, KeyReused
from jobs.handles import RunHandle
from jobs.new_runs import NewRun, in_doubt
from jobs.store import RunStore
from jobs.submission import Placed, check_all

Answer = RunHandle | BadRequest | KeyReused
"""What becomes of one request: its run, or why it has none."""

_AT_ONCE = 100  # requests sent in one round trip


async def take_in(store: RunStore, requests: Iterable[Placed], tell: Callable[[Answer], None]) -> None:
    """Put requests into the queue, and tell what became of each, in order.

    One transaction takes up to a hundred, and while it is on its way the next hundred are read and checked.

    Raises:
        SubmitUncertain: Redis went away or refused; names the runs in doubt. Those told of before were taken.
    """
    sent: asyncio.Task[list[Answer]] | None = None
    try:
        for chunk in _chunks(requests):
            checked = await check_all(chunk)
            if sent:
                _tell_all(await sent, tell)
            sent = asyncio.create_task(_send(store, chunk, checked))
        if sent:
            _tell_all(await sent, tell)
    finally:
        if sent:  # leave nothing on its way behind an error
            await asyncio.gather(sent, return_exceptions=True)


def _tell_all(answers: Iterable[Answer], tell: Callable[[Answer], None]) -> None:
    for answer in answers:
        tell(answer)


async def _send(store: RunStore, chunk: Sequence[Placed], checked: Sequence[NewRun | BadRequest]) -> list[Answer]:
    good = [entry for entry in checked if not isinstance(entry, BadRequest)]
    with in_doubt(good):
        answers = iter(await store.submit_many(good))
    return [
        entry if isinstance(entry, BadRequest) else _answer(store, placed, *next(answers))
        for placed, entry in zip(chunk, checked, strict=True)
    ]


def _answer(store: RunStore, placed: Placed, answer: str, run_id: str) -> RunHandle | KeyReused:
    if answer == "reused":
        return KeyReused(placed.submission.key or "", run_id)
    return RunHandle(store, run_id, created=answer == "created", ordered_before=answer == "bought")


def _chunks(requests: Iterable[Placed]) -> Iterator[Sequence[Placed]]:
    waiting = iter(requests)
    while chunk := list(islice(waiting, _AT_ONCE)):
        yield chunk
