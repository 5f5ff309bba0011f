"""The pixels of a GeoTIFF, few enough to be looked at: an overview where it has one, else every n-th row and column.

tifffile reads what the file says of itself. The pixels are read here, since only so many of them may be unpacked.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from tifffile import TiffFile, TiffPage

from worker.quicklook.segments import unpack
from worker.quicklook.terms import NoPicture

LONGER_EDGE_PX = 640

_MOST_PAGES = 12  # overviews halve: twelve come from a picture of a million pixels' width
_MOST_BANDS = 32
_MOST_SEGMENT_BYTES = 64 * 1024 * 1024
_MOST_UNPACKED_BYTES = 1024 * 1024 * 1024
_MOST_UNPACKED_SLOWLY_BYTES = 32 * 1024 * 1024  # LZW, in Python: half a second each
_MOST_PIXELS = 1 << 40
_RAW, _LZW, _PACK_BITS = 1, 5, 32_773
_NO_PREDICTOR, _DIFFERENCES = 1, 2
_RGB = 2
_SEPARATE = 2
_ALPHA = {1, 2}
_DEPTHS = {("u", 8), ("u", 16), ("i", 16), ("f", 32)}
_FORMATS = {1: "u", 2: "i", 3: "f"}
_NODATA = 42_113  # GDAL's tag


@dataclass(frozen=True, slots=True)
class Pixels:
    """Some of a picture's pixels.

    Attributes:
        bands: (rows, columns, bands).
        is_colour: whether they are red, green and blue for the eye.
        alpha: which band says how opaque a pixel is.
        nodata: the value of pixels that hold nothing.
    """

    bands: NDArray[Any]
    is_colour: bool
    alpha: int | None
    nodata: float | None


def read_pixels(file: BinaryIO) -> Pixels:
    """Read as many pixels as a quicklook shows.

    Raises:
        NoPicture: it is too large, or of a kind that is not read here.
    """
    with TiffFile(file) as tiff:
        first, page = _find_pages(tiff)
        layout = _Layout.of(page, tiff.byteorder)
        bands = layout.read(file)
        extra = list(first.extrasamples)
        alpha = next((layout.samples - len(extra) + at for at, kind in enumerate(extra) if kind in _ALPHA), None)
        nodata = first.tags.get(_NODATA)
        return Pixels(bands, first.photometric == _RGB, alpha, _number(nodata.value) if nodata else None)


def _find_pages(tiff: TiffFile) -> tuple[TiffPage, TiffPage]:
    """The picture, and what to read of it: the smallest of its overviews that is large enough."""
    pages = list(_pages(tiff))
    if not pages:
        raise NoPicture("there is no picture in it")
    first = pages[0]
    alike = [page for page in pages[1:] if page.is_reduced and not page.is_mask and _kind(page) == _kind(first)]
    enough = [page for page in alike if max(page.imagewidth, page.imagelength) >= LONGER_EDGE_PX]
    return first, min([first, *enough], key=lambda page: page.imagewidth)


def _pages(tiff: TiffFile) -> Iterator[TiffPage]:
    for index in range(_MOST_PAGES):
        try:
            page = tiff.pages[index]
        except IndexError:
            return
        if isinstance(page, TiffPage):
            yield page


def _kind(page: TiffPage) -> tuple[int, int, int]:
    return page.samplesperpixel, page.bitspersample, page.sampleformat


def _number(text: object) -> float | None:
    try:
        return float(str(text).strip("\0 "))
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where the pixels of a page are, checked: strips or tiles, each of which holds all bands or one."""

    width: int
    height: int
    samples: int
    dtype: np.dtype[Any]
    tile_width: int
    tile_height: int
    is_tiled: bool
    is_separate: bool
    compression: int
    predictor: int
    segments: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, page: TiffPage, byte_order: str) -> _Layout:
        kind, bits = _FORMATS.get(page.sampleformat, "?"), page.bitspersample
        if (kind, bits) not in _DEPTHS or not 1 <= page.samplesperpixel <= _MOST_BANDS or page.imagedepth != 1:
            raise NoPicture(f"its pixels are of a kind that is not read here ({page.samplesperpixel} x {bits} bits)")
        if page.predictor not in {_NO_PREDICTOR, _DIFFERENCES} or (page.predictor == _DIFFERENCES and kind == "f"):
            raise NoPicture(f"its pixels are predicted in a way that is not read here ({page.predictor})")
        if page.imagewidth < 1 or page.imagelength < 1 or page.imagewidth * page.imagelength > _MOST_PIXELS:
            raise NoPicture("its size makes no sense")
        is_tiled = page.is_tiled
        layout = cls(
            page.imagewidth,
            page.imagelength,
            page.samplesperpixel,
            np.dtype(f"{byte_order}{kind}{bits // 8}"),
            page.tilewidth if is_tiled else page.imagewidth,
            page.tilelength if is_tiled else min(page.rowsperstrip or page.imagelength, page.imagelength),
            is_tiled,
            page.planarconfig == _SEPARATE and page.samplesperpixel > 1,
            page.compression,
            page.predictor,
            tuple(zip(page.dataoffsets, page.databytecounts, strict=False)),
        )
        if layout.tile_width < 1 or layout.tile_height < 1:
            raise NoPicture("its tiles make no sense")
        return layout

    @property
    def step(self) -> int:
        """Every which row and column is read."""
        return -(-max(self.width, self.height) // LONGER_EDGE_PX)

    @property
    def _per_segment(self) -> int:
        return 1 if self.is_separate else self.samples

    def read(self, file: BinaryIO) -> NDArray[Any]:
        """Every n-th row and column of all bands."""
        rows, columns = np.arange(0, self.height, self.step), np.arange(0, self.width, self.step)
        self._refuse_excess(rows, columns)
        out = np.zeros((len(rows), len(columns), self.samples), self.dtype.newbyteorder("="))
        across = -(-self.width // self.tile_width)
        down = -(-self.height // self.tile_height)
        for plane in range(self.samples if self.is_separate else 1):
            bands = slice(plane, plane + 1) if self.is_separate else slice(None)
            for down_at in np.unique(rows // self.tile_height):
                mine = rows[rows // self.tile_height == down_at]
                for across_at in np.unique(columns // self.tile_width):
                    theirs = columns[columns // self.tile_width == across_at]
                    number = (plane * down + int(down_at)) * across + int(across_at)
                    inside = mine - down_at * self.tile_height, theirs - across_at * self.tile_width
                    found = self._read_segment(file, number, int(down_at), *inside)
                    out[_span(mine // self.step), _span(theirs // self.step), bands] = found
        return out

    def _refuse_excess(self, rows: NDArray[Any], columns: NDArray[Any]) -> None:
        """Look beforehand at what reading takes."""
        segment_bytes = self.tile_width * self.tile_height * self._per_segment * self.dtype.itemsize
        count = len(np.unique(rows // self.tile_height)) * len(np.unique(columns // self.tile_width))
        count *= self.samples if self.is_separate else 1
        if self._is_plain:
            return
        is_slow = self.compression in {_LZW, _PACK_BITS}
        most = _MOST_UNPACKED_SLOWLY_BYTES if is_slow else _MOST_UNPACKED_BYTES
        if segment_bytes > _MOST_SEGMENT_BYTES or segment_bytes * count > most:
            raise NoPicture("it is too large to be unpacked for a look, and has no overview")

    @property
    def _is_plain(self) -> bool:
        return self.compression == _RAW and self.predictor == _NO_PREDICTOR

    def _read_segment(
        self, file: BinaryIO, number: int, down_at: int, rows: NDArray[Any], columns: NDArray[Any]
    ) -> NDArray[Any]:
        """These rows and columns of one strip or tile; one that is not there holds zeros."""
        offset, size_bytes = self.segments[number] if number < len(self.segments) else (0, 0)
        if not offset or not size_bytes:
            return np.zeros((len(rows), len(columns), self._per_segment), self.dtype)
        row_bytes = self.tile_width * self._per_segment * self.dtype.itemsize
        if self._is_plain:
            lines = [_read_at(file, offset + int(row) * row_bytes, row_bytes).ljust(row_bytes, b"\0") for row in rows]
            return self._as_rows(b"".join(lines), len(rows))[:, columns]
        height = self.tile_height if self.is_tiled else min(self.tile_height, self.height - down_at * self.tile_height)
        packed = _read_at(file, offset, min(size_bytes, _MOST_SEGMENT_BYTES))
        pixels = self._as_rows(unpack(self.compression, packed, height * row_bytes), height)
        if self.predictor == _DIFFERENCES:
            pixels = np.cumsum(pixels, axis=1, dtype=self.dtype.newbyteorder("="))
        return np.asarray(pixels[np.ix_(rows, columns)])

    def _as_rows(self, plain: bytes, height: int) -> NDArray[Any]:
        return np.frombuffer(plain, self.dtype).reshape(height, self.tile_width, self._per_segment)


def _span(places: NDArray[Any]) -> slice:
    return slice(int(places[0]), int(places[-1]) + 1)


def _read_at(file: BinaryIO, offset: int, size_bytes: int) -> bytes:
    file.seek(offset)
    return file.read(size_bytes)
