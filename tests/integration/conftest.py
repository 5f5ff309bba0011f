"""The simulator that a module's tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from planet_sdk.simulator import Simulator


@pytest.fixture(scope="module")
def running(request: pytest.FixtureRequest) -> Iterator[Simulator]:
    """One for all tests of the module, as its SETTINGS say."""
    with Simulator(request.module.SETTINGS) as simulator:
        yield simulator


@pytest.fixture
def simulator(running: Simulator) -> Simulator:
    """The same, without what earlier tests did to it."""
    running.reset()
    return running
