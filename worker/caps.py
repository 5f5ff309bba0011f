"""The caps that the settings name."""

from __future__ import annotations

from arq.connections import ArqRedis

from jobs.caps import Allowance, Caps
from worker.settings import Settings

__all__ = ["caps_of"]


def caps_of(settings: Settings, redis: ArqRedis) -> Caps | None:
    """What a day may order, or None where there is no cap at all."""
    fleet = Allowance(settings.cap_orders, settings.cap_items, settings.cap_hectares)
    producer = Allowance(
        settings.cap_orders_per_producer, settings.cap_items_per_producer, settings.cap_hectares_per_producer
    )
    return Caps(redis, fleet, producer) if (fleet, producer) != (Allowance(), Allowance()) else None
