"""`planet-orders submit`: what goes in, what is refused, and what a person or a program gets to read."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from redis import Redis

from tests.integration.cli.terminal import Command, make_request

AREA = {"type": "Polygon", "coordinates": [[[-122.8, 45.4], [-122.7, 45.4], [-122.7, 45.5], [-122.8, 45.4]]]}


def test_one_request_becomes_one_run_and_only_its_id_is_printed(command: Command, runs: Callable[[], int]) -> None:
    outcome = command("submit", stdin=json.dumps(make_request()))
    assert (outcome.status, runs()) == (0, 1)
    assert len(outcome.out.split()) == 1
    assert len(outcome.out.strip()) == 26


def test_without_a_worker_it_says_that_the_run_waits_and_nothing_is_lost(command: Command) -> None:
    outcome = command("submit", stdin=json.dumps(make_request()))
    assert "No worker is alive" in outcome.err
    assert "nothing is lost" in outcome.err


def test_files_arrays_and_lines_can_be_mixed(command: Command, runs: Callable[[], int], tmp_path: Path) -> None:
    (tmp_path / "one.json").write_text(json.dumps(make_request("one"), indent=2))
    (tmp_path / "array.json").write_text(json.dumps([make_request("two"), make_request("three")]))
    lines = "\n".join(json.dumps(make_request(name)) for name in ("four", "five"))
    outcome = command("submit", "one.json", "array.json", "-", stdin=lines)
    assert (outcome.status, runs()) == (0, 5)
    assert len(outcome.out.split()) == 5


def test_a_request_with_more_items_than_an_order_holds_is_one_id_and_several_runs(
    command: Command, runs: Callable[[], int]
) -> None:
    items = [f"item-{number}" for number in range(501)]
    outcome = command("submit", stdin=json.dumps(make_request(item_ids=items)))
    assert (outcome.status, len(outcome.out.split()), runs()) == (0, 1, 2)
    told = command("status", outcome.out.strip())
    assert "it is the first of 2" in told.out


def test_the_same_key_is_the_same_run(command: Command, runs: Callable[[], int]) -> None:
    first = command("submit", "--key", "field-7", stdin=json.dumps(make_request()))
    second = command("submit", "--key", "field-7", stdin=json.dumps(make_request()))
    assert second.out == f"{first.out.strip()}\tknown\n"
    assert runs() == 1


def test_the_very_same_request_is_not_ordered_twice_unless_asked_for(
    command: Command, runs: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = command("submit", stdin=json.dumps(make_request()))
    assert command("submit", stdin=json.dumps(make_request())).out == f"{first.out.strip()}\tordered before\n"
    (entry,) = json.loads(command("submit", "--json", stdin=json.dumps(make_request())).out)
    assert (entry["created"], entry["ordered_before"]) == (False, True)
    assert runs() == 1
    assert len(command("submit", "--again", stdin=json.dumps(make_request())).out.split()) == 1
    monkeypatch.setenv("ORDERS_SAME_REQUEST_DAYS", "0")
    assert len(command("submit", stdin=json.dumps(make_request())).out.split()) == 1
    assert runs() == 3


def test_several_requests_get_keys_that_survive_the_mending_of_one(command: Command, runs: Callable[[], int]) -> None:
    bad, good = {"name": "b"}, [make_request("a"), make_request("c")]
    first = command("submit", "--key", "k", "--skip-bad", "--json", stdin=json.dumps([good[0], bad, good[1]]))
    assert [entry["key"] for entry in json.loads(first.out)] == ["k-1", "k-3"]
    second = command("submit", "--key", "k", "--json", stdin=json.dumps([good[0], make_request("b"), good[1]]))
    assert [entry["created"] for entry in json.loads(second.out)] == [False, True, False]
    assert runs() == 3


def test_a_key_with_another_request_is_refused(command: Command, runs: Callable[[], int]) -> None:
    command("submit", "--key", "k", stdin=json.dumps(make_request("a")))
    outcome = command("submit", "--key", "k", stdin=json.dumps(make_request("b")))
    assert (outcome.status, outcome.out, runs()) == (1, "", 1)
    assert outcome.err.startswith("stdin: key: ")


def test_one_bad_request_keeps_all_of_them_out(command: Command, runs: Callable[[], int]) -> None:
    outcome = command("submit", stdin=json.dumps([make_request("a"), make_request("b", item_ids=[])]))
    assert (outcome.status, outcome.out, runs()) == (2, "", 0)
    assert "stdin[1]: products[0].item_ids: " in outcome.err
    assert "--skip-bad" in outcome.err


def test_skip_bad_lets_the_good_ones_in_and_names_the_others(command: Command, runs: Callable[[], int]) -> None:
    outcome = command("submit", "--skip-bad", stdin=json.dumps([make_request("a"), make_request("b", item_ids=[])]))
    assert (outcome.status, runs()) == (0, 1)
    assert "stdin[1]: products[0].item_ids: " in outcome.err


@pytest.mark.parametrize(
    ("request_json", "named"),
    [
        ("{", "not JSON"),
        ("[1]", "stdin[0]"),
        (json.dumps({"name": "x", "products": []}), "products"),
        (json.dumps(make_request(item_type="PSSene")), "products[0].item_type"),
        (json.dumps(make_request(product_bundle="analytics")), "products[0].product_bundle"),
        (json.dumps(make_request(item_ids=[])), "products[0].item_ids"),
        (json.dumps(make_request(item_ids=[f"item-{number}" for number in range(50_001)])), "500"),
        (json.dumps({**make_request(), "tools": [{"clip": {"aoi": {"type": "Point", "coordinates": [0, 0]}}}]}), "aoi"),
        (json.dumps({**make_request(), "tools": [{"clip": {"aoi": {"type": "Polygon", "coordinates": []}}}]}), "aoi"),
        (json.dumps({"products": make_request()["products"]}), "name"),
    ],
)
def test_bad_input_names_the_field_and_nothing_goes_in(
    command: Command, runs: Callable[[], int], request_json: str, named: str
) -> None:
    outcome = command("submit", stdin=request_json)
    assert (outcome.status, outcome.out, runs()) == (2, "", 0)
    assert named in outcome.err
    assert outcome.err.splitlines()[-1].startswith("Error: nothing was submitted")


def test_a_clip_within_an_area_goes_in(command: Command) -> None:
    assert command("submit", stdin=json.dumps({**make_request(), "tools": [{"clip": {"aoi": AREA}}]})).status == 0


@pytest.mark.parametrize(
    "options",
    [
        ("--destination", "ftp://host/folder"),
        ("--deadline", "soon"),
        ("--key", " "),
        ("--priority", "urgent"),
        ("--wait", "--timeout", "never"),
        ("--no-such-option",),
        ("no-such-file.json",),
    ],
)
def test_a_bad_option_is_one_line_and_nothing_goes_in(
    command: Command, runs: Callable[[], int], options: tuple[str, ...]
) -> None:
    outcome = command("submit", *options, stdin=json.dumps(make_request()))
    assert (outcome.status, outcome.out, runs()) == (2, "", 0)
    assert len(outcome.err.splitlines()) == 1
    assert outcome.err.startswith("Error: ")


def test_a_priority_is_kept_and_shown(command: Command) -> None:
    run_id = command("submit", "--priority", "high", stdin=json.dumps(make_request())).out.strip()
    assert json.loads(command("status", run_id, "--json").out)["priority"] == "high"
    assert "priority" in command("status", run_id).out


def test_a_destination_that_cannot_be_written_is_found_before_anything_goes_in(
    command: Command, runs: Callable[[], int], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    outcome = command("submit", "--destination", "file/below", stdin=json.dumps(make_request()))
    assert (outcome.status, runs()) == (2, 0)
    assert str(tmp_path / "file/below") in outcome.err


def test_a_relative_destination_is_the_callers_not_the_workers(command: Command, tmp_path: Path) -> None:
    run_id = command("submit", "--destination", "imagery", stdin=json.dumps(make_request())).out.strip()
    run = json.loads(command("status", run_id, "--json").out)
    assert run["destination"] == (tmp_path / "imagery").as_uri()


def test_json_names_the_place_of_each_request(command: Command) -> None:
    (entry,) = json.loads(command("submit", "--json", stdin=json.dumps(make_request())).out)
    assert entry.keys() == {"run_id", "created", "ordered_before", "place", "key", "batch_id"}
    assert (entry["place"], entry["created"]) == ("stdin", True)


def test_when_the_time_is_up_the_runs_go_on(command: Command) -> None:
    outcome = command("submit", "--wait", "--timeout", "0.2s", stdin=json.dumps(make_request()))
    assert outcome.status == 1
    assert "going on: 1 run" in outcome.err


def test_without_redis_the_address_is_named_but_no_password(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://user:opensesame@127.0.0.1:1/0")
    outcome = command("submit", stdin=json.dumps(make_request()))
    assert (outcome.status, outcome.out) == (3, "")
    assert len(outcome.err.splitlines()) == 1
    assert "127.0.0.1:1" in outcome.err
    assert "opensesame" not in outcome.err


def test_bad_settings_are_one_line_that_names_the_variable(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERS_SLOTS", "many")
    outcome = command("submit", stdin=json.dumps(make_request()))
    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err.startswith("Error: ORDERS_SLOTS: must be a whole number")


@pytest.mark.parametrize(
    ("options", "advice"),
    [(("--key", "k"), "repeat the command"), ((), "repeat the command"), (("--again",), "before you repeat it")],
)
def test_when_redis_gives_out_it_says_whether_repeating_buys_twice(
    command: Command,
    redis_url: str,
    empty_redis: Redis,
    monkeypatch: pytest.MonkeyPatch,
    options: tuple[str, ...],
    advice: str,
) -> None:
    """Here it answers a greeting, and refuses to write."""
    empty_redis.acl_setuser("greeter", enabled=True, passwords="+opensesame", keys=["*"], commands=["+ping"])
    monkeypatch.setenv("REDIS_URL", redis_url.replace("unix://", "unix://greeter:opensesame@"))
    outcome = command("submit", *options, stdin=json.dumps(make_request()))
    empty_redis.acl_deluser("greeter")
    assert (outcome.status, outcome.out) == (3, "")
    assert len(outcome.err.splitlines()) == 1
    assert advice in outcome.err


def test_json_lists_what_was_taken_even_when_the_time_is_up(command: Command) -> None:
    outcome = command("submit", "--wait", "--timeout", "0.2s", "--json", stdin=json.dumps(make_request()))
    (entry,) = json.loads(outcome.out)
    assert (outcome.status, entry["state"], entry["error"]) == (1, "queued", None)
