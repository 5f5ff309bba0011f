"""Item ids in Planet's patterns, and the time and place that can be read from one.

Satellites in sun-synchronous orbits pass every place at the same local time, so the UTC time in an id gives the
longitude. Planet's ids name the satellite behind it; here that part gives the latitude. So any id of the right pattern
is an item, and orders, searches and downloads agree on where it lies.
"""

from __future__ import annotations

import re
from datetime import date
from functools import lru_cache
from typing import NamedTuple

from .clock import MICROSECONDS

WEST, EAST = -180.0, 180.0
SOUTH, NORTH = -70.0, 80.0
"""Where scenes are taken."""

EPOCH_DAY = date(1970, 1, 1).toordinal()
_DAY_S = 86_400
_EAST_PASS_S = 81_000  # half past ten in the morning, local time, at the eastern end
_FIRST_SATELLITE, _SATELLITES = 0x2200, 768
_SCENE_STEPS = 100 * _SATELLITES
_SKYSAT_STEPS = 10_000
_SCENE = re.compile(r"(\d{8})_(\d\d)(\d\d)(\d\d)(?:_(\d\d))?_([0-9a-f]{4})", re.ASCII)
_SKYSAT = re.compile(r"(\d{8})_(\d\d)(\d\d)(\d\d)_(ssc\d{1,2})(?:d\d)?_u?(\d{4})", re.ASCII)


class ItemId(NamedTuple):
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
        day, hour, minute, second, hundredths, satellite = match.groups("0")
        step, steps = (int(satellite, 16) - _FIRST_SATELLITE) % _SATELLITES * 100 + int(hundredths), _SCENE_STEPS
    elif match := _SKYSAT.fullmatch(text):
        day, hour, minute, second, satellite, number = match.groups()
        satellite, hundredths, step, steps = satellite.upper(), "0", int(number), _SKYSAT_STEPS
    else:
        return None
    day_us = _start_day(day)
    if day_us is None or hour > "23" or minute > "59" or second > "59":
        return None
    second_of_day = int(hour) * 3600 + int(minute) * 60 + int(second)
    lon = EAST - (EAST - WEST) * ((second_of_day - _EAST_PASS_S) % _DAY_S) / (_DAY_S - 1)
    lat = SOUTH + (NORTH - SOUTH) * (step + 0.5) / steps
    acquired_us = day_us + second_of_day * MICROSECONDS + int(hundredths) * (MICROSECONDS // 100)
    return ItemId(text, acquired_us, lon, lat, satellite, steps == _SKYSAT_STEPS)


@lru_cache(10_000)
def _start_day(text: str) -> int | None:
    """Microseconds since the epoch at which a day begins; None for one that there is not, or that is before it."""
    try:
        days = date(int(text[:4]), int(text[4:6]), int(text[6:])).toordinal() - EPOCH_DAY
    except ValueError:
        return None
    return days * _DAY_S * MICROSECONDS if days >= 0 else None


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
