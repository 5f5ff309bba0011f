"""The screen of `watch`: what is on it, and that it fits."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from jobs.run import State
from tests.unit.test_board import new_run, new_worker
from worker.cli.picture import Picture, Rates
from worker.web.overview import FleetView
from worker.web.verdict import Health, Reason, Verdict

TROUBLE = Verdict(Health.DEGRADED, "The fleet is degraded", (Reason("due jobs are not taken", "for 40 s", "look"),))


def draw(width: int, height: int, runs: int, workers: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width, height=height, markup=False)
    picture = Picture(console)
    fleet = FleetView.model_construct(
        verdict=TROUBLE,
        workers=[replace(new_worker(), name=f"w{number}") for number in range(workers)],
        runs={State.DOWNLOADING: runs},
    )
    several = [new_run(run_id=f"{number:026}", tries=3, files_total=9) for number in range(runs)]
    with console.capture() as written:
        console.print(picture.draw(fleet, several))
    return written.get().splitlines()


@pytest.mark.parametrize("runs", [1, 12, 1_000])
@pytest.mark.parametrize("workers", [0, 1, 40])
@pytest.mark.parametrize(("width", "height"), [(80, 24), (110, 24), (150, 50)])
def test_it_fits_the_window_and_says_what_is_left_out(width: int, height: int, runs: int, workers: int) -> None:
    lines = draw(width, height, runs, workers)
    assert len(lines) <= height
    assert all(len(line) <= width for line in lines)
    assert lines[0].strip() == "The fleet is degraded"
    assert "due jobs are not taken; for 40 s: look" in lines[1]
    assert ("more runs" in lines[-1]) == (runs == 1_000 or (runs == 12 and height == 24 and workers == 40))


def test_a_wide_window_tells_stage_files_and_tries() -> None:
    heading, line = draw(150, 24, 1, 1)[-2:]
    assert heading.split() == ["run", "name", "state", "stage", "files", "rate", "tries", "bytes", "time"]
    assert {"download", "0/9", "3"} <= set(line.split())
    assert draw(80, 24, 1, 1)[-2].split() == ["run", "name", "state", "bytes", "time"]


def test_a_rate_is_taken_over_the_last_seconds_of_a_download() -> None:
    rates, run = Rates(), new_run(bytes_done=0)
    assert rates.note([run], 0.0) == {}
    assert rates.note([run.model_copy(update={"bytes_done": 200})], 2.0) == {run.run_id: 100.0}
    assert rates.note([run.model_copy(update={"bytes_done": 1_000})], 10.0) == {run.run_id: 100.0}
    assert rates.note([run.model_copy(update={"bytes_done": 0})], 11.0) == {run.run_id: 0.0}, "it began anew"
    assert rates.note([run.model_copy(update={"state": State.DONE})], 12.0) == {}
