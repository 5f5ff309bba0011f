"""Charts of runs that ended: what is drawn is what was counted."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from worker.web.chart import draw_chart
from worker.web.series import Series, edges_of

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def series(delivered: list[int], failed: list[int]) -> Series:
    return Series(since=NOW, step_s=60, delivered=delivered, failed=failed, cancelled=[0] * len(delivered))


def test_bars_stand_on_one_line_and_have_one_scale() -> None:
    chart = draw_chart(series([3, 0, 0], [0, 1, 0]), "hour", "Last hour", "minute", ("then", "now"))

    assert (chart.top, chart.bottom) == (5, 1)
    assert chart.line == pytest.approx(5 / 6)
    assert [bar.up for bar in chart.bars] == pytest.approx([3 / 6, 0, 0])
    assert [bar.down for bar in chart.bars] == pytest.approx([0, 1 / 6, 0])
    assert chart.bars[1].said == "12:01 UTC: 0 runs delivered, 1 failed"


def test_one_failure_among_thousands_is_seen() -> None:
    chart = draw_chart(series([9_000, 0], [0, 1]), "hour", "Last hour", "minute", ("then", "now"))

    assert chart.bars[1].down > 0.02
    assert chart.line + chart.bars[1].down <= 1


def test_a_time_in_which_nothing_ended_is_an_empty_chart() -> None:
    chart = draw_chart(series([0, 0], [0, 0]), "hour", "Last hour", "minute", ("then", "now"))

    assert (chart.top, chart.bottom, chart.line) == (1, 0, 1.0)
    assert chart.summary == "Last hour by minute: 0 runs delivered, 0 failed"


@pytest.mark.parametrize(("number", "edge"), [(1, 1), (2, 2), (3, 5), (10, 10), (11, 20), (501, 1_000), (1_001, 2_000)])
def test_the_edge_of_a_chart_is_a_round_number(number: int, edge: int) -> None:
    assert draw_chart(series([number], [0]), "hour", "Last hour", "minute", ()).top == edge


def test_steps_begin_at_whole_minutes_and_the_last_one_goes_on() -> None:
    assert edges_of(125_000, 60, 3) == [0, 60_000, 120_000, 180_000]
