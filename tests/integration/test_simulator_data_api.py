"""The Data API's endpoints over real HTTP: searches, statistics, items."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import httpx
import pytest

from planet_sdk.simulator import Simulator, SimulatorSettings

EVERYTHING: dict[str, Any] = {"type": "AndFilter", "config": []}
SEARCH: dict[str, Any] = {"item_types": ["PSScene"], "filter": EVERYTHING}
SETTINGS = SimulatorSettings(
    api_keys=("mine", "theirs"),
    catalogue_start=date(2022, 3, 1),
    catalogue_end=date(2022, 3, 20),
    scenes_per_day=20,
    missing_items=("20220101*",),
    rate_limits={},
)


@pytest.fixture
def data(simulator: Simulator) -> Iterator[httpx.Client]:
    with httpx.Client(auth=("mine", ""), base_url=f"{simulator.url}/data/v1") as client:
        yield client


def list_features(data: httpx.Client, **params: Any) -> list[dict[str, Any]]:
    """Every feature of a quick search, page by page."""
    page = data.post("/quick-search", json=SEARCH, params=params).json()
    features = list(page["features"])
    while "_next" in page["_links"]:
        page = data.get(page["_links"]["_next"]).json()
        features += page["features"]
    return features


def test_pages_hold_every_item_once_newest_first(data: httpx.Client) -> None:
    features = list_features(data)

    published = [feature["properties"]["published"] for feature in features]
    assert len(features) == len({feature["id"] for feature in features}) == 400
    assert published == sorted(published, reverse=True)


@pytest.mark.parametrize("sort", ["published asc", "acquired desc", "acquired asc"])
def test_a_sort_holds_over_all_pages(data: httpx.Client, sort: str) -> None:
    field, _, direction = sort.partition(" ")
    values = [feature["properties"][field] for feature in list_features(data, _sort=sort, _page_size=90)]

    assert len(values) == 400
    assert values == sorted(values, reverse=direction == "desc")


@pytest.mark.parametrize(("asked", "given"), [("7", 7), ("1000", 250)])
def test_a_page_holds_what_is_asked_for_and_250_at_most(data: httpx.Client, asked: str, given: int) -> None:
    page = data.post("/quick-search", json=SEARCH, params={"_page_size": asked}).json()

    assert len(page["features"]) == given
    assert page["_links"]["_first"] == page["_links"]["_self"]


def test_a_feature_has_all_that_planet_s_features_have(simulator: Simulator, data: httpx.Client) -> None:
    feature = list_features(data)[0]

    own_url = f"{simulator.url}/data/v1/item-types/PSScene/items/{feature['id']}"
    assert feature["type"] == "Feature"
    assert feature["geometry"]["type"] == "Polygon"
    assert feature["_links"] == {"_self": own_url, "assets": f"{own_url}/assets/", "thumbnail": f"{own_url}/thumb"}
    assert feature["_permissions"] == [f"assets.{asset}:download" for asset in feature["assets"]]
    assert {"acquired", "cloud_cover", "gsd", "item_type", "strip_id", "view_angle"} <= feature["properties"].keys()
    assert data.get(own_url).json() == feature


@pytest.mark.parametrize(
    "path",
    [
        "item-types/PSScene/items/nothing",
        "item-types/PSScene/items/20220101_093300_37_2430",
        "item-types/PSScene/items/20991231_093300_37_2430",
        "item-types/PSScene/items/20220332_093300_37_2430",
        "item-types/SkySatScene/items/20220304_093300_37_2430",
        "item-types/NoScene/items/20220304_093300_37_2430",
        "item-types/PSScene/items/nothing/assets",
        "searches/2960c40553c0436a97a74cbc5b5b1fa8",
        "searches/2960c40553c0436a97a74cbc5b5b1fa8/results",
        "assets/nothing",
        "assets/bm90aGluZw",
        "assets/bm90aGluZw/activate",
    ],
)
def test_what_does_not_exist_is_not_found(data: httpx.Client, path: str) -> None:
    """Also an item that is yet to be taken, or that the settings say is missing."""
    assert data.get(path).status_code == 404


def test_any_id_of_the_right_pattern_is_an_item(data: httpx.Client) -> None:
    """So that a script with an id from elsewhere works, as its orders do."""
    item = data.get("item-types/PSScene/items/20190304_093300_37_2430").json()

    assert item["properties"]["acquired"] == "2019-03-04T09:33:00.37Z"
    assert item["properties"]["satellite_id"] == "2430"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"item_types": []}, "item_types"),
        ({"item_types": "PSScene"}, "item_types"),
        ({"item_types": ["PSScene", "Nothing"]}, "item_types"),
        ({"filter": None}, "filter.type"),
        ({"filter": {"type": "MagicFilter", "config": []}}, "filter.type"),
        ({"name": 7}, "name"),
        ({"geometry": {"type": "Circle"}}, "geometry"),
    ],
)
def test_a_search_that_cannot_be_run_is_refused_by_field(
    data: httpx.Client, change: dict[str, Any], field: str
) -> None:
    reply = data.post("/quick-search", json=SEARCH | change)

    assert reply.status_code == 400
    assert list(reply.json()) == ["field", "general"]
    assert list(reply.json()["field"]) == [field]


@pytest.mark.parametrize(
    "params",
    [
        {"_sort": "cloud_cover asc"},
        {"_sort": "published"},
        {"_page_size": "0"},
        {"_page_size": "many"},
        {"_page": "!"},
        {"_page": "W10"},
        {"_page": "eyJhIjogMX0"},
        {"_page": "WyJhIiwgImIiXQ"},
    ],
)
def test_a_page_that_cannot_be_given_is_refused(data: httpx.Client, params: dict[str, str]) -> None:
    assert data.post("/quick-search", json=SEARCH, params=params).status_code == 400
    assert data.get("/searches", params={"search_type": "any"}).json()["searches"] == []


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"{", b"[" * 100_000])
def test_a_body_that_is_no_search_is_refused(data: httpx.Client, body: bytes) -> None:
    for path in ("/quick-search", "/searches", "/stats"):
        assert data.post(path, content=body).status_code == 400


def test_a_search_is_kept_changed_run_and_deleted(data: httpx.Client) -> None:
    made = data.post("/searches", json={**SEARCH, "name": "mine", "__daily_email_enabled": True}).json()
    own_url = made["_links"]["_self"]
    assert made.items() >= {"name": "mine", "__daily_email_enabled": True, "filter": EVERYTHING}.items()
    assert made["last_executed"] is None
    assert data.get(own_url).json() == made

    changed = data.put(own_url, json={**SEARCH, "name": "changed", "item_types": ["SkySatScene"]}).json()
    assert (changed["name"], changed["id"], changed["created"]) == ("changed", made["id"], made["created"])

    page = data.get(f"{own_url}/results").json()
    assert {feature["properties"]["item_type"] for feature in page["features"]} == {"SkySatScene"}
    assert data.get(own_url).json()["last_executed"] is not None

    assert data.delete(own_url).status_code == 204
    assert data.get(own_url).status_code == data.delete(own_url).status_code == 404


def test_a_search_to_keep_needs_a_name(data: httpx.Client) -> None:
    assert list(data.post("/searches", json=SEARCH).json()["field"]) == ["name"]


def test_searches_are_listed_by_kind_age_and_page(data: httpx.Client) -> None:
    for name in ("one", "two", "three"):
        data.post("/searches", json={**SEARCH, "name": name})
    data.post("/quick-search", json={**SEARCH, "name": "quick"})

    def names(**params: Any) -> list[str]:
        page = data.get("/searches", params=params).json()
        found = [search["name"] for search in page["searches"]]
        while "_next" in page["_links"]:
            page = data.get(page["_links"]["_next"]).json()
            found += [search["name"] for search in page["searches"]]
        return found

    assert names() == ["quick", "three", "two", "one"]
    assert names(search_type="saved", _sort="created asc") == ["one", "two", "three"]
    assert names(search_type="quick") == ["quick"]
    assert names(_page_size=1) == ["quick", "three", "two", "one"]
    assert data.get("/searches", params={"_sort": "name"}).status_code == 400
    assert data.get("/searches", params={"search_type": "old"}).status_code == 400


@pytest.mark.parametrize(("sort", "rest"), [("created desc", ["two", "one"]), ("created asc", ["four"])])
def test_pages_of_searches_go_on_when_the_last_one_is_deleted(data: httpx.Client, sort: str, rest: list[str]) -> None:
    made = {
        name: data.post("/searches", json={**SEARCH, "name": name}).json() for name in ("one", "two", "three", "four")
    }
    size = 2 if sort == "created desc" else 3
    page = data.get("/searches", params={"_page_size": size, "_sort": sort}).json()

    data.delete(made["three"]["_links"]["_self"])

    following = data.get(page["_links"]["_next"]).json()
    assert [search["name"] for search in following["searches"]] == rest
    assert "_next" not in following["_links"]


def test_quick_searches_are_forgotten_after_a_month(simulator: Simulator, data: httpx.Client) -> None:
    data.post("/quick-search", json=SEARCH)
    data.post("/searches", json={**SEARCH, "name": "kept"})

    simulator.advance(31 * 86_400)

    assert [search["name"] for search in data.get("/searches").json()["searches"]] == ["kept"]


def test_another_account_s_search_does_not_exist(simulator: Simulator, data: httpx.Client) -> None:
    made = data.post("/searches", json={**SEARCH, "name": "mine"}).json()

    stranger = httpx.get(made["_links"]["_self"], auth=("theirs", ""))

    assert stranger.status_code == 404


def test_statistics_count_what_a_search_finds(data: httpx.Client) -> None:
    def count(interval: str) -> dict[str, int]:
        reply = data.post("/stats", json={**SEARCH, "interval": interval}).json()
        return {bucket["start_time"]: bucket["count"] for bucket in reply["buckets"]}

    assert count("year") == {"2022-01-01T00:00:00.000000Z": 400}
    assert count("month") == {"2022-03-01T00:00:00.000000Z": 400}
    assert list(count("week")) == [f"2022-{day}T00:00:00.000000Z" for day in ("02-28", "03-07", "03-14")]
    assert set(count("day").values()) == {20}
    assert sum(count("hour").values()) == 400


@pytest.mark.parametrize("interval", ["minute", None, 3])
def test_statistics_need_an_interval_that_there_is(data: httpx.Client, interval: Any) -> None:
    reply = data.post("/stats", json={**SEARCH, "interval": interval})

    assert (reply.status_code, list(reply.json()["field"])) == (400, ["interval"])


def test_the_data_api_needs_a_key(simulator: Simulator) -> None:
    assert httpx.get(f"{simulator.url}/data/v1/searches").status_code == 401


def test_one_budget_holds_for_searches_and_look_ups() -> None:
    """While the clock stands still, the eleventh request is one too many; activations have a budget of their own."""
    with (
        Simulator(SimulatorSettings(), clock=lambda: 1_800_000_000.0) as simulator,
        httpx.Client(auth=(simulator.api_key, ""), base_url=f"{simulator.url}/data/v1") as client,
    ):
        statuses = [client.get("/searches").status_code for _ in range(6)]
        statuses += [client.get("/assets/nothing").status_code for _ in range(5)]
        activations = [client.get("/assets/nothing/activate").status_code for _ in range(6)]

    assert statuses == [200] * 6 + [404] * 4 + [429]
    assert activations == [404] * 5 + [429]


def test_faults_strike_by_endpoint_and_subject(simulator: Simulator, data: httpx.Client) -> None:
    item_url = "item-types/PSScene/items/20220304_093300_37_2430"
    simulator.fail("data_search", subject="unlucky", status=503)
    simulator.fail("data_assets", subject="20220304*", status=500)

    statuses = [
        data.post("/quick-search", json={**SEARCH, "name": n}).status_code for n in ("fine", "unlucky", "unlucky")
    ]
    statuses += [data.get(path).status_code for path in (item_url, f"{item_url}/assets", f"{item_url}/assets")]

    assert statuses == [200, 503, 200, 200, 500, 200]


def test_a_reply_that_is_dropped_leaves_its_search_behind(simulator: Simulator, data: httpx.Client) -> None:
    simulator.drop_reply("data_searches")

    with pytest.raises(httpx.TransportError):
        data.post("/searches", json={**SEARCH, "name": "kept"})

    assert [search["name"] for search in data.get("/searches").json()["searches"]] == ["kept"]
