"""The stories that are told with a kill at each of their moments."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from jobs import Run
from planet_sdk.simulator import Simulator
from tests.kills.life import Life, a_life

_AT_ONCE = 8  # lives side by side: part of a life is waiting
_STRIDE = 6
_MOST_FORGOTTEN = 5


@dataclass(frozen=True)
class Story:
    """What is special about a run, and what is promised of it.

    Attributes:
        promise: holds an ended run against what is promised.
        prepare: called before the first worker starts.
        cancel_after: somebody cancels the run at this moment, or else while no worker is alive.
        orphans: with each kill the run's job is taken away too.
        forgets: with each kill the server crashes too, and loses one to five of its last writes.
    """

    promise: Callable[[Life, Run], Awaitable[None]]
    prepare: Callable[[Life], None] = lambda life: None
    cancel_after: str | None = None
    forgets: bool = False
    orphans: bool = False

    async def tell(self, folder: Path, simulator: Simulator, at: str | None = None, forget: int = 0) -> list[str]:
        """Live through it once, with a kill at a moment or without; return the moments that came."""
        async with a_life(folder, simulator, at) as (life, fate):
            self.prepare(life)
            if self.cancel_after:
                fate.heralds[self.cancel_after] = life.cancel_soon
            try:
                cancels = self.cancel_after is not None
                run = await life.go(fate, cancel=cancels, forget=forget, orphan=self.orphans)
                assert at is None or fate.struck.is_set(), f"it never came: {fate.seen}"
                await self.promise(life, run)
            except Exception as error:
                error.add_note(life.logs())
                raise
        return fate.seen

    async def tell_with_a_kill_at_each(self, folder: Path, simulator: Simulator) -> None:
        """Rehearse it, then tell it once for each moment; raises one group of all that went wrong.

        All moments where the environment says KILLS=all, else a few of them, the order's POST always.
        """
        moments = await self.tell(folder / "rehearsal", simulator)
        few = moments[::_STRIDE] + [moment for moment in moments if "POST" in moment]
        chosen = moments if os.environ.get("KILLS") == "all" else list(dict.fromkeys(few))
        slots = asyncio.Semaphore(_AT_ONCE)

        async def tell_in_turn(number: int, at: str) -> None:
            forget = 1 + number % _MOST_FORGOTTEN if self.forgets else 0
            async with slots:
                try:
                    await self.tell(folder / str(number), simulator, at, forget)
                except Exception as error:
                    error.add_note(f"killed {at}, {forget} writes lost")
                    raise

        told = [tell_in_turn(number, at) for number, at in enumerate(chosen)]
        wrong = [error for error in await asyncio.gather(*told, return_exceptions=True) if error]
        print(f"{len(chosen)} of {len(moments)} moments, {len(wrong)} wrong")  # noqa: T201 — the figures of make kills
        if wrong:
            raise BaseExceptionGroup("killed at some moments, the run did not end as promised", wrong)
