"""A stage that ends its process each time, in real processes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobs import FailureKind, RunFailed, Stage, State
from tests.fleet_rig import Fleet
from tests.stage_rig import request
from tests.waiting import until


@pytest.fixture
def deaths(fleet: Fleet, tmp_path: Path) -> Iterator[Path]:
    """A worker that is started anew each time it is killed; the file has one line for each time."""
    log = tmp_path / "deaths"
    arguments = [fleet.redis_url, fleet.simulator.url, fleet.simulator.api_key, str(fleet.folder)]
    with log.open("wb") as output:
        process = subprocess.Popen([sys.executable, "-m", "tests.deadly_worker", *arguments], stdout=output)
    yield log
    process.terminate()
    assert process.wait(30) == 0


def deaths_in(log: Path) -> int:
    return log.read_text().splitlines().count("killed")


async def test_a_run_that_ends_its_worker_each_time_is_set_aside_and_the_queue_goes_on(
    fleet: Fleet, deaths: Path
) -> None:
    """It dies in its POST, so that each other start ends well, with the look whether Planet took the order."""
    deadly = await fleet.queue.submit({**request(), "name": "deadly"})
    with pytest.raises(RunFailed, match=r"set aside: its worker ended \d times in create"):
        await deadly.result(timeout=90)

    error = (await deadly.status()).error
    assert error is not None
    assert (error.kind, error.type, error.stage) == (FailureKind.BUG, "WorkerEnded", Stage.CREATE)
    times = deaths_in(deaths)
    assert times > 0

    other = await fleet.queue.submit(request())

    async def is_ordered() -> bool:
        return (await other.status()).state is State.WAITING

    await until("another run is ordered", is_ordered)
    assert deaths_in(deaths) == times
