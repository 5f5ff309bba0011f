"""Item ids in Planet's patterns, and the time and place that can be read from one.

Satellites in sun-synchronous orbits pass every place at the same local time, so the UTC time in an id gives the
longitude. Planet's ids name the satellite behind it; here that part gives the latitude. So any id of the right pattern
is an item, and orders, searches and downloads agree on where it lies.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

WEST, EAST = -179.3, 179.3
"""The first and the last longitude of a scene's centre; its outline stays within -180..180."""
SOUTH, NORTH = -70.0, 80.0

_DAY_S = 86_400
_EAST_PASS_S = 81_168  # half past ten in the morning, local time, at the eastern end
_FIRST_SATELLITE, _SATELLITES = 0x2200, 768
_SCENE_STEPS = 100 * _SATELLITES
_SKYSAT_STEPS = 10_000
_SCENE = re.compile(r"(\d{8})_(\d{6})(?:_(\d\d))?_([0-9a-f]{4})", re.ASCII)
_SKYSAT = re.compile(r"(\d{8})_(\d{6})_(ssc\d{1,2})(?:d\d)?_u?(\d{4})", re.ASCII)
_EPOCH = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True, slots=True)
class ItemId:
    """What an id says."""

    text: str
    acquired_us: int
    lon: float
    lat: float
    satellite: str
    is_skysat: bool


def read_item_id(text: str) -> ItemId | None:
    """What this id says, or None when it follows neither the scenes' pattern nor SkySat's."""
    if match := _SCENE.fullmatch(text):
        day, time, hundredths, satellite = match[1], match[2], int(match[3] or 0), match[4]
        step, steps = (int(satellite, 16) - _FIRST_SATELLITE) % _SATELLITES * 100 + hundredths, _SCENE_STEPS
    elif match := _SKYSAT.fullmatch(text):
        day, time, hundredths, satellite = match[1], match[2], 0, match[3].upper()
        step, steps = int(match[4]), _SKYSAT_STEPS
    else:
        return None
    hour, minute, second = int(time[:2]), int(time[2:4]), int(time[4:])
    try:
        moment = datetime(int(day[:4]), int(day[4:6]), int(day[6:]), hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
    acquired_us = (moment - _EPOCH) // timedelta(microseconds=1) + hundredths * 10_000
    passed_s = (hour * 3600 + minute * 60 + second - _EAST_PASS_S) % _DAY_S
    lon = EAST - (EAST - WEST) * passed_s / (_DAY_S - 1)
    lat = SOUTH + (NORTH - SOUTH) * (step + 0.5) / steps
    return ItemId(text, acquired_us, round(lon, 6), round(lat, 6), satellite, steps == _SKYSAT_STEPS)


def write_item_id(item_type: str, day: date, lon: float, lat: float) -> str:
    """The id of the scene of this type and day whose centre is nearest to a place within the limits above."""
    second = (_EAST_PASS_S + round((EAST - lon) / (EAST - WEST) * (_DAY_S - 1))) % _DAY_S
    share = (lat - SOUTH) / (NORTH - SOUTH)
    moment = f"{day.year:04}{day.month:02}{day.day:02}_{second // 3600:02}{second // 60 % 60:02}{second % 60:02}"
    if is_skysat(item_type):
        step = min(int(share * _SKYSAT_STEPS), _SKYSAT_STEPS - 1)
        camera = {"SkySatScene": f"d{second % 3 + 1}"}.get(item_type, "")
        return f"{moment}_ssc{second % 19 + 1}{camera}_{'' if camera else 'u'}{step:04}"
    satellite, hundredths = divmod(min(int(share * _SCENE_STEPS), _SCENE_STEPS - 1), 100)
    return f"{moment}_{hundredths:02}_{_FIRST_SATELLITE + satellite:04x}"


def is_skysat(item_type: str) -> bool:
    """Do items of this type have ids of SkySat's pattern?"""
    return item_type.startswith("SkySat")
