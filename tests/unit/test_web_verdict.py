"""When the fleet is well, degraded or down."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from worker.fleet import Presence, WorkerView
from worker.pulse import InHand
from worker.web.verdict import Backlog, Health, judge

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
QUIET = Backlog(queued=0, due=0, oldest_due_s=None, watched=0, watch_late_s=0)


def worker(name: str = "w1", presence: Presence = Presence.ALIVE, silent_s: float = 2, lag_ms: int = 3) -> WorkerView:
    return WorkerView(
        name=name,
        presence=presence,
        state="running",
        host="atlas",
        pid=1,
        version="0.1",
        started_at=NOW - timedelta(hours=1),
        seen_at=NOW - timedelta(seconds=silent_s),
        slots=2,
        jobs=(),
        complete=0,
        failed=0,
        retried=0,
        loop_lag_ms=lag_ms,
        last_redis_error="",
    )


def test_a_worker_that_is_alive_and_nothing_stuck_is_well() -> None:
    assert judge([worker()], QUIET, NOW).health is Health.WELL


def test_no_worker_alive_is_down_and_tells_the_last_one_and_what_waits() -> None:
    gone = [worker("w1", Presence.STOPPED, silent_s=600), worker("w2", Presence.VANISHED, silent_s=60)]
    verdict = judge(gone, replace(QUIET, queued=3, watched=1), NOW)

    assert verdict.health is Health.DOWN
    (reason,) = verdict.reasons
    assert "w2, vanished 1 min 00 s ago" in reason.detail
    assert "3 jobs and 1 parked run wait" in reason.detail


def test_a_vanished_worker_degrades_the_fleet_as_long_as_it_is_news() -> None:
    def health(silent_s: float) -> Health:
        return judge([worker(), worker("w2", Presence.VANISHED, silent_s)], QUIET, NOW).health

    assert (health(60), health(3600)) == (Health.DEGRADED, Health.WELL)


def test_a_worker_that_stopped_as_told_is_no_trouble() -> None:
    assert judge([worker(), worker("w2", Presence.STOPPED, 60)], QUIET, NOW).health is Health.WELL


def test_due_jobs_are_trouble_only_where_a_slot_is_free() -> None:
    stuck = replace(QUIET, queued=5, due=5, oldest_due_s=120)
    busy = replace(worker(), jobs=(InHand("a"), InHand("b")))

    assert judge([worker()], stuck, NOW).reasons[0].gist == "due jobs are not taken"
    assert judge([busy], stuck, NOW).health is Health.WELL


@pytest.mark.parametrize(
    ("workers", "backlog", "gist"),
    [
        ([worker(presence=Presence.STOPPING)], QUIET, "every worker is stopping"),
        ([worker(lag_ms=2500)], QUIET, "worker w1 is held up"),
        ([worker()], replace(QUIET, watched=9, watch_late_s=400), "waiting orders are not looked at"),
    ],
)
def test_trouble_is_named_in_the_headline(workers: list[WorkerView], backlog: Backlog, gist: str) -> None:
    verdict = judge(workers, backlog, NOW)

    assert verdict.health is Health.DEGRADED
    assert verdict.headline == f"The fleet is degraded: {gist}"


def test_the_headline_stays_the_same_while_the_trouble_lasts() -> None:
    """A screen reader announces it when it changes; ages and numbers change all the time and stand in the details."""
    early = judge([worker(), worker("w2", Presence.VANISHED, 60)], QUIET, NOW)
    late = judge([worker(), worker("w2", Presence.VANISHED, 200)], QUIET, NOW)

    assert early.headline == late.headline
    assert early.reasons != late.reasons
