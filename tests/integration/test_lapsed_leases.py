"""A lease that lapses, is seen to have lapsed, and is taken up again by its own worker's pulse."""

from __future__ import annotations

from jobs import State, keys
from jobs.errors import Fenced
from jobs.moves import By
from jobs.run import Run
from jobs.store import RunStore
from tests.fleet_rig import Fleet
from tests.stage_rig import request


class LapsesOnce(RunStore):
    """The process stood still between the claim and the first start; then its pulse was quicker than the rest of it."""

    has_lapsed = False

    async def begin(self, run_id: str, job_id: str, by: By, destination: str) -> Run:
        if self.has_lapsed:
            return await super().begin(run_id, job_id, by, destination)
        self.has_lapsed = True
        await self.redis.delete(keys.in_progress(job_id))
        try:
            return await super().begin(run_id, job_id, by, destination)
        except Fenced:
            await self.redis.set(keys.in_progress(job_id), by.owner, px=2000)
            raise


async def test_a_job_whose_lease_lapsed_before_it_began_stays_in_the_queue(fleet: Fleet) -> None:
    """Whoever is refused leaves the job to the next one: were it ended, the run would have none until the sweep."""
    worker = await fleet.start_worker()
    assert worker.stages is not None
    store = worker.stages.store = LapsesOnce(worker.pool)

    handle = await fleet.queue.submit(request())

    assert (await handle.result(timeout=30)).state is State.DONE
    assert store.has_lapsed
