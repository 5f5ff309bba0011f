from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planet_sdk.limits import PLANET_RATES, LocalLimiter, RequestKind

GET, CREATE, BODY = RequestKind.GET, RequestKind.CREATE, RequestKind.BODY


class Time:
    """A clock that moves only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, delay_s: float) -> None:
        until = self.now + delay_s
        await asyncio.sleep(0)
        self.now = max(self.now, until)


def limiter(time: Time, rates: dict[RequestKind, int], active: int = 0, bodies: int = 0) -> LocalLimiter:
    return LocalLimiter(rates, active, bodies, clock=time, sleep=time.sleep)


async def until_all_wait() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 10), st.integers(1, 40))
async def test_no_second_sees_more_than_the_rate_and_turns_are_in_order(rate: int, requests: int) -> None:
    time = Time()
    limits = limiter(time, {GET: rate})
    sent: list[tuple[int, float]] = []

    async def request(number: int) -> None:
        async with limits.slot(GET):
            sent.append((number, time.now))

    await asyncio.gather(*map(request, range(requests)))

    assert [number for number, _ in sent] == list(range(requests))
    times = [when for _, when in sent]
    assert all(later - earlier > 1 for earlier, later in zip(times, times[rate:], strict=False))
    assert time.now <= 1.06 * ((requests - 1) // rate)


async def test_a_rate_below_one_is_a_pause_between_requests() -> None:
    time = Time()
    limits = LocalLimiter({GET: 0.25}, clock=time, sleep=time.sleep)
    for _ in range(3):
        await enter(limits, GET)
    assert 8 < time.now < 9


async def test_every_kind_has_its_own_budget() -> None:
    time = Time()
    limits = limiter(time, {GET: 1, CREATE: 1})
    async with limits.slot(GET), limits.slot(CREATE):
        assert time.now == 0


async def test_slots_are_held_until_they_are_left_and_bodies_have_their_own() -> None:
    limits = limiter(Time(), {}, active=2, bodies=1)
    async with AsyncExitStack() as held:
        for kind in (GET, CREATE, BODY):
            await held.enter_async_context(limits.slot(kind))
        waiting = [asyncio.create_task(enter(limits, kind)) for kind in (RequestKind.LIST, BODY)]
        await until_all_wait()
        assert not any(task.done() for task in waiting)
    await asyncio.gather(*waiting)


async def enter(limits: LocalLimiter, kind: RequestKind) -> None:
    async with limits.slot(kind):
        pass


async def test_a_pause_holds_its_kind_back_and_no_other() -> None:
    time = Time()
    limits = limiter(time, {GET: 10})
    limits.pause(GET, 5)
    limits.pause(GET, 2)

    await enter(limits, CREATE)
    assert time.now == 0
    await enter(limits, GET)
    assert time.now == 5


async def test_a_pause_also_holds_back_who_was_waiting_for_a_place() -> None:
    time = Time()
    limits = limiter(time, {}, active=1)
    async with limits.slot(CREATE):
        waiting = asyncio.create_task(enter(limits, GET))
        await until_all_wait()
        limits.pause(GET, 7)
    await waiting
    assert time.now == 7


async def test_a_cancelled_wait_leaves_nothing_behind() -> None:
    limits = limiter(Time(), {}, active=1)
    async with limits.slot(GET):
        waiting = [asyncio.create_task(enter(limits, GET)) for _ in range(3)]
        await until_all_wait()
        for task in waiting[:2]:
            task.cancel()
        await asyncio.gather(*waiting[:2], return_exceptions=True)
    await waiting[2]
    async with asyncio.timeout(5), limits.slot(GET):
        pass


async def test_an_error_inside_gives_the_slot_back() -> None:
    limits = limiter(Time(), {}, active=1)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            async with limits.slot(GET):
                raise ZeroDivisionError


async def test_without_numbers_nothing_is_limited() -> None:
    limits = LocalLimiter({}, 0, 0)
    async with AsyncExitStack() as held:
        for kind in list(RequestKind) * 100:
            await held.enter_async_context(limits.slot(kind))


def test_planets_rates_cover_every_kind_but_bodies() -> None:
    assert set(RequestKind) - set(PLANET_RATES) == {BODY}
