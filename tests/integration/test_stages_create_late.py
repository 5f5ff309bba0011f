"""A worker that stood still for longer than its lease wakes up with a POST in its hands: it must not send it any more.

Meanwhile the job is another's, which looks for the order for a while, finds none, and places it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from jobs.errors import Fenced
from jobs.outcomes import Advance
from jobs.run import Facts, FileRecord
from planet_sdk.limits import LocalLimiter, RequestKind, Turn
from tests.stage_rig import START, MemoryNotebook, Rig, open_rig
from tests.waiting import until


class Lapsing(MemoryNotebook):
    """A notebook whose job can become another worker's."""

    is_lost = False
    when_asked: Callable[[], None] | None = None

    async def note(self, facts: Facts, files: Mapping[str, FileRecord] | None = None) -> None:
        if self.is_lost:
            raise Fenced("job", "another worker has it")
        await super().note(facts, files)
        if self.when_asked is not None:
            self.when_asked()


@dataclass
class Turnstile(LocalLimiter):
    """A limiter at which POSTs that create orders wait until they are let through."""

    waiting: int = 0
    opened: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        super().__init__({})

    def slot(self, kind: RequestKind) -> AbstractAsyncContextManager[Turn | None]:
        return self._wait() if kind is RequestKind.CREATE else super().slot(kind)

    @asynccontextmanager
    async def _wait(self) -> AsyncIterator[None]:
        self.waiting += 1
        await self.opened.wait()
        yield

    def pause(self, kind: RequestKind, delay_s: float) -> None:
        pass


@pytest.fixture
def turnstile() -> Turnstile:
    return Turnstile()


@pytest.fixture
async def rig(tmp_path: Path, turnstile: Turnstile) -> AsyncIterator[Rig]:
    async with open_rig(tmp_path, limiter=turnstile) as rig:
        rig.notebook = Lapsing()
        yield rig


def notebook_of(rig: Rig) -> Lapsing:
    assert isinstance(rig.notebook, Lapsing)
    return rig.notebook


async def test_a_job_that_is_lost_while_its_post_waits_for_its_turn_sends_none(rig: Rig, turnstile: Turnstile) -> None:
    """Hundreds of runs wait for three POSTs a second: that takes longer than a lease."""
    step = asyncio.create_task(rig.step())
    await until("the POST waits for its turn", lambda: turnstile.waiting)
    notebook_of(rig).is_lost = True
    turnstile.opened.set()

    with pytest.raises(Fenced):
        await step
    assert rig.simulator.report().requests.get("create", 0) == 0


async def test_a_job_that_is_lost_after_a_429_sends_no_second_post(rig: Rig, turnstile: Turnstile) -> None:
    rig.simulator.fail("create", status=429, times=None)
    turnstile.opened.set()
    notebook_of(rig).when_asked = partial(setattr, rig.notebook, "is_lost", True)

    with pytest.raises(Fenced):
        await rig.step()
    assert rig.simulator.report().requests["create"] == 1


async def test_the_intent_tells_when_the_post_was_sent(rig: Rig, turnstile: Turnstile) -> None:
    """From then on Planet's list has time to show the order; the wait before does not count."""
    step = asyncio.create_task(rig.step())
    await until("the POST waits for its turn", lambda: turnstile.waiting)
    rig.now += timedelta(seconds=60)
    turnstile.opened.set()

    assert isinstance(await step, Advance)
    assert rig.notebook.lines[0] == ({"intent_at": START + timedelta(seconds=60)}, [])


async def test_a_stage_that_is_stopped_while_its_post_waits_for_its_turn_leaves_no_intent(
    rig: Rig, turnstile: Turnstile
) -> None:
    """Whoever starts it next has nothing to look for, and sends it at once."""
    step = asyncio.create_task(rig.step())
    await until("the POST waits for its turn", lambda: turnstile.waiting)
    step.cancel()
    with suppress(asyncio.CancelledError):
        await step

    assert rig.notebook.lines == []
