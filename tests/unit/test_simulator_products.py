from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import pytest

from planet_sdk.simulator import SimulatorSettings
from planet_sdk.simulator.clock import Clock
from planet_sdk.simulator.content import Library, digest_content
from planet_sdk.simulator.delivery import make_manifest
from planet_sdk.simulator.orders import Order
from planet_sdk.simulator.products import OrderFile, list_files

ITEM = "20220304_093300_37_2430"
AOI = {"type": "Polygon", "coordinates": [[[10, 50], [10.1, 50], [10.1, 50.1], [10, 50.1], [10, 50]]]}
CLIP = {"clip": {"aoi": AOI}}


def order_of(bundle: str = "analytic_udm2", *tools: dict[str, Any], **request: Any) -> dict[str, Any]:
    product = {"item_ids": [ITEM], "item_type": "PSScene", "product_bundle": bundle}
    return {"name": "order", "products": [product], "tools": list(tools), **request}


def paths_of(request: dict[str, Any]) -> list[str]:
    return [file.path for file in list_files(request, "order-id")]


@pytest.mark.parametrize(
    ("bundle", "names"),
    [
        ("analytic_udm2", ["3B_AnalyticMS.tif", "3B_AnalyticMS_metadata.xml", "3B_udm2.tif"]),
        ("analytic_8b_sr_udm2", ["3B_AnalyticMS_SR_8b.tif", "3B_AnalyticMS_8b_metadata.xml", "3B_udm2.tif"]),
        ("visual", ["3B_Visual.tif"]),
        (
            "basic_analytic_udm2",
            ["1B_AnalyticMS.tif", "1B_udm2.tif", "1B_AnalyticMS_RPC.TXT", "1B_AnalyticMS_metadata.xml"],
        ),
    ],
)
def test_a_scene_delivers_the_assets_of_its_bundle_under_planet_s_names(bundle: str, names: list[str]) -> None:
    expected = [f"PSScene/{ITEM}_metadata.json", *(f"PSScene/{ITEM}_{name}" for name in names), "manifest.json"]

    assert paths_of(order_of(bundle)) == expected


def test_the_first_bundle_that_the_item_type_offers_is_delivered() -> None:
    assert paths_of(order_of("analytic, visual, analytic_udm2")) == paths_of(order_of("visual"))


def test_tools_leave_their_suffixes_in_the_order_of_the_tool_chain() -> None:
    request = order_of("visual", {"reproject": {"projection": "EPSG:4326"}}, CLIP, {"bandmath": {"b1": "b1"}})

    assert f"PSScene/{ITEM}_3B_Visual_reproject_clip_bandmath.tif" in paths_of(request)


def test_a_composite_takes_the_place_of_the_scenes() -> None:
    request = order_of("analytic_udm2", {"composite": {}})

    assert paths_of(request)[-3:] == ["composite.tif", "composite_udm.tif", "manifest.json"]


def test_tiles_are_named_by_the_template() -> None:
    request = order_of("visual", {"tile": {"tile_size": 512, "name_template": "x{tilex}y{tiley}.tif"}})

    assert f"PSScene/{ITEM}_3B_Visual_x1y0.tif" in paths_of(request)


def test_composites_by_strip_are_one_for_each_day() -> None:
    products = [
        {"item_ids": ["20220101_a", "20220102_a", "20220101_b"], "item_type": "PSScene", "product_bundle": "visual"}
    ]
    request = order_of("visual", {"composite": {"group_by": "strip_id"}}, products=products)

    assert paths_of(request)[-3:] == ["20220101_composite.tif", "20220102_composite.tif", "manifest.json"]


def test_a_file_that_two_products_share_is_delivered_once() -> None:
    request = order_of("analytic_udm2")
    request["products"] *= 2

    assert len(paths_of(request)) == len(set(paths_of(request))) == 5


def test_basemaps_deliver_their_quads() -> None:
    request = {
        "name": "m",
        "products": [{"mosaic_name": "global_monthly", "quad_ids": ["12-34"]}],
        "source_type": "basemaps",
    }

    assert paths_of(request) == ["global_monthly/12-34_quad.tif", "manifest.json"]


