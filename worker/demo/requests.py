"""The demo's 24 orders: real places, real item types, bundles and tools; the same ones every time."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from planet_sdk.order_request import (
    band_math_tool,
    build_request,
    clip_tool,
    composite_tool,
    harmonize_tool,
    product,
    reproject_tool,
    toar_tool,
)

_NDVI = "(b4-b3)/(b4+b3)"

SIZES: Mapping[str, str] = {
    "*Analytic*.tif": "6.4MB",
    "*Visual*.tif": "4.2MB",
    "*Pansharpened*.tif": "9.6MB",
    "composite.tif": "11.5MB",
}
"""What the simulator fills images up to, by name: enough for bars to be seen moving."""

FAULTS: tuple[Mapping[str, Any], ...] = (
    {"kind": "cut_body", "endpoint": "storage", "subject": "harvest-oregon*", "share": 0.6},
    {"kind": "cut_body", "endpoint": "storage", "subject": "kelp-monterey*Analytic*", "share": 0.3},
    {"kind": "cut_body", "endpoint": "storage", "subject": "glacier-aletsch*", "share": 0.8},
    {"kind": "corrupt_body", "endpoint": "storage", "subject": "port-rotterdam*.tif"},
    {"kind": "drop_reply", "endpoint": "create", "subject": "vineyards-napa*"},
    {"kind": "error", "endpoint": "link", "status": 503, "times": 2},
)
"""What goes wrong on purpose, in the words of planet_sdk.simulator.Fault."""


@dataclass(frozen=True, slots=True)
class _Place:
    name: str
    longitude: float
    latitude: float
    kind: str
    scenes: int


_PLACES = (
    _Place("harvest-oregon", -122.81, 45.43, "surface", 2),
    _Place("kelp-monterey", -121.94, 36.62, "analytic", 1),
    _Place("glacier-aletsch", 8.04, 46.44, "surface", 1),
    _Place("port-rotterdam", 4.05, 51.95, "skysat", 1),
    _Place("vineyards-napa", -122.33, 38.43, "ndvi", 1),
    _Place("rice-mekong", 105.55, 10.12, "surface", 1),
    _Place("copper-atacama", -69.07, -24.27, "visual", 1),
    _Place("reef-heron", 151.91, -23.44, "analytic", 1),
    _Place("soy-mato-grosso", -55.9, -12.55, "composite", 2),
    _Place("wildfire-evia", 23.26, 38.83, "toar", 1),
    _Place("solar-ouarzazate", -6.86, 31.06, "skysat", 1),
    _Place("delta-okavango", 22.9, -19.3, "visual", 1),
    _Place("tulips-lisse", 4.55, 52.26, "surface", 1),
    _Place("dam-itaipu", -54.59, -25.41, "visual", 1),
    _Place("oasis-siwa", 25.52, 29.2, "reprojected", 1),
    _Place("airport-haneda", 139.78, 35.55, "skysat", 1),
    _Place("wheat-punjab", 75.85, 30.9, "harmonized", 1),
    _Place("mangrove-sundarbans", 89.18, 21.95, "analytic", 1),
    _Place("flood-valencia", -0.4, 39.4, "surface", 1),
    _Place("salt-uyuni", -67.49, -20.13, "visual", 1),
    _Place("forest-jamtland", 14.63, 63.17, "ndvi", 1),
    _Place("olives-jaen", -3.79, 37.77, "surface", 1),
    _Place("coast-kerala", 76.26, 9.97, "toar", 1),
    _Place("snow-sapporo", 141.35, 43.06, "composite", 2),
)


def build_requests() -> list[dict[str, Any]]:
    """Return the 24 order requests."""
    return [_build(number, place) for number, place in enumerate(_PLACES)]


def _build(number: int, place: _Place) -> dict[str, Any]:
    item_type, bundle = _WHAT[place.kind]
    items = [_item_id(number, scene, item_type) for scene in range(place.scenes)]
    tools = [clip_tool(_area(place, number)), *_tools(place.kind)]
    return build_request(place.name, [product(items, bundle, item_type)], tools=tools)


_WHAT: Mapping[str, tuple[str, str]] = {
    "surface": ("PSScene", "analytic_8b_sr_udm2"),
    "analytic": ("PSScene", "analytic_udm2"),
    "visual": ("PSScene", "visual"),
    "skysat": ("SkySatCollect", "pansharpened_udm2"),
    "ndvi": ("PSScene", "analytic_sr_udm2"),
    "toar": ("PSScene", "analytic_udm2"),
    "composite": ("PSScene", "visual"),
    "harmonized": ("PSScene", "analytic_sr_udm2"),
    "reprojected": ("PSScene", "analytic_8b_udm2"),
}


def _tools(kind: str) -> list[dict[str, Any]]:
    match kind:
        case "ndvi":
            return [band_math_tool(b1=_NDVI, pixel_type="32R")]
        case "toar":
            return [toar_tool(scale_factor=10_000)]
        case "composite":
            return [composite_tool()]
        case "harmonized":
            return [harmonize_tool("Sentinel-2")]
        case "reprojected":
            return [reproject_tool("EPSG:4326", kernel="cubic")]
        case _:
            return []


def _item_id(number: int, scene: int, item_type: str) -> str:
    """An id in Planet's form: when it was taken, and by which satellite."""
    day, second = 1 + (number * 5) % 28, (number * 7 + scene * 2) % 60
    if item_type == "SkySatCollect":
        return f"202610{day:02d}_{10 + number % 9:02d}20{second:02d}_ssc{1 + number % 19}_u000{1 + scene}"
    return f"202610{day:02d}_{10 + number % 9:02d}31{second:02d}_{(number * 13 + scene) % 100:02d}_24{number + 96:02x}"


def _area(place: _Place, number: int) -> dict[str, Any]:
    """A field of four to seven corners around the place, about two kilometres across."""
    corners, radius = 4 + number % 4, 0.009 + 0.001 * (number % 5)
    stretch = 1 / math.cos(math.radians(place.latitude))
    ring = [
        [
            round(place.longitude + stretch * radius * math.cos(angle), 6),
            round(place.latitude + radius * math.sin(angle), 6),
        ]
        for angle in (0.4 + corner * math.tau / corners for corner in range(corners))
    ]
    return {"type": "Polygon", "coordinates": [[*ring, ring[0]]]}
