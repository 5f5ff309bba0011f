"""`submit`: every request is checked before the first is enqueued."""

from __future__ import annotations

import asyncio
import getpass
import socket
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace

import typer

from jobs.destination import DestinationError, destination_url, open_destination
from jobs.errors import BadRequest, KeyReused, SubmitUncertain
from jobs.handles import RunHandle
from jobs.intake import Answer
from jobs.line import Priority
from jobs.parts import combine
from jobs.redaction import Redactor
from jobs.request import check_request
from jobs.run import Run
from jobs.submission import Submission, callback_address, priority_of
from worker.cli.desk import Desk, at_desk, say
from worker.cli.exits import CommandError, Exit
from worker.cli.follow import follow_to_end, show_count
from worker.cli.output import print_json
from worker.cli.rehearse import rehearse
from worker.cli.sources import Entry, Sources
from worker.cli.terms import read_deadline, read_span
from worker.wording import one_line, plural

_AT_ONCE = 100  # requests enqueued in one round trip


@dataclass(frozen=True, slots=True)
class Terms:
    """What goes with the requests of one command, and how it is to go, as it was typed."""

    key: str | None = None
    destination: str | None = None
    producer: str | None = None
    priority: str = Priority.NORMAL
    name: str = ""
    callback: str | None = None
    deadline: str | None = None
    allow_unknown: bool = False
    again: bool = False
    dry_run: bool = False
    skip_bad: bool = False
    wait: bool = False
    timeout: str | None = None
    as_json: bool = False

    @property
    def patience_s(self) -> float | None:
        """How long to wait; None for as long as it takes."""
        return None if self.timeout is None else read_span(self.timeout, "--timeout").total_seconds()


@dataclass(frozen=True, slots=True)
class Taken:
    """One request that is in the queue now."""

    run_id: str
    created: bool
    ordered_before: bool
    place: str
    key: str | None
    batch_id: str | None = None


@dataclass(slots=True)
class Tally:
    """How many requests there are, and which of them, counted from 1, cannot be ordered."""

    total: int = 0
    bad: set[int] = field(default_factory=set)

    @property
    def good(self) -> int:
        """How many can be ordered."""
        return self.total - len(self.bad)


def submit(names: list[str], terms: Terms) -> Exit:
    """Submit the requests in these files; prints run ids, and each problem with its place on stderr.

    Interrupted while it enqueues, the ids printed so far are those of the runs that exist.
    """
    pattern, patience_s = _read_terms(terms), terms.patience_s
    with Sources(names) as sources:
        tally = _check_all(sources, allow_unknown=terms.allow_unknown)
        if tally.bad and not (terms.skip_bad and tally.good):
            raise _nothing_submitted(tally)
        submissions = _submissions(sources, pattern, tally)
        if terms.dry_run:
            return rehearse(submissions, pattern.producer, as_json=terms.as_json)
        return _submit_checked(submissions, terms, patience_s, tally.good)


def _submit_checked(
    submissions: Iterator[tuple[str, Submission]], terms: Terms, patience_s: float | None, count: int
) -> Exit:
    """Enqueue, and wait where that was asked for; whatever interrupts it, the ids so far are printed."""
    taken: list[Taken] = []
    runs: dict[str, Run] = {}

    async def work(desk: Desk) -> Exit:
        refused = await _enqueue(desk, submissions, taken, terms, count)
        await desk.warn_if_nobody_works()
        if terms.wait:
            runs.update(await follow_to_end(desk, [each.run_id for each in taken], patience_s))
        return Exit.FAILED if refused or any(not run.state.has_files for run in runs.values()) else Exit.OK

    try:
        return at_desk(work)
    except KeyboardInterrupt:
        say("Interrupted. What was submitted goes on; look again with: planet-orders watch")
        return Exit.INTERRUPTED
    finally:
        if terms.as_json:
            _print_json(taken, runs)


def _nothing_submitted(tally: Tally) -> CommandError:
    if tally.total == 1:
        return CommandError("nothing was submitted: the request cannot be ordered; mend it")
    mend = "mend it" if len(tally.bad) == 1 else "mend them"
    skip = ", or submit the good ones with --skip-bad" if tally.good else ""
    what = f"{len(tally.bad):,} of {plural(tally.total, 'request')}"
    return CommandError(f"nothing was submitted: {what} cannot be ordered; {mend}{skip}")


def _read_terms(terms: Terms) -> Submission:
    """What every submission has in common; checks the destination by writing to it, if anything is to be submitted."""
    if terms.key is not None and not terms.key.strip():
        raise CommandError("--key is empty; give a text that names this submission, or leave it out")
    deadline = None if terms.deadline is None else read_deadline(terms.deadline)
    destination = None if terms.destination is None else destination_url(terms.destination)
    if terms.dry_run and terms.wait:
        raise CommandError("--dry-run orders nothing, so there is nothing to --wait for")
    if destination is not None and not terms.dry_run:
        asyncio.run(_check_destination(destination))
    return Submission(
        {},
        key=terms.key,
        destination=destination,
        producer=terms.producer or _name_producer(),
        priority=priority_of(terms.priority),
        deadline=deadline,
        callback_url=callback_address(terms.callback),
        allow_unknown=terms.allow_unknown,
        again=terms.again,
    )


