"""What Planet has in its books, told by the simulator itself: no request, no fault, nothing taken from the fleet."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from planet_sdk.simulator import Simulator
from planet_sdk.simulator.delivery import open_order_file
from planet_sdk.simulator.orders import Order, OrderState
from planet_sdk.simulator.products import MANIFEST
from planet_sdk.simulator.world import World


@dataclass(frozen=True, slots=True)
class Bought:
    """An order that exists."""

    order_id: str
    name: str
    state: OrderState
    is_listed: bool
    """False: no list shows it, so that nobody who lost its id can find it."""
    is_evil: bool
    """It offers a file whose name leaves its folder."""
    digests: Mapping[str, str]
    """The SHA-256 of each file that it delivers, by path."""


def read_books(simulator: Simulator) -> list[Bought]:
    """Every order that was ever created."""
    world = simulator._world
    return simulator._call(lambda: [_describe(order, world) for order in world.book.all()])


def wake_stuck_orders(simulator: Simulator) -> None:
    """Let the orders that Planet forgot about succeed after all."""
    book = simulator._world.book
    stuck = simulator._call(lambda: [order.id for order in book.all() if order.state is OrderState.QUEUED])
    for order_id in stuck:
        simulator.finish(order_id)


def _describe(order: Order, world: World) -> Bought:
    is_delivered = order.state in {OrderState.SUCCESS, OrderState.PARTIAL}
    return Bought(
        order_id=order.id,
        name=order.name,
        state=order.state,
        is_listed=order.is_listable,
        is_evil=order.evil_name is not None,
        digests=_digests(order, world) if is_delivered else {},
    )


def _digests(order: Order, world: World) -> dict[str, str]:
    digests = {file.path: world.library.digest(file).sha256 for file in order.files if file is not MANIFEST}
    manifest = open_order_file(order, MANIFEST, world.library, world.settings).content
    return {**digests, MANIFEST.path: hashlib.sha256(manifest.read(0, manifest.size_bytes)).hexdigest()}
