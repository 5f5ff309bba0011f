"""`events`: the moves of runs, those that are kept and those to come."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

import typer

from jobs import keys
from jobs.redaction import Redactor
from jobs.run import to_ms
from jobs.store import Event
from worker.cli.desk import Desk, at_desk, say
from worker.cli.exits import CommandError, Exit
from worker.cli.outage import AWAY, Outage
from worker.cli.output import print_line
from worker.cli.terms import read_span
from worker.wording import one_line

_EVENT_ID = re.compile(r"[0-9]{1,18}(-[0-9]{1,18})?")
_BEGINNING = "0-0"
_LOOK_S, _NO_LOOK_S = 5.0, 0.001
_REDACTOR = Redactor()


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which moves, as it was typed; nothing means all."""

    run: str | None = None
    batch: str | None = None
    states: Sequence[str] = ()
    after: str | None = None
    since: str | None = None

    def begin(self) -> str | None:
        """The event behind which to begin, if one was named.

        Raises:
            CommandError: it is none.
        """
        if self.since is not None:
            return str(to_ms(datetime.now(UTC) - read_span(self.since, "--since")))
        if self.after is not None and not _EVENT_ID.fullmatch(self.after):
            raise CommandError(f"--after: {self.after!r} is no event's id; --json has them as `id`")
        return self.after


class Choice:
    """Tells the moves that are wanted from others: of these runs, of this batch, into these states."""

    def __init__(self, desk: Desk, run_ids: set[str], batch_id: str | None = None, states: Sequence[str] = ()) -> None:
        self._desk, self._run_ids, self._batch_id, self._states = desk, run_ids, batch_id, states

    async def fits(self, event: Event) -> bool:
        """Whether a move is wanted."""
        if self._states and event.state not in self._states:
            return False
        if self._run_ids and event.run_id not in self._run_ids:
            return False
        if self._batch_id is None:
            return True
        return await self._desk.redis.zscore(keys.batch_runs(self._batch_id), event.run_id) is not None


def show_events(wanted: Wanted, *, follow: bool, as_json: bool) -> Exit:
    """Print what is kept of the moves, or what comes until Ctrl-C; an outage of Redis loses none of them."""
    begin, last = wanted.begin(), ""

    async def work(desk: Desk) -> Exit:
        nonlocal last
        choice = await _choose(desk, wanted)
        outage = Outage()
        async for event in read_moves(desk, begin, follow=follow):
            if event is None:
                continue
            if await outage.ask(partial(choice.fits, event)):
                print_event(event, as_json=as_json)
            last = event.id
        return Exit.OK

    try:
        return at_desk(work)
    except KeyboardInterrupt:
        if last:
            say(f"Interrupted. Go on from here with: --after {last}")
        return Exit.INTERRUPTED


async def _choose(desk: Desk, wanted: Wanted) -> Choice:
    run_ids: set[str] = set()
    if wanted.run:
        run = await desk.queue.get(await desk.find_run_id(wanted.run))
        run_ids = {run.run_id, *run.part_ids}
    batch_id = await desk.find_batch_id(wanted.batch) if wanted.batch else None
    if batch_id:
        await desk.queue.batch(batch_id).status()  # an unknown id is an error, not silence
    return Choice(desk, run_ids, batch_id, wanted.states)


async def read_moves(desk: Desk, after: str | None, *, follow: bool) -> AsyncIterator[Event | None]:
    """The moves behind an event: all that are kept, or, to follow them, from there or from now on, without an end.

    None comes when nothing else has come for some seconds.
    """
    newest = await desk.store.last_event_id()
    after = after or (newest if follow else _BEGINNING)
    outage = Outage()
    while True:
        try:
            async for event in desk.store.events(after, _LOOK_S if follow else _NO_LOOK_S):
                outage.end()
                after = event.id if event else after
                yield event
                if not follow and (event is None or event.id == newest):
                    return
        except AWAY as error:
            if not follow:
                raise
            await outage.bear(error)


def print_event(event: Event, *, as_json: bool) -> None:
    """One move, as a line; its fields are those of `GET /v1/events`."""
    reason = _REDACTOR.text(event.reason)
    if as_json:
        at = event.at.isoformat()
        fields = {"run_id": event.run_id, "state": event.state, "stage": event.stage, "at": at, "reason": reason}
        print_line({"id": event.id, **fields})
    else:
        when = f"{event.at.astimezone():%Y-%m-%d %H:%M:%S}"
        typer.echo(f"{when}  {event.run_id}  {event.state:<11}  {one_line(reason)}".rstrip())
