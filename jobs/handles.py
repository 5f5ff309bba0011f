"""A run as its producer sees it."""

from __future__ import annotations

import asyncio
from typing import Any

from jobs.errors import ResultTimeout, RunFailed
from jobs.parts import combine, read_part_ids, read_parts
from jobs.run import FileRecord, Run, Transition
from jobs.store import RunStore


class RunHandle:
    """One run, seen from outside. It holds nothing but the id: rebuild it with OrderQueue.run(run_id)."""

    def __init__(self, store: RunStore, run_id: str, *, created: bool, ordered_before: bool = False) -> None:
        self._store = store
        self.run_id = run_id
        self.created = created  # False: the key or the request had this run already
        self.ordered_before = ordered_before  # True: the same request was submitted lately, without this key

    def __repr__(self) -> str:
        return f"RunHandle({self.run_id!r})"

    async def status(self) -> Run:
        """The run as it is now; of a request that was split, all parts as one."""
        return combine(await self.parts())

    async def parts(self) -> list[Run]:
        """The runs of a request that was split since it has more items than an order holds; else this run alone."""
        return await read_parts(self._store, self.run_id)

    async def _part_ids(self) -> list[str]:
        return await read_part_ids(self._store, self.run_id)

    async def history(self) -> list[Transition]:
        """Its transitions, oldest first."""
        lines = [line for part_id in await self._part_ids() for line in await self._store.history(part_id)]
        return sorted(lines, key=lambda line: line.at)

    async def files(self) -> list[FileRecord]:
        """The files of its order, as far as they are known."""
        return [file for part_id in await self._part_ids() for file in await self._store.files(part_id)]

    async def log(self) -> list[dict[str, Any]]:
        """The last log lines of its stages that failed, oldest first: each an event with its fields."""
        return [line for part_id in await self._part_ids() for line in await self._store.log(part_id)]

    async def result(self, timeout: float | None = None) -> Run:  # noqa: ASYNC109 — arq's Job.result has this name too
        """Wait until the run has ended and return it, its files being at its destination.

        Arguments:
            timeout: seconds to wait; None for as long as it takes.

        Raises:
            RunFailed: it ended without its files; the error carries the run.
            ResultTimeout: the time was up; the run goes on.
        """
        try:
            async with asyncio.timeout(timeout):
                run = await self._ended()
        except TimeoutError as error:
            state = (await self.status()).state
            raise ResultTimeout(self.run_id, timeout or 0, state) from error
        if not run.state.has_files:
            raise RunFailed(run)
        return run

    async def _ended(self) -> Run:
        """Read the record only when the event stream gives reason to, and now and then in case it was trimmed."""
        after = await self._store.last_event_id()
        run = await self.status()
        if run.state.is_final:
            return run
        run_ids = {self.run_id, *run.part_ids}
        async for event in self._store.events(after):
            if event is None or (event.run_id in run_ids and event.state.is_final):
                run = await self.status()
                if run.state.is_final:
                    return run
        raise AssertionError("an event stream does not end")
