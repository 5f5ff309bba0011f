from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from worker.cli.exits import CommandError
from worker.cli.simulate import Options, read_simulator_settings
from worker.cli.terms import read_deadline, read_span
from worker.wording import age, duration, one_line, plural, sentence, size

NOW = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("90m", timedelta(minutes=90)),
        ("2h", timedelta(hours=2)),
        ("7d", timedelta(days=7)),
        ("1w", timedelta(weeks=1)),
        ("1h30m", timedelta(minutes=90)),
        ("1.5 h", timedelta(minutes=90)),
        ("45", timedelta(seconds=45)),
    ],
)
def test_a_span_is_numbers_with_units(text: str, span: timedelta) -> None:
    assert read_span(text, "--timeout") == span


@pytest.mark.parametrize("text", ["", "soon", "0", "0h", "-2h", "2h x", "h", "9" * 400 + "d"])
def test_what_is_no_span_is_refused_by_the_name_of_its_option(text: str) -> None:
    with pytest.raises(CommandError, match="--timeout"):
        read_span(text, "--timeout")


def test_a_deadline_is_a_span_from_now_or_an_instant() -> None:
    assert read_deadline("2h", NOW) == NOW + timedelta(hours=2)
    assert read_deadline("2026-11-23T00:00:00Z", NOW) == NOW + timedelta(hours=4)


@pytest.mark.parametrize(
    ("text", "why"),
    [("2026-11-23T00:00:00", "time zone"), ("2026-11-01T00:00:00Z", "past"), ("99999999w", "too far")],
)
def test_a_deadline_that_cannot_be_meant_is_refused(text: str, why: str) -> None:
    with pytest.raises(CommandError, match=why):
        read_deadline(text, NOW)


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [
        (None, "-"),
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (999_949, "999.9 kB"),
        (999_950, "1.0 MB"),
        (5_000_000_000_000_000, "5000.0 TB"),
    ],
)
def test_sizes_are_in_decimal_units(size_bytes: int | None, text: str) -> None:
    assert size(size_bytes) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-1, "0.0 s"), (0.44, "0.4 s"), (42, "42 s"), (185, "3 min 05 s"), (7800, "2 h 10 min"), (356_400, "4 d 3 h")],
)
def test_durations_are_in_two_units(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_foreign_text_becomes_one_line_that_cannot_steer_a_terminal() -> None:
    assert one_line("two\nlines \x1b[31m and\ta tab") == "two lines ?[31m and a tab"


def test_one_of_a_thing_is_singular() -> None:
    assert (plural(1, "run"), plural(2, "run"), plural(1200, "reply", "replies")) == (
        "1 run",
        "2 runs",
        "1,200 replies",
    )


def options(**changes: object) -> Options:
    values: dict[str, object] = {
        "api_keys": (),
        "faults": (),
        "sizes": (),
        "speed": 1.0,
        "queued_s": 1.0,
        "running_s": 2.0,
        "bytes_per_s": None,
        "rate_limits": True,
        "seed": 0,
    }
    return Options(**{**values, **changes})  # type: ignore[arg-type]  # values of one table, checked by Options' fields


def test_the_simulators_options_become_its_settings() -> None:
    settings = read_simulator_settings(
        options(faults=("cut_body=0.05", "error=2%"), sizes=("*_SR*.tif=2MB",), speed=10.0)
    )
    assert dict(settings.fault_plan.rates) == {"cut_body": 0.05, "error": 0.02}
    assert dict(settings.size_bytes) == {"*_SR*.tif": 2_000_000}
    assert (settings.queued_s, settings.running_s) == (0.1, 0.2)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"faults": ("cut_bodies=0.1",)}, "cut_bodies"),
        ({"faults": ("cut_body",)}, "--fault"),
        ({"faults": ("cut_body=2",)}, "--fault"),
        ({"sizes": ("*.tif=much",)}, "--size"),
        ({"speed": 0.0}, "--speed"),
    ],
)
def test_an_option_of_the_simulator_that_cannot_be_read_is_named(changes: dict[str, object], named: str) -> None:
    with pytest.raises(CommandError, match=named):
        read_simulator_settings(options(**changes))


def test_a_clock_that_is_ahead_makes_nothing_the_future() -> None:
    assert age(NOW + timedelta(seconds=9), NOW) == "0.0 s ago"
    assert age(NOW - timedelta(seconds=42), NOW) == "42 s ago"


def test_an_errors_words_become_a_sentence() -> None:
    assert sentence("there is no run X; try `list`") == "There is no run X; try `list`."
    assert sentence("Done.") == "Done."
