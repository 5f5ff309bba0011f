"""The bytes of files: small ones in memory, big ones made as they are read; the same file and seed, the same bytes."""

from __future__ import annotations

import hashlib
import io
import json
import threading
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any, Protocol
from xml.sax.saxutils import escape

import numpy as np
from numpy.typing import NDArray

from .geometry import fit_grid, inside, item_footprint
from .geotiff import encode_geotiff, render_scene, render_udm2, render_visual
from .item_ids import read_item_id
from .items import Item, throw_dice
from .products import OrderFile

CHUNK_BYTES = 256 * 1024
_BLOCK_BYTES = 1 << 20
_CACHE_BYTES = 128 << 20


@dataclass(frozen=True, slots=True)
class Digests:
    """Hex digests, as a manifest holds them."""

    md5: str
    sha256: str


class Content(Protocol):
    """What a file holds."""

    @property
    def size_bytes(self) -> int:
        """Length of the whole."""

    def read(self, offset: int, length: int) -> bytes:
        """The bytes from `offset` on, at most `length` of them, fewer only at the end."""


class Bytes:
    """Content that is held in memory."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    @property
    def size_bytes(self) -> int:
        """Length of the whole."""
        return len(self._data)

    def read(self, offset: int, length: int) -> bytes:
        """The bytes from `offset` on."""
        return self._data[offset : offset + length]


class Filled:
    """Real content at the front, and behind it bytes made from their position, up to any size, without holding them."""

    def __init__(self, head: bytes, size_bytes: int, seed: int) -> None:
        self._head, self._size_bytes, self._seed = head[:size_bytes], size_bytes, seed

    @property
    def size_bytes(self) -> int:
        """Length of the whole."""
        return self._size_bytes

    @cached_property
    def _block(self) -> bytes:
        return np.random.default_rng(self._seed).bytes(_BLOCK_BYTES)

    def read(self, offset: int, length: int) -> bytes:
        """The bytes from `offset` on; every block begins with its own number, so that no two are alike."""
        end = min(offset + length, self._size_bytes)
        parts = [self._head[offset:end]]
        position = max(offset, len(self._head))
        while position < end:
            number, start = divmod(position, _BLOCK_BYTES)
            stop = min(_BLOCK_BYTES, start + end - position)
            stamp = number.to_bytes(8, "big")
            parts.append(stamp[start:stop] + self._block[max(start, len(stamp)) : stop])
            position += stop - start
        return b"".join(parts)


def digest_content(content: Content) -> Digests:
    """MD5 and SHA-256 of the whole, read piece by piece."""
    md5, sha256 = hashlib.md5(usedforsecurity=False), hashlib.sha256()
    for offset in range(0, content.size_bytes, _BLOCK_BYTES):
        piece = content.read(offset, _BLOCK_BYTES)
        md5.update(piece)
        sha256.update(piece)
    return Digests(md5.hexdigest(), sha256.hexdigest())


class Library:
    """All content there is, made when it is asked for; thread safe.

    The content last used is kept, up to a bound; digests are kept for good.
    """

    def __init__(self, seed: int, scene_size_px: int, size_bytes: Mapping[str, int]) -> None:
        self._seed, self._scene_size_px, self._sizes = seed, scene_size_px, size_bytes
        self._kept: OrderedDict[OrderFile, Content] = OrderedDict()
        self._kept_bytes = 0
        self._digests: dict[OrderFile, Digests] = {}
        self._lock = threading.Lock()

    def open(self, file: OrderFile) -> Content:
        """The content of `file`; any file but a manifest."""
        with self._lock:
            if file in self._kept:
                self._kept.move_to_end(file)
                return self._kept[file]
        content = self._make(file)
        if isinstance(content, Bytes):
            self._keep(file, content)
        return content

    def digest(self, file: OrderFile) -> Digests:
        """The digests of `file`, computed once; takes seconds for gigabytes."""
        known = self._digests.get(file)
        if known is None:
            known = self._digests[file] = digest_content(self.open(file))
        return known

    def _keep(self, file: OrderFile, content: Content) -> None:
        with self._lock:
            if file not in self._kept:
                self._kept[file] = content
                self._kept_bytes += content.size_bytes
            while self._kept_bytes > _CACHE_BYTES and len(self._kept) > 1:
                self._kept_bytes -= self._kept.popitem(last=False)[1].size_bytes

    def _make(self, file: OrderFile) -> Content:
        if file.asset == "archive":
            return Bytes(self._make_archive(file))
        head = self._make_head(file)
        size_bytes = next((size for pattern, size in self._sizes.items() if fnmatchcase(file.name, pattern)), None)
        return Bytes(head) if size_bytes is None else Filled(head, size_bytes, self._seed_of(file))

    def _make_head(self, file: OrderFile) -> bytes:
        if file.asset == "metadata":
            return make_metadata(file, self._seed)
        if file.media_type == "image/tiff" and file.rings:
            return self._make_image(file)
        if file.media_type == "text/xml":
            return make_xml(file)
        return np.random.default_rng(self._seed_of(file)).bytes(1000)

    def _make_image(self, file: OrderFile) -> bytes:
        grid, rings = fit_grid(file.rings, self._scene_size_px, file.epsg)
        mask = inside(rings, grid)
        seed = self._seed_of(file)
        pixels: NDArray[np.uint8] | NDArray[np.uint16]
        if "udm2" in file.asset:
            pixels = render_udm2(mask, seed)
        elif "visual" in file.asset:
            pixels = render_visual(mask, seed)
        else:
            pixels = render_scene(mask, count_bands(file.asset), seed)
        if file.tile is not None:
            grid, rows, columns = grid.quarter(*file.tile)
            pixels = pixels[rows, columns]
        return encode_geotiff(pixels, grid)

    def _make_archive(self, file: OrderFile) -> bytes:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
            for member in file.members:
                content = self.open(member)
                entry = zipfile.ZipInfo(member.path)  # its default date is fixed: the same bytes every time
                archive.writestr(entry, content.read(0, content.size_bytes))
        return out.getvalue()

    def _seed_of(self, file: OrderFile) -> int:
        """Assets of one item show the same landscape."""
        key = f"{self._seed}:{file.item_type}:{file.item_id or file.path}"
        return int.from_bytes(hashlib.sha256(key.encode()).digest()[:6], "big")


def count_bands(asset: str) -> int:
    """How many bands an analytic asset has."""
    for bands in (8, 5, 3):
        if f"{bands}b" in asset.split("_"):
            return bands
    single = asset.rpartition("_")[2].startswith("b") or "panchromatic" in asset or asset.endswith(("udm", "vv", "vh"))
    return 1 if single else 4


def make_metadata(file: OrderFile, seed: int) -> bytes:
    """An item's description, as a GeoJSON feature: the one that searches with this seed show, if they show the item."""
    known = read_item_id(file.item_id)
    if known is None:
        properties: dict[str, Any] = {"item_type": file.item_type}
    else:
        dice = throw_dice(seed, file.item_type, file.item_id)
        properties = Item(file.item_type, known, dice).properties
    geometry = item_footprint(file.item_id)
    feature = {"type": "Feature", "id": file.item_id, "geometry": geometry, "properties": properties}
    return json.dumps(feature, sort_keys=True).encode()


def make_xml(file: OrderFile) -> bytes:
    """An asset's metadata, in the shape of an earth observation record, much shortened."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<ps:EarthObservation xmlns:ps="http://schemas.planet.com/ps/v1/planet_product_metadata_geocorrected_level">\n'
        f"  <ps:identifier>{escape(file.item_id)}</ps:identifier>\n"
        f"  <ps:productType>{escape(file.asset)}</ps:productType>\n"
        "</ps:EarthObservation>\n"
    ).encode()
