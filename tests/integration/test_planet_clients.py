"""The proof that the simulator is true: Planet's own clients from PyPI buy, wait, fetch and check with it.

2.14.0 is the one whose API planet_sdk has, 3.x the newest. Each runs in a process of its own (drive_planet.py): their
Sessions leave threads and descriptors behind, which this suite would count as errors, and the two do not share an
environment.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from planet_sdk.simulator import Simulator, SimulatorSettings

SCRIPT = Path(__file__).with_name("drive_planet.py")
PLANET_3 = Path(sys.prefix, "planet-3", "bin", "python")
Client: TypeAlias = Callable[[str], dict[str, Any]]
needs_planet_3 = pytest.mark.skipif(not PLANET_3.exists(), reason="planet 3 is not in .venv/planet-3: run `make setup`")
only_planet_2 = pytest.mark.parametrize("client", ["2.14"], indirect=True)
only_planet_3 = pytest.mark.parametrize("client", [pytest.param("3", marks=needs_planet_3)], indirect=True)


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with Simulator(
        SimulatorSettings(queued_s=0.1, running_s=0.1, activation_s=0.1, page_size=5, rate_limits={})
    ) as running:
        yield running


@pytest.fixture(params=["2.14", pytest.param("3", marks=needs_planet_3)])
def client(request: pytest.FixtureRequest, simulator: Simulator, tmp_path: Path) -> Client:
    """Does one of the script's tasks with a client of this version, and returns what that found out."""
    interpreter = {"2.14": sys.executable, "3": str(PLANET_3)}[request.param]
    order = {"url": simulator.url, "api_key": simulator.api_key, "folder": str(tmp_path)}
    # 3.x keeps profiles in the home folder, and reads what to do from the environment
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PL_")}
    environment["HOME"] = str(tmp_path)

    def run(task: str) -> dict[str, Any]:
        command = [interpreter, str(SCRIPT), json.dumps({"task": task, **order})]
        done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False, env=environment)
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return found

    return run


@only_planet_2
def test_the_real_client_logs_in(client: Client, simulator: Simulator) -> None:
    """An e-mail and its password give the API key, and others an error with the server's words."""
    found = client("log in")

    assert found["api_key"] == simulator.api_key
    assert found["refusals"] == {
        "wrong password": "APIError: Incorrect email or password.",
        "bad e-mail": "APIError: Not a valid email address.",
    }


def test_the_real_client_buys_waits_fetches_and_checks_an_order(client: Client) -> None:
    """Request building with the served bundles, create, list, wait, download and both checksums work."""
    found = client("order")

    assert found["created"] == "queued"
    assert found["waited"] == "success"
    assert found["listed"] == ["oregon"]
    assert sorted(found["files"]) == [
        "20220304_093300_37_2430_3B_AnalyticMS_8b_metadata_clip.xml",
        "20220304_093300_37_2430_3B_AnalyticMS_SR_8b_clip.tif",
        "20220304_093300_37_2430_3B_udm2_clip.tif",
        "20220304_093300_37_2430_metadata.json",
        "manifest.json",
    ]


def test_the_real_client_understands_a_refusal(client: Client) -> None:
    """Each error status arrives as the exception that the client has for it."""
    assert client("refusals")["refusals"] == {
        "unknown order": "MissingResource",
        "too late to cancel": "Conflict",
        "wrong key": "InvalidAPIKey",
        "bad item type": "BadQuery",
    }


def test_the_real_client_searches_activates_and_fetches(client: Client) -> None:
    """Every method of its Data client works: searches by all filters, kept ones, statistics, and an asset's way."""
    found = client("data")

    assert len(found["items"]) > 20
    assert all(item_id.startswith("2022") for item_id in found["items"])
    assert set(found["oldest"]) == set(sorted(found["items"])[:2])
    assert found["paged"] == 600
    assert found["ran"] == found["items"]
    assert found["names"] == ["clear", "clearer", "clearer", "clearer"]
    assert found["left"] == []
    assert found["counted"] == len(found["items"])
    assert found["changed"] == 5
    assert found["file"] == f"{found['items'][0]}_3B_Visual.tif"
    assert found["seen"] == ["inactive", "active"]


def test_the_real_client_pages_through_a_long_list(client: Client) -> None:
    """Links to the next page carry every filter on."""
    assert client("page")["paged"] == 6


@only_planet_3
def test_the_newest_client_narrows_its_lists(client: Client) -> None:
    """What only 3.x asks for is understood: sorting by several fields, and how a scene lies to a geometry."""
    found = client("narrow")

    assert found["names"] == ["narrow a", "narrow b", "narrow b"]
    assert found["containing"] == 3


@only_planet_3
def test_the_newest_client_works_without_asyncio(client: Client) -> None:
    """Its synchronous Planet object orders, downloads, validates and searches."""
    assert client("synchronous") == {"waited": "success", "items": 5}
