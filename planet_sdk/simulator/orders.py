from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from .clock import format_time
from .products import OrderFile, list_files


class OrderState(StrEnum):
    """Planet's states of an order."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCESS = "success"
    PARTIAL = "partial"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Will it stay as it is?"""
        return self not in {OrderState.QUEUED, OrderState.RUNNING}


LAST_MESSAGES: Mapping[OrderState, str] = {
    OrderState.QUEUED: "Preparing order",
    OrderState.RUNNING: "Processing order",
    OrderState.SUCCESS: "Manifest delivery completed",
    OrderState.PARTIAL: "Manifest delivery completed",
    OrderState.FAILED: "Order failed",
    OrderState.CANCELLED: "Cancel success",
}
_CLOUDS = {
    "amazon_s3",
    "azure_blob_storage",
    "destination",
    "google_cloud_storage",
    "google_earth_engine",
    "oracle_cloud_storage",
    "s3_compatible",
}
_ECHOED = ("delivery", "hosting", "metadata", "notifications", "order_type", "subscription_id")


@dataclass(slots=True, eq=False)
class Order:
    """One order as the simulator keeps it. Its state moves only through `OrderBook`."""

    id: str
    api_key: str
    base_url: str
    """Where its account reaches the simulator: the host of the links in webhooks."""
    request: Mapping[str, Any]
    created_us: int
    modified_us: int
    is_listable: bool = True
    """False: the list never shows it."""
    outcome: OrderState = OrderState.SUCCESS
    """The state it is heading for."""
    left_out: tuple[str, ...] = ()
    evil_name: str | None = None
    """A result whose name leaves the folder it should stay in."""
    state: OrderState = OrderState.QUEUED
    last_message: str = LAST_MESSAGES[OrderState.QUEUED]
    error_hints: tuple[str, ...] = ()
    running_us: int = 0
    final_us: int = 0
    moves: int = 0
    """Changes of state so far: a planned move that was made for another count is out of date."""
    manifest: bytes | None = None
    _files: tuple[OrderFile, ...] | None = field(default=None, repr=False)

    @property
    def name(self) -> str:
        """As the request names it; not unique."""
        return str(self.request.get("name", ""))

    @property
    def source_type(self) -> str:
        """scenes or basemaps; an order that does not say is one of scenes."""
        return str(self.request.get("source_type") or "scenes")

    @property
    def is_sent_away(self) -> bool:
        """Does it deliver to a bucket of the user's own?"""
        return bool(_CLOUDS & set(self.request.get("delivery") or ()))

    @property
    def files(self) -> tuple[OrderFile, ...]:
        """What it delivers in the end, the manifest last."""
        if self._files is None:
            self._files = list_files(self.request, self.id, self.left_out)
        return self._files

    def ready_files(self, now_us: int) -> tuple[OrderFile, ...]:
        """What it has delivered by now: more and more while it runs, the manifest only at the end."""
        if self.state in {OrderState.SUCCESS, OrderState.PARTIAL}:
            return self.files
        if self.state is not OrderState.RUNNING or self.outcome not in {OrderState.SUCCESS, OrderState.PARTIAL}:
            return ()
        share = (now_us - self.running_us) / max(1, self.final_us - self.running_us)
        return self.files[: int(max(0.0, min(share, 1.0)) * (len(self.files) - 1))]

    def to_json(self, orders_url: str) -> dict[str, Any]:
        """The order object as create and list show it: without results; keys in alphabetical order, as Planet's."""
        echoed = {key: self.request[key] for key in _ECHOED if key in self.request}
        order = {
            "_links": {"_self": f"{orders_url}/{self.id}"},
            "created_on": format_time(self.created_us),
            "error_hints": list(self.error_hints) if self.state.is_final else [],
            "id": self.id,
            "last_message": self.last_message,
            "last_modified": format_time(self.modified_us),
            "name": self.name,
            "products": self.request["products"],
            "source_type": self.source_type,
            "state": self.state.value,
            "tools": self.request.get("tools") or [],
        }
        return dict(sorted((order | echoed).items()))
