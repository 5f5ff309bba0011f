"""Which files an order delivers, and what they are called."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from .bundles import find_assets
from .geometry import Ring, is_projectable, item_footprint, read_rings

_SUFFIXES = {"clip": "_clip", "bandmath": "_bandmath", "toar": "_toar", "reproject": "_reproject"}
_SENSORS = {
    "analytic": "AnalyticMS",
    "visual": "Visual",
    "panchromatic": "Panchromatic",
    "pansharpened": "Pansharpened",
}
_ENDINGS = {
    "xml": "_metadata.xml",
    "rpc": "_RPC.TXT",
    "txt": ".txt",
    "json": ".json",
    "hdf5": ".h5",
    "nitf": ".ntf",
    "pnt": ".txt",
}
_MEDIA_TYPES = {
    "tif": "image/tiff",
    "xml": "text/xml",
    "json": "application/json",
    "txt": "text/plain",
    "h5": "application/x-hdf5",
    "ntf": "application/vnd.nitf",
    "zip": "application/zip",
}
_TILES = ((0, 0), (1, 0), (0, 1), (1, 1))


@dataclass(frozen=True, slots=True)
class OrderFile:
    """One file of an order. Files that are equal have equal content, whichever order they belong to."""

    path: str
    """Relative to the order's folder, as in the manifest."""
    asset: str
    """Asset type; `metadata` for an item's JSON, `manifest`, `archive`, `loose` for the simulator's own kinds."""
    item_id: str = ""
    item_type: str = ""
    bundle: str = ""
    rings: tuple[Ring, ...] = ()
    epsg: int | None = None
    tile: tuple[int, int] | None = None
    """Column and row of the quarter of the picture that it shows; None: all of it."""
    members: tuple[OrderFile, ...] = field(default=(), repr=False)

    @property
    def name(self) -> str:
        """The last part of its path."""
        return self.path.rsplit("/", 1)[-1]

    @property
    def media_type(self) -> str:
        """What it is, for the manifest and for storage's Content-Type."""
        return _MEDIA_TYPES.get(self.name.rsplit(".", 1)[-1].lower(), "application/octet-stream")

    @property
    def annotations(self) -> dict[str, str]:
        """The manifest's annotations; an archive has none."""
        named = {
            "asset_type": self.asset,
            "bundle_type": self.bundle,
            "item_id": self.item_id,
            "item_type": self.item_type,
        }
        return {f"planet/{key}": value for key, value in named.items() if value} if self.item_type else {}


MANIFEST = OrderFile("manifest.json", "manifest")


def list_files(request: Mapping[str, Any], order_id: str, left_out: Iterable[str] = ()) -> tuple[OrderFile, ...]:
    """The files that an order of this request delivers, in the order they become ready; the manifest is the last.

    Args:
        request: One that `check_order` has let pass.
        order_id: For the names of archives.
        left_out: Items of a partial order that are not delivered.
    """
    skipped = set(left_out)
    files: list[OrderFile] = []
    for product in request["products"]:
        files.extend(_list_product(product, _Tools(request.get("tools") or ()), skipped))
    for composite in (tool["composite"] for tool in request.get("tools") or () if "composite" in tool):
        files = list(_compose(files, by_strip=composite.get("group_by") == "strip_id"))
    delivery = request.get("delivery") or {}
    if delivery.get("archive_type") == "zip":
        files = list(_archive(files, delivery, str(request.get("name", "")), order_id))
    return (*{file.path: file for file in files}.values(), MANIFEST)


def name_asset_file(item_type: str, item_id: str, asset: str) -> OrderFile:
    """The file behind an item's asset, as it is without any tool."""
    tools = _Tools(())
    name, _ = next(_name_asset(item_id, asset, tools))
    return OrderFile(f"{item_type}/{name}", asset, item_id, item_type, rings=tools.rings(item_id))


class _Tools:
    """What an order's tool chain does to names and places."""

    def __init__(self, tools: Iterable[Mapping[str, Any]]) -> None:
        self.suffix = "".join(_SUFFIXES.get(name, "") for tool in tools for name in tool)
        parameters = {name: value for tool in tools for name, value in tool.items()}
        self.aoi = parameters.get("clip", {}).get("aoi")
        code = str(parameters.get("reproject", {}).get("projection", "")).rpartition(":")[2]
        self.epsg = int(code) if code.isdecimal() and is_projectable(int(code)) else None
        self.tile_template: str | None = (
            parameters["tile"].get("name_template", "{tilex}_{tiley}.tif") if "tile" in parameters else None
        )

    def rings(self, item_id: str) -> tuple[Ring, ...]:
        """The outline of this item's pixels: the clip's area, as if every scene covered it, or the scene's own."""
        if self.aoi is None:
            return read_rings(item_footprint(item_id))
        if self.aoi.get("type") == "ref":
            return read_rings(item_footprint(str(self.aoi.get("content"))))
        return read_rings(self.aoi)


