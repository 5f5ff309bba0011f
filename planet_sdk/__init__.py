"""An async SDK for Planet's Orders and Data APIs, with the public API of `planet` 2.14.

    async with Session() as session:
        orders = session.client("orders")
        order = await orders.create_order(request)
        await orders.wait(order["id"])
        await orders.download_order(order["id"])

Importing it does no I/O. One Session serves a whole process: it keeps the rate limits of its API key.
"""

from __future__ import annotations

from planet_sdk import data_filter, exceptions, order_request, reporting
from planet_sdk._version import __version__
from planet_sdk.auth import Auth
from planet_sdk.clients import DataClient, OrdersClient
from planet_sdk.io import collect
from planet_sdk.session import Session

__all__ = [
    "Auth",
    "DataClient",
    "OrdersClient",
    "Session",
    "__version__",
    "collect",
    "data_filter",
    "exceptions",
    "order_request",
    "reporting",
]
