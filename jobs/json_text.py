"""Writing JSON, for what is written a thousand times a second."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import orjson


def to_json(value: Any, default: Callable[[Any], Any] | None = None) -> str:
    """The value as compact JSON; numbers that JSON does not have become null.

    orjson takes a tenth of json's time. What it refuses (whole numbers above 64 bits, halves of surrogate pairs), json
    writes as ever.

    Args:
        value: of what JSON knows.
        default: makes anything else into something that it knows.
    """
    try:
        return orjson.dumps(value, default).decode()
    except orjson.JSONEncodeError:
        return json.dumps(value, default=default, separators=(",", ":"))
