from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any, cast


@cache
def load_spec() -> dict[str, Any]:
    """What the Orders API publishes: `{"version", "bundles": {name: {"assets": {item_type: [asset]}}}}`."""
    text = files("planet_sdk").joinpath("data", "product_bundles.json").read_text(encoding="utf-8")
    return cast("dict[str, Any]", json.loads(text))


def find_assets(item_type: str, product_bundle: str) -> tuple[str, list[str]] | None:
    """The first of the comma-separated bundles that this item type offers, with its assets; None when none is."""
    bundles = load_spec()["bundles"]
    for name in product_bundle.split(","):
        assets = bundles.get(name.strip(), {}).get("assets", {}).get(item_type)
        if assets is not None:
            return name.strip(), assets
    return None
