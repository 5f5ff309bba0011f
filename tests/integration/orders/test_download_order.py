"""Bringing the files of an order home: side by side, verified, inside the folder, and without a second purchase."""

from __future__ import annotations

import asyncio
import io
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from planet_sdk import OrdersClient, exceptions
from planet_sdk.delivery import Delivery

if TYPE_CHECKING:
    from tests.integration.orders.conftest import SmallPlanet

ORDER_ID = "2887c43b-26be-4bec-8efe-cb9e94f0ef3d"
SCENE = f"{ORDER_ID}/PSScene/a.tif"


def _files_below(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def _times_below(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


@pytest.mark.parametrize("as_directory", [Path, str])
async def test_all_files_arrive_in_the_order_of_the_results(
    planet: SmallPlanet, orders: OrdersClient, tmp_path: Path, as_directory: Any
) -> None:
    paths = await orders.download_order(ORDER_ID, as_directory(tmp_path))

    assert paths == [tmp_path / name for name in planet.files]
    assert _files_below(tmp_path) == planet.files
    OrdersClient.validate_checksum(tmp_path / ORDER_ID, "sha256")


async def test_the_manifest_comes_first_and_the_rest_side_by_side(
    planet: SmallPlanet, orders: OrdersClient, tmp_path: Path
) -> None:
    """planet 2.14 fetches one file after another, and would wait here for ever."""
    planet.deliver({f"PSScene/{n}.tif": bytes([n]) * 20_000 for n in range(12)})
    planet.bodies_together = 8

    await orders.download_order(ORDER_ID, tmp_path)

    links = [query["token"][0] for _, path, query in planet.asked if path == "/download/"]
    assert links[0] == "12.1", "the manifest is the thirteenth result"
    assert len(_files_below(tmp_path)) == 13


async def test_a_second_download_transfers_nothing(planet: SmallPlanet, orders: OrdersClient, tmp_path: Path) -> None:
    await orders.download_order(ORDER_ID, tmp_path)
    before = _times_below(tmp_path)

    await orders.download_order(ORDER_ID, tmp_path)

    assert _times_below(tmp_path) == before


@pytest.mark.parametrize("results", [None, []])
async def test_an_order_without_results_downloads_nothing(
    planet: SmallPlanet, orders: OrdersClient, tmp_path: Path, results: Any
) -> None:
    planet.order["_links"] = {"results": results}

    assert await orders.download_order(ORDER_ID, tmp_path) == []


async def test_an_order_that_is_not_final_is_refused(planet: SmallPlanet, orders: OrdersClient, tmp_path: Path) -> None:
    planet.states = ["running"]

    with pytest.raises(exceptions.ClientError, match=rf"{ORDER_ID} cannot be downloaded .* \(running\)"):
        await orders.download_order(ORDER_ID, tmp_path)


@pytest.mark.parametrize("name", ["../../escaped.txt", "/tmp/escaped.txt", "a/../../../escaped.txt"])
async def test_a_result_named_outside_the_folder_is_refused_and_nothing_is_written(
    planet: SmallPlanet, orders: OrdersClient, tmp_path: Path, name: str
) -> None:
    """planet 2.14 writes it two folders above the one it was given."""
    planet.files[name] = b"escaped"
    folder = tmp_path / "a" / "b" / "c"

    with pytest.raises(exceptions.UnsafeName, match=r"escaped\.txt"):
        await orders.download_order(ORDER_ID, folder)
    assert _files_below(tmp_path) == {}
    assert "GET /download/" not in planet.asked_paths()


async def test_two_results_for_the_same_place_are_refused(
    planet: SmallPlanet, orders: OrdersClient, tmp_path: Path
) -> None:
    planet.order["_links"] = {"results": [*planet.results(), planet.results()[0]]}

    with pytest.raises(exceptions.ClientError, match=rf"more than one file for {SCENE}"):
        await orders.download_order(ORDER_ID, tmp_path)
    assert _files_below(tmp_path) == {}


@pytest.mark.parametrize("twin", ["MANIFEST.json", "PSScene/\u00e4.tif", "psscene"])
async def test_two_results_that_some_disks_take_for_one_are_refused(
    twin: str, planet: SmallPlanet, orders: OrdersClient, tmp_path: Path
) -> None:
    """A disk that knows no capitals, or no two ways to write an umlaut, would let one file replace the other."""
    planet.files[f"{ORDER_ID}/PSScene/a\u0308.tif"] = b"x"
    planet.files[f"{ORDER_ID}/{twin}"] = b"y"

    with pytest.raises(exceptions.ClientError, match="more than one file for"):
        await orders.download_order(ORDER_ID, tmp_path)
    assert _files_below(tmp_path) == {}


async def test_a_result_that_is_a_file_and_a_folder_is_refused(
    planet: SmallPlanet, orders: OrdersClient, tmp_path: Path
) -> None:
    planet.files[f"{ORDER_ID}/PSScene"] = b"x"

    with pytest.raises(exceptions.ClientError, match=rf"more than one file for {ORDER_ID}/PSScene"):
        await orders.download_order(ORDER_ID, tmp_path)


async def test_a_stump_under_the_final_name_is_never_success(
    planet: SmallPlanet, orders: OrdersClient, tmp_path: Path
) -> None:
    """planet 2.14 returns it without an error."""
    (tmp_path / SCENE).parent.mkdir(parents=True)
    (tmp_path / SCENE).write_bytes(planet.files[SCENE][:300])

    with pytest.raises(exceptions.FileConflict):
        await orders.download_order(ORDER_ID, tmp_path)
    assert (tmp_path / SCENE).stat().st_size == 300

    await orders.download_order(ORDER_ID, tmp_path, overwrite=True)
    assert _files_below(tmp_path) == planet.files


async def test_a_file_that_is_not_what_the_manifest_promises_never_gets_its_name(
    planet: SmallPlanet, orders: OrdersClient, tmp_path: Path
) -> None:
    planet.files[SCENE] = b"x" * 40_000

    with pytest.raises(exceptions.TransferCorrupt):
        await orders.download_order(ORDER_ID, tmp_path)
    assert not (tmp_path / SCENE).exists()


async def test_a_cut_body_is_carried_on_from_its_last_byte(
    planet: SmallPlanet, orders: OrdersClient, tmp_path: Path
) -> None:
    planet.cut[SCENE] = [400, 700]

    await orders.download_order(ORDER_ID, tmp_path)

    assert _files_below(tmp_path) == planet.files
    assert planet.ranges[SCENE] == ["bytes=400-", "bytes=1100-"]


async def test_expired_links_make_it_read_the_order_again_once_for_all_files(
    planet: SmallPlanet, orders: OrdersClient, tmp_path: Path
) -> None:
    planet.deliver({f"PSScene/{n}.tif": bytes([n]) * 1000 for n in range(8)}, manifest=False)
    planet.refuse_links_before = 2

    await orders.download_order(ORDER_ID, tmp_path)

    assert _files_below(tmp_path) == planet.files
    assert planet.readings == 2


async def test_a_link_that_expires_halfway_is_renewed_and_the_file_carried_on(
    planet: SmallPlanet, orders: OrdersClient, tmp_path: Path
) -> None:
    planet.deliver({"PSScene/a.tif": b"a" * 40_000}, manifest=False)
    planet.cut[SCENE] = [400]
    order = await orders.get_order(ORDER_ID)
    delivery = await _open(orders, order, tmp_path)

    def expire(here: int, _: int | None) -> None:
        if here >= 400:
            planet.refuse_links_before = 2

    await delivery.fetch(delivery.files[0], progress=expire)

    assert _files_below(tmp_path) == planet.files
    assert planet.readings == 2
    assert planet.ranges[SCENE] == ["bytes=400-"]


async def test_a_file_that_the_renewed_order_no_longer_offers_is_an_error(
    planet: SmallPlanet, orders: OrdersClient, tmp_path: Path
) -> None:
    delivery = await _open(orders, await orders.get_order(ORDER_ID), tmp_path)
    planet.refuse_links_before = 99
    planet.order["_links"] = {"results": []}

    with pytest.raises(exceptions.ClientError, match="no longer offers"):
        await delivery.fetch(delivery.files[0])


async def test_after_a_failure_nothing_new_is_started_and_the_notes_name_the_files(
    planet: SmallPlanet, orders: OrdersClient, tmp_path: Path
) -> None:
    planet.deliver({f"PSScene/{n}.tif": bytes([n]) * 1000 for n in range(40)})
    planet.files |= dict.fromkeys(list(planet.files)[:40], b"x")

    with pytest.raises(exceptions.TransferCorrupt) as caught:
        await orders.download_order(ORDER_ID, tmp_path)
    assert any("of 41 files failed" in note and "PSScene/0.tif" in note for note in caught.value.__notes__)
    assert len(_files_below(tmp_path)) == 1, "the manifest alone"
    assert planet.asked_paths()["GET /download/"] < 30


async def test_a_broken_manifest_is_an_error_that_says_so(
    planet: SmallPlanet, orders: OrdersClient, tmp_path: Path
) -> None:
    planet.files[f"{ORDER_ID}/manifest.json"] = b"<html>"

    with pytest.raises(exceptions.ClientError, match="valid JSON"):
        await orders.download_order(ORDER_ID, tmp_path)
    assert _files_below(tmp_path) == {}


async def test_a_broken_manifest_does_not_stand_in_the_way_of_the_right_one(
    planet: SmallPlanet, orders: OrdersClient, tmp_path: Path
) -> None:
    """Something between here and Planet answered in its place, once: the next call gets the order."""
    right, planet.files[f"{ORDER_ID}/manifest.json"] = planet.files[f"{ORDER_ID}/manifest.json"], b"<html>"
    with pytest.raises(exceptions.ClientError):
        await orders.download_order(ORDER_ID, tmp_path)

    planet.files[f"{ORDER_ID}/manifest.json"] = right
    await orders.download_order(ORDER_ID, tmp_path)

    assert _files_below(tmp_path) == planet.files


async def test_an_order_without_a_manifest_arrives_all_the_same(
    planet: SmallPlanet, orders: OrdersClient, tmp_path: Path
) -> None:
    planet.deliver({"PSScene/a.tif": b"a"}, manifest=False)

    assert await orders.download_order(ORDER_ID, tmp_path) == [tmp_path / SCENE]


async def test_files_that_only_the_manifest_or_only_the_results_know_do_no_harm(
    planet: SmallPlanet, orders: OrdersClient, tmp_path: Path
) -> None:
    planet.deliver({"PSScene/a.tif": b"a", "x.json": b"x"}, listed={"PSScene/a.tif": b"a", "PSScene/gone.tif": b"g"})

    delivery = await _open(orders, await orders.get_order(ORDER_ID), tmp_path)
    await delivery.fetch_all()

    assert _files_below(tmp_path) == planet.files
    assert delivery.unoffered == ("PSScene/gone.tif",)
    assert [file.expected.size_bytes for file in delivery.files] == [1, None, None]


async def test_a_zipped_order_arrives_and_is_valid(planet: SmallPlanet, orders: OrdersClient, tmp_path: Path) -> None:
    """A manifest may list what is inside the archive."""
    planet.deliver({"output.zip": _zip({"PSScene/a.tif": b"a"})}, listed={"PSScene/a.tif": b"a"})

    await orders.download_order(ORDER_ID, tmp_path)

    OrdersClient.validate_checksum(tmp_path / ORDER_ID, "sha256")


async def test_results_without_a_link_are_reported_after_the_others_have_arrived(
    planet: SmallPlanet, orders: OrdersClient, tmp_path: Path
) -> None:
    results = planet.results()
    results[1] = {"name": results[1]["name"], "delivery": "failed"}
    planet.order["_links"] = {"results": [None, *results]}

    with pytest.raises(exceptions.ClientError, match=r"1 files have no download link: .*b\.tif \(delivery: failed\)"):
        await orders.download_order(ORDER_ID, tmp_path)
    assert (tmp_path / SCENE).exists()


@pytest.mark.parametrize(
    "results", [[{"location": "http://x"}], [{"name": 5}], ["x"], 5, {"name": "x"}, [{"name": "a", "location": 5}]]
)
async def test_results_that_make_no_sense_are_an_error_of_this_package(
    planet: SmallPlanet, orders: OrdersClient, tmp_path: Path, results: Any
) -> None:
    planet.order["_links"] = {"results": results}

    with pytest.raises(exceptions.ClientError, match=ORDER_ID):
        await orders.download_order(ORDER_ID, tmp_path)


async def test_a_cancelled_download_is_carried_on_by_the_next(
    planet: SmallPlanet, orders: OrdersClient, tmp_path: Path
) -> None:
    planet.bodies_together = 99
    download = asyncio.create_task(orders.download_order(ORDER_ID, tmp_path))
    await asyncio.wait_for(planet.scenes_wait.wait(), 20)

    download.cancel()
    with pytest.raises(asyncio.CancelledError):
        await download
    planet.release()
    await orders.download_order(ORDER_ID, tmp_path)

    assert _files_below(tmp_path) == planet.files


async def test_what_done_raises_stops_everything(planet: SmallPlanet, orders: OrdersClient, tmp_path: Path) -> None:
    """A worker that has lost its job must not go on downloading."""
    planet.deliver({f"PSScene/{n}.tif": bytes([n]) * 1000 for n in range(40)})
    delivery = await _open(orders, await orders.get_order(ORDER_ID), tmp_path)

    async def done(*_: object) -> None:
        raise LookupError("the job is another worker's")

    with pytest.raises(LookupError):
        await delivery.fetch_all(done=done)
    assert planet.asked_paths()["GET /download/"] < 30


async def test_only_the_named_files_are_fetched_and_done_hears_of_each(
    planet: SmallPlanet, orders: OrdersClient, tmp_path: Path
) -> None:
    delivery = await _open(orders, await orders.get_order(ORDER_ID), tmp_path)
    heard: list[str] = []
    told: list[tuple[str, int, int | None]] = []

    async def done(file: Any, got: Any) -> None:
        heard.append(f"{file.relative} {got.size_bytes}")

    got = await delivery.fetch_all(only=[SCENE], done=done, progress=lambda file, *now: told.append((file.name, *now)))

    assert [transferred.path for transferred in got] == [tmp_path / SCENE]
    assert heard == ["PSScene/a.tif 40000"]
    assert told[-1] == (SCENE, 40_000, 40_000)
    with pytest.raises(exceptions.ClientError, match="no file named other"):
        await delivery.fetch_all(only=["other"])


async def test_a_download_with_bars_is_the_same_download(
    planet: SmallPlanet, orders: OrdersClient, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await orders.download_order(ORDER_ID, tmp_path, progress_bar=True)

    assert _files_below(tmp_path) == planet.files
    assert capsys.readouterr().err == "", "stderr is no terminal here"


async def test_one_asset_gets_the_name_it_is_given_or_the_one_the_server_gives(
    planet: SmallPlanet, orders: OrdersClient, tmp_path: Path
) -> None:
    location = planet.results()[0]["location"]

    assert await orders.download_asset(location, "x/y.tif", tmp_path) == tmp_path / "x/y.tif"
    assert await orders.download_asset(location, directory=tmp_path) == tmp_path / "storage"
    assert await orders.download_asset(location, Path("z.tif"), str(tmp_path)) == tmp_path / "z.tif"
    assert _files_below(tmp_path) == dict.fromkeys(["storage", "x/y.tif", "z.tif"], planet.files[SCENE])


async def test_one_asset_cannot_be_written_outside_the_folder(
    planet: SmallPlanet, orders: OrdersClient, tmp_path: Path
) -> None:
    with pytest.raises(exceptions.UnsafeName):
        await orders.download_asset(planet.results()[0]["location"], "../x.tif", tmp_path / "folder")
    assert planet.asked == []


async def _open(orders: OrdersClient, order: dict[str, Any], folder: Path) -> Delivery:
    return await Delivery.open(orders, order, folder)


def _zip(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, body in files.items():
            archive.writestr(name, body)
    return buffer.getvalue()
