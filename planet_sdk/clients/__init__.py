"""One client for each of Planet's services."""

from __future__ import annotations

from planet_sdk.clients.data import DataClient
from planet_sdk.clients.orders import OrdersClient, OrderStates

__all__ = ["DataClient", "OrderStates", "OrdersClient"]
