"""Many small waits at once, but never more than so many."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")


async def abreast(function: Callable[[Item], Awaitable[Answer]], items: Iterable[Item], limit: int) -> list[Answer]:
    """Await the function for every item, `limit` at a time; the answers come in the order of the items.

    Raises:
        Exception: the first one that is raised, after the other calls were cancelled.
    """
    turn = asyncio.Semaphore(limit)

    async def one(item: Item) -> Answer:
        async with turn:
            return await function(item)

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(item)) for item in items]
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return [task.result() for task in tasks]
