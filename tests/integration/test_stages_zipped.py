"""An order that is delivered as an archive ends as its files, each proven, whatever its manifest lists."""

from __future__ import annotations

import io
import json
import stat
import zipfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest

from jobs.outcomes import Advance, Again, Finish
from jobs.proof import prove_files
from jobs.run import Facts, FailureKind, FileRecord, Stage, State
from tests.stage_rig import QUICK, MemoryNotebook, Rig, a_store, new_run, open_rig, request

SCENE = "20220605_124027_64_242b_3B_AnalyticMS_clip.tif"
SINGLE = {"archive_type": "zip", "single_archive": True, "archive_filename": "{{name}}_{{order_id}}.zip"}
SEVERAL = {"archive_type": "zip"}

Lists = Literal["archive", "members"]


@asynccontextmanager
async def zipped(
    folder: Path, lists: Lists = "members", delivery: dict[str, Any] = SINGLE, destination: str = "", items: int = 2
) -> AsyncIterator[Rig]:
    async with open_rig(folder, replace(QUICK, manifest_lists=lists), destination) as rig:
        scenes = [f"202206{number + 5:02}_124027_64_242b" for number in range(items)]
        rig.run = new_run(request=request(items=scenes, delivery=delivery))
        yield rig


def files_below(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def links_asked(rig: Rig) -> int:
    return rig.simulator.report().requests.get("link", 0)


@pytest.mark.parametrize("lists", ["archive", "members"])
@pytest.mark.parametrize("delivery", [SINGLE, SEVERAL], ids=["one", "several"])
async def test_the_files_lie_at_the_destination_as_if_they_had_come_one_by_one(
    tmp_path: Path, lists: Lists, delivery: dict[str, Any]
) -> None:
    async with zipped(tmp_path / "zipped", lists, delivery) as rig, open_rig(tmp_path / "plain") as plain:
        plain.run = new_run(request={**rig.run.request, "delivery": {}})
        await plain.go(State.DONE)

        outcome = await rig.go(State.DONE)

        assert files_below(rig.folder) == files_below(plain.folder)
        for name in files_below(rig.folder):
            assert name == "manifest.json" or (rig.folder / name).read_bytes() == (plain.folder / name).read_bytes()
        assert f"{len(files_below(rig.folder))} files" in outcome.reason
        assert {record.path for record in rig.notebook.records.values()} == {
            f"{rig.run.order_id}/{name}" for name in files_below(rig.folder)
        }
        assert all(record.verified and record.sha256 for record in rig.notebook.records.values() if record.archive)
        assert links_asked(rig) == (2 if delivery is SINGLE else 3)


@pytest.mark.parametrize("lists", ["archive", "members"])
async def test_an_object_store_gets_the_files_and_staging_is_empty_afterwards(tmp_path: Path, lists: Lists) -> None:
    async with zipped(tmp_path, lists, destination=a_store()) as rig:
        await rig.go(State.DONE)

        stored = await rig.destination.list()
        assert f"{rig.run.order_id}/PSScene/{SCENE}" in stored
        assert not any(key.endswith(".zip") for key in stored)
        assert stored == {record.path: record.size_bytes for record in rig.notebook.records.values()}
        assert files_below(tmp_path) == []


@pytest.mark.parametrize("lists", ["archive", "members"])
async def test_a_file_that_goes_bad_is_fetched_again_with_its_archive(tmp_path: Path, lists: Lists) -> None:
    """Its neighbours stay as they are."""
    async with zipped(tmp_path, lists) as rig:
        await rig.go(State.VALIDATING)
        bad, good = rig.folder / "PSScene" / SCENE, rig.folder / "PSScene" / SCENE.replace("0605", "0606")
        right, untouched = bad.read_bytes(), good.stat().st_mtime_ns
        bad.write_bytes(right[:-1] + bytes([right[-1] ^ 1]))

        back = await rig.step()

        assert isinstance(back, Advance)
        assert back.stage is Stage.DOWNLOAD
        await rig.go(State.DONE)
        assert bad.read_bytes() == right
        assert good.stat().st_mtime_ns == untouched


@pytest.mark.parametrize("lists", ["archive", "members"])
async def test_what_was_unpacked_can_be_proven_again_later(tmp_path: Path, lists: Lists) -> None:
    async with zipped(tmp_path, lists) as rig:
        await rig.go(State.DONE)
        order_id, noted = rig.run.order_id or "", rig.notebook.records

        assert (await prove_files(rig.destination, order_id, noted)).problems == {}
        (rig.folder / "PSScene" / SCENE).unlink()
        assert set((await prove_files(rig.destination, order_id, noted)).problems) == {f"{order_id}/PSScene/{SCENE}"}


class Death(BaseException):
    """Of a worker."""


class NotebookOfTheDying(MemoryNotebook):
    """Writes down so many notes, then its worker is gone."""

    def __init__(self, notes: int) -> None:
        super().__init__()
        self.notes_left = notes

    async def note(self, facts: Facts, files: Mapping[str, FileRecord] | None = None) -> None:
        if not self.notes_left:
            raise Death
        self.notes_left -= 1
        await super().note(facts, files)


@pytest.mark.parametrize("destination", ["folder", "store"])
@pytest.mark.parametrize("notes", range(5))
async def test_a_worker_that_dies_at_any_note_is_followed_by_one_that_ends_it(
    tmp_path: Path, destination: str, notes: int
) -> None:
    """Its notes: totals, manifest, a hundred files of the archive, the others, totals."""
    async with zipped(tmp_path, destination=a_store() if destination == "store" else "", items=26) as rig:
        await rig.go(State.DOWNLOADING)
        rig.notebook = NotebookOfTheDying(notes)
        with pytest.raises(Death):
            await rig.step()
        assert len(rig.notebook.lines) == notes
        rig.notebook.notes_left = 1000
        rig.crash()

        await rig.go(State.DONE)

        found = await rig.destination.list()
        assert len(found) > 100
        assert found == {record.path: record.size_bytes for record in rig.notebook.records.values()}
        assert not any(name.endswith((".zip", ".unpack")) for name in files_below(tmp_path))


async def test_files_that_a_killed_unpacking_left_are_removed(tmp_path: Path) -> None:
    async with zipped(tmp_path) as rig:
        await rig.go(State.DOWNLOADING)
        (rig.folder / "PSScene").mkdir(parents=True)
        (rig.folder / "PSScene/.0123456789abcdef.unpack").write_text("half")

        await rig.go(State.DONE)

        assert not any(name.endswith(".unpack") for name in files_below(rig.folder))


def an_archive(*entries: tuple[str, bytes], mode: int = stat.S_IFREG) -> bytes:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        for name, content in entries:
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            archive.writestr(info, content)
    return body.getvalue()


async def deliver(rig: Rig, body: bytes) -> None:
    """Let the archive of the order that is to be fetched be this."""
    if rig.run.state is not State.DOWNLOADING:
        await rig.go(State.DOWNLOADING)
    link = rig.simulator.put("forged.zip", body)
    order = await rig.orders.get_order(rig.run.order_id or "")
    for result in order["_links"]["results"]:
        if result["name"].endswith(".zip"):
            result["location"] = link
    rig.simulator.fail("get", status=200, body=json.dumps(order), times=None)


HOSTILE: dict[str, tuple[bytes, str]] = {
    "a name": (an_archive(("good.tif", b"x"), ("../../evil", b"x")), "UnsafeName"),
    "a link": (an_archive(("link", b"/etc/passwd"), mode=stat.S_IFLNK), "UnsafeArchive"),
}


@pytest.mark.parametrize("what", HOSTILE)
async def test_a_hostile_archive_ends_the_run_with_nothing_unpacked(tmp_path: Path, what: str) -> None:
    body, error = HOSTILE[what]
    async with zipped(tmp_path) as rig:
        await deliver(rig, body)

        outcome = await rig.step()

        assert isinstance(outcome, Finish)
        assert rig.run.error is not None
        assert (rig.run.error.kind, rig.run.error.type) == (FailureKind.PRODUCER, error)
        assert {Path(name).suffix for name in files_below(tmp_path)} == {".json", ".zip"}


async def test_an_archive_that_is_none_is_fetched_again_so_many_times_and_then_given_up(tmp_path: Path) -> None:
    async with zipped(tmp_path) as rig:
        await deliver(rig, b"<html>this is no archive</html>")

        for _ in range(rig.policy.max_refetches):
            outcome = await rig.step()
            assert isinstance(outcome, Again)
            assert "cannot be unpacked" in outcome.reason
            assert not outcome.charge
        outcome = await rig.step()

        assert isinstance(outcome, Finish)
        assert rig.run.error is not None
        assert (rig.run.error.kind, rig.run.error.type) == (FailureKind.PLANET, "FilesNotAsPromised")


async def test_a_file_that_the_manifest_promises_and_the_archive_lacks_is_looked_for_again_and_then_named(
    tmp_path: Path,
) -> None:
    async with zipped(tmp_path) as rig:
        await deliver(rig, an_archive(("PSScene/other.tif", b"x")))

        outcome = await rig.go(State.FAILED, steps=20)

        assert f"PSScene/{SCENE} (missing)" in outcome.reason
        assert "fetched again 3 times to no avail" in outcome.reason


async def test_a_folder_in_the_archive_that_the_manifest_does_not_name_is_seen_through(tmp_path: Path) -> None:
    async with zipped(tmp_path) as rig:
        await rig.go(State.DOWNLOADING)
        (name,) = {each["name"] for each in await results(rig) if each["name"].endswith(".zip")}
        body = io.BytesIO(rig.simulator.read(name))
        with zipfile.ZipFile(body) as archive:
            moved = an_archive(*((f"files/{each}", archive.read(each)) for each in archive.namelist()))
        await deliver(rig, moved)

        await rig.go(State.DONE)

        assert (rig.folder / "files/PSScene" / SCENE).is_file()


async def test_an_archive_that_nobody_asked_for_stays_one(tmp_path: Path) -> None:
    """It is a file like any other."""
    async with zipped(tmp_path) as rig:
        await rig.go(State.DOWNLOADING)
        rig.run = rig.run.model_copy(update={"request": request()})

        await rig.go(State.DONE)

        assert [name for name in files_below(rig.folder) if name != "manifest.json"] == [
            f"field 7-{rig.run.run_id}_{rig.run.order_id}.zip"
        ]


async def results(rig: Rig) -> list[dict[str, Any]]:
    """What the order offers."""
    order = await rig.orders.get_order(rig.run.order_id or "")
    listed: list[dict[str, Any]] = order["_links"]["results"]
    return listed
