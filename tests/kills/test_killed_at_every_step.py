"""A worker is killed at each moment of a run, one after another: the run ends as promised every time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from planet_sdk.simulator import Simulator, SimulatorSettings
from planet_sdk.simulator.faults import FaultKind
from tests.kills.life import Life
from tests.kills.promise import hold_against_cancelled, hold_against_done, hold_against_failed
from tests.kills.story import Story


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    settings = SimulatorSettings(queued_s=0, running_s=0, jitter=0, rate_limits={}, scene_size_px=32)
    with Simulator(settings) as simulator:
        yield simulator


def doom(kind: FaultKind, life: Life) -> None:
    life.simulator.doom(kind, f"*{life.handle.run_id}*", times=None)


pytestmark = pytest.mark.timeout(600)

STORIES = {
    "delivered": Story(hold_against_done),
    "delivered by a forgetful server": Story(hold_against_done, forgets=True),
    "delivered by the sweep": Story(hold_against_done, orphans=True),
    "failed at Planet": Story(hold_against_failed, lambda life: doom(FaultKind.ORDER_FAILED, life)),
    "cancelled": Story(
        hold_against_cancelled, lambda life: doom(FaultKind.ORDER_STUCK, life), cancel_after="after move 3"
    ),
}


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
async def test_killed_at_every_step_a_run_ends_as_promised(tmp_path: Path, simulator: Simulator, story: Story) -> None:
    await story.tell_with_a_kill_at_each(tmp_path, simulator)
