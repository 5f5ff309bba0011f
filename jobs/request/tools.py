"""The tools that Planet applies before it delivers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from jobs.errors import Problem
from jobs.request.area import check_area
from jobs.request.wording import UNKNOWN_IS_ALLOWED, kind_of, shown, spelled, suggestion
from planet_sdk import specs

_TOOLS = (*specs.SUPPORTED_TOOLS, "merge")  # merge: for basemaps
_REQUIRED_TEXT = {
    "reproject": "projection",
    "coregister": "anchor_item",
    "harmonize": "target_sensor",
    "bandmath": "b1",
    "file_format": "format",
}


def check_tools(request: dict[str, Any], *, allow_unknown: bool) -> Iterator[Problem]:
    """Check that each tool is known and has what it cannot do without; names are written in Planet's spelling."""
    tools = request.get("tools", [])
    if not isinstance(tools, list):
        yield Problem("tools", f"it is a list of tools, each an object with one key, not {kind_of(tools)}")
        return
    for index, tool in enumerate(tools):
        path = f"tools[{index}]"
        if not isinstance(tool, dict) or len(tool) != 1:
            yield Problem(path, 'a tool is an object with exactly one key, such as {"clip": {"aoi": …}}')
            continue
        ((name, parameters),) = tool.items()
        spelling = spelled(name, _TOOLS)
        if spelling is None:
            if not allow_unknown:
                yield Problem(path, f"{shown(name)} is unknown; {suggestion(name, _TOOLS)} {UNKNOWN_IS_ALLOWED}")
        elif not isinstance(parameters, dict):
            yield Problem(f"{path}.{spelling}", f"its parameters are an object, not {kind_of(parameters)}")
        else:
            tools[index] = {spelling: parameters}
            yield from _check_parameters(spelling, parameters, f"{path}.{spelling}")


def _check_parameters(tool: str, parameters: dict[str, Any], path: str) -> Iterator[Problem]:
    """Check what a tool needs; what it may have besides is Planet's to judge."""
    if tool == "clip":
        # Without an area, Planet clips basemaps to the geometry they were ordered by; scenes have none.
        if "aoi" not in parameters:
            yield Problem(f"{path}.aoi", "it is missing; give the Polygon to clip to")
        else:
            yield from check_area(parameters["aoi"], f"{path}.aoi")
    elif tool == "tile":
        size = parameters.get("tile_size")
        if isinstance(size, bool) or not isinstance(size, int | float) or size <= 0:
            yield Problem(f"{path}.tile_size", f"it is a number of pixels above 0, not {shown(size)}")
    elif tool in _REQUIRED_TEXT:
        key = _REQUIRED_TEXT[tool]
        if not isinstance(parameters.get(key), str) or not parameters[key].strip():
            yield Problem(f"{path}.{key}", f"{tool} needs it as a text, not {shown(parameters.get(key))}")
