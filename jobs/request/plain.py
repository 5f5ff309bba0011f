"""A request as plain JSON of bounded size and depth: the ground on which all other checks stand."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from typing import Any

import orjson

from jobs.errors import BadRequest, Problem

MAX_SIZE_BYTES = 5 * 1024 * 1024  # an AOI of 100,000 positions has 4 MB; Planet's own limit is not published
MAX_DEPTH = 32  # a MultiPolygon in a clip tool lies 9 deep

_MAX_PROBLEMS = 10  # of this kind; one is rarely alone

_MAYBE_ODD = re.compile(r"NaN|Infinity|\\ud")  # as json.dumps writes what is no number, and halves of characters
_JUST_JSON = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME
_TOO_DEEP = f"it is nested more than {MAX_DEPTH} deep; no order needs that"


def plain_copy(request: object) -> Any:
    """The request as json would read it back, sharing nothing with the argument.

    Raises:
        BadRequest: it is not JSON, or too large, or too deep, or holds what JSON or Planet cannot.
    """
    with suppress(orjson.JSONEncodeError):
        quick = orjson.dumps(request, option=_JUST_JSON)
        # Most requests are plain beyond doubt. A null may have been a number that JSON does not have.
        if b"null" not in quick and quick.count(b"[") + quick.count(b"{") <= MAX_DEPTH and len(quick) <= MAX_SIZE_BYTES:
            return orjson.loads(quick)
    try:
        text = json.dumps(request)
    except RecursionError as error:
        raise BadRequest([Problem("", _TOO_DEEP)]) from error
    except (TypeError, ValueError) as error:
        raise BadRequest([Problem("", f"it cannot be written as JSON: {error}")]) from error
    if len(text) > MAX_SIZE_BYTES:
        size = f"{len(text):,} bytes, and {MAX_SIZE_BYTES:,} is the limit"
        raise BadRequest([Problem("", f"it has {size}; simplify its AOI, or split it into several requests")])
    copy = json.loads(text)
    if _MAYBE_ODD.search(text) or text.count("[") + text.count("{") > MAX_DEPTH:  # others need not be walked
        problems = list(islice(_odd_values(copy), _MAX_PROBLEMS))
        if problems:
            raise BadRequest(problems)
    return copy


def _odd_values(root: Any) -> Iterator[Problem]:
    """Numbers that are none, texts that are none, and what lies too deep; walks without recursion."""
    waiting: list[tuple[Any, tuple[Any, ...], int]] = [(root, (), 0)] if _is_odd(root) else []
    while waiting:
        value, trail, depth = waiting.pop()
        match value:
            case float():
                yield Problem(_path(trail), f"{value} is not a number that JSON has")
            case str():
                yield Problem(_path(trail), "it holds half of a surrogate pair, which is no character")
            case _ if depth > MAX_DEPTH:
                yield Problem("", _TOO_DEEP)
                return
            case dict():
                waiting += [(member, (trail, f".{key}"), depth + 1) for key, member in value.items() if _is_odd(member)]
                waiting += [(key, (trail, f".{key}"), depth + 1) for key in value if _is_odd(key)]
            case _:
                waiting += [
                    (member, (trail, f"[{index}]"), depth + 1) for index, member in enumerate(value) if _is_odd(member)
                ]


def _is_odd(value: Any) -> bool:
    """Whether a value is to be looked at: it has members, or is a number or a text that Planet could not read."""
    if isinstance(value, float):
        return not math.isfinite(value)
    if isinstance(value, str):
        return not value.isascii() and not _is_text(value)
    return isinstance(value, dict | list)


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _path(trail: tuple[Any, ...]) -> str:
    parts: list[str] = []
    while trail:
        trail, part = trail
        parts.append(part)
    return ascii("".join(reversed(parts)))[1:-1].removeprefix(".")
