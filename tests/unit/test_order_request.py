"""The builders of order requests: those of planet 2.14, without the network and without lost zeros."""

from __future__ import annotations

import inspect
import socket
from typing import Any

import planet
import planet.specs
import pytest

import planet_sdk
from planet_sdk import exceptions, order_request, specs

POLYGON = {"type": "Polygon", "coordinates": [[[0, 0], [0, 1], [1, 1], [0, 0]]]}
HOLED = {"type": "MultiPolygon", "coordinates": [POLYGON["coordinates"]]}
FEATURE = {"type": "Feature", "properties": None, "geometry": POLYGON}
REFERENCE = "pl:features/my/fields/f1"

THEIRS = planet.order_request

SAME_BUILDERS = sorted(
    name
    for name, value in vars(THEIRS).items()
    if inspect.isfunction(value) and value.__module__ == THEIRS.__name__ and not name.startswith("_")
)

SAME_CALLS: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
    ("build_request", ("n", [{"item_ids": ["a"]}]), {}),
    ("build_request", ("", []), {}),
    ("build_request", ("n", [], 5), {"delivery": {"a": 1}, "notifications": {"email": True}, "order_type": "PARTIAL"}),
    ("build_request", ("n", []), {"tools": [], "delivery": {}, "notifications": {}, "stac": {}}),
    ("build_request", ("n", []), {"tools": [{"clip": {}}], "stac": {"stac": {}}}),
    ("build_request", ("n", []), {"hosting": "sentinel_hub"}),
    ("build_request", ("n", []), {"hosting": "sentinel_hub", "collection_id": "c", "create_configuration": True}),
    ("build_request", ("n", []), {"hosting": "elsewhere", "collection_id": "c"}),
    ("product", (["a", "b"], "ANALYTIC_udm2", "psscene"), {}),
    ("product", (["a"], "analytic_8b_sr_udm2", "PSScene", "Analytic_SR_udm2"), {}),
    ("product", (["a"], "visual", "REOrthoTile"), {"fallback_bundle": None}),
    ("notifications", (), {}),
    ("notifications", (False,), {}),
    ("notifications", (True, "https://example.org/hook"), {}),
    ("notifications", (), {"webhook_url": "https://example.org/hook", "webhook_per_order": False}),
    ("notifications", (), {"webhook_per_order": True}),
    ("delivery", (), {}),
    ("delivery", ("ZIP",), {}),
    ("delivery", ("zip", True, "x.zip"), {}),
    ("delivery", ("zip", None, ""), {}),
    ("delivery", (None, True, "x.zip"), {"cloud_config": {"amazon_s3": {"bucket": "b"}}}),
    ("amazon_s3", ("k", "s", "b", "r"), {}),
    ("amazon_s3", ("k", "s", "b", "r", "p/"), {}),
    ("amazon_s3", ("", "", "", "", ""), {}),
    ("azure_blob_storage", ("a", "c", "t"), {}),
    ("azure_blob_storage", ("a", "c", "t", "suffix", "p"), {}),
    ("google_cloud_storage", ("b", "c"), {}),
    ("google_cloud_storage", ("b", "c", "p"), {}),
    ("google_earth_engine", ("p", "c"), {}),
    ("oracle_cloud_storage", ("k", "s", "b", "r", "n"), {}),
    ("oracle_cloud_storage", ("k", "s", "b", "r", "n", "p"), {}),
    ("sentinel_hub", (), {}),
    ("sentinel_hub", ("c", False), {}),
    ("sentinel_hub", (None, True), {}),
    ("clip_tool", (POLYGON,), {}),
    ("clip_tool", (HOLED,), {}),
    ("clip_tool", (FEATURE,), {}),
    ("clip_tool", ({"type": "FeatureCollection", "features": [FEATURE]},), {}),
    ("clip_tool", (REFERENCE,), {}),
    ("clip_tool", ({"type": "ref", "content": REFERENCE},), {}),
    ("composite_tool", (), {}),
    ("composite_tool", ("strip_id",), {}),
    ("composite_tool", ("",), {}),
    ("coregister_tool", ("item",), {}),
    ("file_format_tool", ("cog",), {}),
    ("reproject_tool", ("EPSG:4326",), {}),
    ("reproject_tool", ("EPSG:4326", 0.5, "cubic"), {}),
    ("tile_tool", (256,), {}),
    ("tile_tool", (256, -180, -90, 0.1, "{tilex}", True), {}),
    ("toar_tool", (), {}),
    ("toar_tool", (5000,), {}),
    ("harmonize_tool", ("sentinel-2",), {}),
    ("band_math_tool", ("b1",), {}),
    ("band_math_tool", ("b1", "b2+1"), {"pixel_type": "16u"}),
    ("band_math_tool", tuple(f"b{n}" for n in range(1, 16)), {}),
]


