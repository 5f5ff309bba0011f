"""`planet-orders submit --dry-run`: everything up to the POST, and nothing after it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from planet_sdk.simulator import Simulator, SimulatorSettings
from tests.integration.cli.terminal import Command, make_request
from tests.stage_rig import OREGON


@pytest.fixture
def planet(command: Command, monkeypatch: pytest.MonkeyPatch) -> Iterator[Simulator]:
    """Planet, whose key the settings have; `command` has emptied the environment before."""
    with Simulator(SimulatorSettings(rate_limits={})) as simulator:
        monkeypatch.setenv("PL_API_URL", simulator.url)
        monkeypatch.setenv("PL_API_KEY", simulator.api_key)
        yield simulator


def clipped(name: str = "oregon", **changes: Any) -> dict[str, Any]:
    return {**make_request(name, **changes), "tools": [{"clip": {"aoi": OREGON}}]}


def test_it_prints_what_would_be_sent_and_leaves_nothing_behind(
    command: Command, planet: Simulator, empty_redis: Redis, tmp_path: Path
) -> None:
    secret = {
        "amazon_s3": dict.fromkeys(("bucket", "aws_region", "aws_access_key_id", "aws_secret_access_key"), "s3cret")
    }
    request = {**clipped(item_ids=["a", "b"]), "delivery": secret}

    outcome = command("submit", "--dry-run", stdin=json.dumps(request))

    assert outcome.status == 0
    sent = json.loads(outcome.out)
    assert sent["name"] == "oregon-RUN_ID"
    assert (sent["products"], sent["tools"]) == (request["products"], request["tools"])
    assert sent["delivery"]["amazon_s3"]["aws_secret_access_key"] == "(hidden)"
    assert "stdin: would be ordered: 2 items, in all 17,3" in outcome.err
    assert f"Nothing was ordered. 1 order would be placed at {planet.url}" in outcome.err
    assert empty_redis.keys() == []
    assert list(tmp_path.iterdir()) == []
    assert (planet.report().requests["list"], planet.report().requests.get("create", 0)) == (1, 0)


def test_json_says_what_would_become_of_each(command: Command, planet: Simulator, runs: Callable[[], int]) -> None:
    run_id = command("submit", "--key", "k", stdin=json.dumps(clipped("a"))).out.strip()
    requests = [clipped("a"), clipped("b"), clipped("b"), clipped("c", item_ids=[f"{n}" for n in range(501)])]

    outcome = command("submit", "--dry-run", "--json", stdin=json.dumps(requests))

    entries = json.loads(outcome.out)
    assert [entry["would"] for entry in entries] == ["ordered before", "order", "ordered before", "order"]
    assert [entry["run_id"] for entry in entries] == [run_id, None, None, None]
    assert [entry["items"] for entry in entries] == [1, 1, 1, 501]
    assert [len(entry["requests"]) for entry in entries] == [1, 1, 1, 2]
    assert "3 orders would be placed" in outcome.err
    assert (outcome.status, runs()) == (0, 1)


def test_a_key_is_looked_up_and_not_taken(command: Command, planet: Simulator, runs: Callable[[], int]) -> None:
    command("submit", "--key", "k", stdin=json.dumps(clipped("a")))

    same = command("submit", "--dry-run", "--key", "k", "--json", stdin=json.dumps(clipped("a")))
    other = command("submit", "--dry-run", "--key", "k", stdin=json.dumps(clipped("b")))
    command("submit", "--dry-run", "--key", "new", stdin=json.dumps(clipped("a")))

    assert json.loads(same.out)[0]["would"] == "known"
    assert (other.status, other.out) == (1, "")
    assert other.err.startswith("stdin: key: ")
    assert command("submit", "--key", "new", "--again", stdin=json.dumps(clipped("a"))).status == 0
    assert runs() == 2


def test_all_of_it_is_held_against_the_caps(
    command: Command, planet: Simulator, monkeypatch: pytest.MonkeyPatch, empty_redis: Redis
) -> None:
    monkeypatch.setenv("ORDERS_CAP_ITEMS", "3")
    requests = [clipped("a", item_ids=["1", "2"]), clipped("b", item_ids=["1", "2"])]

    both = command("submit", "--dry-run", stdin=json.dumps(requests))
    one = command("submit", "--dry-run", stdin=json.dumps(requests[0]))

    assert (both.status, one.status) == (1, 0)
    assert "the fleet may order 3 items a day, and this alone has 4" in both.err
    assert empty_redis.keys() == []


def test_bad_requests_are_named_as_ever(command: Command, planet: Simulator) -> None:
    outcome = command("submit", "--dry-run", stdin=json.dumps(make_request(item_ids=[])))
    assert (outcome.status, outcome.out) == (2, "")
    assert "products[0].item_ids" in outcome.err


def test_a_destination_that_cannot_be_used_is_found_and_none_is_made(
    command: Command, planet: Simulator, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    outcome = command("submit", "--dry-run", "--destination", "file/below", stdin=json.dumps(clipped()))
    assert outcome.status == 2
    assert str(tmp_path / "file/below") in outcome.err
    assert command("submit", "--dry-run", "--destination", "new/folder", stdin=json.dumps(clipped())).status == 0
    assert not (tmp_path / "new").exists()


def test_a_key_that_planet_refuses_and_a_planet_that_is_away_are_told_apart(
    command: Command, planet: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PL_API_KEY", "wrong-key")
    refused = command("submit", "--dry-run", stdin=json.dumps(clipped()))
    assert (refused.status, refused.err.splitlines()[-1][:31]) == (2, "Error: Planet refuses the key (")
    monkeypatch.setenv("PL_API_KEY", planet.api_key)
    planet.drop_request("list", times=None)
    assert command("submit", "--dry-run", stdin=json.dumps(clipped())).status == 3


def test_it_does_not_wait(command: Command) -> None:
    assert command("submit", "--dry-run", "--wait", stdin=json.dumps(clipped())).status == 2
