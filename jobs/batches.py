"""The batches in Redis: opened before their runs are submitted, closed behind the last of them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from redis.exceptions import ResponseError

from jobs import keys
from jobs.batch import Batch
from jobs.endings import batch_job
from jobs.errors import BatchNotFound, UnreadableBatch
from jobs.index import PAGE
from jobs.listing import Cursor, read_places
from jobs.poison import is_bad_data
from jobs.run import Run
from jobs.scripts import script
from jobs.store import RunStore, ms, read

if TYPE_CHECKING:
    from arq.connections import ArqRedis


class BatchStore:
    """Reads and writes batches. Their counts are kept by the scripts that move runs."""

    def __init__(self, store: RunStore) -> None:
        self._store = store
        self._redis: ArqRedis = store.redis
        self._open, self._note = script(self._redis, "open_batch"), script(self._redis, "note_callback")
        self._close = script(self._redis, "close_batch")

    async def open(
        self, batch_id: str, *, name: str, producer: str | None, key: str | None, callback_url: str | None
    ) -> str:
        """Write a batch without runs, unless the key has one already; returns the id of the batch. Idempotent.

        One that is never given any runs is forgotten after the time for which runs are kept.
        """
        known = {"name": name, "producer": producer, "key": key, "callback_url": callback_url}
        known |= {"batch_id": batch_id, "key_name": keys.batch_key(key) if key else None}
        fields = [text for name, value in known.items() if value for text in (name, value)]
        batch_key = keys.batch_key(key) if key else ""
        opened = await self._open(
            keys=[keys.batch(batch_id), keys.BATCHES, batch_key],
            args=[batch_id, ms(self._store.lifetimes.retention), keys.batch(""), *fields],
        )
        text: str = opened.decode()
        return text

    async def close(self, batch_id: str, *, requests: int, refused: int, elsewhere: int) -> None:
        """Note that all of a batch was submitted: from now on it ends with the last of its runs. Idempotent.

        Raises:
            BatchNotFound: there is no such batch.
        """
        fields = ("requests", requests, "refused", refused, "elsewhere", elsewhere)
        job = batch_job(batch_id, queue=self._store.queue, job_ms=ms(self._store.lifetimes.job))
        closed = await self._close(
            keys=[keys.batch(batch_id), keys.batch_runs(batch_id)],
            args=[ms(self._store.lifetimes.retention), json.dumps(job), *fields],
        )
        if not closed:
            raise BatchNotFound(batch_id)

    async def note_callback(self, batch_id: str, what: str) -> None:
        """Write down what became of telling the batch's end; does nothing to one that is no longer kept."""
        await self._note(keys=[keys.batch(batch_id)], args=[what])

    async def get(self, batch_id: str) -> Batch:
        """Read one batch, in one round trip, however many runs it has.

        Raises:
            BatchNotFound: there is no such batch.
            UnreadableBatch: its record is damaged.
        """
        try:
            fields = await read(self._redis.hgetall(keys.batch(batch_id)))
        except ResponseError as error:
            if is_bad_data(error):
                raise UnreadableBatch(batch_id, str(error)) from error
            raise
        if not fields:
            raise BatchNotFound(batch_id)
        return Batch.from_hash(fields, batch_id)

    async def newest(self, limit: int) -> list[Batch]:
        """The newest batches first; those that cannot be read are left out."""
        return (await self.page(limit))[0]

    async def page(self, limit: int, before: Cursor | None = None) -> tuple[list[Batch], Cursor | None]:
        """The newest batches behind a cursor, and where the next page begins, if there is one, in three round trips.

        Those that cannot be read are left out.
        """
        places = await read_places(self._redis, keys.BATCHES, limit + 1, before)
        shown = places[:limit]
        async with self._redis.pipeline(transaction=False) as pipe:
            for place in shown:
                pipe.hgetall(keys.batch(place.run_id))
            records = await pipe.execute(raise_on_error=False)
        batches = []
        for place, fields in zip(shown, records, strict=True):
            if isinstance(fields, Exception) and not is_bad_data(fields):
                raise fields
            with suppress(UnreadableBatch):
                batches += [Batch.from_hash(fields, place.run_id)] if fields and isinstance(fields, dict) else []
        return batches, shown[-1] if len(places) > limit else None

    async def pages(self, batch_id: str) -> AsyncIterator[list[str]]:
        """The ids of its runs, in the order of their requests, page by page; also of those no longer kept."""
        start = 0
        while page := await self._redis.zrange(keys.batch_runs(batch_id), start, start + PAGE - 1):
            yield [run_id.decode() for run_id in page]
            start += PAGE

    async def read_runs(self, run_ids: Sequence[str]) -> list[Run]:
        """These runs, in one round trip; those that are gone are left out."""
        return await self._store.get_many(run_ids)

    async def read_fields(self, run_ids: Sequence[str], names: Sequence[str]) -> list[list[bytes | None]]:
        """Fields of these runs' records, in one round trip; of a record that is gone or damaged none."""
        async with self._redis.pipeline(transaction=False) as pipe:
            for run_id in run_ids:
                pipe.hmget(keys.run(run_id), list(names))
            found = await pipe.execute(raise_on_error=False)
        return [[None] * len(names) if isinstance(record, Exception) else record for record in found]

    async def count_elsewhere(self, batch_id: str, run_ids: Sequence[str]) -> int:
        """How many of these runs are of no batch, or of another one."""
        pages = [run_ids[start : start + PAGE] for start in range(0, len(run_ids), PAGE)]
        owners = [owner for page in pages for (owner,) in await self.read_fields(page, ["batch_id"])]
        return sum(owner != batch_id.encode() for owner in owners)
