"""Builders of the JSON that creates an order: pure functions, dict out, checked against Planet's specification.

None of them touches the network. What `planet` 2.14 drops because it is falsy (`origin_x=0`) is kept here, wherever
the value means something.
"""

from __future__ import annotations

from planet_sdk.order_request.deliveries import (
    amazon_s3,
    azure_blob_storage,
    delivery,
    google_cloud_storage,
    google_earth_engine,
    oracle_cloud_storage,
    sentinel_hub,
)
from planet_sdk.order_request.requests import MAX_ITEMS, build_request, notifications, product
from planet_sdk.order_request.tools import (
    band_math_tool,
    clip_tool,
    composite_tool,
    coregister_tool,
    file_format_tool,
    harmonize_tool,
    reproject_tool,
    tile_tool,
    toar_tool,
)

__all__ = [
    "MAX_ITEMS",
    "amazon_s3",
    "azure_blob_storage",
    "band_math_tool",
    "build_request",
    "clip_tool",
    "composite_tool",
    "coregister_tool",
    "delivery",
    "file_format_tool",
    "google_cloud_storage",
    "google_earth_engine",
    "harmonize_tool",
    "notifications",
    "oracle_cloud_storage",
    "product",
    "reproject_tool",
    "sentinel_hub",
    "tile_tool",
    "toar_tool",
]
