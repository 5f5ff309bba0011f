"""JSON from elsewhere: what RFC 8259 allows, and of a depth that other code survives."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, NoReturn

MAX_DEPTH = 100  # GeoJSON in an order lies a dozen deep; Python's own recursion ends at a thousand


def read_json(text: bytes | str) -> Any:
    """Return the value that the text holds.

    Raises:
        ValueError: it is not JSON, is nested deeper than MAX_DEPTH, or holds NaN, Infinity, or a number of thousands of
            digits.
    """
    try:
        value = json.loads(text, parse_constant=_refuse)
    except RecursionError as error:
        raise ValueError(_too_deep()) from error
    level = _containers([value])
    for _ in range(MAX_DEPTH + 1):
        if not level:
            return value
        level = [inner for outer in level for inner in _containers(outer.values() if type(outer) is dict else outer)]
    raise ValueError(_too_deep())


def _containers(members: Iterable[Any]) -> list[Any]:
    return [member for member in members if type(member) in {dict, list}]


def _too_deep() -> str:
    return f"it is nested more than {MAX_DEPTH} deep"


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")