def _list_product(product: Mapping[str, Any], tools: _Tools, skipped: set[str]) -> Iterator[OrderFile]:
    if "mosaic_name" in product:
        yield from _list_quads(product, tools)
        return
    item_type = product["item_type"]
    found = find_assets(item_type, product["product_bundle"])
    bundle, assets = found or (product["product_bundle"], [])
    for item_id in product["item_ids"]:
        if item_id in skipped:
            continue
        rings = tools.rings(item_id)
        yield OrderFile(f"{item_type}/{item_id}_metadata.json", "metadata", item_id, item_type, bundle, rings)
        for asset in assets:
            for name, tile in _name_asset(item_id, asset, tools):
                yield OrderFile(f"{item_type}/{name}", asset, item_id, item_type, bundle, rings, tools.epsg, tile)


def _list_quads(product: Mapping[str, Any], tools: _Tools) -> Iterator[OrderFile]:
    mosaic = product["mosaic_name"]
    rings = read_rings(product["geometry"]) if "geometry" in product else ()
    for quad in product.get("quad_ids") or ["1000-1000"]:
        outline = tools.rings(quad) if tools.aoi or not rings else rings
        yield OrderFile(
            f"{mosaic}/{quad}_quad{tools.suffix}.tif", "ortho_visual", quad, mosaic, "", outline, tools.epsg
        )


def _name_asset(item_id: str, asset: str, tools: _Tools) -> Iterator[tuple[str, tuple[int, int] | None]]:
    """Names of an asset: one, or one per tile; a clipped `ortho_analytic_8b_sr` is `…_3B_AnalyticMS_SR_8b_clip.tif`."""
    stem, _, ending = f"{item_id}{_describe(asset)}".rpartition(".")
    if ending == "xml":
        yield f"{stem}{'_clip' if tools.aoi else ''}.xml", None
    elif ending != "tif":
        yield f"{stem}.{ending}", None
    elif tools.tile_template is None:
        yield f"{stem}{tools.suffix}.tif", None
    else:
        for x, y in _TILES:
            yield f"{stem}_" + tools.tile_template.replace("{tilex}", str(x)).replace("{tiley}", str(y)), (x, y)


def _describe(asset: str) -> str:
    """What an asset type adds to the item's id: level, sensor, correction, bands, ending."""
    words = asset.split("_")
    level = {"ortho": "_3B", "basic": "_1B"}.get(words[0], "")
    words = words[1:] if level else words
    ending = _ENDINGS.get(words[-1], ".tif")
    words = words[:-1] if words[-1] in _ENDINGS else words
    sensor = _SENSORS.get(words[0], words[0]) if words else ""
    bands = [word for word in words[1:] if re.fullmatch(r"[358]b", word)]
    others = [word.upper() if word == "sr" else word for word in words[1:] if not re.fullmatch(r"[3458]b", word)]
    return "_".join(part for part in (f"{level}_{sensor}", *others, *bands) if part) + ending


def _compose(files: Iterable[OrderFile], *, by_strip: bool) -> Iterator[OrderFile]:
    """Composites in place of the scenes' images: one of the pictures, one of the masks; what is no image stays.

    Scenes of one day count as one strip.
    """
    composites: dict[str, OrderFile] = {}
    for file in files:
        if file.media_type != "image/tiff":
            yield file
            continue
        strip = f"{file.item_id.partition('_')[0]}_" if by_strip else ""
        name = f"{strip}composite_udm.tif" if "udm" in file.asset else f"{strip}composite.tif"
        composites.setdefault(name, OrderFile(name, file.asset, "", "", file.bundle, file.rings, file.epsg))
    yield from composites.values()


def _archive(files: list[OrderFile], delivery: Mapping[str, Any], name: str, order_id: str) -> Iterator[OrderFile]:
    """One archive of everything, or one per item."""
    if delivery.get("single_archive"):
        template = delivery.get("archive_filename") or "output.zip"
        yield OrderFile(
            template.replace("{{name}}", name).replace("{{order_id}}", order_id), "archive", members=tuple(files)
        )
        return
    groups: dict[str, list[OrderFile]] = {}
    for file in files:
        groups.setdefault(f"{file.item_type}/{file.item_id}" if file.item_id else "composite", []).append(file)
    for path, members in groups.items():
        yield OrderFile(f"{path}.zip", "archive", members=tuple(members))
