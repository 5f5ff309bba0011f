"""The request itself, its products, and who is told when it is done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from planet_sdk import specs
from planet_sdk.exceptions import ClientError
from planet_sdk.order_request.deliveries import sentinel_hub

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MAX_ITEMS = 500  # items in one order: docs.planet.com, "Orders API"


def build_request(
    name: str,
    products: list[dict[str, Any]],
    subscription_id: int = 0,
    delivery: Mapping[str, Any] | None = None,
    notifications: Mapping[str, Any] | None = None,
    order_type: str | None = None,
    tools: list[dict[str, Any]] | None = None,
    stac: Mapping[str, Any] | None = None,
    hosting: str | None = None,
    collection_id: str | None = None,
    create_configuration: bool | None = False,
) -> dict[str, Any]:
    """Return the JSON that creates an order.

    Args:
        name: the order's name; need not be unique.
        products: what to order: see product().
        subscription_id: the quota subscription to use; 0 leaves the choice to Planet.
        delivery: where the files go: see delivery(). Without it, Planet offers download links.
        notifications: who is told: see notifications().
        order_type: "partial" delivers the items that are available; "full" (Planet's default) all or nothing.
        tools: applied in this order: see the functions whose names end in `_tool`.
        stac: `{"stac": {}}` asks for STAC metadata.
        hosting: "sentinel_hub", or nothing.
        collection_id: a Sentinel Hub collection.
        create_configuration: make a layer configuration for the collection.

    Raises:
        SpecificationException: Planet does not know the order type.
    """
    details: dict[str, Any] = {"name": name, "products": products}
    if order_type:
        order_type = specs.validate_order_type(order_type)
    optional = {
        "subscription_id": subscription_id,
        "delivery": delivery,
        "notifications": notifications,
        "order_type": order_type,
        "tools": tools,
        "metadata": stac,
    }
    details |= {key: value for key, value in optional.items() if value}
    if hosting == "sentinel_hub":
        details["hosting"] = sentinel_hub(collection_id, create_configuration)
    return details


def product(
    item_ids: list[str], product_bundle: str, item_type: str, fallback_bundle: str | Sequence[str] | None = None
) -> dict[str, Any]:
    """Return one product of a request: the items, and the bundle of assets that each is delivered with.

    Names are checked against the specification that is part of this package (`specs.SPEC_VERSION`), without a
    request. A bundle that Planet added since can be ordered by writing the dict by hand.

    Args:
        item_ids: 1 to 500 items, all of the same item type.
        product_bundle: the bundle, whatever its capitals.
        item_type: the item type, whatever its capitals.
        fallback_bundle: the bundle, or bundles in order, to try for items that lack an asset of the first.

    Raises:
        SpecificationException: the item type is unknown, or does not offer one of the bundles.
        ClientError: no items, or more than one order can hold.
    """
    item_type = specs.validate_item_type(item_type)
    fallbacks = [fallback_bundle] if isinstance(fallback_bundle, str) else list(fallback_bundle or [])
    bundles = [specs.validate_bundle(item_type, bundle) for bundle in [product_bundle, *fallbacks]]
    _check_item_ids(item_ids)
    return {"item_ids": item_ids, "item_type": item_type, "product_bundle": ",".join(bundles)}


def _check_item_ids(item_ids: Sequence[object]) -> None:
    if isinstance(item_ids, str):
        raise ClientError(f"item_ids is the text {item_ids!r}; pass a list of ids")
    if not all(isinstance(item_id, str) and item_id for item_id in item_ids):
        raise ClientError("item_ids has an entry that is empty or no text; every item needs its id")
    if not item_ids:
        raise ClientError("item_ids has 0 items; name at least one item to order")
    if len(item_ids) > MAX_ITEMS:
        raise ClientError(f"item_ids has {len(item_ids)} items, and one order holds {MAX_ITEMS}; split it into several")


def notifications(
    email: bool | None = None, webhook_url: str | None = None, webhook_per_order: bool | None = None
) -> dict[str, Any]:
    """Return who is told when files are ready.

    Args:
        email: whether the account's owner gets an e-mail.
        webhook_url: the address that Planet calls; may carry `user:password@`.
        webhook_per_order: one call for the whole order, not one for each file.
    """
    told: dict[str, Any] = {}
    if webhook_url:
        told["webhook"] = {"url": webhook_url}
        if webhook_per_order is not None:
            told["webhook"]["per_order"] = webhook_per_order
    if email is not None:
        told["email"] = email
    return told
