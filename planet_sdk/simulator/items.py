"""The catalogue's items: whatever Planet tells of one, made from its type and id alone."""

from __future__ import annotations

import hashlib
import math
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any

from .bundles import load_spec
from .clock import MICROSECONDS, as_datetime, format_time
from .geometry import Box, Ring, keep_on_map, outline_scene, reach_of_scene
from .item_ids import ItemId

MAX_PUBLISH_DELAY_US = 12 * 3600 * MICROSECONDS
_MAX_UPDATE_DELAY_US = 5 * 86_400 * MICROSECONDS
_UPDATED_FIELDS = ("ground_control", "quality_category", "visible_percent", "cloud_cover")
_EIGHT_BANDS_SINCE_US = 1_585_699_200 * MICROSECONDS  # April 2020
_VIDEO_ASSETS = ("video_file", "video_frames", "video_metadata")


@dataclass(frozen=True, slots=True)
class Maker:
    """Who takes items of a type, and how finely."""

    provider: str
    instrument: str
    gsd: float
    pixel_resolution: float


_PLANETSCOPE, _MODIS = Maker("planetscope", "PSB.SD", 3.9, 3), Maker("nasa", "MODIS", 500, 500)
_MAKERS: Mapping[str, Maker] = MappingProxyType(
    {
        "PS": _PLANETSCOPE,
        "SkySat": Maker("skysat", "SkySat", 0.8, 0.5),
        "RE": Maker("rapideye", "REIS", 6.5, 5),
        "Landsat": Maker("usgs", "OLI_TIRS", 30, 30),
        "Sentinel1": Maker("esa", "C-SAR", 10, 10),
        "Sentinel2": Maker("esa", "MSI", 10, 10),
        "MOD": _MODIS,
        "MYD": _MODIS,
        "Tanager": Maker("tanager", "Tanager", 32, 30),
        "Pelican": Maker("pelican", "Pelican", 0.5, 0.5),
    }
)


@cache
def list_item_types() -> Mapping[str, tuple[str, ...]]:
    """Every item type that can be searched, with its asset types."""
    found: dict[str, dict[str, None]] = {"SkySatVideo": dict.fromkeys(_VIDEO_ASSETS)}
    for bundle in load_spec()["bundles"].values():
        for item_type, assets in bundle["assets"].items():
            found.setdefault(item_type, {}).update(dict.fromkeys(assets))
    return MappingProxyType({item_type: tuple(sorted(assets)) for item_type, assets in sorted(found.items())})


@dataclass(frozen=True, slots=True)
class Item:
    """One item; equal type, id and seed make an equal item."""

    item_type: str
    known: ItemId
    dice: bytes
    """Random bytes that are always the same for this item: the chances that its properties come from."""
    is_permitted: bool = True
    """May the account download it?"""
    is_complete: bool = True
    """Does it have its surface reflectance assets?"""

    @property
    def id(self) -> str:
        """Its id, unique within its type."""
        return self.known.text

    @property
    def published_us(self) -> int:
        """When searches began to show it."""
        return self.known.acquired_us + int((0.05 + 0.95 * self.chance(0)) * MAX_PUBLISH_DELAY_US)

    @property
    def updated_us(self) -> int:
        """When it was published again with a change; for most, which never were, when it was published."""
        chance = self.chance(1)
        return self.published_us + (int(chance * 4 * _MAX_UPDATE_DELAY_US) if chance < 0.25 else 0)  # noqa: PLR2004 — a quarter

    @property
    def updated_field(self) -> str | None:
        """The property that its update changed."""
        changed = self.updated_us > self.published_us
        return _UPDATED_FIELDS[self.dice[30] % len(_UPDATED_FIELDS)] if changed else None

    @property
    def is_standard(self) -> bool:
        """Is its quality good enough for Planet's standard?"""
        return self.chance(2) > 0.15  # noqa: PLR2004 — most are

    @property
    def outline(self) -> Ring:
        """Where it lies."""
        return outline_scene(self.known.lon, self.known.lat)

    def is_near(self, box: Box) -> bool:
        """May its outline touch the box? Quicker to tell than whether it does."""
        lat = self.known.lat
        lon, (north_deg, east_deg) = keep_on_map(self.known.lon, lat), reach_of_scene(lat)
        return box[1] - north_deg <= lat <= box[3] + north_deg and box[0] - east_deg <= lon <= box[2] + east_deg

    @property
    def assets(self) -> tuple[str, ...]:
        """Its asset types: PlanetScope had no eight bands before 2020, and test quality has no surface reflectance."""
        everything = list_item_types()[self.item_type]
        lacks_8b = self.item_type == "PSScene" and self.known.acquired_us < _EIGHT_BANDS_SINCE_US
        lacks_sr = not (self.is_complete and self.is_standard)
        return tuple(
            asset
            for asset in everything
            if not (lacks_8b and "8b" in asset.split("_")) and not (lacks_sr and "sr" in asset.split("_"))
        )

    @property
    def properties(self) -> dict[str, Any]:
        """Everything that is known of it."""
        return {name: make(self) for name, make in PROPERTIES.items()}

    def chance(self, number: int) -> float:
        """One of this item's fifteen chances, from 0 to 1."""
        return (self.dice[2 * number] << 8 | self.dice[2 * number + 1]) / 0xFFFF

    def get(self, name: str) -> Any:
        """The property of this name; None when the item has none."""
        make = PROPERTIES.get(name)
        return None if make is None else make(self)

    def to_json(self, data_url: str) -> dict[str, Any]:
        """The item as searches and look-ups show it."""
        own_url = f"{data_url}/item-types/{self.item_type}/items/{self.id}"
        assets = self.assets
        return {
            "_links": {"_self": own_url, "assets": f"{own_url}/assets/", "thumbnail": f"{own_url}/thumb"},
            "_permissions": [f"assets.{asset}:download" for asset in assets] if self.is_permitted else [],
            "assets": list(assets),
            "geometry": {"type": "Polygon", "coordinates": [[list(point) for point in self.outline]]},
            "id": self.id,
            "properties": self.properties,
            "type": "Feature",
        }


