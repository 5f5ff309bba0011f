"""Pictures that look like a landscape, as GeoTIFFs."""

from __future__ import annotations

import io

import numpy as np
import tifffile
from numpy.typing import NDArray

from .geometry import WGS84, Grid

_MODEL_PIXEL_SCALE, _MODEL_TIEPOINT, _GEO_KEYS = 33550, 33922, 34735
_DOUBLE, _SHORT = 12, 3

# Surface reflectance times 10,000 of bare soil, vegetation and water, in the order of the eight SuperDove bands.
_SOIL = (900, 1050, 1400, 1600, 2000, 2350, 2600, 3000)
_GREEN = (250, 300, 500, 750, 600, 450, 1400, 3800)
_WATER = (600, 650, 600, 500, 400, 250, 180, 100)
_BANDS_OF = {1: (5,), 3: (5, 3, 1), 4: (1, 3, 5, 7), 5: (1, 3, 5, 6, 7), 8: tuple(range(8))}


def render_scene(mask: NDArray[np.bool_], bands: int, seed: int) -> NDArray[np.uint16]:
    """Surface reflectance of fields, woods and water: (height, width, bands), 0 outside the mask, never 0 within."""
    random = np.random.default_rng(seed)
    wet, green, light = (smooth_noise(mask.shape, random) for _ in range(3))
    green, wet = np.clip(green * 1.6 - 0.3, 0, 1)[..., None], np.clip((wet - 0.62) * 12, 0, 1)[..., None]
    soil, plants, water = (np.asarray(spectrum)[list(_BANDS_OF[bands])] for spectrum in (_SOIL, _GREEN, _WATER))
    land = soil * (1 - green) + plants * green
    pixels = (land * (1 - wet) + water * wet) * (0.75 + 0.5 * light[..., None])
    pixels += random.normal(0, 12, pixels.shape)
    return np.where(mask[..., None], np.clip(pixels, 1, 10_000), 0).astype(np.uint16)


def render_visual(mask: NDArray[np.bool_], seed: int) -> NDArray[np.uint8]:
    """The same landscape as colours for the eye: red, green, blue and alpha."""
    colours = np.clip(render_scene(mask, 3, seed) / 3000, 0, 1) ** 0.6 * 254 + 1
    alpha = np.full((*mask.shape, 1), 255)
    return np.where(mask[..., None], np.concatenate([colours, alpha], axis=2), 0).astype(np.uint8)


def render_udm2(mask: NDArray[np.bool_], seed: int) -> NDArray[np.uint8]:
    """Usable data mask: clear, snow, shadow, light haze, heavy haze, cloud, confidence (percent), unusable (bits)."""
    random = np.random.default_rng(seed ^ 0xC10D)
    thickness = smooth_noise(mask.shape, random)
    cloud, haze = thickness > 0.8, (thickness > 0.72) & (thickness <= 0.8)  # noqa: PLR2004 — a fair day
    shadow = np.roll(cloud, (3, 4), axis=(0, 1)) & ~cloud & ~haze
    confidence = 70 + 30 * np.abs(thickness - 0.75) / 0.75
    nothing = np.zeros_like(cloud)
    layers = [~(cloud | haze | shadow), nothing, shadow, haze, nothing, cloud, confidence, cloud * 2]
    stack = np.where(mask[..., None], np.stack(layers, axis=2), 0).astype(np.uint8)
    stack[..., 7] |= (~mask).astype(np.uint8)
    return stack


def smooth_noise(shape: tuple[int, int], random: np.random.Generator) -> NDArray[np.float64]:
    """Values from 0 to 1 that change gently, over several scales."""
    total = np.zeros(shape)
    for cells, weight in ((2, 1.0), (5, 0.6), (11, 0.35), (23, 0.2)):
        knots = random.random((cells + 1, cells + 1))
        rows, columns = (np.linspace(0, cells, count, endpoint=False) for count in shape)
        r, c = rows.astype(int), columns.astype(int)
        fr, fc = (fade(rows - r)[:, None], fade(columns - c)[None, :])
        upper = knots[np.ix_(r, c)] * (1 - fc) + knots[np.ix_(r, c + 1)] * fc
        lower = knots[np.ix_(r + 1, c)] * (1 - fc) + knots[np.ix_(r + 1, c + 1)] * fc
        total += weight * (upper * (1 - fr) + lower * fr)
    low, high = total.min(), total.max()
    return np.asarray((total - low) / max(high - low, 1e-9), dtype=np.float64)


def fade(t: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ease from 0 to 1, so that the knots of the noise do not show as edges."""
    return t * t * (3 - 2 * t)


def encode_geotiff(pixels: NDArray[np.uint8] | NDArray[np.uint16], grid: Grid) -> bytes:
    """The pixels as a GeoTIFF that lies where the grid does; the same input gives the same bytes."""
    is_colour = pixels.dtype == np.uint8 and pixels.shape[2] == 4  # noqa: PLR2004 — red, green, blue, alpha
    colours = 3 if is_colour else 1
    extra = ["unassalpha"] if is_colour else ["unspecified"] * (pixels.shape[2] - colours)
    out = io.BytesIO()
    tifffile.imwrite(
        out,
        pixels if pixels.shape[2] > 1 else pixels[..., 0],
        photometric="rgb" if is_colour else "minisblack",
        planarconfig="contig" if pixels.shape[2] > 1 else None,
        extrasamples=extra or None,
        metadata=None,
        software=False,
        extratags=[
            (_MODEL_PIXEL_SCALE, _DOUBLE, 3, (grid.pixel_size, grid.pixel_size, 0.0), True),
            (_MODEL_TIEPOINT, _DOUBLE, 6, (0.0, 0.0, 0.0, grid.left, grid.top, 0.0), True),
            (_GEO_KEYS, _SHORT, 16, _geo_keys(grid.epsg), True),
        ],
    )
    return out.getvalue()


def _geo_keys(epsg: int) -> tuple[int, ...]:
    """GeoKeyDirectory, version 1.1.0, three keys: model type, pixel is area, code of the coordinate system."""
    geographic = epsg == WGS84
    model, system = (2, 2048) if geographic else (1, 3072)
    return (1, 1, 0, 3, 1024, 0, 1, model, 1025, 0, 1, 1, system, 0, 1, epsg)
