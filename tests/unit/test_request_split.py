"""Requests with more items than one order holds, as several."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs import BadRequest
from jobs.request import check_request, split_request
from tests.stage_rig import OREGON

ITEMS = [f"item-{number}" for number in range(2_000)]


def order(*counts: int, item_type: str = "PSScene", **more: Any) -> dict[str, Any]:
    """A request of several products with so many items each."""
    products, before = [], 0
    for count in counts:
        items = ITEMS[before : before + count]
        products.append({"item_ids": items, "item_type": item_type, "product_bundle": "analytic_udm2"})
        before += count
    return {"name": "field 7", "products": products, **more}


def sizes(requests: list[dict[str, Any]]) -> list[int]:
    return [sum(len(product["item_ids"]) for product in request["products"]) for request in requests]


def test_what_one_order_holds_stays_as_it_is() -> None:
    assert split_request(order(500)) == [order(500)]


def test_what_is_more_becomes_as_few_orders_as_can_be_of_about_one_size() -> None:
    parts = split_request(order(501))

    assert sizes(parts) == [250, 251]
    assert [part["name"] for part in parts] == ["field 7 (1 of 2)", "field 7 (2 of 2)"]


def test_all_else_of_the_request_is_in_each_part() -> None:
    tools = [{"clip": {"aoi": OREGON}}]
    parts = split_request(order(1_200, tools=tools, order_type="partial"))

    assert {(part["order_type"], str(part["tools"])) for part in parts} == {("partial", str(tools))}
    assert {part["products"][0]["product_bundle"] for part in parts} == {"analytic_udm2"}


@given(st.lists(st.integers(1, 600), min_size=1, max_size=3))
def test_every_item_is_in_one_part_and_no_part_is_too_large(counts: list[int]) -> None:
    whole = order(*counts)
    parts = split_request(whole)

    split = [item for part in parts for product in part["products"] for item in product["item_ids"]]
    assert split == [item for product in whole["products"] for item in product["item_ids"]]
    assert max(sizes(parts)) <= 500
    assert len(parts) == -(-sum(counts) // 500)


def test_a_zipped_order_of_some_item_types_holds_fewer() -> None:
    zipped = order(51, item_type="SkySatCollect", delivery={"archive_type": "zip"})
    assert sizes(split_request(check_request(zipped))) == [25, 26]


def test_a_long_name_gives_way_to_the_number_of_the_part() -> None:
    names = [part["name"] for part in split_request({**order(501), "name": "x" * 200})]
    assert {len(name) for name in names} == {200}
    assert len(set(names)) == 2


@pytest.mark.parametrize("tool", [{"composite": {}}, {"coregister": {"anchor_item": "item-1"}}, {"merge": {}}])
def test_tools_that_combine_items_are_not_split_behind_ones_back(tool: dict[str, Any]) -> None:
    (name,) = tool
    with pytest.raises(BadRequest, match=f"{name}.*split it yourself"):
        check_request(order(501, tools=[tool]))
    assert check_request(order(500, tools=[tool]))


def test_an_area_that_would_be_repeated_too_often_is_refused() -> None:
    ring = [[0.0, 0.0], *([number / 1e6, 1.0] for number in range(20_000)), [1.0, 0.0], [0.0, 0.0]]
    area = {"type": "Polygon", "coordinates": [ring]}
    with pytest.raises(BadRequest, match="too many corners"):
        check_request(order(tools=[{"clip": {"aoi": area}}]) | {"products": _many(50_000)})


def _many(count: int) -> list[dict[str, Any]]:
    items = [str(number) for number in range(count)]
    return [{"item_ids": items, "item_type": "PSScene", "product_bundle": "analytic_udm2"}]
