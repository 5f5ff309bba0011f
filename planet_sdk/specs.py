"""What Planet offers: item types, bundles, assets, tools. Read from this package, never from the network.

Names match whatever their capitals, and come back as Planet spells them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from planet_sdk.exceptions import FetchBundlesSpecError, NoMatchException, SpecificationException

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = [
    "BAND_MATH_PIXEL_TYPE",
    "BAND_MATH_PIXEL_TYPE_DEFAULT",
    "HARMONIZE_TOOL_TARGET_SENSORS",
    "PRODUCT_BUNDLES",
    "SPEC_VERSION",
    "SUPPORTED_ARCHIVE_TYPES",
    "SUPPORTED_FILE_FORMATS",
    "SUPPORTED_ORDER_TYPES",
    "SUPPORTED_TOOLS",
    "FetchBundlesSpecError",
    "NoMatchException",
    "SpecificationException",
    "get_bundle_names",
    "get_data_item_types",
    "get_item_types",
    "get_match",
    "get_product_bundles",
    "get_supported_assets",
    "validate_archive_type",
    "validate_asset_type",
    "validate_bundle",
    "validate_data_item_type",
    "validate_file_format",
    "validate_item_type",
    "validate_order_type",
    "validate_supported_bundles",
    "validate_tool",
]

SUPPORTED_TOOLS = [
    "bandmath",
    "clip",
    "composite",
    "coregister",
    "file_format",
    "reproject",
    "tile",
    "toar",
    "harmonize",
]
SUPPORTED_ORDER_TYPES = ["full", "partial"]
SUPPORTED_ARCHIVE_TYPES = ["zip"]
SUPPORTED_FILE_FORMATS = ["COG", "PL_NITF"]
HARMONIZE_TOOL_TARGET_SENSORS = ["Sentinel-2"]
BAND_MATH_PIXEL_TYPE = ("Auto", "8U", "16U", "16S", "32R")
BAND_MATH_PIXEL_TYPE_DEFAULT = "Auto"

# The shape of `GET /compute/ops/bundles/spec`: {"version", "bundles": {name: {"assets": {item_type: [asset, ...]}}}}
_SPEC: dict[str, Any] = json.loads((Path(__file__).parent / "data" / "product_bundles.json").read_text("utf-8"))
_ASSETS: dict[str, dict[str, list[str]]] = {name: bundle["assets"] for name, bundle in _SPEC["bundles"].items()}

SPEC_VERSION: str = _SPEC["version"]
PRODUCT_BUNDLES: dict[str, Any] = {
    "bundles": _SPEC["bundles"],
    "bundle_names": _SPEC["bundles"].keys(),
    "item_types": {item_type for assets in _ASSETS.values() for item_type in assets},
}


def get_match(test_entry: object, spec_entries: Collection[str], field_name: str) -> str:
    """Return the entry equal to `test_entry` but for capitals.

    Raises:
        SpecificationException: there is none.
    """
    wanted = test_entry.lower() if isinstance(test_entry, str) else None
    for entry in spec_entries:
        if entry.lower() == wanted:
            return entry
    raise SpecificationException(test_entry, spec_entries, field_name)


def get_item_types(product_bundle: str | None = None) -> set[str]:
    """Return the item types that can be ordered, or those that offer `product_bundle`."""
    if not product_bundle:
        return set(PRODUCT_BUNDLES["item_types"])
    return set(_ASSETS[get_match(product_bundle, get_bundle_names(), "product_bundle")])


def get_data_item_types() -> set[str]:
    """Return the item types that can be searched: those that can be ordered, and SkySatVideo."""
    return get_item_types() | {"SkySatVideo"}


def get_bundle_names() -> Collection[str]:
    """Return the names of all product bundles."""
    return _ASSETS.keys()


def get_product_bundles(item_type: str | None = None) -> Collection[str]:
    """Return the names of all product bundles, or of those that `item_type` offers."""
    if not item_type:
        return get_bundle_names()
    wanted = item_type.lower()
    return [name for name, assets in _ASSETS.items() if wanted in map(str.lower, assets)]


def get_supported_assets(item_type: str) -> list[str]:
    """Return the assets that the bundles of `item_type` hold.

    Raises:
        SpecificationException: the item type is unknown.
    """
    item_type = validate_item_type(item_type)
    return sorted({asset for bundle in get_product_bundles(item_type) for asset in _ASSETS[bundle][item_type]})


def validate_item_type(item_type: str) -> str:
    """Return the item type in Planet's spelling, or raise SpecificationException."""
    return get_match(item_type, sorted(get_item_types()), "item_type")


def validate_data_item_type(item_type: str) -> str:
    """Return the Data API's item type in Planet's spelling, or raise SpecificationException."""
    return get_match(item_type, sorted(get_data_item_types()), "item_type")


def validate_bundle(item_type: str, bundle: str) -> str:
    """Return the bundle in Planet's spelling, or raise SpecificationException if `item_type` does not offer it."""
    return validate_supported_bundles(item_type, bundle)


def validate_supported_bundles(item_type: str, bundle: str) -> str:
    """Return the bundle in Planet's spelling, or raise SpecificationException if `item_type` does not offer it."""
    return get_match(bundle, get_product_bundles(item_type), "bundle")


def validate_asset_type(item_type: str, asset_type: str) -> str:
    """Return the asset in Planet's spelling, or raise SpecificationException if `item_type` does not have it."""
    return get_match(asset_type, get_supported_assets(item_type), "asset_type")


def validate_order_type(order_type: str) -> str:
    """Return the order type in Planet's spelling, or raise SpecificationException."""
    return get_match(order_type, SUPPORTED_ORDER_TYPES, "order_type")


def validate_archive_type(archive_type: str) -> str:
    """Return the archive type in Planet's spelling, or raise SpecificationException."""
    return get_match(archive_type, SUPPORTED_ARCHIVE_TYPES, "archive_type")


def validate_tool(tool: str) -> str:
    """Return the tool in Planet's spelling, or raise SpecificationException."""
    return get_match(tool, SUPPORTED_TOOLS, "tool")


def validate_file_format(file_format: str) -> str:
    """Return the file format in Planet's spelling, or raise SpecificationException."""
    return get_match(file_format, SUPPORTED_FILE_FORMATS, "file_format")
