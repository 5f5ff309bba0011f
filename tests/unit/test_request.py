"""A request is judged whole, before anything is enqueued."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.errors import BadRequest
from jobs.request import MAX_NAME_LENGTH, canonical, check_request, cloud_target, fingerprint, redact_request
from planet_sdk import order_request

SQUARE = [[[-121.6, 45.5], [-121.5, 45.5], [-121.5, 45.6], [-121.6, 45.5]]]
WEBHOOK = "https://user:hush@hooks.example/planet/s3cret?token=abc"
AMAZON = {"bucket": "b", "aws_region": "r", "aws_access_key_id": "AKIA-hush", "aws_secret_access_key": "hush"}


def good(**changes: Any) -> dict[str, Any]:
    product = {"item_ids": ["a", "b"], "item_type": "PSScene", "product_bundle": "analytic_udm2"}
    return {"name": "field 7", "products": [product], **changes}


def product(**changes: Any) -> dict[str, Any]:
    return good(products=[{**good()["products"][0], **changes}])


def clip(geometry: Any) -> dict[str, Any]:
    return good(tools=[{"clip": {"aoi": geometry}}])


def problems_of(request: object) -> dict[str, str]:
    with pytest.raises(BadRequest) as caught:
        check_request(request)
    return {problem.field: problem.message for problem in caught.value.problems}


@pytest.mark.parametrize(
    "request_",
    [
        good(),
        good(order_type="partial", source_type="scenes", subscription_id=0),
        product(product_bundle="analytic_8b_sr_udm2,analytic_sr_udm2"),
        clip({"type": "Polygon", "coordinates": SQUARE}),
        clip({"type": "MultiPolygon", "coordinates": [SQUARE, SQUARE]}),
        clip({"type": "ref", "content": "pl:features/my/fields-1/7"}),
        good(delivery={"archive_type": "zip", "single_archive": True, "archive_filename": "{{name}}.zip"}),
        good(delivery={"amazon_s3": AMAZON}),
        good(notifications={"email": True, "webhook": {"url": WEBHOOK, "per_order": True}}),
        good(metadata={"stac": {}}),
        good(hosting={"sentinel_hub": {"collection_id": "c"}}),
        {"name": "m", "source_type": "basemaps", "products": [{"mosaic_name": "m", "quad_ids": ["1-2"]}]},
        {
            "name": "m",
            "source_type": "basemaps",
            "products": [{"mosaic_name": "m", "geometry": {"type": "Polygon", "coordinates": SQUARE}}],
            "tools": [{"merge": {}}],
        },
    ],
)
def test_what_planet_takes_passes_unchanged(request_: dict[str, Any]) -> None:
    assert check_request(request_) == request_


def test_what_the_builders_make_passes() -> None:
    tools = [
        order_request.clip_tool({"type": "Polygon", "coordinates": SQUARE}),
        order_request.reproject_tool("EPSG:4326"),
        order_request.tile_tool(512),
        order_request.toar_tool(),
        order_request.harmonize_tool("Sentinel-2"),
        order_request.composite_tool(),
        order_request.coregister_tool("a"),
        order_request.file_format_tool("COG"),
        order_request.band_math_tool("b1 + b2"),
    ]
    products = [order_request.product(["a"], "analytic_udm2", "PSScene", "visual")]
    request = order_request.build_request(
        "n",
        products,
        tools=tools,
        delivery=order_request.delivery("zip", True, cloud_config=order_request.google_cloud_storage("b", "c")),
        notifications=order_request.notifications(email=True, webhook_url=WEBHOOK),
    )
    assert check_request(request) == request


def test_names_come_back_in_planets_spelling() -> None:
    request = good(order_type="FULL", tools=[{"Clip": {"aoi": {"type": "Polygon", "coordinates": SQUARE}}}])
    request["products"][0] |= {"item_type": "psscene", "product_bundle": "Analytic_UDM2, VISUAL"}

    checked = check_request(request)

    assert checked["products"][0]["item_type"] == "PSScene"
    assert checked["products"][0]["product_bundle"] == "analytic_udm2,visual"
    assert checked["order_type"] == "full"
    assert list(checked["tools"][0]) == ["clip"]


def test_a_name_has_one_form() -> None:
    """An order is found again by its name: blanks at its ends and composed letters are left to no server."""
    assert check_request(good(name="  Bru\u0308ssel "))["name"] == "Br\u00fcssel"


def test_the_argument_is_not_changed_and_not_shared() -> None:
    request = product(item_type="psscene")
    before = copy.deepcopy(request)

    checked = check_request(request)
    checked["products"][0]["item_ids"].append("c")

    assert request == before


@pytest.mark.parametrize(
    ("request_", "field", "says"),
    [
        ([], "", "an object"),
        ("{}", "", "an object"),
        (None, "", "an object"),
        ({}, "name", "missing"),
        ({}, "products", "missing"),
        (good(name=""), "name", "empty"),
        (good(name=5), "name", "a text"),
        (good(name="x" * (MAX_NAME_LENGTH + 1)), "name", "201 characters"),
        (good(name="a\nb"), "name", "cannot be printed"),
        (good(products=[]), "products", "empty"),
        (good(products={}), "products", "a list"),
        (good(products=["PSScene"]), "products[0]", "an object"),
        (good(prodcuts=[]), "prodcuts", "'products'"),
        (good(order_type="ful"), "order_type", "'full'"),
        (good(source_type="tiles"), "source_type", "scenes"),
        (good(subscription_id="7"), "subscription_id", "whole number"),
        (product(item_ids=[]), "products[0].item_ids", "empty"),
        (product(item_ids=None), "products[0].item_ids", "missing"),
        (product(item_ids="a"), "products[0].item_ids", "a list"),
        (product(item_ids=["a", ""]), "products[0].item_ids[1]", "not empty"),
        (product(item_ids=["a", 5]), "products[0].item_ids[1]", "a text"),
        (product(item_ids=["a", "b", "a"]), "products[0].item_ids", "'a' more than once"),
        (
            product(item_ids=[str(n) for n in range(501)]) | {"tools": [{"composite": {}}]},
            "tools[0]",
            "501 items, and one order holds 500; it cannot be split for you, since composite makes one image",
        ),
        (product(item_ids=[str(n) for n in range(50_001)]), "products[0].item_ids", "more than 100 orders"),
        (product(item_type="PSSceen"), "products[0].item_type", "'PSScene'"),
        (product(item_type=None), "products[0].item_type", "'PSScene'"),
        (product(product_bundle="analytic"), "products[0].product_bundle", "PSScene has no bundle 'analytic'"),
        (product(product_bundle="analytic_umd2"), "products[0].product_bundle", "'analytic_udm2'"),
        (product(product_bundle="visual,,"), "products[0].product_bundle", "a text"),
        (product(bundle="visual"), "products[0].bundle", "'product_bundle'"),
        (good(products=[{"mosaic_name": "m"}]), "source_type", "basemaps"),
        (good(tools={"clip": {}}), "tools", "a list"),
        (good(tools=[{"clip": {}, "toar": {}}]), "tools[0]", "exactly one key"),
        (good(tools=[{"clipp": {}}]), "tools[0]", "'clip'"),
        (good(tools=[{"clip": {}}]), "tools[0].clip.aoi", "missing"),
        (good(tools=[{"clip": None}]), "tools[0].clip", "an object"),
        (good(tools=[{"reproject": {}}]), "tools[0].reproject.projection", "needs it"),
        (good(tools=[{"tile": {"tile_size": 0}}]), "tools[0].tile.tile_size", "above 0"),
        (clip({"type": "Point", "coordinates": [1, 2]}), "tools[0].clip.aoi.type", "Polygon"),
        (clip({"type": "Feature", "geometry": None}), "tools[0].clip.aoi", "the geometry in it"),
        (clip({"type": "Polygon"}), "tools[0].clip.aoi.coordinates", "rings"),
        (clip({"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [0, 0]]]}), "tools[0].clip.aoi.coordinates", "4 or"),
        (
            clip({"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 1]]]}),
            "tools[0].clip.aoi.coordinates",
            "ends where it starts",
        ),
        (
            clip({"type": "Polygon", "coordinates": [[[0, 0], [181, 0], [1, 1], [0, 0]]]}),
            "tools[0].clip.aoi.coordinates[0][1]",
            "no longitude and latitude",
        ),
        (
            clip({"type": "MultiPolygon", "coordinates": [[[[0, 0], [0, 0], [0, 0], [0, 0]]]]}),
            "tools[0].clip.aoi.coordinates[0][0]",
            "encloses nothing",
        ),
        (
            clip({"type": "Polygon", "coordinates": [[[0, 0], [1, float("nan")], [1, 1], [0, 0]]]}),
            "tools[0].clip.aoi.coordinates[0][1][1]",
            "not a number",
        ),
        (clip({"type": "ref", "content": "fields"}), "tools[0].clip.aoi.content", "pl:features"),
        (good(delivery=[]), "delivery", "an object"),
        (good(delivery={"archive_type": "tar"}), "delivery.archive_type", "zip"),
        (good(delivery={"s3": {}}), "delivery.s3", "no such field"),
        (good(delivery={"amazon_s3": {}}), "delivery.amazon_s3.bucket", "missing"),
        (good(delivery={"amazon_s3": AMAZON, "destination": {"ref": "r"}}), "delivery", "one place"),
        (good(notifications={"webhook_url": WEBHOOK}), "notifications.webhook_url", "'webhook'"),
        (good(notifications={"webhook": {"url": "hooks"}}), "notifications.webhook.url", "https://"),
        (good(hosting={"a": 1}, metadata={"stac": {}}), "hosting", "STAC"),
        (good(metadata=5), "metadata", "an object"),
        (good(name={1, 2}), "", "JSON"),
        (good(name="\ud800"), "name", "surrogate"),
        (good(metadata={"x": "y" * 6_000_000}), "", "bytes"),
    ],
)
def test_each_mistake_names_its_field_and_what_to_do(request_: object, field: str, says: str) -> None:
    problems = problems_of(request_)
    assert field in problems, problems
    assert says in problems[field]


def test_a_request_that_is_nested_without_end_is_refused() -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    assert "deep" in problems_of(good(metadata=deep))[""]
    assert "deep" in problems_of(json.loads("[" * 60 + "]" * 60))[""]


def test_a_request_that_contains_itself_is_refused() -> None:
    loop: dict[str, Any] = good()
    loop["metadata"] = loop
    assert "JSON" in problems_of(loop)[""]


def test_all_problems_are_told_at_once() -> None:
    problems = problems_of(good(name="", products=[{"item_ids": [], "item_type": "X", "product_bundle": "y"}]))
    assert set(problems) == {"name", "products[0].item_ids", "products[0].item_type"}


def test_a_flood_of_problems_is_cut_short() -> None:
    with pytest.raises(BadRequest) as caught:
        check_request(good(products=[{}] * 10_000))
    assert len(caught.value.problems) < 50


def test_items_are_counted_over_all_products() -> None:
    many = {**good()["products"][0], "item_ids": [str(n) for n in range(300)]}
    whole = good(products=[many, {**many, "product_bundle": "visual"}], tools=[{"composite": {}}])
    assert "600 items" in problems_of(whole)["tools[0]"]


def test_a_zipped_order_of_skysat_collects_holds_fewer_items() -> None:
    request = product(
        item_type="SkySatCollect", product_bundle="pansharpened_udm2", item_ids=[str(n) for n in range(51)]
    )
    assert check_request(request)
    zipped = {**request, "delivery": {"archive_type": "zip"}, "tools": [{"composite": {}}]}
    assert "51 items, and a zipped order of SkySatCollect holds 50" in problems_of(zipped)["tools[0]"]


def test_what_this_version_does_not_know_passes_on_demand() -> None:
    request = product(item_type="NewScene", product_bundle="new_bundle") | {"new_field": 1, "tools": [{"sharpen": {}}]}
    assert set(problems_of(request)) == {"new_field", "products[0].item_type", "tools[0]"}
    assert "--allow-unknown" in problems_of(request)["tools[0]"]
    assert check_request(request, allow_unknown=True) == request


def test_no_message_repeats_a_secret() -> None:
    broken = {**AMAZON, "bucket": ""}
    with pytest.raises(BadRequest) as caught:
        check_request(good(delivery={"amazon_s3": broken}, notifications={"webhook": {"url": f"x{WEBHOOK}"}}))
    assert "hush" not in str(caught.value)


def test_for_display_secrets_are_hidden() -> None:
    request = good(
        delivery={"amazon_s3": AMAZON, "google_cloud_storage": {"bucket": "b", "credentials": "hush"}},
        notifications={"webhook": {"url": WEBHOOK}},
    )

    shown = redact_request(request)

    assert "hush" not in json.dumps(shown)
    assert "s3cret" not in json.dumps(shown)
    assert shown["delivery"]["amazon_s3"]["bucket"] == "b"
    assert shown["notifications"]["webhook"]["url"] == "https://hooks.example/(hidden)"
    assert shown["products"] == request["products"]
    assert request["delivery"]["amazon_s3"]["aws_secret_access_key"] == "hush"


def test_a_fingerprint_knows_the_request_and_not_the_order_of_its_keys() -> None:
    request = good()
    assert fingerprint(canonical(request)) == fingerprint(canonical(dict(reversed(request.items()))))
    assert fingerprint(canonical(request)) != fingerprint(canonical(good(name="field 8")))


def test_where_planet_delivers_is_told_without_secrets() -> None:
    assert cloud_target(good()) is None
    assert cloud_target(good(delivery={"archive_type": "zip"})) is None
    assert cloud_target(good(delivery={"amazon_s3": AMAZON})) == "amazon_s3 bucket b"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=[])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=15,
)
KEYS = st.sampled_from(
    ["name", "products", "tools", "delivery", "notifications", "metadata", "hosting", "source_type", "order_type"]
)
PRODUCTS = st.lists(
    st.dictionaries(
        st.sampled_from(["item_ids", "item_type", "product_bundle", "mosaic_name", "geometry", "quad_ids"]), JSON
    ),
    max_size=3,
)
TOOLS = st.lists(st.dictionaries(st.sampled_from(["clip", "tile", "reproject", "x"]), JSON, max_size=2), max_size=3)
AREAS = st.fixed_dictionaries({"type": st.sampled_from(["Polygon", "MultiPolygon", "ref"]), "coordinates": JSON})


@settings(deadline=None, max_examples=60)
@given(JSON | st.dictionaries(KEYS, JSON | PRODUCTS | TOOLS) | AREAS.map(clip))
def test_whatever_is_no_request_is_a_bad_request_and_nothing_else(value: Any) -> None:
    """No input makes the check fail in another way; what passes can be checked again and stays as it is."""
    for allow_unknown in (False, True):
        try:
            checked = check_request(value, allow_unknown=allow_unknown)
        except BadRequest as error:
            str(error).encode()  # it can be shown
        else:
            assert check_request(checked, allow_unknown=allow_unknown) == checked
            fingerprint(canonical(checked))
            redact_request(checked)
