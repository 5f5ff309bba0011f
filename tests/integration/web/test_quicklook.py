"""Quicklooks over the web: of the run's own files and no others, and a file that is hostile costs its picture only."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from jobs.destination import open_destination
from jobs.outcomes import Advance, Finish
from jobs.run import FileRecord, Stage, State
from planet_sdk.simulator.geometry import fit_grid
from planet_sdk.simulator.geotiff import encode_geotiff, render_scene, render_visual

from .conftest import Fleet

RUN_ID = "01JD0000000000000000000001"
ORDER_ID = "2887c43b-26be-4bec-8efe-cb9e94f0ef3d"
PNG = b"\x89PNG\r\n\x1a\n"
ADDRESS = f"/v1/runs/{RUN_ID}/quicklook"


def geotiff(*, bands: int = 0) -> bytes:
    """As the simulator delivers it: analytic with so many bands, or visual."""
    grid, _ = fit_grid((((10.0, 50.0), (10.1, 50.0), (10.1, 50.1), (10.0, 50.0)),), 64)
    mask = np.ones((grid.height, grid.width), bool)
    return encode_geotiff(render_scene(mask, bands, 1) if bands else render_visual(mask, 1), grid)


async def deliver(fleet: Fleet, folder: Path, files: dict[str, bytes], destination: str = "") -> None:
    """A run that is done, with these files at its destination."""
    await fleet.submit(RUN_ID, destination=destination or folder.as_uri())
    await fleet.move(RUN_ID, Advance(Stage.VALIDATE, "fetched", {"order_id": ORDER_ID}))
    records: list[FileRecord] = []
    for name, body in files.items():
        path = folder / ORDER_ID / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
        records.append(FileRecord(path=f"{ORDER_ID}/{name}", size_bytes=len(body), sha256=f"{len(records):064}"))
    await fleet.move(RUN_ID, Finish(State.DONE, "verified"), records)


async def test_a_run_shows_what_was_delivered(web: httpx.AsyncClient, fleet: Fleet, tmp_path: Path) -> None:
    """Colours for the eye before others, never a mask; each by its name too."""
    files = {
        "PSScene/a_3B_AnalyticMS.tif": geotiff(bands=4),
        "PSScene/a_3B_Visual.tif": geotiff(),
        "PSScene/a_3B_udm2.tif": geotiff(bands=8),
        "PSScene/a_metadata.json": b"{}",
    }
    await deliver(fleet, tmp_path, files)

    first = await web.get(ADDRESS)
    named = await web.get(ADDRESS, params={"file": f"{ORDER_ID}/PSScene/a_3B_AnalyticMS.tif"})
    mask = await web.get(ADDRESS, params={"file": f"{ORDER_ID}/PSScene/a_3B_udm2.tif"})
    page = (await web.get(f"/runs/{RUN_ID}")).text

    assert (first.status_code, first.headers["content-type"]) == (200, "image/png")
    assert first.content.startswith(PNG)
    assert named.content.startswith(PNG)
    assert named.content != first.content
    assert mask.status_code == 404
    assert 'alt="Quicklook of a_3B_Visual.tif"' in page
    assert page.count('class="look"') == 2


async def test_a_picture_that_is_known_is_not_sent_again(web: httpx.AsyncClient, fleet: Fleet, tmp_path: Path) -> None:
    await deliver(fleet, tmp_path, {"a.tif": geotiff()})
    first = await web.get(ADDRESS)
    (tmp_path / ORDER_ID / "a.tif").unlink()

    again = await web.get(ADDRESS, headers={"If-None-Match": first.headers["etag"]})

    assert (again.status_code, again.content) == (304, b"")
    assert (await web.get(ADDRESS)).content == first.content  # kept


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "cannot be read as a TIFF"),
        (b"<html>not found</html>", "cannot be read as a TIFF"),
        (b"II*\0" + b"\xff" * 200, "no picture in it"),
        (b"II*\0\x08\0\0\0" + os.urandom(500), ""),
        (geotiff()[:300], ""),
    ],
    ids=["empty", "a page", "nonsense", "noise", "cut off"],
)
async def test_a_file_that_is_no_picture_says_so_and_the_process_goes_on(
    web: httpx.AsyncClient, fleet: Fleet, tmp_path: Path, body: bytes, why: str
) -> None:
    await deliver(fleet, tmp_path, {"a.tif": body})

    answer = await web.get(ADDRESS)

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert why in answer.json()["detail"]
    page = await web.get(f"/runs/{RUN_ID}")
    assert page.status_code == 200
    assert "There is no quicklook of" in page.text
    assert "<img" not in page.text


async def test_a_pipe_in_the_place_of_a_file_keeps_nobody_waiting(
    web: httpx.AsyncClient, fleet: Fleet, tmp_path: Path
) -> None:
    await deliver(fleet, tmp_path, {"a.tif": b""})
    path = tmp_path / ORDER_ID / "a.tif"
    path.unlink()
    os.mkfifo(path)

    answer = await web.get(ADDRESS, timeout=60)

    assert answer.status_code == 404
    assert "no file is at its place" in answer.json()["detail"]


async def test_only_files_of_the_run_are_looked_at(web: httpx.AsyncClient, fleet: Fleet, tmp_path: Path) -> None:
    """Not another one at its destination, and not one that a link leads to."""
    outside = tmp_path / "outside.tif"
    outside.write_bytes(geotiff())
    folder = tmp_path / "files"
    await deliver(fleet, folder, {"a.tif": geotiff(), "b.tif": b""})
    (folder / ORDER_ID / "c.tif").write_bytes(geotiff())
    (folder / ORDER_ID / "b.tif").unlink()
    (folder / ORDER_ID / "b.tif").symlink_to(outside)

    for file in (f"{ORDER_ID}/c.tif", f"{ORDER_ID}/b.tif", "../outside.tif", str(outside), "a.tif"):
        answer = await web.get(ADDRESS, params={"file": file})
        assert answer.status_code == 404, file
    assert (await web.get(ADDRESS, params={"file": f"{ORDER_ID}/a.tif"})).status_code == 200


async def test_without_imagery_it_is_said_why(web: httpx.AsyncClient, fleet: Fleet, tmp_path: Path) -> None:
    await fleet.submit("R1")
    await deliver(fleet, tmp_path, {"output.zip": b"PK", "manifest.json": b"{}"})

    assert (await web.get("/v1/runs/nobody/quicklook")).status_code == 404
    assert "Nothing has been delivered yet" in (await web.get("/v1/runs/R1/quicklook")).json()["detail"]
    assert "Nothing has been delivered yet" in (await web.get("/runs/R1")).text
    assert "archive" in (await web.get(ADDRESS)).json()["detail"]
    assert "archive" in (await web.get(f"/runs/{RUN_ID}")).text


async def test_what_lies_in_a_workers_memory_or_nowhere_is_out_of_reach(
    web: httpx.AsyncClient, fleet: Fleet, tmp_path: Path
) -> None:
    await deliver(fleet, tmp_path, {"a.tif": geotiff()}, destination="memory://somewhere")
    assert "memory of a worker" in (await web.get(ADDRESS)).json()["detail"]

    await fleet.redis.flushall()
    await deliver(fleet, tmp_path, {"b.tif": geotiff()}, destination="file:///no/such/folder")
    assert "no file is at its place" in (await web.get(ADDRESS)).json()["detail"]


async def test_many_who_look_at_once_share_one_picture(web: httpx.AsyncClient, fleet: Fleet, tmp_path: Path) -> None:
    await deliver(fleet, tmp_path, {"a.tif": geotiff()})

    answers = await asyncio.gather(*(web.get(ADDRESS, timeout=60) for _ in range(20)))

    assert {(answer.status_code, answer.content) for answer in answers} == {(200, answers[0].content)}


async def test_a_file_in_an_object_store_is_read_in_pieces(tmp_path: Path) -> None:
    """What a process of its own reads there, from anywhere in it."""
    destination = open_destination("memory://quicklook")
    source = tmp_path / "a.bin"
    source.write_bytes(bytes(range(256)) * 4000)
    await destination.put_file(source, "folder/a.bin")

    def read() -> list[Any]:
        with destination.open("folder/a.bin") as file:
            file.seek(-6, os.SEEK_END)
            end = file.read()
            file.seek(500_000)
            return [end, file.read(4), file.tell(), file.read()[-3:]]

    assert await asyncio.to_thread(read) == [bytes(range(250, 256)), bytes([32, 33, 34, 35]), 500_004, b"\xfd\xfe\xff"]
