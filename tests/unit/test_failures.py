"""Every error has one kind, words that may be shown, and a consequence."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
import redis.exceptions
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.destination import DestinationError, DestinationUnavailable
from jobs.errors import BadRequest, JobsError, Problem
from jobs.failures import after_failure, pause_s, sort_failure
from jobs.outcomes import Again, Finish
from jobs.policy import Policy
from jobs.run import FailureKind, Stage, State
from planet_sdk import exceptions
from tests.stage_rig import new_run

HERE = Path("scene.tif")


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


def of_the_system(number: int) -> OSError:
    return OSError(number, os.strerror(number), "/files/scene.tif")


TEMPORARY: list[Exception] = [
    exceptions.RequestError("reset", may_have_reached=True),
    exceptions.RequestError("refused", may_have_reached=False),
    exceptions.TooManyRequests("slow down", status=429),
    exceptions.ServerError("oops", status=500),
    exceptions.BadGateway("oops", status=502),
    exceptions.ServiceUnavailable("oops", status=503),
    exceptions.GatewayTimeout("oops", status=504),
    exceptions.APIError("timeout", status=408),
    exceptions.APIError("made by other code"),
    exceptions.TransferIncomplete(HERE, 1, 2),
    exceptions.TransferCorrupt(HERE, "md5", "a", "b"),
    exceptions.TransferBusy(HERE),
    exceptions.LinkExpired(HERE, 403),
    exceptions.PagingError("page 2 names itself"),
    exceptions.SessionClosed("closed"),
    exceptions.ClientError("manifest.json does not contain valid JSON"),
    redis.exceptions.ConnectionError("gone"),
    redis.exceptions.BusyLoadingError("loading"),
    redis.exceptions.OutOfMemoryError("OOM"),
    of_the_system(errno.ENOSPC),
    of_the_system(errno.ENOENT),
    of_the_system(errno.EIO),
    TimeoutError("download had not ended after 5 s"),
    caused(exceptions.TransferError("cannot be written", HERE), of_the_system(errno.ENOSPC)),
    caused(DestinationUnavailable("s3://b is away"), of_the_system(errno.ECONNRESET)),
    caused(JobsError("not known"), exceptions.ServerError("oops", status=500)),
    ExceptionGroup("several", [exceptions.TransferIncomplete(HERE, 1, 2)]),
]
PRODUCER: list[Exception] = [
    exceptions.BadQuery("bad", status=400),
    exceptions.InvalidAPIKey("who?", status=401),
    exceptions.NoPermission("no", status=403),
    exceptions.OverQuota("quota", status=403),
    exceptions.MissingResource("what?", status=404),
    exceptions.TooManyRequests("quota", status=429, body="Download quota has been exceeded."),
    exceptions.APIError("gone", status=410),
    exceptions.APIKeyAuthException("no key"),
    exceptions.UnsafeName("../x", HERE),
    exceptions.UnsafeLink("http://169.254.169.254/x", "it is plain http"),
    exceptions.FileConflict(HERE, "another file lies there"),
    exceptions.SpecificationException("analitic", ["analytic"], "bundle"),
    of_the_system(errno.EACCES),
    of_the_system(errno.EROFS),
    caused(exceptions.TransferError("cannot be written", HERE), of_the_system(errno.EACCES)),
    DestinationError("no such bucket"),
    BadRequest([Problem("name", "missing")]),
    caused(JobsError("not placed"), exceptions.BadQuery("bad", status=400)),
]
BUGS: list[Exception] = [KeyError("x"), AssertionError(), ValueError("5"), RecursionError(), JobsError("no cause")]


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        *((error, FailureKind.TEMPORARY) for error in TEMPORARY),
        *((error, FailureKind.PRODUCER) for error in PRODUCER),
        *((error, FailureKind.BUG) for error in BUGS),
    ],
    ids=lambda value: f"{type(value).__name__} {value}"[:60],
)
def test_whose_turn_it_is(error: Exception, kind: FailureKind) -> None:
    assert sort_failure(error, Stage.DOWNLOAD).kind is kind


def test_a_conflict_on_create_means_too_many_active_orders() -> None:
    error = exceptions.Conflict("MaxConcurrency", status=409)
    assert sort_failure(error, Stage.CREATE).kind is FailureKind.TEMPORARY
    assert sort_failure(error, Stage.DOWNLOAD).kind is FailureKind.PRODUCER


def test_a_temporary_failure_is_tried_again_until_its_tries_are_used_up() -> None:
    error, policy = exceptions.ServerError("oops", status=500), Policy(max_faults={Stage.CREATE: 3})

    early = after_failure(new_run(faults=1), error, policy)
    last = after_failure(new_run(faults=2), error, policy)

    assert isinstance(early, Again)
    assert early.charge
    assert isinstance(last, Finish)
    assert last.state is State.FAILED
    assert "3 failures" in last.reason


def test_pauses_grow_and_stay_bounded() -> None:
    error, policy = exceptions.ServerError("oops", status=500), Policy(max_faults={Stage.CREATE: 10_000})
    pauses = [after_failure(new_run(faults=faults), error, policy) for faults in (0, 5, 5_000)]
    delays = [pause.delay_s for pause in pauses if isinstance(pause, Again)]
    assert 1 <= delays[0] <= 2
    assert 32 <= delays[1] <= 64
    assert 150 <= delays[2] <= 300


def test_the_servers_pause_is_kept() -> None:
    error = exceptions.ServiceUnavailable("later", status=503, headers={"Retry-After": "120"})
    outcome = after_failure(new_run(), error, Policy())
    assert isinstance(outcome, Again)
    assert outcome.delay_s >= 120


@pytest.mark.parametrize(
    "error",
    [
        exceptions.TooManyRequests("slow down", status=429),
        redis.exceptions.ConnectionError("gone"),
        of_the_system(errno.ENOSPC),
        caused(exceptions.TransferError("cannot be written", HERE), of_the_system(errno.ENOSPC)),
        caused(DestinationUnavailable("no room"), of_the_system(errno.EDQUOT)),
    ],
)
def test_what_a_run_can_only_wait_for_costs_no_try(error: Exception) -> None:
    outcome = after_failure(new_run(faults=100, tries=5_000), error, Policy())
    assert isinstance(outcome, Again)
    assert not outcome.charge


def test_a_server_that_asks_for_a_pause_of_years_is_asked_again_after_an_hour() -> None:
    for asked in ("1000000000000", "Fri, 31 Dec 9999 23:59:59 GMT"):
        assert pause_s(exceptions.TooManyRequests("later", status=429, headers={"Retry-After": asked})) == 3_600


def test_a_full_disk_is_given_time() -> None:
    assert pause_s(of_the_system(errno.ENOSPC)) == 60


def test_a_bug_keeps_its_traceback_and_gets_few_tries() -> None:
    try:
        int("x")
    except ValueError as error:
        outcome = after_failure(new_run(faults=2), error, Policy())
    assert isinstance(outcome, Finish)
    assert outcome.failure is not None
    assert "test_failures.py" in (outcome.failure.traceback or "")


def test_the_producers_fault_is_told_with_what_to_do() -> None:
    outcome = after_failure(new_run(), exceptions.InvalidAPIKey("Please enter your API key.", status=401), Policy())
    assert isinstance(outcome, Finish)
    assert outcome.reason == "Planet answered 401: Please enter your API key. (check PL_API_KEY)"


def test_what_was_tried_is_part_of_the_message() -> None:
    error = exceptions.ServerError("oops", status=500)
    error.add_note("gave up after 6 tries in 12.0 s")
    assert sort_failure(error, Stage.WAIT).message == "Planet answered 500: oops; gave up after 6 tries in 12.0 s"


def test_links_and_passwords_stay_out_of_what_is_kept() -> None:
    error = ValueError("https://me:hush@storage.example/a.tif?X-Goog-Signature=hush failed")
    failure = sort_failure(error, Stage.DOWNLOAD)
    assert "storage.example/a.tif" in failure.message
    assert "hush" not in failure.model_dump_json()


@settings(deadline=None, max_examples=60)
@given(st.text(st.characters(exclude_categories=[]), max_size=1_000))
def test_what_is_kept_is_bounded_and_can_be_written(text: str) -> None:
    """Whatever a server or a file name puts into a message."""
    failure = sort_failure(ValueError(text * 20), Stage.WAIT)
    failure.model_dump_json().encode()
    assert len(failure.message) <= 2_000
    assert len(failure.traceback or "") <= 8_000
