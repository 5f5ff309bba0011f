"""How much a request orders, as far as the request itself tells."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from jobs.request.area import hectares_of

__all__ = ["Size", "size_of"]


@dataclass(frozen=True, slots=True)
class Size:
    """What one request orders.

    Attributes:
        items: scenes, or quads of basemaps; None where that cannot be told.
        hectares: the area of interest times the items; None where that cannot be told.
    """

    items: int | None
    hectares: float | None

    @classmethod
    def sum(cls, sizes: Iterable[Size]) -> Size:
        """All of them together; what cannot be told of one cannot be told of the sum."""
        known = list(sizes)
        return cls(_sum_if_all(size.items for size in known), _sum_if_all(size.hectares for size in known))


def size_of(request: Mapping[str, Any]) -> Size:
    """The size of a request that was checked.

    Scenes count with the area they are clipped to, each. Without a clip, or with one that only refers to a feature at
    Planet, their area cannot be told. Basemaps count with their geometry; how many quads that is cannot be told, and
    neither can the area of quads.
    """
    area = _clip_area(request.get("tools") or ())
    return Size.sum(_size_of_product(product, area) for product in request.get("products") or ())


def _size_of_product(product: Mapping[str, Any], clip_area: float | None) -> Size:
    if "geometry" in product:
        return Size(None, hectares_of(product["geometry"]))
    if "quad_ids" in product:
        return Size(len(product["quad_ids"]), None)
    items = len(product.get("item_ids") or ())
    return Size(items, None if clip_area is None else items * clip_area)


def _clip_area(tools: Iterable[Mapping[str, Any]]) -> float | None:
    for tool in tools:
        if "clip" in tool:
            return hectares_of(tool["clip"].get("aoi"))
    return None


def _sum_if_all(values: Iterable[Any]) -> Any:
    """The sum, or None where one of them is not known, or there is none."""
    known = list(values)
    return None if not known or None in known else sum(known)
