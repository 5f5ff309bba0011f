"""From pixels to a PNG: which bands are seen, how they are stretched, and what is transparent."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from worker.quicklook.pixels import Pixels
from worker.quicklook.terms import NoPicture

# Red, green and blue by the number of bands, counted from 0: blue comes first in Planet's analytic files.
_COLOURS = {3: (0, 1, 2), 4: (2, 1, 0), 5: (2, 1, 0), 8: (5, 3, 1)}
_DARKEST, _LIGHTEST = 2, 98  # percent: clouds and shadows do not decide over the rest


def draw_picture(pixels: Pixels) -> bytes:
    """The pixels as a PNG; those that hold nothing are transparent.

    Raises:
        NoPicture: none of them holds anything.
    """
    colours = _colours_of(pixels)
    shown = pixels.bands[..., colours].astype(np.float64)
    opaque = _opacity(pixels, shown)
    if not opaque.any():
        raise NoPicture("all of its pixels are empty")
    if not (pixels.is_colour and pixels.bands.dtype == np.uint8):
        shown = _stretch(shown, opaque)
    shown = np.where(opaque[..., None], shown, 0)
    picture = np.concatenate([np.repeat(shown, 3 // shown.shape[2], axis=2), opaque[..., None] * 255.0], axis=2)
    return encode_png(np.clip(np.rint(picture), 0, 255).astype(np.uint8))


def _colours_of(pixels: Pixels) -> tuple[int, ...]:
    """The bands for red, green and blue, or one for grey."""
    count = pixels.bands.shape[2]
    return (0, 1, 2) if pixels.is_colour and count in {3, 4} else _COLOURS.get(count, (0,))


def _opacity(pixels: Pixels, shown: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which pixels hold something: by alpha, else where not every band that is seen has the value for nothing."""
    is_number = np.isfinite(shown).all(axis=2)
    if pixels.alpha is not None:
        return np.asarray(is_number & (pixels.bands[..., pixels.alpha] > 0))
    nothing = 0.0 if pixels.nodata is None else pixels.nodata
    return np.asarray(is_number & (shown != nothing).any(axis=2))


def _stretch(shown: NDArray[np.float64], opaque: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Each band from its darkest to its lightest values, but for the extremes, as 0 to 255."""
    out = np.zeros_like(shown)
    for band in range(shown.shape[2]):
        low, high = np.percentile(shown[..., band][opaque], [_DARKEST, _LIGHTEST])
        scaled = (np.where(opaque, shown[..., band], low) - low) / max(high - low, 1e-9)
        out[..., band] = np.clip(scaled, 0, 1) * 255
    return out


def encode_png(picture: NDArray[Any]) -> bytes:
    """Eight bits each of red, green, blue and alpha, (rows, columns, 4), as a PNG."""
    height, width, _ = picture.shape
    rows = np.concatenate([np.zeros((height, 1), np.uint8), picture.reshape(height, width * 4)], axis=1)  # no filter
    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes(), 6)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*part) for part in parts)


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
