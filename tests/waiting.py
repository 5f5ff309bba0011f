"""Wait for a condition, with a deadline and a description; the only way tests wait."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from inspect import isawaitable
from typing import Any, TypeVar, overload

T = TypeVar("T")

_LOOK_EVERY_S = 0.02


@overload
async def until(what: str, look: Callable[[], Awaitable[T]], deadline_s: float = 30) -> T: ...


@overload
async def until(what: str, look: Callable[[], T], deadline_s: float = 30) -> T: ...


async def until(what: str, look: Callable[[], Any], deadline_s: float = 30) -> Any:
    """Look until something true is seen, and return it.

    Raises:
        AssertionError: it was not seen in time; the message is `what`.
    """
    end = time.monotonic() + deadline_s
    while True:
        answer = look()
        seen = await answer if isawaitable(answer) else answer
        if seen:
            return seen
        assert time.monotonic() < end, f"not seen within {deadline_s:g} s: {what}"
        await asyncio.sleep(_LOOK_EVERY_S)  # between two looks


def wait_until(what: str, look: Callable[[], T], deadline_s: float = 60) -> T:
    """As until(), for tests that are no coroutines."""
    end = time.monotonic() + deadline_s
    while not (seen := look()):
        assert time.monotonic() < end, f"not seen within {deadline_s:g} s: {what}"
        time.sleep(_LOOK_EVERY_S)  # between two looks
    return seen