@pytest.mark.parametrize(
    ("delivery", "archive"),
    [
        ({"single_archive": True, "archive_filename": "{{name}}_{{order_id}}.zip"}, "order_order-id.zip"),
        ({"single_archive": True}, "output.zip"),
        ({}, f"PSScene/{ITEM}.zip"),
    ],
)
def test_an_archive_takes_the_place_of_its_files(delivery: dict[str, Any], archive: str) -> None:
    assert paths_of(order_of(delivery={"archive_type": "zip", **delivery})) == [archive, "manifest.json"]


@pytest.fixture
def library() -> Library:
    return Library(seed=1, scene_size_px=32, size_bytes={})


def manifest_of(request: dict[str, Any], library: Library, **settings: Any) -> dict[str, Any]:
    now_us = Clock().now_us()
    order = Order("order-id", "key", "http://here", request, now_us, now_us)
    manifest: dict[str, Any] = json.loads(make_manifest(order, library, SimulatorSettings(**settings)))
    return manifest


def test_the_manifest_tells_the_truth_about_every_file_but_itself(library: Library) -> None:
    request = order_of("analytic_udm2", CLIP)
    entries = {entry["path"]: entry for entry in manifest_of(request, library)["files"]}

    files = {file.path: file for file in list_files(request, "order-id")[:-1]}

    assert set(entries) == set(files)
    for path, file in files.items():
        digests = digest_content(library.open(file))
        assert entries[path]["digests"] == {"md5": digests.md5, "sha256": digests.sha256}
        assert entries[path]["size"] == library.open(file).size_bytes
    assert entries[f"PSScene/{ITEM}_3B_AnalyticMS_clip.tif"]["annotations"] == {
        "planet/asset_type": "ortho_analytic_4b",
        "planet/bundle_type": "analytic_udm2",
        "planet/item_id": ITEM,
        "planet/item_type": "PSScene",
    }


def test_a_zipped_order_s_manifest_lists_the_archive_or_what_is_in_it(library: Library) -> None:
    request = order_of(delivery={"archive_type": "zip", "single_archive": True})
    archive, _ = list_files(request, "order-id")
    with zipfile.ZipFile(io.BytesIO(library.open(archive).read(0, 1 << 30))) as opened:
        inside = {name: opened.read(name) for name in opened.namelist()}

    members = manifest_of(request, library, manifest_lists="members")["files"]

    assert {entry["path"]: entry["size"] for entry in members} == {name: len(data) for name, data in inside.items()}
    listed = manifest_of(request, library, manifest_lists="archive")["files"]
    assert [entry["path"] for entry in listed] == ["output.zip"]
    assert listed[0]["size"] == library.open(archive).size_bytes


def test_the_same_file_has_the_same_bytes_in_every_order_and_every_process() -> None:
    file = list_files(order_of("visual", CLIP), "one")[1]
    same = list_files(order_of("visual", CLIP, name="other"), "two")[1]

    one, other = (Library(seed=1, scene_size_px=32, size_bytes={}).open(f) for f in (file, same))

    assert digest_content(one) == digest_content(other)
    assert digest_content(Library(seed=2, scene_size_px=32, size_bytes={}).open(file)) != digest_content(one)


def test_a_big_file_is_read_piece_by_piece_and_is_the_same_from_wherever_it_is_read() -> None:
    """Four gigabytes cost no memory, and a resumed transfer continues with the bytes that were missing."""
    file = OrderFile("big.tif", "loose")
    content = Library(seed=1, scene_size_px=32, size_bytes={"big*": 4 << 30}).open(file)

    assert content.size_bytes == 4 << 30
    for offset in (0, 500, (1 << 20) - 3, 3 << 30, (4 << 30) - 10):
        whole = content.read(offset, 3000)
        assert whole == b"".join(content.read(offset + step, 7) for step in range(0, len(whole), 7))[: len(whole)]
    assert len(content.read((4 << 30) - 10, 3000)) == 10
    assert content.read(1 << 20, 1 << 20) != content.read(2 << 20, 1 << 20)
