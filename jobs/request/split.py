"""A request with more items than one order holds, as several requests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from jobs.errors import Problem

MAX_ITEMS = 500  # items in one order: docs.planet.com, "Orders API"
MAX_ZIPPED_ITEMS = 50  # as above, of these item types, where the order is zipped
MAX_PARTS = 100
MAX_NAME_LENGTH = 200  # the run's id is added to it; Planet's own limit is not published

_FEW_WHEN_ZIPPED = {"SkySatCollect", "TanagerScene", "PelicanScene"}
_MAX_TOGETHER = 32 * 1024 * 1024  # characters of all parts, which are written in one transaction
# What these tools make of an item does not depend on the others.
_EACH_ITEM_ALONE = {"bandmath", "clip", "file_format", "harmonize", "reproject", "tile", "toar"}
_WHY_NOT = {
    "composite": "composite makes one image of all items",
    "coregister": "coregister aligns all items to one of them",
}


def check_count(request: Mapping[str, Any], products: Sequence[Any]) -> Iterator[Problem]:
    """Check that there are no more items than one order holds, or that the request can be split."""
    count, (limit, holds) = _count(products), _limit(request, products)
    if count <= limit:
        return
    what = f"{count:,} items, and {holds} {limit}"
    field = "products[0].item_ids" if len(products) == 1 else "products"
    if count > limit * MAX_PARTS:
        yield Problem(field, f"{what}; more than {MAX_PARTS} orders are not made of one request: split it")
    elif len(str(request.get("tools"))) * -(-count // limit) > _MAX_TOGETHER:
        yield Problem(field, f"{what}; its area has too many corners to be repeated in each: simplify it, or split it")
    for index, tool in enumerate(request.get("tools") or ()):
        name = next(iter(tool), "") if isinstance(tool, dict) else ""
        if name not in _EACH_ITEM_ALONE:
            why = _WHY_NOT.get(name, f"it is not known here whether {name} makes one image of several items")
            yield Problem(f"tools[{index}]", f"{what}; it cannot be split for you, since {why}: split it yourself")


def split_request(request: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The requests that order together what this one does: itself, or as few as can be, with about as many items each.

    Arguments:
        request: as check_request() returned it; its items stay in their order.

    Returns:
        Requests that differ in name and items only: `field 7 (2 of 3)`.
    """
    products = request.get("products") or ()
    count, (limit, _) = _count(products), _limit(request, products)
    if count <= limit:
        return [dict(request)]
    parts = -(-count // limit)
    bounds = [count * number // parts for number in range(parts + 1)]
    return [
        {
            **request,
            "name": _part_name(str(request["name"]), number, parts),
            "products": list(_cut(products, bounds[number - 1], bounds[number])),
        }
        for number in range(1, parts + 1)
    ]


def _part_name(name: str, number: int, parts: int) -> str:
    suffix = f" ({number} of {parts})"
    return name[: MAX_NAME_LENGTH - len(suffix)] + suffix


def _cut(products: Sequence[Mapping[str, Any]], start: int, end: int) -> Iterator[dict[str, Any]]:
    """The products with those of their items that, counted over all products, are from start up to end."""
    before = 0
    for product in products:
        items = product.get("item_ids") or []
        some = items[max(0, start - before) : max(0, end - before)]
        if some:
            yield {**product, "item_ids": some}
        before += len(items)


def _count(products: Sequence[Any]) -> int:
    lists = [product.get("item_ids") for product in products if isinstance(product, dict)]
    return sum(len(ids) for ids in lists if isinstance(ids, list))


def _limit(request: Mapping[str, Any], products: Sequence[Any]) -> tuple[int, str]:
    """How many items one order may have, and how a message says that."""
    delivery = request.get("delivery")
    if isinstance(delivery, dict) and delivery.get("archive_type"):
        types = {str(product.get("item_type")) for product in products if isinstance(product, dict)}
        if few := sorted(types & _FEW_WHEN_ZIPPED):
            return MAX_ZIPPED_ITEMS, f"a zipped order of {few[0]} holds"
    return MAX_ITEMS, "one order holds"
