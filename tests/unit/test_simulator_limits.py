"""Rate limits, the count of requests, and links that end."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from planet_sdk.simulator.clock import Clock
from planet_sdk.simulator.journal import Journal, RateLimits, find_peak
from planet_sdk.simulator.links import Links, storage_alias, unquote_key


@pytest.fixture
def clock() -> Clock:
    return Clock(lambda: 1_800_000_000.0)


def test_any_one_second_holds_no_more_than_the_limit(clock: Clock) -> None:
    """Not only seconds that begin at a full one: the window slides."""
    limits = RateLimits({"get": 3}, clock)
    passed: list[int] = []
    for _ in range(300):
        clock.advance(0.03)
        if limits.admit("get", "key"):
            passed.append(clock.now_us())

    assert find_peak(passed, 1_000_000) == 3
    assert len(passed) >= 24


def test_keys_and_kinds_have_limits_of_their_own(clock: Clock) -> None:
    limits = RateLimits({"get": 1, "list": 1}, clock)

    assert [limits.admit(*asked) for asked in (("get", "a"), ("get", "a"), ("get", "b"), ("list", "a"))] == [
        True, False, True, True,
    ]  # fmt: skip


def test_a_kind_without_a_limit_always_passes(clock: Clock) -> None:
    assert all(RateLimits({}, clock).admit("get", "key") for _ in range(100))


@pytest.mark.parametrize(
    ("stamps", "peak"),
    [([], 0), ([5], 1), ([0, 9, 10], 2), ([0, 4, 9, 10], 3), ([0, 20, 21, 22, 40], 3), ([3, 3, 3], 3)],
)
def test_the_peak_is_counted_over_half_open_windows(stamps: list[int], peak: int) -> None:
    assert find_peak(stamps, 10) == peak


def test_peaks_are_counted_for_each_key(clock: Clock) -> None:
    journal = Journal(clock)
    for api_key in ("a", "a", "b"):
        journal.note_request("get", api_key)

    report = journal.report({}, {}, {})

    assert (report.requests["get"], report.peak_per_second["get"]) == (3, 2)


@pytest.fixture
def links(clock: Clock) -> Links:
    return Links(clock, ttl_s=60, seed=1)


def token_of(location: str) -> str:
    return parse_qs(urlsplit(location).query)["token"][0]


def test_a_link_leads_to_a_signed_address_of_the_same_file(links: Links) -> None:
    link = links.mint("order/PSScene/a b.tif", "key", "http://api", "http://storage")

    address = links.read_token(token_of(link.location))

    assert address.startswith("http://storage/compute-orders-live/order/PSScene/a%20b.tif?X-Goog-")
    assert links.read_key(token_of(link.location)) == "order/PSScene/a b.tif"
    links.check_signature(unquote_key(urlsplit(address).path), urlsplit(address).query)


def test_every_link_is_another_one(links: Links) -> None:
    assert links.mint("k", "key", "u", "s").location != links.mint("k", "key", "u", "s").location


def test_a_link_ends_with_its_time(links: Links, clock: Clock) -> None:
    token = token_of(links.mint("k", "key", "http://api", "http://storage").location)
    clock.advance(59)
    links.read_token(token)

    clock.advance(1)

    with pytest.raises(PermissionError):
        links.read_token(token)


def test_links_can_be_ended_at_once_and_new_ones_are_good(links: Links) -> None:
    old = token_of(links.mint("k", "key", "http://api", "http://storage").location)
    links.expire_all()
    new = token_of(links.mint("k", "key", "http://api", "http://storage").location)

    with pytest.raises(PermissionError):
        links.read_token(old)
    links.read_token(new)


def test_what_was_not_signed_here_does_not_pass(links: Links, clock: Clock) -> None:
    address = urlsplit(links.sign("order/a.tif", "http://storage", int(clock.now_s())))
    forged = Links(clock, ttl_s=60, seed=2).mint("k", "key", "http://api", "http://storage")

    with pytest.raises(ValueError, match="token"):
        links.read_token(token_of(forged.location))
    with pytest.raises(ValueError, match="signature"):
        links.check_signature("order/b.tif", address.query)
    with pytest.raises(ValueError, match="signature"):
        links.check_signature("order/a.tif", address.query.replace("Expires=60", "Expires=99"))


@pytest.mark.parametrize(
    ("base", "alias"),
    [
        ("http://127.0.0.1:80", "http://localhost:80"),
        ("http://localhost", "http://127.0.0.1"),
        ("http://simulator:8080", "http://simulator:8080"),
    ],
)
def test_storage_is_this_server_under_its_other_name(base: str, alias: str) -> None:
    assert storage_alias(base) == alias
