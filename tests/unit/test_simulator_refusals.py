from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planet_sdk.simulator import SimulatorSettings
from planet_sdk.simulator.products import list_files
from planet_sdk.simulator.refusals import Refusal, check_order

PRODUCT = {"item_ids": ["a", "b"], "item_type": "PSScene", "product_bundle": "visual"}
AOI = {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 0]]]}


def order(**changes: Any) -> dict[str, Any]:
    return {"name": "order", "products": [PRODUCT], **changes}


def product(**changes: Any) -> dict[str, Any]:
    return order(products=[{**PRODUCT, **changes}])


def message_of(request: Any, **options: Any) -> tuple[str | None, str]:
    """Field and message of the refusal."""
    with pytest.raises(Refusal) as refused:
        check_order(request, SimulatorSettings(**options))
    assert refused.value.status == 400
    body = refused.value.body
    if body["field"] is None:
        return None, body["general"][0]["message"]
    assert body["general"] == [{"message": "Unable to accept order"}]
    ((field, (entry,)),) = body["field"].items()
    return field, entry["message"]


@pytest.mark.parametrize(
    ("request_", "field", "message"),
    [
        (product(item_type="invalid"), "Products", "Bad item type 'invalid' for bundle type 'visual'"),
        (product(product_bundle="analytic"), "Products", "Bad item type 'PSScene' for bundle type 'analytic'"),
        (product(product_bundle="nonsense"), "Products", "Bad bundle type 'nonsense'"),
        (product(item_ids=[]), "Products", "Item ID or Item Type empty"),
        (product(item_ids=[""]), "Products", "Item ID or Item Type empty"),
        (product(item_type=""), "Products", "Item ID or Item Type empty"),
        (product(item_ids=["x"] * 501), "Products", "Too many items: 501, the maximum is 500"),
        (product(item_ids=["../x"]), "Details", "Item ID ../x / Item Type PSScene doesn't exist"),
        (order(products=[]), "Products", "Products are required"),
        (order(products="all"), "Products", "Products are required"),
        (order(name=""), "Name", "Name is required"),
        (order(name=7), "Name", "Name is required"),
        (order(order_type="half"), "OrderType", "Bad order_type 'half'"),
        (order(source_type=["scenes"]), "SourceType", "Bad source_type '['scenes']'"),
        (order(tools={"clip": {}}), "Tools", "Tools must be a list"),
        (
            order(tools=[{"clip": {"aoi": AOI}, "toar": {}}]),
            "Tools",
            "Each tool must be an object with exactly one key",
        ),
        (order(tools=[{"polish": {}}]), "Tools", "Unknown tool 'polish'"),
        (order(tools=[{"clip": None}]), "Tools", "The parameters of tool 'clip' must be an object"),
        (order(tools=[{"clip": {}}]), "Tools", "Bad geometry: the geometry must be a Polygon or a MultiPolygon"),
        (order(tools=[{"reproject": {}}]), "Tools", "Tool 'reproject' needs 'projection'"),
        (order(delivery={"archive_type": "rar"}), "Delivery", "Bad archive type 'rar'"),
        (order(delivery={"archive_filename": "../x.zip"}), "Delivery", "The archive_filename must be a file name"),
        (order(notifications={"webhook": {}}), "Notifications", "A webhook needs a url"),
        (order(notifications=["me"]), "Notifications", "A webhook needs a url"),
        (["order"], None, "The request body must be a JSON object"),
        (None, None, "The request body must be a JSON object"),
    ],
)
def test_a_bad_order_is_refused_in_planet_s_words(request_: Any, field: str | None, message: str) -> None:
    assert message_of(request_) == (field, message)


@pytest.mark.parametrize(
    "request_",
    [
        order(),
        product(product_bundle="analytic,visual"),
        product(item_ids=["x"] * 500),
        order(tools=[{"clip": {"aoi": AOI}}, {"composite": {}}]),
        order(tools=[{"clip": {"aoi": {"type": "ref", "content": "pl:features/me/fields/1"}}}]),
        order(products=[{"mosaic_name": "m", "geometry": AOI}], source_type="basemaps"),
        order(order_type="partial", notifications={"email": True, "webhook": {"url": "http://u:p@host/"}}),
        order(
            delivery={"archive_type": "zip", "single_archive": True}, hosting={"sentinel_hub": {}}, subscription_id=0
        ),
    ],
)
def test_a_good_order_passes(request_: dict[str, Any]) -> None:
    assert check_order(request_, SimulatorSettings()) == ()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
PLACES = [
    *("name", "products", "tools", "delivery", "notifications", "order_type", "source_type"),
    *(
        f"products.0.{key}"
        for key in ("item_ids", "item_type", "product_bundle", "mosaic_name", "quad_ids", "geometry")
    ),
    *("tools.0", "tools.0.clip", "tools.0.clip.aoi", "tools.0.clip.aoi.coordinates", "tools.0.clip.aoi.coordinates.0"),
    *(
        "tools.1.tile.name_template",
        "tools.1.tile",
        "tools.2.composite",
        "tools.2.composite.group_by",
        "tools.3.reproject",
    ),
    *("tools.3.reproject.projection", "delivery.archive_filename", "delivery.archive_type", "notifications.webhook"),
]


@settings(max_examples=120, deadline=None, database=None, derandomize=True)
@given(st.sampled_from(PLACES), JSON)
def test_whatever_is_sent_is_refused_or_can_be_delivered(place: str, value: Any) -> None:
    """No request is accepted that fails later, when its files are listed."""
    tools = [
        {"clip": {"aoi": AOI}},
        {"tile": {"tile_size": 1}},
        {"composite": {}},
        {"reproject": {"projection": "EPSG:1"}},
    ]
    request: Any = order(tools=tools, delivery={"archive_type": "zip"}, notifications={"webhook": {"url": "u"}})
    request = copy.deepcopy(request)
    target, *path = request, *place.split(".")
    for step in path[:-1]:
        target = target[int(step)] if isinstance(target, list) else target[step]
    target[int(path[-1]) if isinstance(target, list) else path[-1]] = value

    try:
        check_order(request, SimulatorSettings())
    except Refusal:
        return
    assert list_files(request, "order-id")[-1].path == "manifest.json"


def test_an_item_that_does_not_exist_is_named() -> None:
    message = message_of(order(), missing_items=("b*",))

    assert message == ("Details", "Item ID b / Item Type PSScene doesn't exist")


@pytest.mark.parametrize(("order_type", "items"), [("full", ("a",)), ("partial", ("a", "b"))])
def test_an_order_without_permission_is_refused(order_type: str, items: tuple[str, ...]) -> None:
    message = message_of(order(order_type=order_type), forbidden_items=items)

    assert message == (None, "Order request resulted in no acceptable assets. Likely due to lack of permissions.")


def test_a_partial_order_goes_without_what_is_forbidden_or_missing() -> None:
    world = SimulatorSettings(forbidden_items=("a",), unavailable_items=("b",))

    assert check_order(order(order_type="partial"), world) == ("a", "b")
