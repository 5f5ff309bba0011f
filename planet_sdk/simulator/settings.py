from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType
from typing import Literal

from .faults import FaultPlan

PLANET_RATE_LIMITS: Mapping[str, int] = MappingProxyType(
    {
        "create": 3,
        "list": 3,
        "get": 3,
        "cancel": 3,
        "bulk_cancel": 5,
        "stats": 5,
        "link": 5,
        "spec": 10,
        "data": 10,
        "data_activate": 5,
        "data_link": 15,
    }
)
"""Requests a second and API key that Planet allows, by kind of request, as its documentation says.

`data` is one budget for all requests to the Data API that are not named.
"""


@dataclass(frozen=True, slots=True)
class Login:
    """An account that can log in by e-mail and password, and the API key that it gets: None is the first key."""

    email: str
    password: str
    api_key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatorSettings:
    """What one simulator is like; every value has a default that behaves as Planet does, only faster.

    Item patterns are shell patterns (`"2022*"`), matched against item ids.
    """

    api_keys: tuple[str, ...] = ("simulator-key",)
    """Keys that are accepted. Each is an account of its own, whose orders no other sees."""
    logins: tuple[Login, ...] = (Login("planet@example.com", "simulator-password"),)
    seed: int = 0
    """Decides pixels and jitter: simulators with the same seed deliver the same bytes."""

    queued_s: float = 1.0
    running_s: float = 2.0
    jitter: float = 0.25
    """Each order's two times vary by up to this share, up and down."""
    list_lag_s: float = 0.0
    """An order is absent from the list for this long after it was created."""
    list_ignores: tuple[str, ...] = ()
    """Parameters of the list that this server does not know, and passes over: `("last_modified", "sort_by")`."""
    max_active_orders: int = 10_000
    page_size: int = 20
    max_page_size: int = 500
    """Orders on a page, whatever a client asks for."""

    rate_limits: Mapping[str, int] = field(default_factory=lambda: PLANET_RATE_LIMITS)
    """By kind of request, for each API key, in any one-second window. An absent kind has no limit; `{}`: none has."""
    retry_after_s: float | None = None
    """Sent as `Retry-After` with each 429 of the limits; Planet "may include" it, so by default it is absent."""

    missing_items: tuple[str, ...] = ()
    """Items that do not exist: the order is refused."""
    forbidden_items: tuple[str, ...] = ()
    """Items the account may not download: refused, or omitted from an order of type partial."""
    unavailable_items: tuple[str, ...] = ()
    """Items that lack an asset: a full order fails, an order of type partial goes without them."""

    catalogue_start: date = date(2016, 1, 1)
    """First day of the items that searches find."""
    catalogue_end: date | None = None
    """Last day of the items that searches find; None: they go on with the clock."""
    scenes_per_day: int = 5
    """Items of each type and day, all over the world, that every search looks at."""
    revisit_days: int = 3
    """A search for a place finds, beside those, a scene of it every so many days."""
    activation_s: float = 1.0
    """From the activation of an asset until it can be downloaded, varied by `jitter`."""

    scene_size_px: int = 96
    """Longer edge of the GeoTIFFs."""
    size_bytes: Mapping[str, int] = field(default_factory=dict)
    """By file name pattern: files are filled up behind their content to this size, without being held in memory."""
    manifest_lists: Literal["archive", "members"] = "members"
    """What a zipped order's manifest lists: the archive, or the files inside. No source settles which Planet does."""

    link_ttl_s: int = 86_399
    expired_link_status: int = 403
    expired_storage_status: int = 400
    storage_url: str | None = None
    """Where links redirect to. Default: this same server under its other name (localhost for 127.0.0.1 and the other
    way round), so that the redirect crosses hosts, as Planet's does."""
    body_bytes_per_s: float | None = None
    """Speed of each body; None is as fast as it goes."""

    fault_plan: FaultPlan = field(default_factory=FaultPlan)
