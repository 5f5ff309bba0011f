"""How a run travels: four stages, each of which only says what should happen next."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from jobs.outcomes import Advance, Finish, Park
from jobs.run import Stage, State
from planet_sdk import OrdersClient
from tests.stage_rig import Rig, open_rig


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with open_rig(tmp_path) as rig:
        yield rig


async def test_create_places_the_order_and_goes_on_to_wait(rig: Rig) -> None:
    outcome = await rig.step()

    assert isinstance(outcome, Advance)
    assert outcome.stage is Stage.WAIT
    assert rig.run.order_id is not None
    assert rig.creates() == 1


async def test_the_order_carries_the_run_id_in_its_name(rig: Rig) -> None:
    """So that it can be found again, whatever becomes of the answer."""
    await rig.step()

    order = await rig.orders.get_order(rig.run.order_id or "")
    assert order["name"] == f"field 7-{rig.run.run_id}"


async def test_wait_parks_the_run_without_a_request(rig: Rig) -> None:
    await rig.step()
    asked = rig.simulator.report().requests

    outcome = await rig.step()

    assert isinstance(outcome, Park)
    assert rig.simulator.report().requests == asked


async def test_the_watcher_moves_a_run_on_when_its_order_is_final(rig: Rig) -> None:
    await rig.step()
    await rig.step()

    outcome = await rig.watch()

    assert isinstance(outcome, Advance)
    assert outcome.stage is Stage.DOWNLOAD


async def test_download_brings_every_file_and_notes_each_of_them(rig: Rig) -> None:
    await rig.go(State.DOWNLOADING)

    outcome = await rig.step()

    assert isinstance(outcome, Advance)
    assert outcome.stage is Stage.VALIDATE
    there = {path.relative_to(rig.folder.parent).as_posix() for path in rig.folder.rglob("*") if path.is_file()}
    assert there == {record.path for record in await rig.notebook.files()}
    assert rig.run.files_done == rig.run.files_total == len(there)


async def test_validate_ends_the_run_with_its_files_proven(rig: Rig) -> None:
    outcome = await rig.go(State.DONE)

    assert isinstance(outcome, Finish)
    OrdersClient.validate_checksum(rig.folder, "SHA256")
