"""Whose turn it is when something fails: every error is sorted here, and nowhere else.

temporary   the network, 429, 5xx, a transfer that ended early, a full disk, no memory, Redis: try again later
producer    400, 401, 403, 404, an unusable destination, a hostile name or link, a cap: no repetition helps
planet      the order itself failed at Planet (jobs.watch says so, no exception does)
bug         everything else: a few tries, then failed with the traceback
"""

from __future__ import annotations

import errno
import re
import time
import traceback
from http import HTTPStatus

from redis.exceptions import RedisError

from jobs.destination import DestinationError, DestinationUnavailable, DiskAway
from jobs.errors import BadRequest, CapReached, JobsError, UnsafeArchive
from jobs.outcomes import Again, Finish
from jobs.policy import Policy
from jobs.redaction import Redactor
from jobs.run import Facts, Failure, FailureKind, Run, Stage, State
from planet_sdk import exceptions
from planet_sdk.answers import retry_after_s

_MAX_MESSAGE = 2_000  # characters; a server's error body may be a page
_MAX_TRACEBACK = 8_000
_REDACTOR = Redactor()  # query strings, passwords, tokens: whatever logs leave out, a kept failure leaves out
_USER = re.compile(r"(?<=://)[^/\s\"'@?#]+@")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")  # a terminal obeys them
_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT})
_MOST_DOUBLINGS = 30  # of a pause, far beyond any cap
_LONGEST_PAUSE_S = 3_600  # a server that asks for years is asked again after an hour
_DISK_PAUSE_S = 60  # somebody has to make room, or to mount it, first

_ADVICE: dict[int, str] = {
    HTTPStatus.UNAUTHORIZED: "check PL_API_KEY",
    HTTPStatus.FORBIDDEN: "the account may not do this, or its quota is used up",
    HTTPStatus.CONFLICT: "not possible in its present state, or too many active orders",
}

# No repetition mends these errors of the operating system; others pass, or are at least worth a few tries.
_LASTING = frozenset(
    {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP}
)

_OF_THE_PRODUCER = (
    BadRequest,
    CapReached,
    DestinationError,
    UnsafeArchive,
    exceptions.AuthException,
    exceptions.FeatureError,
    exceptions.FileConflict,
    exceptions.GeoJSONError,
    exceptions.SpecificationException,
    exceptions.UnsafeLink,
    exceptions.UnsafeName,
)


def sort_failure(error: BaseException, stage: Stage | None = None) -> Failure:
    """Say whose turn it is after an error, in words that are fit to be kept and shown: bounded, without secrets."""
    error = _first_of(error)
    kind = _kind_of(error, stage)
    trace = "".join(traceback.format_exception(error)) if kind is FailureKind.BUG else None
    return Failure(
        kind=kind,
        type=type(error).__name__,
        message=_CONTROL.sub(" ", _shown(_text_of(error)))[:_MAX_MESSAGE],
        stage=stage,
        traceback=_shown(trace)[-_MAX_TRACEBACK:] if trace else None,
    )


def after_failure(run: Run, error: BaseException, policy: Policy, facts: Facts | None = None) -> Again | Finish:
    """Decide what follows an error of a stage: another try after a pause, or the end of the run.

    Args:
        run: as it was when the stage was started.
        error: what the stage raised.
        policy: how patient to be.
        facts: what was learnt before the error.
    """
    error = _first_of(error)
    failure, learnt = sort_failure(error, run.stage), facts or {}
    if failure.kind in {FailureKind.PRODUCER, FailureKind.PLANET}:
        return Finish(State.FAILED, failure.message, failure, learnt)
    if not _is_charged(error):
        delay_s = max(policy.backoff_s(min(run.tries, _MOST_DOUBLINGS)), pause_s(error))
        return Again(delay_s, f"waiting: {failure.message}", charge=False, failure=failure, facts=learnt)
    tries = policy.max_faults_of_bugs if failure.kind is FailureKind.BUG else policy.max_faults[run.stage]
    faults = run.faults + 1
    if faults >= tries:
        return Finish(State.FAILED, f"gave up after {faults} failures: {failure.message}", failure, learnt)
    delay_s = max(policy.backoff_s(run.faults), pause_s(error))
    return Again(delay_s, f"failure {faults} of at most {tries}: {failure.message}", failure=failure, facts=learnt)