def throw_dice(seed: int, item_type: str, item_id: str) -> bytes:
    """The random bytes of an item in a catalogue of this seed."""
    return hashlib.blake2b(f"{seed}:{item_type}:{item_id}".encode(), digest_size=32).digest()


def _make_maker(item: Item) -> Maker:
    return next((maker for start, maker in _MAKERS.items() if item.item_type.startswith(start)), _PLANETSCOPE)


def _name_instrument(item: Item) -> str:
    is_old = item.item_type.startswith("PS") and item.known.acquired_us < _EIGHT_BANDS_SINCE_US
    return "PS2" if is_old else _make_maker(item).instrument


def _count_cloud(item: Item) -> int:
    return int(100.99 * item.chance(3) ** 2.5)


def _share_sky(item: Item) -> dict[str, int]:
    """Percent of the pixels that are clear, cloud, haze, shadow and snow: 100 together."""
    cloud = _count_cloud(item)
    haze = int((100 - cloud) * 0.3 * item.chance(4))
    shadow = min(cloud // 5, 100 - cloud - haze)
    snow = int((100 - cloud - haze - shadow) * 0.5 * item.chance(5)) if abs(item.known.lat) > 50 else 0  # noqa: PLR2004 — degrees
    heavy = haze // 3
    clear = 100 - cloud - haze - shadow - snow
    return {"clear": clear, "cloud": cloud, "heavy": heavy, "light": haze - heavy, "shadow": shadow, "snow": snow}


def find_sun(acquired_us: int, lon: float, lat: float) -> tuple[float, float]:
    """Azimuth, clockwise from north, and elevation of the sun in degrees; good to about a degree."""
    moment = as_datetime(acquired_us)
    hour = moment.hour + moment.minute / 60 + moment.second / 3600
    declination = math.radians(-23.44 * math.cos(2 * math.pi * (moment.timetuple().tm_yday + 10) / 365.25))
    angle, north = math.radians((hour - 12) * 15 + lon), math.radians(lat)
    up = math.sin(north) * math.sin(declination) + math.cos(north) * math.cos(declination) * math.cos(angle)
    east = -math.cos(declination) * math.sin(angle)
    ahead = math.cos(north) * math.sin(declination) - math.sin(north) * math.cos(declination) * math.cos(angle)
    azimuth = math.degrees(math.atan2(east, ahead)) % 360
    return round(azimuth, 1), round(math.degrees(math.asin(max(-1.0, min(1.0, up)))), 1)


def _number_strip(item: Item) -> str:
    """Scenes that a satellite took on one day are one strip."""
    return str(1_000_000 + zlib.crc32(f"{item.id[:8]}{item.known.satellite}".encode()) % 9_000_000)


def _sun(item: Item) -> tuple[float, float]:
    return find_sun(item.known.acquired_us, item.known.lon, item.known.lat)


PROPERTIES: Mapping[str, Callable[[Item], Any]] = MappingProxyType(
    {
        "acquired": lambda item: format_time(item.known.acquired_us),
        "anomalous_pixels": lambda item: round(item.chance(6) ** 6, 2),
        "clear_confidence_percent": lambda item: 70 + int(30 * item.chance(7)),
        "clear_percent": lambda item: _share_sky(item)["clear"],
        "cloud_cover": lambda item: _count_cloud(item) / 100,
        "cloud_percent": _count_cloud,
        "ground_control": lambda item: item.is_standard,
        "gsd": lambda item: round(_make_maker(item).gsd * (0.95 + 0.1 * item.chance(8)), 1),
        "heavy_haze_percent": lambda item: _share_sky(item)["heavy"],
        "instrument": _name_instrument,
        "item_type": lambda item: item.item_type,
        "light_haze_percent": lambda item: _share_sky(item)["light"],
        "pixel_resolution": lambda item: _make_maker(item).pixel_resolution,
        "provider": lambda item: _make_maker(item).provider,
        "published": lambda item: format_time(item.published_us),
        "publishing_stage": lambda item: "finalized" if item.chance(9) > 0.1 else "standard",  # noqa: PLR2004 — nine of ten
        "quality_category": lambda item: "standard" if item.is_standard else "test",
        "satellite_azimuth": lambda item: round(360 * item.chance(10), 1),
        "satellite_id": lambda item: item.known.satellite,
        "shadow_percent": lambda item: _share_sky(item)["shadow"],
        "snow_ice_percent": lambda item: _share_sky(item)["snow"],
        "strip_id": _number_strip,
        "sun_azimuth": lambda item: _sun(item)[0],
        "sun_elevation": lambda item: _sun(item)[1],
        "updated": lambda item: format_time(item.updated_us),
        "view_angle": lambda item: round(5 * item.chance(11), 1),
        "visible_confidence_percent": lambda item: 65 + int(35 * item.chance(12)),
        "visible_percent": lambda item: 100 - _share_sky(item)["cloud"] - _share_sky(item)["heavy"],
    }
)
"""Everything that an item's `properties` holds, and that filters can ask for, in alphabetical order."""
