"""What a producer hands in, and what is written of it once it has been checked."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from ulid import ULID

from jobs.destination import destination_url
from jobs.errors import BadRequest, DestinationError, Problem
from jobs.new_runs import NewRun
from jobs.request import canonical, check_request, fingerprint

_CHECKED_AT_ONCE = 10  # requests checked before others in this process get their turn: about a millisecond


@dataclass(frozen=True, slots=True)
class Submission:
    """One request with what goes with it.

    Attributes:
        request: the JSON that creates the order, as `planet_sdk.order_request.build_request` makes it.
        key: makes the submission idempotent: the same key returns the same run, for as long as runs are kept.
        destination: where the files end up, as a URL; without one, the fleet's own.
        producer: who asks, for people to read.
        batch_id: runs that were submitted together share it.
        deadline: when the run expires if it has not ended by then.
        allow_unknown: let item types and bundles pass that this version does not know; Planet decides.
        again: order it even if the very same request was ordered within the last days; otherwise that run is returned.
    """

    request: Mapping[str, Any]
    key: str | None = None
    destination: str | None = None
    producer: str | None = None
    batch_id: str | None = None
    deadline: datetime | timedelta | None = None
    allow_unknown: bool = False
    again: bool = False


def as_submission(request: Mapping[str, Any] | Submission, options: Mapping[str, Any]) -> Submission:
    """The request with its options; one that is a Submission already has its own."""
    return request if isinstance(request, Submission) else Submission(request, **options)


async def check_all(chunk: Sequence[Submission]) -> list[NewRun | BadRequest]:
    """What the store writes for each, or what is wrong with it; the loop goes on turning meanwhile."""
    checked: list[NewRun | BadRequest] = []
    for submission in chunk:
        if len(checked) % _CHECKED_AT_ONCE == 0:
            await asyncio.sleep(0)
        checked.append(_check(submission))
    return checked


def _check(submission: Submission) -> NewRun | BadRequest:
    try:
        request = check_request(submission.request, allow_unknown=submission.allow_unknown)
        destination = _destination(submission.destination)
        deadline_at = _deadline_at(submission.deadline)
    except BadRequest as error:
        return error
    run_id = str(ULID())
    text = canonical(request)
    facts = {
        "run_id": run_id,
        "name": request["name"],
        "request": text,
        "key": submission.key,
        "destination": destination,
        "producer": submission.producer,
        "batch_id": submission.batch_id,
        "deadline_at": deadline_at,
    }
    return NewRun(run_id, facts, fingerprint(text), submission.key, once=not submission.again)


def _destination(destination: str | None) -> str | None:
    try:
        return destination_url(destination) if destination else None
    except DestinationError as error:
        raise BadRequest([Problem("destination", str(error))]) from error


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
