"""The proof that the simulator is true: Planet's own client, 2.14.0 from PyPI, buys, waits, fetches and checks with it.

The client runs in a process of its own (drive_planet_2_14.py): its Sessions leave threads and descriptors behind, which
this suite would count as errors.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from planet_sdk.simulator import Simulator, SimulatorSettings

SCRIPT = Path(__file__).with_name("drive_planet_2_14.py")


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with Simulator(SimulatorSettings(queued_s=0.1, running_s=0.1, activation_s=0.1, rate_limits={})) as running:
        yield running


def run_client(simulator: Simulator, folder: Path, **options: Any) -> dict[str, Any]:
    """What the client found out, in its own process."""
    order = json.dumps({"url": simulator.url, "folder": str(folder), **options})
    done = subprocess.run([sys.executable, SCRIPT, order], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_the_real_client_buys_waits_fetches_and_checks_an_order(simulator: Simulator, tmp_path: Path) -> None:
    """Login, request building with the served bundles, create, list, wait, download and both checksums work."""
    found = run_client(simulator, tmp_path, name="oregon", tools=True)

    assert found["api_key"] == simulator.api_key
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


def test_the_real_client_understands_a_refusal(simulator: Simulator, tmp_path: Path) -> None:
    """Each error status arrives as the exception that the client has for it."""
    found = run_client(simulator, tmp_path, name="refused", refusals=True)

    assert found["refusals"] == {
        "wrong password": "APIError: Incorrect email or password.",
        "bad e-mail": "APIError: Not a valid email address.",
        "unknown order": "MissingResource",
        "too late to cancel": "Conflict",
        "wrong key": "InvalidAPIKey",
        "bad item type": "BadQuery",
    }


def test_the_real_client_searches_activates_and_fetches(simulator: Simulator, tmp_path: Path) -> None:
    """Every method of its Data client works: searches by all filters, kept ones, statistics, and an asset's way."""
    found = run_client(simulator, tmp_path, name="data", data=simulator.api_key)

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


def test_the_real_client_pages_through_a_long_list(simulator: Simulator, tmp_path: Path) -> None:
    """Links to the next page carry every filter on."""
    found = run_client(simulator, tmp_path, name="paged", many=25)

    assert found["paged"] == 25
