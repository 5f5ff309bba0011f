"""`status`, `list`, `watch`, `cancel` and `retry`, of runs that no worker has touched."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from arq.connections import ArqRedis

from jobs import keys
from jobs.line import Priority
from jobs.moves import By, plan_move
from jobs.outcomes import Finish, Requeue
from jobs.run import Failure, FailureKind, Stage, State
from jobs.store import RunStore
from tests.integration.cli.terminal import Command, make_request
from worker.cli.run_commands import StateName
from worker.cli.submit_command import PriorityName
from worker.web.overview import FleetView
from worker.web.views import RunDetail, RunSummary


def submit(command: Command, name: str = "oregon") -> str:
    return command("submit", stdin=json.dumps(make_request(name))).out.strip()


def fail(redis_url: str, run_id: str, message: str, log: tuple[str, ...] = (), **facts: str) -> None:
    """Let a run end as a worker would."""

    async def move() -> None:
        redis = ArqRedis.from_url(redis_url)
        store = RunStore(redis)
        failure = Failure(kind=FailureKind.PRODUCER, type="InvalidAPIKey", message=message, stage=Stage.CREATE)
        finish = Finish(State.FAILED, "refused", failure, facts)
        await store.move(replace(plan_move(await store.get(run_id), finish, By.person()), log=log))
        await redis.aclose()

    asyncio.run(move())


def test_the_states_that_list_offers_are_those_of_a_run() -> None:
    assert [state.value for state in StateName] == [state.value for state in State]


def test_the_priorities_that_submit_offers_are_those_of_a_run() -> None:
    assert {name.value for name in PriorityName} == {priority.value for priority in Priority}


def test_status_tells_the_story_of_a_run(command: Command) -> None:
    run_id = submit(command)
    outcome = command("status", run_id)
    assert outcome.status == 0
    for word in (run_id, "oregon", "queued", "submitted", "the fleet's own"):
        assert word in outcome.out


def test_status_of_a_failed_run_says_why_and_what_to_do(command: Command, redis_url: str) -> None:
    run_id = submit(command)
    fail(redis_url, run_id, "the key was refused")
    story = command("status", run_id).out
    assert "InvalidAPIKey in create: the key was refused" in story
    assert f"planet-orders retry {run_id}" in story


def test_status_of_a_failed_run_shows_its_last_log_lines(command: Command, redis_url: str) -> None:
    run_id = submit(command)
    lines = tuple(
        json.dumps({"event": event, "level": "warning", "timestamp": "2026-11-22T20:00:01Z", "run_id": run_id})
        for event in ("file \x1b[31mnot taken", "stage ended")
    )
    fail(redis_url, run_id, "the key was refused", log=lines)

    told = command("status", run_id).out
    assert told.index("20:00:01 warning file ?[31mnot taken") < told.index("stage ended") < told.index("InvalidAPIKey")
    assert [line["event"] for line in json.loads(command("status", run_id, "--json").out)["log"]][-1] == "stage ended"


def test_status_of_an_order_failed_at_planet_says_that_only_a_new_one_helps(command: Command, redis_url: str) -> None:
    run_id = submit(command)
    fail(redis_url, run_id, "no", order_id="8d7f6910-d563-4902-abcd-573a8e8641c8", order_state="failed")
    assert f"planet-orders retry {run_id} --rebuy" in command("status", run_id).out


def test_status_as_json_is_the_record_with_its_history_and_files(command: Command) -> None:
    story = json.loads(command("status", submit(command), "--json").out)
    assert story.keys() == {*RunDetail.model_fields, "log"}, "as GET /v1/runs/{run_id} has them"
    assert story["state"] == "queued"
    assert [each["state"] for each in story["history"]] == ["queued"]


def test_credentials_in_a_request_are_not_shown(command: Command) -> None:
    store = {"bucket": "b", "aws_region": "r", "aws_access_key_id": "AKID", "aws_secret_access_key": "hunter2secret"}
    request = {**make_request(), "delivery": {"amazon_s3": store}}
    run_id = command("submit", stdin=json.dumps(request)).out.strip()
    for arguments in (("status", run_id), ("status", run_id, "--json"), ("list", "--json")):
        assert "hunter2secret" not in command(*arguments).out


def test_the_end_of_an_id_is_enough(command: Command) -> None:
    run_id = submit(command)
    assert run_id in command("status", run_id[-8:].lower()).out


def test_part_of_an_id_that_fits_several_runs_is_refused(command: Command) -> None:
    shared = [submit(command, "first"), submit(command, "second")][0][:2]
    outcome = command("status", shared)
    assert (outcome.status, outcome.out) == (2, "")
    assert "2 runs' ids" in outcome.err


@pytest.mark.parametrize("name", ["status", "cancel", "retry", "watch"])
def test_an_unknown_run_is_one_line(command: Command, name: str) -> None:
    outcome = command(name, "01JD0000000000000000000000")
    assert (outcome.status, outcome.out) == (1, "")
    assert outcome.err.startswith("Error: there is no run 01JD0000000000000000000000")


def test_the_fleet_in_one_look(command: Command) -> None:
    oldest, _ = submit(command, "first"), submit(command, "second")
    outcome = command("status")
    assert "2 queued" in outcome.out
    assert f"oldest queued: {oldest}" in outcome.out
    assert "No worker is alive" in outcome.err
    fleet = json.loads(command("status", "--json").out)
    assert fleet["runs"]["queued"] == 2
    assert fleet.keys() == set(FleetView.model_fields), "as GET /v1/fleet has them"
    assert fleet["workers"] == []
    assert fleet["stages"][0]["oldest_run_id"] == oldest


def test_the_fleet_says_why_queued_runs_wait(command: Command, monkeypatch: pytest.MonkeyPatch, redis_url: str) -> None:
    under_way = submit(command, "first")
    submit(command, "second")
    assert "queued runs wait" not in command("status").out

    asyncio.run(_place_and_refuse(redis_url, under_way))
    assert "Planet refused an order as one too many" in command("status").out

    monkeypatch.setenv("ORDERS_RUNNING_ORDERS", "1")
    assert "1 order under way, which is all that ORDERS_RUNNING_ORDERS allows" in command("status").out


async def _place_and_refuse(redis_url: str, run_id: str) -> None:
    """Be a worker that has begun the run, and one that was refused another order."""
    redis = ArqRedis.from_url(redis_url)
    store = RunStore(redis)
    for each in (run_id, (await store.newest(State.QUEUED))[0].run_id):
        job_id = (await store.get(each)).job_id or ""
        await redis.psetex(keys.in_progress(job_id), 60_000, "w1/boot")
        run = await store.begin(each, job_id, By.owner_of_job("w1", "w1/boot"), "file:///data")
    await store.move(plan_move(run, Requeue("waiting: too many active orders"), By.owner_of_job("w1", "w1/boot")))
    await redis.aclose()


def test_list_shows_the_newest_first_and_can_be_narrowed(command: Command) -> None:
    first, second = submit(command, "first"), submit(command, "second")
    command("cancel", first)
    assert [run["run_id"] for run in json.loads(command("list", "--json").out)["runs"]] == [second, first]
    cancelled = json.loads(command("list", "--state", "cancelled", "--json").out)["runs"]
    assert [run["run_id"] for run in cancelled] == [first]
    assert cancelled[0].keys() == set(RunSummary.model_fields), "as GET /v1/runs has them"
    table = command("list").out
    assert table.index("second") < table.index("first")


def test_a_list_goes_on_where_its_page_ended(command: Command) -> None:
    first, second = submit(command, "first"), submit(command, "second")
    page = json.loads(command("list", "--limit", "1", "--json").out)
    rest = json.loads(command("list", "--before", page["next"], "--json").out)
    assert [run["run_id"] for run in (*page["runs"], *rest["runs"])] == [second, first]
    assert rest["next"] is None
    assert command("list", "--before", "yesterday").status == 2


def test_an_empty_list_says_what_to_do(command: Command) -> None:
    outcome = command("list")
    assert (outcome.status, outcome.out) == (0, "")
    assert "planet-orders submit" in outcome.err


def test_a_name_cannot_steer_the_terminal_or_pass_for_markup(command: Command) -> None:
    submit(command, "[bold]field[/bold] 7")
    assert "[bold]field[/bold] 7" in command("list").out


def test_cancel_and_retry_say_where_a_run_stands_then(command: Command) -> None:
    run_id = submit(command)
    assert command("cancel", run_id).out == f"{run_id}\tcancelled\n"
    assert command("cancel", run_id).out == f"{run_id}\tcancelled\n"
    assert command("retry", run_id).out == f"{run_id}\tqueued\n"


def test_cancel_and_retry_as_json_are_a_line_a_run(command: Command) -> None:
    run_id = submit(command)
    outcome = command("cancel", run_id, "01JD0000000000000000000000", "--json")
    (line,) = outcome.out.splitlines()
    assert (outcome.status, json.loads(line).keys()) == (1, set(RunSummary.model_fields))
    assert "there is no run 01JD0000000000000000000000" in outcome.err
    assert json.loads(command("retry", run_id, "--json").out)["state"] == "queued"


def test_one_run_that_cannot_be_retried_does_not_hold_the_others_up(command: Command) -> None:
    waiting, ended = submit(command, "first"), submit(command, "second")
    command("cancel", ended)
    outcome = command("retry", waiting, ended)
    assert outcome.status == 1
    assert outcome.out == f"{ended}\tqueued\n"
    assert f"run {waiting}: it has not ended" in outcome.err


def test_watch_of_ended_runs_prints_where_they_stand_and_ends(command: Command, redis_url: str) -> None:
    run_id = submit(command)
    fail(redis_url, run_id, "no")
    outcome = command("watch", run_id)
    assert outcome.status == 1
    assert run_id in outcome.out
    event = json.loads(command("watch", run_id, "--json").out)
    assert event.keys() == {"id", "run_id", "state", "stage", "reason", "at"}
    assert datetime.fromisoformat(event["at"]) <= datetime.now(UTC)
