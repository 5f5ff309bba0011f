"""The Lua scripts of this package and of the worker: each changes all it changes at once, or nothing."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from redis.asyncio import Redis
    from redis.commands.core import AsyncScript

_BEFORE = {
    "begin": ("batch", "line"),
    "claim": ("line",),
    "close_batch": ("batch",),
    "hand_back": ("line",),
    "move": ("batch", "line"),
    "submit": ("batch", "line"),
}
"""What scripts share with others: its functions stand before them."""


@cache
def script_source(name: str, package: str = "jobs") -> str:
    """The whole text of one of the scripts in a package's `lua`."""
    shared = [_read("jobs", each) for each in _BEFORE.get(name, ())]
    return "\n".join([*shared, _read(package, name)])


def script(redis: Redis, name: str) -> AsyncScript:
    """One of the scripts of this package, ready to be called."""
    registered: AsyncScript = redis.register_script(script_source(name))
    return registered


def _read(package: str, name: str) -> str:
    return resources.files(package).joinpath("lua", f"{name}.lua").read_text(encoding="utf-8")
