"""A worker may die at any note it takes: nothing is lost, and nothing is bought twice."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from jobs.errors import Fenced
from jobs.run import Facts, FileRecord, State
from planet_sdk import OrdersClient
from tests.stage_rig import RUN_ID, START, MemoryNotebook, Rig, new_run, open_rig

MOST_NOTES = 40


class Deadly(MemoryNotebook):
    """Ends the stage at one of its notes, as a kill does: just before it is written, or just after."""

    def __init__(self, at: int, *, written: bool) -> None:
        super().__init__()
        self.at, self.written, self.count = at, written, 0

    async def note(self, facts: Facts, files: Mapping[str, FileRecord] | None = None) -> None:
        self.count += 1
        if self.count != self.at:
            return await super().note(facts, files)
        if self.written:
            await super().note(facts, files)
        raise Fenced("job", "the worker died")


async def run_with_a_crash(rig: Rig, at: int, *, written: bool) -> bool:
    """Drive a run of its own to its end through one crash; return whether it came to that."""
    notebook = Deadly(at, written=written)
    rig.notebook, rig.now = notebook, START
    rig.run = new_run(run_id=f"{RUN_ID[:-3]}{at:02d}{int(written)}")
    while not rig.run.state.is_final:
        try:
            await rig.go(State.DONE)
        except Fenced:
            rig.crash()
            rig.now += timedelta(seconds=15)
    return notebook.count >= at


@pytest.mark.parametrize("written", [False, True])
async def test_a_crash_at_any_note_buys_one_order_and_delivers_it_whole(tmp_path: Path, *, written: bool) -> None:
    async with open_rig(tmp_path) as rig:
        crashes = 0
        for at in range(1, MOST_NOTES):
            crashed = await run_with_a_crash(rig, at, written=written)
            assert rig.simulator.report().orders[rig.run.order_name] == 1, f"note {at}"
            OrdersClient.validate_checksum(rig.folder, "SHA256")
            if not crashed:
                break
            crashes += 1
        assert 5 < crashes < MOST_NOTES - 1, "every note was tried"
