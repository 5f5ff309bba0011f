"""Planet's error bodies, and the checks of a create request that lead to them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any

from .bundles import find_assets, load_spec
from .geometry import read_rings
from .settings import SimulatorSettings

MAX_ITEMS = 500
_TOOLS = {
    "bandmath",
    "clip",
    "composite",
    "coregister",
    "file_format",
    "harmonize",
    "merge",
    "reproject",
    "tile",
    "toar",
}
_CHOICES = (
    ("OrderType", "order_type", {None, "full", "partial"}),
    ("SourceType", "source_type", {None, "scenes", "basemaps"}),
)
_ITEM_LIMITS = {"SkySatCollect": 50, "TanagerScene": 50, "PelicanScene": 50}


class Refusal(Exception):
    """An answer that ends the request: status and body."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(f"{status}: {body}")
        self.status, self.body = status, body


def refuse_order(field: str, message: str) -> Refusal:
    """400, in the shape that Planet gives to a fault in one field of a create request."""
    return Refusal(400, {"field": {field: [{"message": message}]}, "general": [{"message": "Unable to accept order"}]})


def refuse_field(field: str, message: str) -> Refusal:
    """400, in the shape that the Data API gives to a fault in one field of a request."""
    return Refusal(400, {"field": {field: [{"message": message}]}, "general": []})


def refuse_generally(message: str, status: int = 400) -> Refusal:
    """400, in the shape that Planet gives to a fault that belongs to no field."""
    return Refusal(status, {"field": None, "general": [{"message": message}]})


def check_order(request: Any, settings: SimulatorSettings) -> tuple[str, ...]:
    """The items that this order will have to go without.

    Raises:
        Refusal: Planet would not take the order.
    """
    if not isinstance(request, dict):
        raise refuse_generally("The request body must be a JSON object")
    if not isinstance(request.get("name"), str) or not request["name"]:
        raise refuse_order("Name", "Name is required")
    for field, name, allowed in _CHOICES:
        if not isinstance(request.get(name), str | None) or request.get(name) not in allowed:
            raise refuse_order(field, f"Bad {name} '{request[name]}'")
    products = request.get("products")
    if not isinstance(products, list) or not products or not all(isinstance(product, dict) for product in products):
        raise refuse_order("Products", "Products are required")
    for product in products:
        _check_quads(product) if "mosaic_name" in product else _check_scenes(product)
    _check_tools(request.get("tools") or [])
    _check_delivery(request.get("delivery") or {}, products)
    _check_notifications(request.get("notifications") or {})
    return _check_items(products, settings, partial=request.get("order_type") == "partial")


def _check_scenes(product: Mapping[str, Any]) -> None:
    items, item_type, bundle = (product.get(key) for key in ("item_ids", "item_type", "product_bundle"))
    if not isinstance(items, list) or not items or not all(isinstance(i, str) and i for i in items) or not item_type:
        raise refuse_order("Products", "Item ID or Item Type empty")
    if len(items) > MAX_ITEMS:
        raise refuse_order("Products", f"Too many items: {len(items)}, the maximum is {MAX_ITEMS}")
    if not isinstance(bundle, str) or not set(map(str.strip, bundle.split(","))) & set(load_spec()["bundles"]):
        raise refuse_order("Products", f"Bad bundle type '{bundle}'")
    if not isinstance(item_type, str) or find_assets(item_type, bundle) is None:
        raise refuse_order("Products", f"Bad item type '{item_type}' for bundle type '{bundle}'")


def _check_quads(product: Mapping[str, Any]) -> None:
    quads = product.get("quad_ids", [])
    if not isinstance(quads, list) or not all(_is_id(name) for name in (product["mosaic_name"], *quads)):
        raise refuse_order("Products", "A basemap product needs a mosaic_name and quad_ids that are names")
    if "geometry" in product:
        _check_geometry("Products", product["geometry"])
    elif not quads:
        raise refuse_order("Products", "A basemap product needs quad_ids or a geometry")


