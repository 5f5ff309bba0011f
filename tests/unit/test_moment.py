"""Points in time, and how old they are."""

from __future__ import annotations

from worker.moment import Moment


def test_a_moment_is_as_old_as_the_clock_says_that_moved_most() -> None:
    """A paused machine's uptime may not move; a wall clock may be put back."""
    now = Moment()
    assert 99 < Moment(now.uptime_s, now.wall_s - 100).age_s() < 150
    assert 99 < Moment(now.uptime_s - 100, now.wall_s + 1000).age_s() < 150
