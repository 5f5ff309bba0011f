"""Assets of items: activated for an account, ready after a while, and stored where the links lead."""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from .catalogue import Catalogue
from .clock import MICROSECONDS, Clock
from .faults import FaultKind
from .items import Item
from .products import OrderFile, name_asset_file
from .settings import SimulatorSettings

ASSETS = "assets"
"""The folder, beside those of orders, of the files behind assets."""


class AssetStatus(StrEnum):
    """Planet's states of an asset."""

    INACTIVE = "inactive"
    ACTIVATING = "activating"
    ACTIVE = "active"


@dataclass(frozen=True, slots=True)
class Asset:
    """One asset of one item."""

    item: Item
    type: str

    @property
    def token(self) -> str:
        """What its own link calls it."""
        text = json.dumps({"i": self.item.id, "c": self.item.item_type, "t": self.type, "ct": "item-type"})
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    @property
    def file(self) -> OrderFile:
        """What is downloaded: the same bytes as an order delivers without tools."""
        return name_asset_file(self.item.item_type, self.item.id, self.type)

    @property
    def key(self) -> str:
        """Where the storage keeps it."""
        return f"{ASSETS}/{self.item.item_type}/{self.item.id}/{self.type}/{self.file.name}"

    @property
    def subjects(self) -> tuple[str, ...]:
        """What a fault may call it."""
        return f"{self.item.id}/{self.type}", self.item.id, self.type, self.file.name


class AssetShelf:
    """Finds assets, and knows which are active; activations are an account's own."""

    def __init__(self, settings: SimulatorSettings, catalogue: Catalogue, clock: Clock) -> None:
        self._settings, self._catalogue, self._clock = settings, catalogue, clock
        self._ready_us: dict[tuple[str, Asset], float] = {}
        self._stale: set[str] = set()

    def find(self, item_type: str, item_id: str, asset_type: str) -> Asset | None:
        """The asset, if the item exists and has it."""
        item = self._catalogue.get(item_type, item_id)
        return Asset(item, asset_type) if item is not None and asset_type in item.assets else None

    def find_by_token(self, token: str) -> Asset | None:
        """The asset that a link means."""
        try:
            names = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
            item_type, item_id, asset_type = names["c"], names["i"], names["t"]
        except (ValueError, KeyError, TypeError, binascii.Error):
            return None
        if not all(isinstance(name, str) for name in (item_type, item_id, asset_type)):
            return None
        return self.find(item_type, item_id, asset_type)

    def find_by_key(self, key: str) -> Asset | None:
        """The asset that the storage keeps at `key`."""
        folder, *names = key.split("/")
        asset = self.find(*names[:3]) if folder == ASSETS and len(names) == 4 else None  # noqa: PLR2004 — as Asset.key
        return asset if asset is not None and asset.key == key else None

    def status(self, api_key: str, asset: Asset) -> AssetStatus:
        """Can this account download the asset by now?"""
        ready_us = self._ready_us.get((api_key, asset))
        if ready_us is None:
            return AssetStatus.INACTIVE
        return AssetStatus.ACTIVE if ready_us <= self._clock.now_us() else AssetStatus.ACTIVATING

    def activate(self, api_key: str, asset: Asset, faults: Collection[FaultKind] = ()) -> None:
        """Let an inactive asset become active after a while; one that is not inactive stays as it is."""
        jitter = self._settings.jitter * (2 * asset.item.chance(13) - 1)
        after_us = (
            math.inf
            if FaultKind.ASSET_STUCK in faults
            else int(self._settings.activation_s * (1 + jitter) * MICROSECONDS)
        )
        self._ready_us.setdefault((api_key, asset), self._clock.now_us() + after_us)
        self._stale.discard(asset.key)
        if FaultKind.ASSET_STALE in faults:
            self._stale.add(asset.key)

    def is_stale(self, key: str) -> bool:
        """Does storage refuse the links to this object until its asset is activated once more?"""
        return key in self._stale

    def find_active(self, name: str) -> Asset | None:
        """The asset activated last whose file has this name."""
        now_us = self._clock.now_us()
        ready = (asset for (_, asset), ready_us in reversed(self._ready_us.items()) if ready_us <= now_us)
        return next((asset for asset in ready if name in {asset.file.name, asset.file.path}), None)


def describe_asset(asset: Asset, status: AssetStatus, data_url: str) -> dict[str, Any]:
    """The asset as look-ups show it, still without what only an active one has."""
    own_url = f"{data_url}/assets/{asset.token}"
    return {
        "_links": {
            "_self": own_url,
            "activate": f"{own_url}/activate",
            "type": f"{data_url}/asset-types/{asset.type}",
        },
        "_permissions": ["download"] if asset.item.is_permitted else [],
        "md5_digest": None,
        "status": status.value,
        "type": asset.type,
    }
