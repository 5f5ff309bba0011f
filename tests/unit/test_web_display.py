"""Numbers, times and sizes in the words of people."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from worker.web.display import ago, count, duration, sentence, size


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [
        (None, "–"),  # noqa: RUF001 — the dash that a table shows for nothing
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (1_500_000, "1.5 MB"),
        (230_000_000_000, "230 GB"),
        (5 * 10**18, "5000 PB"),
    ],
)
def test_sizes_have_three_digits_at_most(size_bytes: int | None, text: str) -> None:
    assert size(size_bytes) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-3, "0.0 s"),
        (0.42, "0.4 s"),
        (12.9, "12 s"),
        (300, "5 min"),
        (7800, "2 h 10 min"),
        (7200, "2 h"),
        (273_600, "3 d 4 h"),
    ],
)
def test_durations_have_two_units_at_most(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_clock_that_is_ahead_makes_nothing_the_future() -> None:
    now = datetime.now(UTC)

    assert ago(now + timedelta(seconds=9), now) == "just now"
    assert ago(now - timedelta(seconds=9), now) == "9 s ago"


def test_a_number_agrees_with_its_noun() -> None:
    assert (count(1, "job"), count(0, "job"), count(1204, "job")) == ("1 job", "0 jobs", "1,204 jobs")


def test_an_errors_words_become_a_sentence() -> None:
    assert sentence("there is no run X; try `list`") == "There is no run X; try `list`."
    assert sentence("Done.") == "Done."
