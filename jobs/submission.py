"""What a producer hands in, and what is written of it once it has been checked."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from ulid import ULID

from jobs.destination import destination_url
from jobs.errors import BadRequest, DestinationError, Problem
from jobs.line import Priority
from jobs.new_runs import NewRun
from jobs.request import canonical, check_request, fingerprint, split_request
from jobs.run import Facts
from jobs.trace_context import current_traceparent

_MAX_URL = 2_000  # characters of an address
_CHECKED_AT_ONCE = 10  # requests checked before others in this process get their turn: about a millisecond


@dataclass(frozen=True, slots=True)
class Submission:
    """One request with what goes with it.

    Attributes:
        request: the JSON that creates the order, as `planet_sdk.order_request.build_request` makes it.
        key: makes the submission idempotent: the same key returns the same run, for as long as runs are kept.
        destination: where the files end up, as a URL; without one, the fleet's own.
        producer: who asks. Producers take turns in placing orders, and so do batches.
        priority: `high` before `normal` before `low`, while orders wait to be placed; one in ten is of a lower one.
        deadline: when the run expires if it has not ended by then.
        allow_unknown: let item types and bundles pass that this version does not know; Planet decides.
        callback_url: told of the run's end, if the fleet's settings allow it to be: see docs/batches.md.
        again: without a key, order it even if the very same request was ordered within the last days; otherwise that
            run is returned. Another key is another order.
    """

    request: Mapping[str, Any]
    key: str | None = None
    destination: str | None = None
    producer: str | None = None
    priority: Priority | str = Priority.NORMAL
    deadline: datetime | timedelta | None = None
    allow_unknown: bool = False
    callback_url: str | None = None
    again: bool = False


@dataclass(frozen=True, slots=True)
class Placed:
    """A submission, and where it belongs: alone, or at a place in a batch."""

    submission: Submission
    batch_id: str | None = None
    place: int = 0


def as_submission(request: Mapping[str, Any] | Submission, options: Mapping[str, Any]) -> Submission:
    """The request with its options; one that is a Submission already has its own."""
    return request if isinstance(request, Submission) else Submission(request, **options)


def in_batch(
    submissions: Iterable[Submission], batch_id: str, *, key: str | None, producer: str | None
) -> Iterator[Placed]:
    """The submissions of a batch: number n, which has no key, gets that of the batch with `-n` behind it."""
    for place, submission in enumerate(submissions, 1):
        own_key = submission.key or (f"{key}-{place}" if key else None)
        own = replace(submission, key=own_key, producer=submission.producer or producer)
        yield Placed(own, batch_id, place)


async def check_all(chunk: Sequence[Placed]) -> list[NewRun | BadRequest]:
    """What the store writes for each, or what is wrong with it; the loop goes on turning meanwhile."""
    checked: list[NewRun | BadRequest] = []
    traceparent = current_traceparent()
    for placed in chunk:
        if len(checked) % _CHECKED_AT_ONCE == 0:
            await asyncio.sleep(0)
        checked.append(_check(placed, traceparent))
    return checked


def _check(placed: Placed, traceparent: str | None) -> NewRun | BadRequest:
    submission = placed.submission
    try:
        request = check_request(submission.request, allow_unknown=submission.allow_unknown)
        destination = _destination(submission.destination)
        deadline_at = _deadline_at(submission.deadline)
        callback_url = callback_address(submission.callback_url)
        priority = priority_of(submission.priority)
    except BadRequest as error:
        return error
    shared = {
        "destination": destination,
        "producer": submission.producer,
        "batch_id": placed.batch_id,
        "callback_url": callback_url,
        "traceparent": traceparent,
        "priority": priority,
        "deadline_at": deadline_at,
    }
    return _new_run(placed, request, shared)


def _new_run(placed: Placed, request: Mapping[str, Any], shared: Facts) -> NewRun:
    """The run of a request, or its first part with the others, each of which has some of the items."""
    first, *others = split_request(request)
    run_ids = [str(ULID()) for _ in (first, *others)]
    key = placed.submission.key
    head = {**_facts_of(run_ids[0], first), **shared, "key": key, "part_ids": run_ids if others else None}
    parts = []
    for run_id, request_of_part in zip(run_ids[1:], others, strict=True):
        facts = {**_facts_of(run_id, request_of_part), **shared, "part_of": run_ids[0]}
        parts.append(NewRun(run_id, facts, fingerprint(facts["request"]), place=placed.place))
    whole = fingerprint(canonical(request) if others else head["request"])
    once = key is None and not placed.submission.again  # another key is another order
    return NewRun(run_ids[0], head, whole, key, once, placed.place, tuple(parts))


def _facts_of(run_id: str, request: Mapping[str, Any]) -> dict[str, Any]:
    return {"run_id": run_id, "name": request["name"], "request": canonical(request)}


def callback_address(url: str | None) -> str | None:
    """The address to call back, as it was given; whether the fleet may call it, its workers decide.

    Raises:
        BadRequest: nobody can be called there.
    """
    if url is None:
        return None
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        is_address = False
    if not is_address or len(url) > _MAX_URL or not url.isprintable():
        raise BadRequest([Problem("callback_url", "it is no address to call: https://host/path")])
    if parts.username is not None:
        raise BadRequest([Problem("callback_url", "leave the user name out; what is sent is signed: docs/batches.md")])
    return url


def _destination(destination: str | None) -> str | None:
    try:
        return destination_url(destination) if destination else None
    except DestinationError as error:
        raise BadRequest([Problem("destination", str(error))]) from error


def priority_of(priority: str) -> Priority:
    """The priority of this name.

    Raises:
        BadRequest: there is none.
    """
    try:
        return Priority(priority)
    except ValueError as error:
        raise BadRequest(
            [Problem("priority", f"{priority!r:.40} is none; it is one of {', '.join(Priority)}")]
        ) from error


def _deadline_at(deadline: datetime | timedelta | None) -> datetime | None:
    if deadline is None:
        return None
    now = datetime.now(UTC)
    if isinstance(deadline, timedelta):
        deadline = now + deadline
    if deadline.tzinfo is None:
        raise BadRequest([Problem("deadline", "it has no time zone; use datetime.now(UTC) + timedelta(…)")])
    if deadline <= now:
        raise BadRequest([Problem("deadline", f"{deadline.isoformat()} is past already")])
    return deadline
