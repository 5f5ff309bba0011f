"""A run's history as a picture of time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from jobs.run import Stage, State, Transition
from worker.web.timeline import Kind, draw_timeline

START = datetime(2026, 11, 2, 12, tzinfo=UTC)


def line(at_s: float, state: State, stage: Stage) -> Transition:
    return Transition(at=START + timedelta(seconds=at_s), state=state, stage=stage)


WAY = [
    line(0, State.QUEUED, Stage.CREATE),
    line(10, State.CREATING, Stage.CREATE),
    line(20, State.WAITING, Stage.WAIT),
    line(60, State.DOWNLOADING, Stage.DOWNLOAD),
    line(70, State.DOWNLOADING, Stage.DOWNLOAD),
    line(90, State.VALIDATING, Stage.VALIDATE),
    line(100, State.DONE, Stage.VALIDATE),
]


def test_each_stage_shows_when_it_waited_worked_and_tried_again() -> None:
    picture = draw_timeline([WAY], START + timedelta(days=1))

    assert picture is not None
    shown = [(lane.stage, span.kind, span.start, span.width) for lane in picture.lanes for span in lane.spans]
    assert shown == [
        (Stage.CREATE, Kind.LINE, 0, 10),
        (Stage.CREATE, Kind.WORK, 10, 10),
        (Stage.WAIT, Kind.PLANET, 20, 40),
        (Stage.DOWNLOAD, Kind.WORK, 60, 10),
        (Stage.DOWNLOAD, Kind.AGAIN, 70, 20),
        (Stage.VALIDATE, Kind.WORK, 90, 10),
    ]
    assert [lane.told for lane in picture.lanes] == [
        "in line 10 s, at work 10 s",
        "at Planet 40 s",
        "at work 10 s, trying again 20 s",
        "at work 10 s",
    ]


def test_a_run_under_way_grows_until_now() -> None:
    picture = draw_timeline([WAY[:3]], START + timedelta(seconds=40))

    assert picture is not None
    assert picture.total_s == 40
    assert [(span.start, span.width) for span in picture.lanes[1].spans] == [(50, 50)]
    assert picture.lanes[3].is_empty


def test_between_its_end_and_a_retry_a_run_does_nothing() -> None:
    history = [*WAY[:2], line(20, State.FAILED, Stage.CREATE), line(80, State.QUEUED, Stage.CREATE)]

    picture = draw_timeline([history], START + timedelta(seconds=100))

    assert picture is not None
    assert [(span.kind, span.start, span.width) for span in picture.lanes[0].spans] == [
        (Kind.LINE, 0, 10),
        (Kind.WORK, 10, 10),
        (Kind.LINE, 80, 20),
    ]


def test_the_parts_of_a_request_have_a_line_each() -> None:
    picture = draw_timeline([WAY, WAY[:5]], START + timedelta(seconds=100))

    assert picture is not None
    assert picture.rows == 2
    assert [(span.row, span.kind) for span in picture.lanes[1].spans] == [(0, Kind.PLANET), (1, Kind.PLANET)]


def test_the_shortest_moment_is_seen_and_none_leaves_the_picture() -> None:
    history = [line(0, State.WAITING, Stage.WAIT), line(86_400, State.DOWNLOADING, Stage.DOWNLOAD)]
    history.append(line(86_400, State.DONE, Stage.DOWNLOAD))

    picture = draw_timeline([history], START)

    assert picture is not None
    (span,) = picture.lanes[2].spans
    assert span.width > 0
    assert span.start + span.width <= 100


def test_a_run_that_was_tried_ten_thousand_times_stays_a_picture() -> None:
    tries = [line(number, State.DOWNLOADING, Stage.DOWNLOAD) for number in range(10_000)]

    picture = draw_timeline([tries], START + timedelta(seconds=10_000))

    assert picture is not None
    spans = picture.lanes[2].spans
    assert len(spans) <= 301
    assert sum(span.seconds for span in spans) == 10_000


def test_a_history_that_goes_backwards_or_is_empty_draws_no_nonsense() -> None:
    """Clocks of a Redis that failed over may."""
    assert draw_timeline([[], []], START) is None
    backwards = [line(10, State.QUEUED, Stage.CREATE), line(0, State.CREATING, Stage.CREATE)]

    picture = draw_timeline([backwards], START + timedelta(seconds=20))

    assert picture is not None
    assert all(0 <= span.start <= 100 for lane in picture.lanes for span in lane.spans)


def test_the_axis_has_a_few_round_marks() -> None:
    labels = {}
    for total_s in (0.5, 3, 65, 3_700, 100_000, 90 * 86_400, 900 * 86_400):
        history = [line(0, State.WAITING, Stage.WAIT), line(total_s, State.DONE, Stage.WAIT)]
        picture = draw_timeline([history], START)
        assert picture is not None
        assert len(picture.ticks) <= 6
        labels[total_s] = [tick.label for tick in picture.ticks]
    assert labels[3] == ["+1 s", "+2 s", "+3 s"]
    assert labels[3_700] == ["+30 min", "+1 h"]
    assert labels[100_000] == ["+6 h", "+12 h", "+18 h", "+1 d"]
