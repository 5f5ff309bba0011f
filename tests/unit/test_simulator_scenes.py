"""The pictures: where they lie, what is in them."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from planet_sdk.simulator.content import Library
from planet_sdk.simulator.geometry import fit_grid, inside, item_footprint, project, read_rings
from planet_sdk.simulator.products import OrderFile

DIAMOND = {
    "type": "Polygon",
    "coordinates": [[[10.0, 50.05], [10.1, 50.1], [10.2, 50.05], [10.1, 50.0], [10.0, 50.05]]],
}


@pytest.fixture
def library() -> Library:
    return Library(seed=1, scene_size_px=64, size_bytes={})


def read_pixels(library: Library, file: OrderFile) -> NDArray[np.uint8]:
    pixels: NDArray[np.uint8] = tifffile.imread(io.BytesIO(library.open(file).read(0, 1 << 30)))
    return pixels


def open_scene(asset: str, geometry: dict[str, Any] = DIAMOND, epsg: int | None = None) -> tifffile.TiffPage:
    file = OrderFile("PSScene/scene.tif", asset, "item", "PSScene", "bundle", read_rings(geometry), epsg)
    data = Library(seed=1, scene_size_px=64, size_bytes={}).open(file).read(0, 1 << 30)
    page = tifffile.TiffFile(io.BytesIO(data)).pages.first
    assert isinstance(page, tifffile.TiffPage)
    return page


@pytest.mark.parametrize(
    ("asset", "bands", "dtype"),
    [
        ("ortho_analytic_4b", 4, "uint16"),
        ("ortho_analytic_8b_sr", 8, "uint16"),
        ("ortho_analytic_3b", 3, "uint16"),
        ("ortho_visual", 4, "uint8"),
        ("ortho_udm2", 8, "uint8"),
        ("ortho_panchromatic", 1, "uint16"),
    ],
)
def test_an_image_has_the_bands_of_its_asset(asset: str, bands: int, dtype: str) -> None:
    page = open_scene(asset)

    assert page.dtype == np.dtype(dtype)
    assert page.samplesperpixel == bands


@pytest.mark.parametrize(("epsg", "code"), [(None, 32632), (4326, 4326), (3857, 3857), (32633, 32633)])
def test_an_image_lies_where_the_area_of_interest_does(epsg: int | None, code: int) -> None:
    """The GeoTIFF's own tags, read back, put its edges on the outline's."""
    page = open_scene("ortho_visual", epsg=epsg)
    tags = page.geotiff_tags
    assert tags is not None
    scale, tie = tags["ModelPixelScale"][0], tags["ModelTiepoint"]

    outline = [project(point, code) for point in read_rings(DIAMOND)[0]]

    left, top = min(x for x, _ in outline), max(y for _, y in outline)
    right, bottom = max(x for x, _ in outline), min(y for _, y in outline)
    assert (tie[3], tie[4]) == pytest.approx((left, top))
    assert (tie[3] + scale * page.imagewidth, tie[4] - scale * page.imagelength) == pytest.approx(
        (right, bottom), abs=scale
    )
    assert code in {tags.get("ProjectedCSTypeGeoKey"), tags.get("GeographicTypeGeoKey")}


def test_four_tiles_make_the_whole_picture(library: Library) -> None:
    """Side by side, without a gap and each at its own place."""
    whole = read_pixels(library, OrderFile("a.tif", "ortho_visual", "item", rings=read_rings(DIAMOND)))
    tiles = [
        read_pixels(library, OrderFile(f"{x}{y}.tif", "ortho_visual", "item", rings=read_rings(DIAMOND), tile=(x, y)))
        for y in range(2)
        for x in range(2)
    ]

    mosaic = np.vstack([np.hstack(tiles[:2]), np.hstack(tiles[2:])])

    height, width = mosaic.shape[:2]
    assert (mosaic == whole[:height, :width]).all()
    assert whole.shape[0] - height <= 1
    assert whole.shape[1] - width <= 1


def test_an_area_as_thin_as_a_pixel_has_tiles_too(library: Library) -> None:
    thin = read_rings({"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 0.001], [0, 0.001], [0, 0]]]})

    assert read_pixels(library, OrderFile("t.tif", "ortho_visual", "item", rings=thin, tile=(1, 1))).size


def test_pixels_outside_the_area_are_empty_and_those_inside_are_not() -> None:
    pixels = open_scene("ortho_analytic_4b").asarray()
    height, width = pixels.shape[:2]

    assert not pixels[0, 0].any()
    assert not pixels[-1, -1].any()
    assert (pixels[height // 2, width // 2] > 0).all()
    assert 0.4 < (pixels[..., 0] > 0).mean() < 0.6  # a diamond fills half of its box


def test_a_landscape_is_neither_flat_nor_noise() -> None:
    near_infrared = open_scene("ortho_analytic_8b_sr", item_footprint("item")).asarray()[20:40, 20:40, 7].astype(float)

    assert near_infrared.std() > 30
    assert np.abs(np.diff(near_infrared, axis=1)).mean() < near_infrared.std()


def test_the_mask_agrees_with_the_image() -> None:
    mask, image = open_scene("ortho_udm2").asarray(), open_scene("ortho_analytic_4b").asarray()
    usable = image[..., 0] > 0

    assert (mask[~usable][:, 7] == 1).all()  # blackfill
    assert (mask[usable][:, [0, 1, 2, 3, 4, 5]].sum(axis=1) == 1).all()  # each pixel is exactly one thing
    assert mask[..., 6].max() <= 100


def test_holes_are_holes() -> None:
    square = [[0, 0], [4, 0], [4, 4], [0, 4], [0, 0]]
    hole = [[1, 1], [3, 1], [3, 3], [1, 3], [1, 1]]
    grid, rings = fit_grid(read_rings({"type": "Polygon", "coordinates": [square, hole]}), 4, 4326)

    assert inside(rings, grid).sum() == 12


def test_coordinates_of_utm_are_those_of_the_textbook() -> None:
    """The CN Tower's published grid position, to the metre; and central meridian and equator, which are exact."""
    assert project((-79.387139, 43.642567), 32617) == pytest.approx((630084, 4833438), abs=1)
    assert project((9.0, 0.0), 32632) == pytest.approx((500_000, 0))
    assert project((9.0, 0.0), 32732) == pytest.approx((500_000, 10_000_000))


def test_an_item_has_one_footprint_for_ever() -> None:
    assert item_footprint("a") == item_footprint("a") != item_footprint("b")
    assert len(read_rings(item_footprint("a"))) == 1


@pytest.mark.parametrize(
    "geometry",
    [
        None,
        {"type": "Point", "coordinates": [0, 0]},
        {"type": "Polygon"},
        {"type": "Polygon", "coordinates": []},
        {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [0, 0]]]},
        {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 1]]]},
        {"type": "Polygon", "coordinates": [[[0, 0], [200, 0], [1, 1], [0, 0]]]},
        {"type": "Polygon", "coordinates": [[["a", 0], [1, 0], [1, 1], ["a", 0]]]},
        {"type": "Polygon", "coordinates": [[None]]},
    ],
)
def test_what_is_no_polygon_is_refused(geometry: Any) -> None:
    with pytest.raises(ValueError, match=r"polygon|Polygon|coordinates|position"):
        read_rings(geometry)