async def _check_destination(destination: str) -> None:
    try:
        await open_destination(destination).check_writable()
    except DestinationError as error:
        raise CommandError(f"--destination: {error}; nothing was submitted") from error


def _name_producer() -> str:
    try:
        user = getpass.getuser()
    except (OSError, KeyError, ImportError):  # no such user in this container
        user = "somebody"
    return f"{user}@{socket.gethostname()}"


def _check_all(sources: Sources, *, allow_unknown: bool) -> Tally:
    tally = Tally()
    for number, entry in enumerate(sources, 1):
        tally.total = number
        for problem in _find_problems(entry, allow_unknown=allow_unknown):
            tally.bad.add(number)
            say(f"{entry.place}: {one_line(problem)}")
    return tally


def _find_problems(entry: Entry, *, allow_unknown: bool) -> list[str]:
    if entry.flaw is not None:
        return [entry.flaw]
    try:
        check_request(entry.value, allow_unknown=allow_unknown)
    except BadRequest as error:
        return [str(problem) for problem in error.problems]
    return []


def _submissions(sources: Sources, pattern: Submission, tally: Tally) -> Iterator[tuple[str, Submission]]:
    """Number n of several requests gets `key-n`, counting the bad ones: mending one changes no other's key."""
    for number, entry in enumerate(sources, 1):
        if number not in tally.bad:
            key = f"{pattern.key}-{number}" if pattern.key and tally.total > 1 else pattern.key
            callback = pattern.callback_url if tally.good == 1 else None  # of several, it is the batch that tells
            yield entry.place, replace(pattern, request=entry.value, key=key, callback_url=callback)


@dataclass(slots=True)
class _Enqueuing:
    """Requests on their way into the queue; `taken` gets each as it is taken."""

    terms: Terms
    taken: list[Taken]
    advance: Callable[[], None]
    refused: int = 0
    sent: deque[tuple[str, Submission]] = field(default_factory=deque)

    def send(self, submissions: Iterator[tuple[str, Submission]]) -> Iterator[Submission]:
        """The submissions, whose places are kept until they are answered."""
        for place, submission in submissions:
            self.sent.append((place, submission))
            yield submission

    def tell(self, answer: Answer) -> None:
        """Note and print what became of the next of them."""
        place, submission = self.sent.popleft()
        self.advance()
        if not isinstance(answer, RunHandle):
            self.refused += 1
            _say_refused(place, answer)
            return
        self.taken.append(Taken(answer.run_id, answer.created, answer.ordered_before, place, submission.key))
        if not self.terms.as_json:
            typer.echo("\t".join([answer.run_id, *_remark(answer)]))


async def _enqueue(
    desk: Desk, submissions: Iterator[tuple[str, Submission]], taken: list[Taken], terms: Terms, count: int
) -> int:
    """Submit, noting and printing ids as they are taken; several are a batch. Returns how many were refused.

    Raises:
        CommandError: Redis went away; the message says whether the command can be repeated without buying twice.
    """
    with show_count("Submitting", count) as advance:
        work = _Enqueuing(terms, taken, advance)
        try:
            if count > 1:
                batch = await desk.queue.submit_batch(
                    work.send(submissions), name=terms.name, key=terms.key, callback_url=terms.callback, tell=work.tell
                )
                taken[:] = [replace(each, batch_id=batch.batch_id) for each in taken]
                say(f"This is batch {batch.batch_id}; see how it is with: planet-orders batch {batch.batch_id}")
            else:
                for answer in await desk.queue.submit_many(work.send(submissions)):
                    work.tell(answer)
        except SubmitUncertain as error:
            is_guarded = desk.settings.same_request_days > 0 and not terms.again
            raise _cut_short(error, len(taken), is_idempotent=terms.key is not None or is_guarded) from error
    return work.refused


def _remark(answer: RunHandle) -> list[str]:
    if answer.created:
        return []
    return ["ordered before"] if answer.ordered_before else ["known"]


def _cut_short(error: SubmitUncertain, taken: int, *, is_idempotent: bool) -> CommandError:
    known = f"{plural(taken, 'run')} printed so far, up to {_AT_ONCE} more may be in the queue"
    advice = (
        "repeat the command, nothing is ordered twice by that"
        if is_idempotent
        else "look at `planet-orders list` before you repeat it: without --key, what is there would be ordered twice"
    )
    why = Redactor().text(error.why)
    return CommandError(f"Redis went away or refused ({why}); {known}; {advice}", Exit.UNREACHABLE)


def _say_refused(place: str, answer: BadRequest | KeyReused) -> None:
    field = "key: " if isinstance(answer, KeyReused) else ""
    say(f"{place}: {field}{one_line(str(answer))}")


def _print_json(taken: list[Taken], runs: Mapping[str, Run]) -> None:
    entries = [{**asdict(each), **_outcome(runs, each.run_id)} for each in taken]
    print_json(entries)


def _outcome(runs: Mapping[str, Run], run_id: str) -> dict[str, str | None]:
    if run_id not in runs:
        return {}
    run = combine([runs[part] for part in runs[run_id].part_ids or [run_id] if part in runs])
    return {"state": run.state.value, "error": run.error.message if run.error else None}
