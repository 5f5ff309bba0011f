"""Searching, saving searches and counting over real HTTP."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from typing import Any, assert_type
from urllib.parse import parse_qs, urlsplit

import pytest

from planet_sdk import DataClient, Session, collect, data_filter, exceptions
from planet_sdk.limits import LocalLimiter, RequestKind
from tests.integration.data.conftest import V1, answer
from tests.integration.transport.conftest import Time
from tests.integration.transport.origin import Behaviour, Origin

SEARCH_ID = "286469f0b27c476e96c3c4e561f59664"
SEARCH = {"id": SEARCH_ID, "name": "n"}
POLYGON = {"type": "Polygon", "coordinates": [[[0, 0], [0, 1], [1, 1], [0, 0]]]}
REFERENCE = "pl:features/my/fields/f1"
QUICK, SEARCHES, STATS = f"{V1}/quick-search", f"{V1}/searches", f"{V1}/stats"
RESULTS = f"{SEARCHES}/{SEARCH_ID}/results"


def feature(name: str) -> dict[str, Any]:
    return {"type": "Feature", "id": name, "geometry": POLYGON, "properties": {}}


def serve_pages(api: Origin, path: str, items_key: str, *pages: list[dict[str, Any]]) -> None:
    """Answer the path with the first page, which leads to the others."""
    paths = [path, *(f"/page/{number}" for number in range(1, len(pages)))]
    for number, page in enumerate(pages):
        links = {"_next": f"{api.url}{paths[number + 1]}"} if number + 1 < len(pages) else {"_next": None}
        api.always[paths[number]] = answer({"_links": links, items_key: page})


def asked(api: Origin) -> list[tuple[str, str]]:
    return [(seen.method, seen.target) for seen in api.seen]


def query(api: Origin) -> dict[str, list[str]]:
    return parse_qs(urlsplit(api.seen[-1].target).query)


def sent(api: Origin) -> Any:
    return json.loads(api.seen[-1].body)


async def ids(found: AsyncIterator[dict[str, Any]]) -> str:
    return "".join([item["id"] async for item in found])


async def test_a_search_is_read_page_by_page_and_only_as_far_as_needed(api: Origin, data: DataClient) -> None:
    serve_pages(api, QUICK, "features", [feature(n) for n in "abc"], [], [feature(n) for n in "de"], [feature("f")])

    assert await ids(data.search(["PSScene"], limit=4)) == "abcd"
    assert asked(api) == [("POST", QUICK), ("GET", "/page/1"), ("GET", "/page/2")]
    assert await ids(data.search(["PSScene"], limit=0)) == "abcdef"


async def test_nothing_is_sent_before_the_first_item_is_asked_for(api: Origin, data: DataClient) -> None:
    data.search(["PSScene"])
    data.run_search(SEARCH_ID)
    data.list_searches()

    assert api.seen == []


async def test_a_search_sends_what_was_given_and_nothing_else(api: Origin, data: DataClient) -> None:
    serve_pages(api, QUICK, "features", [])

    assert await ids(data.search(["psscene", "SkySatVideo"])) == ""
    assert sent(api) == {"filter": data_filter.empty_filter(), "item_types": ["PSScene", "SkySatVideo"]}
    assert query(api) == {}

    wanted = data_filter.std_quality_filter()
    assert await ids(data.search(["PSScene"], wanted, "n", "Acquired ASC", geometry=POLYGON)) == ""
    assert sent(api) == {"filter": wanted, "item_types": ["PSScene"], "name": "n", "geometry": POLYGON}
    assert query(api) == {"_sort": ["acquired asc"]}


async def test_items_are_collected_to_one_feature_collection(api: Origin, data: DataClient) -> None:
    serve_pages(api, QUICK, "features", [feature("a")], [feature("b")])

    assert await collect(data.search(["PSScene"])) == {
        "type": "FeatureCollection",
        "features": [feature("a"), feature("b")],
    }


async def test_a_geometry_may_be_a_feature_or_a_reference(api: Origin, data: DataClient) -> None:
    serve_pages(api, QUICK, "features", [])
    as_sent = {"type": "ref", "content": REFERENCE}

    for given, expected in ((feature("a"), POLYGON), (REFERENCE, as_sent), (as_sent, as_sent)):
        assert await ids(data.search(["PSScene"], geometry=given)) == ""
        assert sent(api)["geometry"] == expected


async def test_a_search_that_lost_its_answer_is_repeated_since_it_changes_nothing(
    api: Origin, data: DataClient
) -> None:
    serve_pages(api, QUICK, "features", [feature("a")])
    api.always[STATS] = answer({"buckets": []})
    for path in (QUICK, STATS):
        api.then(path, Behaviour(drop=True), Behaviour(status=503), Behaviour(status=200, body=b"{}", cut_after=1))

    assert await ids(data.search(["PSScene"])) == "a"
    assert await data.get_stats(["PSScene"], data_filter.empty_filter(), "day") == {"buckets": []}
    assert (api.count(QUICK), api.count(STATS)) == (4, 4)


async def test_a_saved_search_that_lost_its_answer_is_not_saved_twice(api: Origin, data: DataClient) -> None:
    api.then(SEARCHES, Behaviour(drop=True))

    with pytest.raises(exceptions.RequestError) as caught:
        await data.create_search(["PSScene"], data_filter.empty_filter(), "n")
    assert caught.value.may_have_reached
    assert api.count(SEARCHES) == 1


async def test_searches_are_created_updated_read_and_deleted(api: Origin, data: DataClient) -> None:
    one = f"{SEARCHES}/{SEARCH_ID}"
    api.always[SEARCHES] = api.always[one] = answer(SEARCH)
    body = {"name": "n", "filter": {"f": 1}, "item_types": ["PSScene"], "__daily_email_enabled": False}

    assert await data.create_search(["psscene"], {"f": 1}, "n") == SEARCH
    assert sent(api) == body
    assert await data.update_search(SEARCH_ID, ["psscene"], {"f": 1}, "n", True, feature("a")) == SEARCH
    assert sent(api) == {**body, "__daily_email_enabled": True, "geometry": POLYGON}
    assert await data.get_search(SEARCH_ID) == SEARCH
    api.then(one, Behaviour(status=204))
    await data.delete_search(SEARCH_ID)

    assert asked(api) == [("POST", SEARCHES), ("PUT", one), ("GET", one), ("DELETE", one)]


async def test_update_sends_a_reference_in_the_form_that_create_sends_it(api: Origin, data: DataClient) -> None:
    api.always[f"{SEARCHES}/{SEARCH_ID}"] = answer(SEARCH)

    await data.update_search(SEARCH_ID, ["PSScene"], {}, "n", geometry=REFERENCE)

    assert sent(api)["geometry"] == {"type": "ref", "content": REFERENCE}


async def test_searches_are_listed_by_what_was_given_and_defaults_are_not_sent(api: Origin, data: DataClient) -> None:
    serve_pages(api, SEARCHES, "searches", [{"id": "a"}, {"id": "b"}], [{"id": "c"}])

    assert await ids(data.list_searches()) == "abc"
    assert query(api) == {}
    assert await ids(data.list_searches(sort="Created ASC", search_type="SAVED", limit=1)) == "a"
    assert query(api) == {"_sort": ["created asc"], "search_type": ["saved"]}


async def test_a_saved_search_is_run(api: Origin, data: DataClient) -> None:
    serve_pages(api, RESULTS, "features", [feature("a")])

    assert await ids(data.run_search(SEARCH_ID, sort="published desc")) == "a"
    assert query(api) == {}
    assert await ids(data.run_search(SEARCH_ID, sort="acquired desc")) == "a"
    assert query(api) == {"_sort": ["acquired desc"]}


async def test_an_item_is_read(api: Origin, data: DataClient) -> None:
    api.always[f"{V1}/item-types/PSScene/items/a"] = answer(feature("a"))

    assert await data.get_item("PSScene", "a") == feature("a")


async def test_statistics_are_asked_for(api: Origin, data: DataClient) -> None:
    api.always[STATS] = answer({"buckets": [{"count": 1}]})

    assert await data.get_stats(["psscene"], {"f": 1}, "Week") == {"buckets": [{"count": 1}]}
    assert sent(api) == {"interval": "week", "filter": {"f": 1}, "item_types": ["PSScene"]}


MISTAKES: dict[str, Callable[[DataClient], Any]] = {
    "a sort": lambda data: ids(data.search(["PSScene"], sort="cloud asc")),
    "a sort that is no text": lambda data: ids(data.search(["PSScene"], sort=5)),  # type: ignore[arg-type]  # the mistake
    "an item type": lambda data: ids(data.search(["PSScenes"])),
    "an item type that is no list": lambda data: ids(data.search("PSScene")),  # type: ignore[arg-type]  # the mistake
    "a geometry": lambda data: ids(data.search(["PSScene"], geometry={"type": "Polygon", "coordinates": []})),
    "a reference": lambda data: ids(data.search(["PSScene"], geometry="elsewhere")),
    "a search's item type": lambda data: data.create_search(["x"], {}, "n"),
    "a search's geometry": lambda data: data.update_search(SEARCH_ID, ["PSScene"], {}, "n", geometry={"a": 1}),
    "a search's id": lambda data: data.get_search(""),
    "a search's id that leads elsewhere": lambda data: data.delete_search(".."),
    "the id of a search to run": lambda data: ids(data.run_search("5")),
    "a sort of results": lambda data: ids(data.run_search(SEARCH_ID, sort="asc")),
    "a sort of searches": lambda data: ids(data.list_searches(sort="published desc")),
    "a kind of searches": lambda data: ids(data.list_searches(search_type="all")),
    "an interval": lambda data: data.get_stats(["PSScene"], {}, "decade"),
    "an item": lambda data: data.list_item_assets("PSScene", ""),
    "an asset's item type": lambda data: data.get_asset("PSScenes", "i", "visual"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
async def test_a_mistake_is_refused_before_anything_is_sent(api: Origin, data: DataClient, mistake: str) -> None:
    with pytest.raises(exceptions.ClientError):
        await MISTAKES[mistake](data)
    assert api.seen == []


async def test_an_id_cannot_lead_to_another_address(api: Origin, data: DataClient) -> None:
    api.always[f"{SEARCHES}/a%2F..%2F%3Fb"] = answer(SEARCH)

    assert await data.get_search("a/../?b") == SEARCH


async def test_pages_that_form_a_circle_end_with_an_error(api: Origin, data: DataClient) -> None:
    api.always[QUICK] = api.always["/again"] = answer(
        {"_links": {"_next": f"{api.url}/again"}, "features": [feature("a")]}
    )

    with pytest.raises(exceptions.PagingError):
        await ids(data.search(["PSScene"], limit=0))
    assert len(api.seen) == 2


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b'{"features": 5}'])
async def test_an_answer_that_is_no_page_is_an_error_of_this_package(
    api: Origin, data: DataClient, body: bytes
) -> None:
    api.always[QUICK] = Behaviour(status=200, body=body)

    with pytest.raises(exceptions.APIError):
        await ids(data.search(["PSScene"]))


async def test_what_planet_refuses_is_raised_with_its_words(api: Origin, data: DataClient) -> None:
    api.always[QUICK] = Behaviour(status=400, body=b'{"general": [{"message": "bad filter"}]}')

    with pytest.raises(exceptions.BadQuery, match="bad filter"):
        await ids(data.search(["PSScene"]))
    assert api.count(QUICK) == 1


async def test_a_next_page_on_another_host_does_not_get_the_key(api: Origin, storage: Origin, data: DataClient) -> None:
    api.always[QUICK] = answer({"_links": {"_next": f"{storage.url}/page"}, "features": [feature("a")]})
    storage.always["/page"] = answer({"_links": {}, "features": [feature("b")]})

    assert await ids(data.search(["PSScene"])) == "ab"
    assert "authorization" in api.seen[-1].headers
    assert "authorization" not in storage.seen[-1].headers


async def test_a_base_url_of_its_own_is_used(api: Origin, session: Session) -> None:
    serve_pages(api, "/elsewhere/quick-search", "features", [feature("a")])

    assert await ids(session.client("data", f"{api.url}/elsewhere/").search(["PSScene"])) == "a"


async def test_the_name_of_a_client_tells_type_checkers_its_type(session: Session) -> None:
    assert isinstance(assert_type(session.client("data"), DataClient), DataClient)
    with pytest.raises(exceptions.ClientError, match=r"no client named 'subscriptions'; there are 'data' and 'orders'"):
        session.client("subscriptions")


async def test_every_request_counts_against_the_data_apis_limit(api: Origin, session: Session, time: Time) -> None:
    """A limiter that lets nothing of the Data API pass stops a search, and its next page."""
    serve_pages(api, QUICK, "features", [feature("a")], [feature("b")])
    limiter = LocalLimiter({RequestKind.DATA: 1}, clock=time, sleep=time.sleep)
    async with Session(session._auth, base_url=api.url, limiter=limiter, retry=time.policy) as slow:
        assert await ids(slow.client("data").search(["PSScene"])) == "ab"
    assert time.pauses == [pytest.approx(1.05)]
