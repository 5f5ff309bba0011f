"""What is ordered: scenes by item and bundle, or basemaps by mosaic."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from functools import lru_cache
from typing import Any

from jobs.errors import Problem
from jobs.request.area import check_area
from jobs.request.split import check_count
from jobs.request.wording import UNKNOWN_IS_ALLOWED, kind_of, listed, shown, spelled, suggestion, unknown_keys
from planet_sdk import specs

_ITEM_TYPES = tuple(sorted(specs.get_item_types()))
_SCENE_KEYS = ("item_ids", "item_type", "product_bundle")
_BASEMAP_KEYS = ("mosaic_name", "geometry", "quad_ids")


def check_products(request: dict[str, Any], *, allow_unknown: bool) -> Iterator[Problem]:
    """Check the products; item types and bundles are written in Planet's spelling."""
    products = request.get("products")
    if products is None:
        yield Problem("products", "it is missing; name at least one product to order")
        return
    if not isinstance(products, list):
        yield Problem("products", f"it is a list of products, not {kind_of(products)}")
        return
    if not products:
        yield Problem("products", "it is empty; name at least one product to order")
    basemaps = str(request.get("source_type")).lower() == "basemaps"
    for index, product in enumerate(products):
        path = f"products[{index}]"
        if not isinstance(product, dict):
            yield Problem(path, f"a product is an object, not {kind_of(product)}")
            continue
        if not allow_unknown:
            yield from unknown_keys(product, _BASEMAP_KEYS if basemaps else (*_SCENE_KEYS, *_BASEMAP_KEYS), path)
        if basemaps:
            yield from _check_basemap(product, path)
        elif "mosaic_name" in product:
            yield Problem("source_type", f'{path} is a basemap; write "source_type": "basemaps"')
        else:
            yield from _check_scenes(product, path, allow_unknown=allow_unknown)
    yield from check_count(request, products)


def _check_scenes(product: dict[str, Any], path: str, *, allow_unknown: bool) -> Iterator[Problem]:
    yield from _check_ids(product, "item_ids", path, "item")
    item_type = product.get("item_type")
    if not isinstance(item_type, str) or not item_type.strip():
        yield Problem(f"{path}.item_type", f"it is a text such as 'PSScene', not {shown(item_type)}")
        return
    spelling = spelled(item_type, _ITEM_TYPES)
    if spelling is None and not allow_unknown:
        near = suggestion(item_type, _ITEM_TYPES)
        yield Problem(f"{path}.item_type", f"{shown(item_type)} is unknown; {near} {UNKNOWN_IS_ALLOWED}")
        return
    product["item_type"] = spelling or item_type.strip()
    yield from _check_bundles(product, f"{path}.product_bundle", allow_unknown=allow_unknown)


def _check_bundles(product: dict[str, Any], path: str, *, allow_unknown: bool) -> Iterator[Problem]:
    """A list with commas names bundles to fall back to, from left to right."""
    written = product.get("product_bundle")
    if not isinstance(written, str) or not all(name.strip() for name in written.split(",")):
        what = f"it is a text such as 'analytic_udm2', or several with commas, not {shown(written)}"
        yield Problem(path, what)
        return
    names = [name.strip() for name in written.split(",")]
    offered = _bundles_of(product["item_type"])
    spellings = [spelled(name, offered) for name in names]
    for name, spelling in zip(names, spellings, strict=True):
        if spelling is None and not allow_unknown:
            yield Problem(path, _wrong_bundle(name, product["item_type"], offered))
    product["product_bundle"] = ",".join(spelling or name for name, spelling in zip(names, spellings, strict=True))


@lru_cache(maxsize=128)
def _bundles_of(item_type: str) -> tuple[str, ...]:
    return tuple(specs.get_product_bundles(item_type))


def _wrong_bundle(name: str, item_type: str, offered: Collection[str]) -> str:
    if spelled(name, specs.get_bundle_names()):
        return f"{item_type} has no bundle {shown(name)}; it has {', '.join(offered)}"
    return f"{shown(name)} is unknown; for {item_type} {suggestion(name, offered)} {UNKNOWN_IS_ALLOWED}"


def _check_basemap(product: dict[str, Any], path: str) -> Iterator[Problem]:
    mosaic = product.get("mosaic_name")
    if not isinstance(mosaic, str) or not mosaic.strip():
        yield Problem(f"{path}.mosaic_name", f"it is the name of a mosaic, not {shown(mosaic)}")
    if ("geometry" in product) == ("quad_ids" in product):
        yield Problem(path, "a basemap is ordered either by geometry or by quad_ids; give one of the two")
    elif "geometry" in product:
        yield from check_area(product["geometry"], f"{path}.geometry")
    else:
        yield from _check_ids(product, "quad_ids", path, "quad")


def _check_ids(product: dict[str, Any], key: str, path: str, what: str) -> Iterator[Problem]:
    ids = product.get(key)
    path = f"{path}.{key}"
    if not isinstance(ids, list):
        yield Problem(path, f"it is a list of {what} ids, not {'missing' if ids is None else kind_of(ids)}")
        return
    if not ids:
        yield Problem(path, f"it is empty; name at least one {what} to order")
    odd = [index for index, value in enumerate(ids) if not isinstance(value, str) or not value.strip()]
    for index in odd[:3]:
        yield Problem(f"{path}[{index}]", f"an {what} id is a text that is not empty, not {shown(ids[index])}")
    if odd[3:]:
        yield Problem(path, f"{len(odd)} of its entries are no {what} ids")
    if len(set(map(str, ids))) == len(ids):
        return
    twice = [value for value, count in Counter(value for value in ids if isinstance(value, str)).items() if count > 1]
    if twice:
        yield Problem(path, f"it names {listed(twice)} more than once; name each {what} once")
