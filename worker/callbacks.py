"""Calling producers back when a run or a batch has ended: signed, to allowed hosts only, again and again for a day."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import structlog
from arq.worker import Function, Retry, func

from jobs.batch_summary import summarize
from jobs.batches import BatchStore
from jobs.callbacks import FUNCTION, SIGNATURE_HEADER, Told, sign_callback
from jobs.endings import log_undelivered
from jobs.errors import BatchNotFound, RunNotFound, UnreadableBatch, UnreadableRun
from jobs.parts import combine, read_parts
from jobs.redaction import Redactor, hide_password
from jobs.run import Run
from jobs.store import RunStore, ms
from planet_sdk.exceptions import ClientError
from planet_sdk.trust import Origin

log = structlog.get_logger(__name__)

_AT_ONCE = 4  # of a worker's slots: whoever answers slowly must not keep runs from theirs
_TIMEOUT_S = 10.0
_GIVE_UP_AFTER = timedelta(days=1)
_OF_A_RUN = {
    *("run_id", "name", "state", "reason", "key", "producer", "batch_id", "destination", "order_id", "order_state"),
    *("created_at", "finished_at", "files_total", "files_done", "bytes_total", "bytes_done"),
}
_NO_LIMIT = 10**9  # arq's own count of tries: time is what limits them


@dataclass(frozen=True, slots=True)
class _News:
    """What is to be told, and to whom."""

    url: str
    body: Mapping[str, Any]


class Callbacks:
    """Tells producers of ends, for one worker. Whatever becomes of it, runs go on.

    Arguments:
        store: of the runs.
        allowed: whom settings allow to be called; nobody else is, wherever their names lead.
        secret: what calls are signed with.
        redactor: takes secrets out of messages.
        pauses_s: the first and the longest between two tries; they double.
        now: a clock.
    """

    def __init__(
        self,
        store: RunStore,
        *,
        allowed: Collection[Origin] = (),
        secret: str = "",
        redactor: Redactor | None = None,
        pauses_s: tuple[float, float] = (5.0, 3600.0),
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store, self._batches = store, BatchStore(store)
        self._allowed, self._secret = frozenset(allowed), secret
        self._redactor, self._pauses_s, self._now = redactor or Redactor(), pauses_s, now
        self._client: httpx.AsyncClient | None = None
        self._in_hand = 0

    def function(self) -> Function:
        """For arq's Worker."""
        return func(self.call, name=FUNCTION, max_tries=_NO_LIMIT)

    async def aclose(self, _ctx: object = None) -> None:
        """Close the connections; also as arq's on_shutdown."""
        if self._client:
            await self._client.aclose()

    async def call(self, ctx: Mapping[Any, Any], told: str, about: str) -> str:
        """Tell of the end of a run or a batch; returns what became of it.

        At least once: a worker that is killed between the call and the end of the job leaves it to be made again.

        Raises:
            Retry: it is to be tried again.
        """
        first_s, longest_s = self._pauses_s
        pause_s = min(first_s * 2.0 ** min(int(ctx["job_try"]) - 1, 20), longest_s)
        if self._in_hand >= _AT_ONCE:
            raise Retry(defer=pause_s)
        self._in_hand += 1
        try:
            return await self._tell(Told(told), about, ctx["job_id"], ctx["enqueue_time"], pause_s)
        finally:
            self._in_hand -= 1

    async def _tell(self, told: Told, about: str, job_id: str, since: datetime, pause_s: float) -> str:
        news = await self._news(told, about, job_id)
        if news is None:
            return "nothing to tell: it has not ended, or is no longer kept"
        why = self._refusal(news.url)
        if why is None and (why := await self._post(news)):
            if self._now() - since < _GIVE_UP_AFTER:
                log.info("callback not taken, tried again", about=about, url=hide_password(news.url), why=why)
                raise Retry(defer=pause_s)
            why = f"given up after a day: {why}"
        if why is None:
            log.info("callback delivered", about=about, url=hide_password(news.url))
        else:
            log.warning("callback not delivered", about=about, url=hide_password(news.url), why=why)
        await self._note(told, about, why)
        return f"not delivered: {why}" if why else "delivered"

    async def _news(self, told: Told, about: str, job_id: str) -> _News | None:
        """What there is to tell now: nothing, where a retry has taken the end back. It will be told of its own end."""
        with suppress(RunNotFound, UnreadableRun, BatchNotFound, UnreadableBatch):
            if told is Told.RUN:
                parts = await self._parts_of(about)
                run = combine(parts)
                url, ended_at, body = run.callback_url, run.finished_at, _tell_run(run)
                if run.part_ids:  # whichever part was the last, and whoever saw that, it is one end
                    job_id = f"{FUNCTION}:{run.run_id}:{sum(part.step for part in parts)}"
            else:
                summary = await summarize(self._batches, about)
                url, ended_at, body = summary.batch.callback_url, summary.batch.ended_at, summary.as_dict()
            if url and ended_at:
                event = {"id": job_id, "event": f"{told}.ended", "at": ended_at.isoformat()}
                return _News(url, {**event, told.value: self._redactor.value(body)})
        return None

    async def _parts_of(self, run_id: str) -> list[Run]:
        run = await self._store.get(run_id)
        return await read_parts(self._store, run.part_of or run_id)

    def _refusal(self, url: str) -> str | None:
        """Why this address is not called, if it is not."""
        try:
            origin = Origin.of(url)
        except ClientError:
            return "it is no address"
        if origin in self._allowed:
            return None
        return f"{origin.scheme}://{origin.host}:{origin.port} is not among ORDERS_CALLBACK_HOSTS of the workers"

    async def _post(self, news: _News) -> str | None:
        """Send it; returns why it was not taken, if it was not. No redirect is followed, and no answer is read."""
        self._client = self._client or httpx.AsyncClient(timeout=_TIMEOUT_S, follow_redirects=False)
        body = json.dumps(news.body).encode()
        signature = sign_callback(body, self._secret, round(self._now().timestamp()))
        headers = {"Content-Type": "application/json", SIGNATURE_HEADER: signature}
        post = self._client.stream("POST", news.url, content=body, headers=headers)
        try:
            async with asyncio.timeout(_TIMEOUT_S), post as answer:
                return None if answer.is_success else f"it answered {answer.status_code}"
        except TimeoutError:
            return f"no answer within {_TIMEOUT_S:g} s"
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            return self._redactor.text(f"{type(error).__name__}: {error}")

    async def _note(self, told: Told, about: str, why_not: str | None) -> None:
        """Write down what became of it, where people look."""
        if told is Told.BATCH:
            await self._batches.note_callback(about, f"not delivered: {why_not}" if why_not else "delivered")
        elif why_not:
            await log_undelivered(self._store.redis, about, why_not, retention_ms=ms(self._store.lifetimes.retention))


def _tell_run(run: Run) -> dict[str, Any]:
    """What a producer wants to know of a run; not its request, which may hold credentials."""
    error = run.error.model_dump(mode="json", exclude={"traceback"}) if run.error else None
    return {**run.model_dump(mode="json", include=_OF_A_RUN), "error": error}