def _check_tools(tools: Any) -> None:
    if not isinstance(tools, list):
        raise refuse_order("Tools", "Tools must be a list")
    for tool in tools:
        if not isinstance(tool, dict) or len(tool) != 1:
            raise refuse_order("Tools", "Each tool must be an object with exactly one key")
        ((name, parameters),) = tool.items()
        if name not in _TOOLS:
            raise refuse_order("Tools", f"Unknown tool '{name}'")
        if not isinstance(parameters, dict):
            raise refuse_order("Tools", f"The parameters of tool '{name}' must be an object")
        _check_parameters(name, parameters)


def _check_parameters(name: str, parameters: Mapping[str, Any]) -> None:
    if name == "clip" and not _is_reference(parameters.get("aoi")):
        _check_geometry("Tools", parameters.get("aoi"))
    if name == "tile" and not _is_file_name(parameters.get("name_template", "")):
        raise refuse_order("Tools", "The tile tool's name_template must be a file name")
    required = {"reproject": "projection", "tile": "tile_size", "harmonize": "target_sensor", "file_format": "format"}
    if name in required and not parameters.get(required[name]):
        raise refuse_order("Tools", f"Tool '{name}' needs '{required[name]}'")


def _check_delivery(delivery: Any, products: Iterable[Mapping[str, Any]]) -> None:
    if not isinstance(delivery, dict):
        raise refuse_order("Delivery", "Delivery must be an object")
    archive = delivery.get("archive_type")
    if archive not in (None, "", "zip"):
        raise refuse_order("Delivery", f"Bad archive type '{archive}'")
    if not _is_file_name(delivery.get("archive_filename") or ""):
        raise refuse_order("Delivery", "The archive_filename must be a file name")
    for product in products if archive else ():
        limit = _ITEM_LIMITS.get(product.get("item_type", ""), MAX_ITEMS)
        if len(product.get("item_ids", ())) > limit:
            raise refuse_order("Products", f"Too many items for zip delivery, the maximum is {limit}")


def _check_notifications(notifications: Any) -> None:
    webhook = notifications.get("webhook") if isinstance(notifications, dict) else notifications
    if webhook is not None and not (isinstance(webhook, dict) and isinstance(webhook.get("url"), str)):
        raise refuse_order("Notifications", "A webhook needs a url")


def _check_items(
    products: Iterable[Mapping[str, Any]], settings: SimulatorSettings, *, partial: bool
) -> tuple[str, ...]:
    items = [(item, product["item_type"]) for product in products for item in product.get("item_ids", ())]
    for item, item_type in items:
        if not _is_id(item) or is_like(item, settings.missing_items):
            raise refuse_order("Details", f"Item ID {item} / Item Type {item_type} doesn't exist")
    forbidden = [item for item, _ in items if is_like(item, settings.forbidden_items)]
    if forbidden and (not partial or len(forbidden) == len(items)):
        raise refuse_generally("Order request resulted in no acceptable assets. Likely due to lack of permissions.")
    left_out = (item for item, _ in items if item in forbidden or is_like(item, settings.unavailable_items))
    return tuple(dict.fromkeys(left_out))


def _check_geometry(field: str, geometry: Any) -> None:
    try:
        read_rings(geometry)
    except ValueError as error:
        raise refuse_order(field, f"Bad geometry: {error}") from error


def _is_reference(aoi: Any) -> bool:
    return isinstance(aoi, dict) and aoi.get("type") == "ref" and str(aoi.get("content", "")).startswith("pl:features/")


def _is_id(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[\w-]+", value, re.ASCII) is not None


def _is_file_name(value: Any) -> bool:
    return isinstance(value, str) and not set(value) & set("/\\\0")


def is_like(item: str, patterns: Collection[str]) -> bool:
    """Does one of these shell patterns match the item's id?"""
    return bool(patterns) and any(fnmatchcase(item, pattern) for pattern in patterns)
