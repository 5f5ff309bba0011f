"""Moves of runs as they happen, as server-sent events: of one run, of one batch, or of all."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from http import HTTPStatus
from typing import Annotated

import structlog
from fastapi import APIRouter, Header, HTTPException, Query, Request, Response
from fastapi.responses import StreamingResponse

from jobs import Event, keys
from jobs.errors import RedisUnavailable
from jobs.redaction import Redactor
from jobs.store import RunStore
from worker.web.asking import AtDesk
from worker.web.link import Link

log = structlog.get_logger(__name__)

_HEARTBEAT_S = 15.0  # proxies close a connection on which nothing comes for a minute
_BEHIND = 1_000  # events that wait for one listener; who is further behind comes back, and goes on where it was
_MOST_LISTENERS = 500
_AWAY_S = 1.0
_RETRY_MS = 2_000

router = APIRouter(prefix="/v1", include_in_schema=False)  # a generated client would wait for the end of the stream


class Listener:
    """One who is told of events, from a place in the stream on."""

    def __init__(self, after: str) -> None:
        self.after = after
        self._waiting: asyncio.Queue[Event | None] = asyncio.Queue(_BEHIND)

    def tell(self, event: Event) -> bool:
        """Hand over one event; False where the listener is too far behind, and is told no more."""
        try:
            self._waiting.put_nowait(event)
        except asyncio.QueueFull:
            self.end()
            return False
        return True

    def end(self) -> None:
        """Tell it that nothing more comes, in place of what it has not taken yet."""
        while not self._waiting.empty():
            self._waiting.get_nowait()
        self._waiting.put_nowait(None)

    async def next(self) -> Event | None:
        """The next event that it has not had; None at the end. Raises TimeoutError when it is time for a heartbeat."""
        async with asyncio.timeout(_HEARTBEAT_S):
            while (event := await self._waiting.get()) is not None and not self.is_news(event):
                continue
        return event

    def is_news(self, event: Event) -> bool:
        """Whether an event comes after what the listener has had; from then on it has had it."""
        is_later = _place(event.id) > _place(self.after)
        self.after = event.id if is_later else self.after
        return is_later


class Relay:
    """Reads the fleet's events once for all who listen; while Redis is away they hear heartbeats, and then the rest."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._listeners: set[Listener] = set()
        self._reading: asyncio.Task[None] | None = None
        self._after = ""

    async def join(self, after: str | None) -> Listener:
        """A listener from the event `after` on, or from now.

        Raises:
            RedisUnavailable: where now is cannot be known.
        """
        if len(self._listeners) >= _MOST_LISTENERS:
            raise HTTPException(HTTPStatus.TOO_MANY_REQUESTS, "Too many are listening.", {"Retry-After": "10"})
        now = await self._link.ask(lambda store: store.last_event_id())
        if self._reading is None or self._reading.done():
            self._after = now
            self._reading = asyncio.create_task(self._read(), name="relay of events")
        listener = Listener(after or now)
        self._listeners.add(listener)
        return listener

    def leave(self, listener: Listener) -> None:
        """Tell it no more; with the last one the reading ends."""
        self._listeners.discard(listener)
        if not self._listeners and self._reading:
            self._reading.cancel()
            self._reading = None

    async def catch_up(self, listener: Listener) -> list[Event]:
        """What the stream still holds behind the listener's place."""

        async def read(store: RunStore) -> list[Event]:
            found = []
            async for event in store.events(listener.after, block_s=0.001):
                if event is None:
                    break
                found.append(event)
            return found

        return [event for event in await self._link.ask(read) if listener.is_news(event)]

    async def is_of_batch(self, event: Event, batch_id: str) -> bool:
        """Whether the event's run is one of a batch."""
        place = await self._link.ask(lambda store: store.redis.zscore(keys.batch_runs(batch_id), event.run_id))
        return place is not None

    async def close(self) -> None:
        """End every stream."""
        for listener in list(self._listeners):
            listener.end()
            self.leave(listener)

    async def _read(self) -> None:
        while True:
            with suppress(RedisUnavailable):
                await self._link.hand_in(self._relay)
            await asyncio.sleep(_AWAY_S)

    async def _relay(self, store: RunStore) -> None:
        async for event in store.events(self._after):
            if event is not None:
                self._after = event.id
                self._listeners -= {each for each in self._listeners if not each.tell(event)}


@router.get("/events")
async def follow_events(
    request: Request,
    desk: AtDesk,
    run_id: Annotated[str | None, Query(max_length=64)] = None,
    batch_id: Annotated[str | None, Query(max_length=64)] = None,
    last_event_id: Annotated[str | None, Header(pattern=r"^[0-9]{1,20}(-[0-9]{1,20})?$")] = None,
) -> Response:
    """Each move of a run as it happens: of one run, of a batch's, or of all.

    `Last-Event-ID` goes on behind that event, as far as the stream goes back: about 10,000 events.
    """
    if run_id:
        await desk.tell_run(run_id)
    if batch_id:
        await desk.get_batch(batch_id)
    if request.scope.get("is_head"):
        return Response(media_type="text/event-stream")
    relay: Relay = request.app.state.relay
    listener = await relay.join(last_event_id)
    stream = _stream(relay, listener, desk.redactor, run_id, batch_id)
    return StreamingResponse(stream, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


async def _stream(
    relay: Relay, listener: Listener, redactor: Redactor, run_id: str | None, batch_id: str | None
) -> AsyncIterator[str]:
    """The text of a stream; ends when the listener goes, is too slow, or Redis is away: it comes back for the rest."""
    try:
        yield f"retry: {_RETRY_MS}\n\n"
        async for event in _events(relay, listener):
            if event is None:
                yield ": alive\n\n"
            elif run_id in {None, event.run_id} and (batch_id is None or await relay.is_of_batch(event, batch_id)):
                yield _tell(event, redactor)
    except RedisUnavailable as error:
        log.info("stream of events ended, Redis is away", error=str(error))
    finally:
        relay.leave(listener)


async def _events(relay: Relay, listener: Listener) -> AsyncIterator[Event | None]:
    """What the stream still holds, then what comes; None when it is time for a heartbeat."""
    for missed in await relay.catch_up(listener):
        yield missed
    while True:
        try:
            event = await listener.next()
        except TimeoutError:
            yield None
            continue
        if event is None:
            return
        yield event


def _tell(event: Event, redactor: Redactor) -> str:
    said = {"run_id": event.run_id, "state": event.state, "stage": event.stage, "at": event.at.isoformat()}
    return f"id: {event.id}\nevent: move\ndata: {json.dumps({**said, 'reason': redactor.text(event.reason)})}\n\n"


def _place(event_id: str) -> tuple[int, int]:
    ms, _, number = event_id.partition("-")
    return int(ms), int(number or 0)