@pytest.fixture
def their_spec_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """planet 2.14 fetches its specification from the network; here it gets ours."""
    monkeypatch.setattr(planet.specs.PRODUCT_BUNDLES, "cache", specs.PRODUCT_BUNDLES, raising=False)


@pytest.mark.parametrize("name", SAME_BUILDERS)
def test_every_builder_has_the_signature_of_planet_2_14(name: str) -> None:
    theirs = inspect.signature(getattr(THEIRS, name)).parameters.values()
    ours = inspect.signature(getattr(order_request, name)).parameters.values()

    assert [(p.name, p.kind, p.default) for p in ours] == [(p.name, p.kind, p.default) for p in theirs]


@pytest.mark.usefixtures("their_spec_offline")
@pytest.mark.parametrize(("name", "args", "kwargs"), SAME_CALLS)
def test_every_builder_gives_the_result_of_planet_2_14(
    name: str, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    assert getattr(order_request, name)(*args, **kwargs) == getattr(THEIRS, name)(*args, **kwargs)


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda: order_request.product(["a"], "nothing", "PSScene"), exceptions.SpecificationException),
        (lambda: order_request.product(["a"], "visual", "Nothing"), exceptions.SpecificationException),
        (lambda: order_request.build_request("n", [], order_type="some"), exceptions.SpecificationException),
        (lambda: order_request.delivery("tar"), exceptions.SpecificationException),
        (lambda: order_request.file_format_tool("png"), exceptions.SpecificationException),
        (lambda: order_request.harmonize_tool("PS2"), exceptions.ClientError),
        (lambda: order_request.composite_tool("day"), exceptions.ClientError),
        (lambda: order_request.band_math_tool("b1", pixel_type="64F"), exceptions.ClientError),
        (lambda: order_request.band_math_tool("b1", b3="b3"), exceptions.ClientError),
        (lambda: order_request.clip_tool({"type": "Point", "coordinates": [0, 0]}), exceptions.ClientError),
    ],
)
def test_a_value_that_planet_does_not_offer_is_refused(call: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        call()


def test_zeros_and_false_that_mean_something_stay_in_the_request() -> None:
    """planet 2.14 drops an origin of 0, so that a tiling system at the equator cannot be asked for explicitly."""
    assert order_request.tile_tool(256, origin_x=0, origin_y=0, conformal_x_scaling=False) == {
        "tile": {"tile_size": 256, "origin_x": 0, "origin_y": 0, "conformal_x_scaling": False}
    }


def test_building_a_request_touches_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """planet 2.14 fetches the specification in the middle of product(), and blocks the event loop with it."""

    def refuse(*_: object, **__: object) -> None:
        pytest.fail("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)

    assert order_request.product(["a"], "visual", "PSScene")["product_bundle"] == "visual"


def test_several_fallback_bundles_are_tried_in_order() -> None:
    product = order_request.product(["a"], "analytic_8b_udm2", "PSScene", ["analytic_udm2", "Visual"])

    assert product["product_bundle"] == "analytic_8b_udm2,analytic_udm2,visual"


@pytest.mark.parametrize(
    ("item_ids", "word"),
    [([], "0 items"), (["a"] * 501, "501 items"), ([""], "empty"), ([7], "no text"), ("a", "list")],
)
def test_a_product_needs_one_to_five_hundred_item_ids(item_ids: Any, word: str) -> None:
    with pytest.raises(exceptions.ClientError, match=word):
        order_request.product(item_ids, "visual", "PSScene")


def test_five_hundred_items_are_accepted() -> None:
    assert len(order_request.product(["a"] * 500, "visual", "PSScene")["item_ids"]) == 500


def test_a_misspelt_bundle_is_answered_with_the_ones_that_are_close() -> None:
    with pytest.raises(exceptions.SpecificationException, match=r"Did you mean .*'analytic_udm2'") as caught:
        order_request.product(["a"], "analitic_udm2", "PSScene")

    assert (caught.value.value, caught.value.field_name) == ("analitic_udm2", "bundle")
    assert "visual" in caught.value.supported


def test_the_public_names_are_sorted_and_there() -> None:
    for module in (planet_sdk, order_request, specs):
        assert sorted(module.__all__) == sorted(set(module.__all__))
        assert all(hasattr(module, name) for name in module.__all__)
