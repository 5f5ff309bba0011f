"""An asset's way over real HTTP: from inactive to the bytes that an order delivers too."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from planet_sdk.simulator import Fault, FaultKind, Simulator, SimulatorSettings
from tests.waiting import wait_until

ITEM = "20220304_093300_37_2430"
SETTINGS = SimulatorSettings(
    api_keys=("mine", "theirs"),
    queued_s=0,
    running_s=0,
    activation_s=60,
    jitter=0,
    rate_limits={},
    scene_size_px=16,
    link_ttl_s=100,
    forbidden_items=("20200101*",),
    unavailable_items=("20210101*",),
)


@pytest.fixture
def data(simulator: Simulator) -> Iterator[httpx.Client]:
    with httpx.Client(auth=("mine", ""), base_url=f"{simulator.url}/data/v1", follow_redirects=True) as client:
        yield client


def get_asset(data: httpx.Client, asset_type: str = "ortho_visual", item: str = ITEM) -> dict[str, Any]:
    asset: dict[str, Any] = data.get(f"item-types/PSScene/items/{item}/assets").json()[asset_type]
    return asset


def activate(simulator: Simulator, data: httpx.Client, asset_type: str = "ortho_visual") -> dict[str, Any]:
    """The asset after its activation."""
    asset = get_asset(data, asset_type)
    assert data.get(asset["_links"]["activate"]).status_code == 202
    simulator.advance(60)
    return get_asset(data, asset_type)


def test_an_asset_that_nobody_activated_is_inactive(simulator: Simulator, data: httpx.Client) -> None:
    asset = get_asset(data)

    assert asset == data.get(asset["_links"]["_self"]).json()
    assert asset == {
        "_links": {
            "_self": asset["_links"]["_self"],
            "activate": asset["_links"]["_self"] + "/activate",
            "type": f"{simulator.url}/data/v1/asset-types/ortho_visual",
        },
        "_permissions": ["download"],
        "md5_digest": None,
        "status": "inactive",
        "type": "ortho_visual",
    }


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_activation_takes_its_time(simulator: Simulator, data: httpx.Client, method: str) -> None:
    """Asked for twice it takes no longer, and once active it is so at once."""
    asset, statuses = get_asset(data), []
    for seconds in (30, 29, 1):
        statuses.append(data.request(method, asset["_links"]["activate"]).status_code)
        statuses.append(data.get(asset["_links"]["_self"]).json()["status"])
        simulator.advance(seconds)
    statuses.append(data.request(method, asset["_links"]["activate"]).status_code)
    statuses.append(data.get(asset["_links"]["_self"]).json()["status"])

    assert statuses == [202, "activating", 202, "activating", 202, "activating", 204, "active"]


def test_an_active_asset_is_downloaded_and_checked(simulator: Simulator, data: httpx.Client) -> None:
    asset = activate(simulator, data)

    reply = data.get(asset["location"])

    assert reply.headers["content-disposition"] == f'attachment; filename="{ITEM}_3B_Visual.tif"'
    assert hashlib.md5(reply.content).hexdigest() == asset["md5_digest"]
    assert [step.status_code for step in reply.history] == [302]
    assert asset["location"].startswith(f"{simulator.url}/data/v1/download?token=")


def test_the_link_alone_is_enough_and_ranges_can_be_asked_for(simulator: Simulator, data: httpx.Client) -> None:
    asset = activate(simulator, data)
    whole = data.get(asset["location"]).content

    reply = httpx.get(asset["location"], headers={"Range": "bytes=100-"}, follow_redirects=True)

    assert (reply.status_code, reply.content) == (206, whole[100:])
    assert simulator.ranges_asked(f"{ITEM}_3B_Visual.tif") == ["bytes=100-"]


def test_an_order_delivers_the_same_bytes(simulator: Simulator, data: httpx.Client) -> None:
    """The same item has the same footprint and pixels, whichever way it comes."""
    downloaded = data.get(activate(simulator, data, "ortho_udm2")["location"]).content
    product = {"item_ids": [ITEM], "item_type": "PSScene", "product_bundle": "analytic_udm2"}
    orders = f"{simulator.url}/compute/ops/orders/v2"
    order = data.post(orders, json={"name": "order", "products": [product]}).json()
    wait_until("the order is done", lambda: data.get(f"{orders}/{order['id']}").json()["state"] == "success")

    results = data.get(f"{orders}/{order['id']}").json()["_links"]["results"]
    (link,) = [result["location"] for result in results if result["name"].endswith("udm2.tif")]

    assert data.get(link).content == downloaded


def test_an_order_s_metadata_is_the_item_that_searches_show(simulator: Simulator, data: httpx.Client) -> None:
    product = {"item_ids": [ITEM], "item_type": "PSScene", "product_bundle": "visual"}
    data.post(f"{simulator.url}/compute/ops/orders/v2", json={"name": "order", "products": [product]})
    wait_until("the order is done", lambda: simulator.report().orders_by_state == {"success": 1})

    delivered = json.loads(simulator.read(f"{ITEM}_metadata.json"))
    shown = data.get(f"item-types/PSScene/items/{ITEM}").json()

    assert delivered.items() <= shown.items()


def test_a_link_ends_and_the_asset_gives_a_new_one(simulator: Simulator, data: httpx.Client) -> None:
    asset = activate(simulator, data)
    simulator.advance(100)

    assert data.get(asset["location"]).status_code == 403
    assert data.get(get_asset(data)["location"]).status_code == 200


def test_an_asset_is_active_only_for_the_account_that_activated_it(simulator: Simulator, data: httpx.Client) -> None:
    activate(simulator, data)

    theirs = httpx.get(f"{simulator.url}/data/v1/item-types/PSScene/items/{ITEM}/assets", auth=("theirs", "")).json()

    assert theirs["ortho_visual"]["status"] == "inactive"


def test_without_permission_nothing_is_activated(data: httpx.Client) -> None:
    asset = get_asset(data, item="20200101_093300_37_2430")

    assert asset["_permissions"] == []
    assert data.get(asset["_links"]["activate"]).status_code == 401
    assert data.get("item-types/PSScene/items/20200101_093300_37_2430").json()["_permissions"] == []
    assert get_asset(data, item="20200101_093300_37_2430")["status"] == "inactive"


def test_an_unavailable_item_lacks_its_surface_reflectance(data: httpx.Client) -> None:
    item = data.get("item-types/PSScene/items/20210101_093300_37_2430").json()

    assert "ortho_analytic_8b" in item["assets"]
    assert "ortho_analytic_8b_sr" not in item["assets"]


def test_faults_of_storage_strike_assets(simulator: Simulator, data: httpx.Client) -> None:
    """By file name, as for orders; and by asset type."""
    asset = activate(simulator, data)
    simulator.corrupt_body("*_Visual.tif")
    simulator.expire_link("ortho_visual", endpoint="data_link")

    assert data.get(asset["location"]).status_code == 403
    assert hashlib.md5(data.get(asset["location"]).content).hexdigest() != asset["md5_digest"]
    assert hashlib.md5(data.get(asset["location"]).content).hexdigest() == asset["md5_digest"]


def test_an_activation_can_be_stuck(simulator: Simulator, data: httpx.Client) -> None:
    simulator.add_fault(Fault(kind=FaultKind.ASSET_STUCK, endpoint="data_activate", subject=f"{ITEM}/ortho_visual"))

    assert activate(simulator, data)["status"] == "activating"
    assert activate(simulator, data, "ortho_udm2")["status"] == "active"


def test_an_asset_can_need_a_second_activation(simulator: Simulator, data: httpx.Client) -> None:
    """As seen in the wild: active by its status, and refused by storage until it is activated again."""
    simulator.add_fault(Fault(kind=FaultKind.ASSET_STALE))
    asset = activate(simulator, data)

    first = data.get(asset["location"])
    again = data.get(asset["_links"]["activate"])

    assert (asset["status"], first.status_code, again.status_code) == ("active", 400, 202)
    assert data.get(asset["location"]).status_code == 200
    assert data.get(asset["_links"]["activate"]).status_code == 204


def test_a_drop_after_the_activation_leaves_it_running(simulator: Simulator, data: httpx.Client) -> None:
    simulator.drop_reply("data_activate")
    asset = get_asset(data)

    with pytest.raises(httpx.TransportError):
        data.get(asset["_links"]["activate"])

    assert get_asset(data)["status"] == "activating"


def test_an_active_asset_s_true_bytes_can_be_read(simulator: Simulator, data: httpx.Client) -> None:
    asset = activate(simulator, data)

    assert hashlib.md5(simulator.read(f"{ITEM}_3B_Visual.tif")).hexdigest() == asset["md5_digest"]


def test_each_asset_of_an_item_can_be_downloaded(simulator: Simulator, data: httpx.Client) -> None:
    assets = data.get(f"item-types/PSScene/items/{ITEM}/assets").json()
    for asset in assets.values():
        data.get(asset["_links"]["activate"])
    simulator.advance(60)

    active = data.get(f"item-types/PSScene/items/{ITEM}/assets").json()
    digests = {name: hashlib.md5(data.get(asset["location"]).content).hexdigest() for name, asset in active.items()}

    assert len(digests) == 16
    assert digests == {name: asset["md5_digest"] for name, asset in active.items()}
