from __future__ import annotations

import io
from datetime import UTC, datetime

from rich.console import Console

from jobs.run import Run, Stage, State
from worker.board import add_progress, runs_table, share_of, states_line
from worker.fleet import Presence, WorkerView
from worker.pulse import InHand

NOW = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)


def new_run(state: State = State.DOWNLOADING, stage: Stage = Stage.DOWNLOAD, **facts: object) -> Run:
    known = {"run_id": "01M82EJHPA6S08FHZQ39ZFARS8", "name": "oregon", "request": {}, "fingerprint": "f"}
    return Run.model_validate({**known, "state": state, "stage": stage, "created_at": NOW, "updated_at": NOW, **facts})


def new_worker(*jobs: InHand, presence: Presence = Presence.ALIVE) -> WorkerView:
    return WorkerView(
        name="w1",
        presence=presence,
        state="running",
        host="h",
        pid=1,
        version="1",
        started_at=NOW,
        seen_at=NOW,
        slots=16,
        jobs=jobs,
        complete=0,
        failed=0,
        retried=0,
        loop_lag_ms=0,
        last_redis_error="",
    )


def draw(run: Run, width: int) -> list[str]:
    output = io.StringIO()
    Console(file=output, width=width, markup=False).print(runs_table([run], width, NOW))
    return output.getvalue().splitlines()


def test_a_download_in_hand_counts_before_its_files_are_whole() -> None:
    run = new_run(bytes_done=10, bytes_total=100)
    job = InHand("job", run_id=run.run_id, bytes_done=50)
    assert add_progress([run], [new_worker(job)])[0].bytes_done == 50
    assert add_progress([run], [new_worker(job, presence=Presence.VANISHED)])[0].bytes_done == 10
    assert add_progress([run], [])[0].bytes_done == 10


def test_a_run_comes_nearer_its_end_with_every_step() -> None:
    steps = [
        new_run(State.QUEUED, Stage.CREATE),
        new_run(State.CREATING, Stage.CREATE),
        new_run(State.WAITING, Stage.WAIT),
        new_run(),
        new_run(bytes_done=50, bytes_total=100),
        new_run(bytes_done=100, bytes_total=100),
        new_run(State.DONE, Stage.VALIDATE),
    ]
    shares = [share_of(run) for run in steps]
    assert shares == sorted(set(shares) | {shares[-2]})
    assert (shares[0], shares[-1]) == (0, 1)


def test_a_narrow_screen_shows_the_end_of_an_id_and_nothing_is_cut() -> None:
    run = new_run(bytes_done=123_456_789, bytes_total=200_000_000)
    assert draw(run, 200)[1].startswith(run.run_id)
    narrow = draw(run, 80)
    assert narrow[1].startswith(run.run_id[-8:])
    assert len(narrow) == 2
    assert "123.5 MB" in narrow[1]


def test_counts_leave_out_the_states_without_runs() -> None:
    assert states_line({State.QUEUED: 0, State.WAITING: 1200, State.DONE: 3}).plain == "1,200 waiting   3 done"
    assert states_line({}).plain == "0 runs"
