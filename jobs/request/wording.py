"""How problems are worded: what is there, and the nearest thing that would be right."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache
from typing import Any

from jobs.errors import Problem

_SHOWN = 60  # characters of a value that a message repeats
_NAMED = 8  # values that a message lists

UNKNOWN_IS_ALLOWED = "(allow_unknown, or submit --allow-unknown, lets names pass that this version does not know)"


def shown(value: object) -> str:
    """A value as a message repeats it: never long."""
    text = repr(value) if isinstance(value, str | int | float | bool | None) else kind_of(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def kind_of(value: object) -> str:
    """JSON's word for a value."""
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case str():
            return "a text"
        case int() | float():
            return "a number"
        case list():
            return "a list"
        case _:
            return "an object"


def listed(values: Collection[str]) -> str:
    """A few of the values, by name."""
    some = ", ".join(shown(value) for value in list(values)[:_NAMED])
    return f"{some} and {len(values) - _NAMED} more" if len(values) > _NAMED else some


def spelled(value: object, offered: Collection[str]) -> str | None:
    """The offered name that is equal to the value but for capitals and surrounding blanks."""
    return _by_lower(tuple(offered)).get(value.strip().lower()) if isinstance(value, str) else None


@lru_cache(maxsize=128)
def _by_lower(offered: tuple[str, ...]) -> dict[str, str]:
    return {name.lower(): name for name in offered}


def suggestion(value: object, offered: Collection[str]) -> str:
    """The offered values that are nearest, or all of them."""
    by_lower = _by_lower(tuple(offered))
    near = difflib.get_close_matches(str(value)[:_SHOWN].lower(), by_lower)
    if near:
        return "did you mean " + " or ".join(repr(by_lower[name]) for name in near) + "?"
    return f"use one of {', '.join(offered)}"


def unknown_keys(value: Mapping[str, Any], known: Collection[str], path: str) -> Iterator[Problem]:
    """One problem for each key that is none of those known."""
    for key in value:
        if key not in known:
            yield Problem(join(path, shown(key)[1:-1]), f"no such field; {suggestion(key, known)}")


def join(path: str, key: str) -> str:
    """The path of a field below another."""
    return f"{path}.{key}" if path else key
