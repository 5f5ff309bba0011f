"""Files arrive whole, once, and where they belong; what is at the destination is proven."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from jobs.errors import Fenced
from jobs.outcomes import Advance, Again, Finish
from jobs.policy import Policy
from jobs.room import Wanted
from jobs.run import Facts, FailureKind, FileRecord, Stage, State
from jobs.runner import run_stage
from planet_sdk import OrdersClient
from planet_sdk.simulator import FaultKind
from tests.stage_rig import MemoryNotebook, Rig, a_store, open_rig, request
from tests.waiting import until

SCENE = "20220605_124027_64_242b_3B_AnalyticMS_clip.tif"


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    """A run whose order is delivered and waits to be downloaded."""
    async with open_rig(tmp_path) as rig:
        await rig.go(State.DOWNLOADING)
        yield rig


def files_of(rig: Rig) -> dict[str, bytes]:
    return {path.relative_to(rig.folder).as_posix(): path.read_bytes() for path in files_below(rig.folder)}


def files_below(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


async def test_a_cut_body_is_carried_on_from_its_last_byte(rig: Rig) -> None:
    rig.simulator.cut_body(SCENE, after_bytes=700)

    await rig.go(State.DONE)

    assert rig.simulator.ranges_asked(SCENE) == ["bytes=700-"]


async def test_links_that_expire_midway_are_renewed_once(rig: Rig) -> None:
    """The order is read again, and the files go on; nothing that arrived is fetched twice."""
    rig.simulator.cut_body(SCENE, after_bytes=700)
    rig.simulator.expire_link(SCENE, endpoint="link")

    await rig.go(State.DONE)

    OrdersClient.validate_checksum(rig.folder, "SHA256")


async def test_a_download_that_failed_goes_on_where_it_stopped(rig: Rig) -> None:
    """Files that were noted are not asked for again; the half one is continued."""
    rig.simulator.spoil(FaultKind.CUT_BODY, SCENE, times=50, after_bytes=0)
    first = await rig.step()
    assert isinstance(first, Again)
    assert rig.run.files_done >= 1
    rig.simulator.clear_faults()
    before = rig.simulator.report().bodies

    await rig.go(State.DONE)

    after = rig.simulator.report().bodies
    fetched = {name for name, count in after.items() if count > before.get(name, 0)}
    assert fetched == {SCENE, "manifest.json"}


async def test_a_crash_after_a_file_was_noted_does_not_fetch_it_again(rig: Rig) -> None:
    notebook = StoppingNotebook(after_files=2)
    rig.notebook = notebook
    with pytest.raises(Fenced):
        await rig.step()
    notebook.stop_after = None
    rig.crash()
    noted = {Path(record.path).name for record in await notebook.files()} - {"manifest.json"}
    before = rig.simulator.report().bodies

    await rig.go(State.DONE)

    after = rig.simulator.report().bodies
    assert {name: after[name] for name in noted} == {name: before[name] for name in noted}
    OrdersClient.validate_checksum(rig.folder, "SHA256")


class StoppingNotebook(MemoryNotebook):
    """Refuses notes, as Redis does of a worker that lost its job, once it has so many files."""

    def __init__(self, after_files: int) -> None:
        super().__init__()
        self.stop_after: int | None = after_files

    async def note(self, facts: Facts, files: dict[str, FileRecord] | None = None) -> None:  # type: ignore[override]  # narrower on purpose
        if self.stop_after is not None and len(self.records) >= self.stop_after:
            raise Fenced("job", "another worker has it")
        await super().note(facts, files)


async def test_a_stage_that_is_stopped_midway_is_carried_on_with_a_range(rig: Rig) -> None:
    """A worker that hands its job back leaves the half file where the next one finds it."""
    rig.simulator.stall_body(SCENE, after_bytes=900)
    stage = asyncio.create_task(run_stage(rig.run, rig.context))
    await until("900 bytes are here", lambda: any(size >= 900 for size in part_sizes(rig)))
    stage.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stage
    rig.crash()

    await rig.go(State.DONE)

    assert rig.simulator.ranges_asked(SCENE) == ["bytes=900-"]


def part_sizes(rig: Rig) -> list[int]:
    return [path.stat().st_size for path in rig.folder.rglob(f"{SCENE}.part")]


async def test_every_file_is_noted_with_its_size_and_digest(rig: Rig) -> None:
    await rig.step()

    manifest = json.loads((rig.folder / "manifest.json").read_bytes())
    records = {record.path: record for record in await rig.notebook.files()}
    for entry in manifest["files"]:
        record = records[f"{rig.run.order_id}/{entry['path']}"]
        assert record.size_bytes == record.fetched_bytes == entry["size"]
        assert record.sha256 == entry["digests"]["sha256"]
        assert record.verified
    assert rig.run.bytes_done == rig.run.bytes_total == sum(map(len, files_of(rig).values()))


async def test_progress_is_told_by_key(rig: Rig) -> None:
    await rig.step()

    key = f"{rig.run.order_id}/PSScene/{SCENE}"
    size = (rig.folder / "PSScene" / SCENE).stat().st_size
    assert (key, size, size) in rig.progress


async def test_a_corrupt_file_at_the_destination_is_fetched_again_alone(rig: Rig) -> None:
    await rig.step()
    bad = rig.folder / "PSScene" / SCENE
    good = bad.read_bytes()
    bad.write_bytes(b"\0" * len(good))
    before = rig.simulator.report().bodies

    outcome = await rig.step()
    assert isinstance(outcome, Advance)
    assert outcome.stage is Stage.DOWNLOAD
    assert SCENE in outcome.reason
    assert not bad.exists()
    assert rig.run.refetches == 1

    await rig.go(State.DONE)
    assert bad.read_bytes() == good
    after = rig.simulator.report().bodies
    assert {name for name, count in after.items() if count > before.get(name, 0)} == {SCENE, "manifest.json"}


async def test_a_missing_and_a_short_file_are_both_found(rig: Rig) -> None:
    await rig.step()
    files = [path for path in files_below(rig.folder) if path.name != "manifest.json"]
    files[0].unlink()
    files[1].write_bytes(files[1].read_bytes()[:-1])

    outcome = await rig.step()

    assert "missing" in outcome.reason
    assert "bad_size" in outcome.reason
    problems = {record.path for record in await rig.notebook.files() if record.problem}
    assert problems == {f"{rig.run.order_id}/{path.relative_to(rig.folder).as_posix()}" for path in files[:2]}
    await rig.go(State.DONE)


async def test_a_damaged_manifest_is_fetched_again(rig: Rig) -> None:
    await rig.step()
    (rig.folder / "manifest.json").write_bytes(b"{")

    outcome = await rig.step()

    assert isinstance(outcome, Advance)
    assert outcome.stage is Stage.DOWNLOAD
    await rig.go(State.DONE)


async def test_files_that_stay_wrong_end_the_run_and_are_kept_to_look_at(rig: Rig) -> None:
    rig.policy = Policy(max_refetches=1)
    for _ in range(2):
        await rig.step()
        bad = rig.folder / "PSScene" / SCENE
        bad.write_bytes(b"x")
        outcome = await rig.step()

    assert isinstance(outcome, Finish)
    assert outcome.state is State.FAILED
    assert rig.run.error is not None
    assert rig.run.error.kind is FailureKind.PLANET
    assert bad.exists()


async def test_files_of_an_object_store_pass_through_staging_and_leave_nothing_there(tmp_path: Path) -> None:
    async with open_rig(tmp_path, destination=a_store()) as rig:
        await rig.go(State.DONE)

        stored = await rig.destination.list()
        assert f"{rig.run.order_id}/PSScene/{SCENE}" in stored
        assert stored == {record.path: record.size_bytes for record in await rig.notebook.files()}
        assert files_below(tmp_path) == []


async def test_a_corrupt_object_is_fetched_again_alone(tmp_path: Path) -> None:
    async with open_rig(tmp_path, destination=a_store()) as rig:
        await rig.go(State.VALIDATING)
        key = f"{rig.run.order_id}/PSScene/{SCENE}"
        other = tmp_path / "other"
        other.write_bytes(b"other")
        await rig.destination.put_file(other, key)

        outcome = await rig.step()

        assert isinstance(outcome, Advance)
        assert outcome.stage is Stage.DOWNLOAD
        await rig.go(State.DONE)
        assert (await rig.destination.stat(key) or 0) > 5


async def test_a_name_that_leaves_the_folder_ends_the_run_with_nothing_written(tmp_path: Path) -> None:
    async with open_rig(tmp_path) as rig:
        rig.simulator.doom(FaultKind.EVIL_NAME)
        await rig.go(State.DOWNLOADING)

        outcome = await rig.step()

        assert isinstance(outcome, Finish)
        assert outcome.state is State.FAILED
        assert "escaped" in outcome.reason
        assert rig.run.error is not None
        assert rig.run.error.kind is FailureKind.PRODUCER
        assert files_below(tmp_path) == []


async def test_a_download_waits_for_room_that_others_need_and_keeps_none_itself(rig: Rig, tmp_path: Path) -> None:
    theirs = Wanted(tmp_path / "theirs.tif", 2 * shutil.disk_usage(tmp_path).total)
    with theirs.path.open("wb") as file:
        file.truncate(theirs.size_bytes)  # sparse; all of it is there, until it is removed
    assert rig.room.claim("another", tmp_path, [theirs]) is None
    theirs.path.unlink()

    outcome = await rig.step()

    assert isinstance(outcome, Again)
    assert not outcome.charge
    assert "are kept for other downloads" in outcome.reason
    rig.room.release("another")
    await rig.go(State.DONE)
    everything = Wanted(tmp_path / "all.tif", shutil.disk_usage(tmp_path).free * 9 // 10)
    assert rig.room.claim("another", tmp_path, [everything]) is None


async def test_a_folder_without_permission_ends_the_run(rig: Rig, tmp_path: Path) -> None:
    """A file lies where the folder should be."""
    (tmp_path / "files").write_text("in the way")

    outcome = await rig.step()

    assert isinstance(outcome, Finish)
    assert outcome.state is State.FAILED
    assert rig.run.error is not None
    assert rig.run.error.kind is FailureKind.PRODUCER


async def test_an_order_that_offers_no_files_yet_is_read_again(rig: Rig) -> None:
    """Planet may call an order a success before it lists the files."""
    rig.simulator.fail("get", status=200, body=json.dumps({"id": rig.run.order_id, "state": "success"}))

    outcome = await rig.step()

    assert isinstance(outcome, Again)
    assert "no files yet" in outcome.reason
    await rig.go(State.DONE)


async def test_a_hosted_order_has_nothing_to_download(rig: Rig) -> None:
    rig.run = rig.run.model_copy(update={"request": request(hosting={"sentinel_hub": {"collection_id": "c"}})})
    rig.simulator.fail("get", status=200, body=json.dumps({"id": rig.run.order_id, "state": "success", "_links": {}}))

    outcome = await rig.step()

    assert isinstance(outcome, Finish)
    assert outcome.state is State.DONE
    assert "hosted" in outcome.reason


async def test_a_file_without_a_link_is_waited_for_while_the_others_arrive(rig: Rig) -> None:
    order = await rig.orders.get_order(rig.run.order_id or "")
    for result in order["_links"]["results"]:
        if result["name"].endswith(SCENE):
            result |= {"location": None, "delivery": "pending"}
    rig.simulator.fail("get", status=200, body=json.dumps(order))

    outcome = await rig.step()

    assert isinstance(outcome, Again)
    assert f"{SCENE} (pending)" in outcome.reason
    assert rig.run.files_done == rig.run.files_total
    await rig.go(State.DONE)


async def test_validating_without_a_manifest_goes_by_what_was_noted(rig: Rig) -> None:
    await rig.step()
    (rig.folder / "manifest.json").unlink()
    del rig.notebook.records[f"{rig.run.order_id}/manifest.json"]

    assert isinstance(await rig.step(), Finish)
    assert rig.run.state is State.DONE
