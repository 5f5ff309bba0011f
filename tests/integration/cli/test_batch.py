"""`planet-orders batch`: how far a batch is, for people and for programs."""

from __future__ import annotations

import json
from collections.abc import Callable

from tests.integration.cli.terminal import Command, make_request
from worker.web.batches import SummaryView

TWO = json.dumps([make_request("one"), make_request("two")])


def submit(command: Command, *options: str) -> str:
    """Submit two requests; returns the id of their batch."""
    entries = json.loads(command("submit", "--json", *options, stdin=TWO).out)
    (batch_id,) = {entry["batch_id"] for entry in entries}
    assert isinstance(batch_id, str)
    return batch_id


def test_several_requests_are_a_batch_that_tells_how_it_is(command: Command) -> None:
    batch_id = submit(command, "--name", "all fields")

    outcome = command("batch", batch_id[-8:])

    assert outcome.status == 0
    assert "all fields" in outcome.out
    assert "2 queued" in outcome.out
    assert "0 of 2 runs ended" in outcome.out


def test_its_summary_is_there_for_programs(command: Command) -> None:
    batch_id = submit(command, "--key", "harvest", "--callback", "https://hooks.example.com/ended?token=secret")

    told = json.loads(command("batch", batch_id, "--json").out)

    assert told.keys() == set(SummaryView.model_fields), "as GET /v1/batches/{batch_id}/summary has them"
    batch = told["batch"]
    assert (batch["batch_id"], batch["key"], batch["requests"], batch["ended_at"]) == (batch_id, "harvest", 2, None)
    assert (batch["runs"]["queued"], told["files"], told["failures"]) == (2, 0, [])
    assert "token=secret" not in json.dumps(told)


def test_the_same_key_is_the_same_batch(command: Command, runs: Callable[[], int]) -> None:
    assert submit(command, "--key", "harvest") == submit(command, "--key", "harvest")
    assert runs() == 2


def test_without_an_id_it_lists_batches_the_newest_first(command: Command) -> None:
    assert "no batches yet" in command("batch").err
    first = submit(command, "--again")
    second = submit(command, "--again", "--name", "harvest")

    lines = command("batch").out.splitlines()

    assert [line.split()[0] for line in lines[1:]] == [second, first]
    assert "harvest" in lines[1]
    assert [batch["batch_id"] for batch in json.loads(command("batch", "--json").out)["batches"]] == [second, first]


def test_the_wait_for_a_batch_ends_with_its_last_run_and_tells_how(command: Command) -> None:
    batch_id = submit(command)
    late = command("batch", batch_id, "--wait", "--timeout", "0.1s")
    assert late.status == 1
    assert "The time is up" in late.err
    command("cancel", *(run["run_id"] for run in json.loads(command("list", "--json").out)["runs"]))

    outcome = command("batch", batch_id, "--wait")

    assert outcome.status == 1
    assert "2 cancelled" in outcome.out


def test_the_runs_of_a_batch_are_listed_in_the_order_of_its_requests(command: Command) -> None:
    batch_id = submit(command)
    command("submit", stdin=json.dumps(make_request("alone")))

    listed = json.loads(command("list", "--batch", batch_id, "--json").out)["runs"]

    assert [run["name"] for run in listed] == ["one", "two"]
    assert json.loads(command("list", "--batch", batch_id, "--state", "done", "--json").out) == {
        "runs": [],
        "next": None,
    }


def test_a_whole_batch_is_cancelled_at_once(command: Command) -> None:
    batch_id = submit(command)

    assert command("cancel", "--batch", batch_id).out == f"{batch_id}\t2 runs cancelled, or to be cancelled\n"

    assert json.loads(command("batch", batch_id, "--json").out)["batch"]["runs"]["cancelled"] == 2
    assert command("cancel", "--batch", batch_id).out == f"{batch_id}\t0 runs cancelled, or to be cancelled\n"
    assert command("cancel").status == 2


def test_a_batch_that_is_not_there_is_an_error(command: Command) -> None:
    for arguments in (("batch", "0" * 26), ("batch", "nobody"), ("list", "--batch", "0" * 26)):
        outcome = command(*arguments)
        assert outcome.status in {1, 2}
        assert "planet-orders batch" in outcome.err


def test_a_callback_that_cannot_be_called_is_refused_before_anything_is_submitted(
    command: Command, runs: Callable[[], int]
) -> None:
    outcome = command("submit", "--callback", "hooks.example.com", stdin=TWO)
    assert (outcome.status, runs()) == (2, 0)
    assert "callback_url" in outcome.err