def pause_s(error: BaseException) -> float:
    """Seconds for which a repetition is pointless: what the server asked for, or time to make room on a disk."""
    if isinstance(error, exceptions.PlanetError) and (asked_s := retry_after_s(error, time.time())):
        return min(asked_s, _LONGEST_PAUSE_S)
    return _DISK_PAUSE_S if isinstance(error, DiskAway) or _is_disk_full(error) else 0


def _kind_of(error: BaseException, stage: Stage | None) -> FailureKind:
    if isinstance(error, _OF_THE_PRODUCER) and not isinstance(error, DestinationUnavailable):
        return FailureKind.PRODUCER
    system = _system_error(error)
    if system is not None:
        return FailureKind.PRODUCER if system.errno in _LASTING else FailureKind.TEMPORARY
    if isinstance(error, exceptions.APIError):
        return _kind_of_answer(error, stage)
    if isinstance(error, exceptions.PlanetError | RedisError | DestinationUnavailable | MemoryError):
        return FailureKind.TEMPORARY
    if isinstance(error, JobsError) and error.__cause__ is not None:
        return _kind_of(error.__cause__, stage)
    return FailureKind.BUG


def _system_error(error: BaseException) -> OSError | None:
    """The operating system's error that this one is, or that is behind it."""
    wraps = isinstance(error, exceptions.TransferError | DestinationUnavailable)
    cause = error.__cause__ if wraps else error
    return cause if isinstance(cause, OSError) else None


def _kind_of_answer(error: exceptions.APIError, stage: Stage | None) -> FailureKind:
    """Sort an answer of the server by its status; what is no error of the request passes."""
    status = error.status or HTTPStatus.INTERNAL_SERVER_ERROR
    if status == HTTPStatus.CONFLICT and stage is Stage.CREATE:
        return FailureKind.TEMPORARY  # too many active orders
    if status == HTTPStatus.TOO_MANY_REQUESTS and _is_out_of_quota(error):
        return FailureKind.PRODUCER
    if status in {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}:
        return FailureKind.TEMPORARY
    return FailureKind.PRODUCER if status < HTTPStatus.INTERNAL_SERVER_ERROR else FailureKind.TEMPORARY


def _is_out_of_quota(error: exceptions.APIError) -> bool:
    """Whether a 429 is Planet's older word for a quota that is used up, which no waiting brings back."""
    return "quota" in error.body.lower() and "retry-after" not in error.headers


def _is_charged(error: BaseException) -> bool:
    """Whether an error counts against the run: not where the run can only wait until somebody else is done."""
    waits = isinstance(error, RedisError | exceptions.TooManyRequests | DiskAway)
    return not (waits or _is_disk_full(error))


def _is_disk_full(error: BaseException) -> bool:
    system = _system_error(error)
    return system is not None and system.errno in _NO_SPACE


def _first_of(error: BaseException) -> BaseException:
    """The error itself, or the first of those that came together."""
    return _first_of(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error


def _text_of(error: BaseException) -> str:
    """The message with its notes, which say how often it was tried and what else failed."""
    said = str(error) or type(error).__name__
    if isinstance(error, exceptions.APIError) and error.status:
        advice = _ADVICE.get(error.status)
        said = f"Planet answered {error.status}: {said}" + (f" ({advice})" if advice else "")
    return "; ".join([said, *getattr(error, "__notes__", ())])


def _shown(text: str) -> str:
    """The text without secrets of addresses, and without halves of characters, which Redis cannot keep."""
    return _USER.sub("", _REDACTOR.text(text)).encode(errors="replace").decode()
