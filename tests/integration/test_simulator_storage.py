"""Links, redirects and the storage behind them, over real HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from planet_sdk.simulator import Simulator, SimulatorSettings

DATA = bytes(range(256)) * 4


SETTINGS = SimulatorSettings(queued_s=0, running_s=0, rate_limits={}, scene_size_px=16)


@pytest.fixture
def simulator(simulator: Simulator) -> Simulator:
    simulator.put("scene.tif", DATA)
    return simulator


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with httpx.Client(follow_redirects=True) as client:
        yield client


def test_a_link_redirects_to_another_host(simulator: Simulator) -> None:
    """So that a client which carries its credentials across hosts is found out."""
    reply = httpx.get(simulator.location("scene.tif"))

    assert reply.status_code == 302
    assert reply.headers["content-length"] == "0"
    assert urlsplit(reply.headers["location"]).hostname == "localhost"


def test_storage_refuses_credentials(simulator: Simulator) -> None:
    signed = httpx.get(simulator.location("scene.tif")).headers["location"]

    assert httpx.get(signed, headers={"Authorization": "api-key x"}).status_code == 400
    assert httpx.get(signed).content == DATA


def test_a_client_that_drops_its_credentials_on_the_way_gets_the_file(
    simulator: Simulator, client: httpx.Client
) -> None:
    assert client.get(simulator.location("scene.tif"), auth=(simulator.api_key, "")).content == DATA


def test_a_file_comes_with_everything_a_transfer_needs(simulator: Simulator, client: httpx.Client) -> None:
    reply = client.get(simulator.location("scene.tif"))

    assert reply.headers["content-length"] == str(len(DATA))
    assert reply.headers["content-type"] == "image/tiff"
    assert reply.headers["accept-ranges"] == "bytes"
    assert reply.headers["content-disposition"] == 'attachment; filename="scene.tif"'
    assert reply.headers["etag"].startswith('"')
    assert reply.headers["last-modified"].endswith("GMT")


def test_head_is_get_without_the_body(simulator: Simulator, client: httpx.Client) -> None:
    head, whole = (client.request(method, simulator.location("scene.tif")) for method in ("HEAD", "GET"))

    assert head.content == b""
    assert {**head.headers, "date": ""} == {**whole.headers, "date": ""}


@pytest.mark.parametrize(
    ("asked", "expected", "content_range"),
    [
        ("bytes=0-9", DATA[:10], "bytes 0-9/1024"),
        ("bytes=1000-", DATA[1000:], "bytes 1000-1023/1024"),
        ("bytes=-24", DATA[-24:], "bytes 1000-1023/1024"),
        ("bytes=-5000", DATA, "bytes 0-1023/1024"),
        ("bytes=1000-9999", DATA[1000:], "bytes 1000-1023/1024"),
    ],
)
def test_a_range_is_answered_with_that_part(
    simulator: Simulator, client: httpx.Client, asked: str, expected: bytes, content_range: str
) -> None:
    reply = client.get(simulator.location("scene.tif"), headers={"Range": asked})

    assert (reply.status_code, reply.content) == (206, expected)
    assert reply.headers["content-range"] == content_range
    assert simulator.ranges_asked("scene.tif") == [asked]


@pytest.mark.parametrize(
    "asked", ["bytes=0-1,5-6", "items=0-9", "bytes=-", "bytes=9-1", "bytes=x-", f"bytes={'9' * 5000}-"]
)
def test_a_header_that_is_no_single_range_is_ignored(simulator: Simulator, client: httpx.Client, asked: str) -> None:
    reply = client.get(simulator.location("scene.tif"), headers={"Range": asked})

    assert (reply.status_code, reply.content) == (200, DATA)


@pytest.mark.parametrize("asked", ["bytes=1024-", "bytes=5000-6000", "bytes=-0"])
def test_a_range_behind_the_end_can_not_be_satisfied(simulator: Simulator, client: httpx.Client, asked: str) -> None:
    reply = client.get(simulator.location("scene.tif"), headers={"Range": asked})

    assert (reply.status_code, reply.headers["content-range"]) == (416, "bytes */1024")


def test_if_range_gives_the_whole_file_once_it_has_changed(simulator: Simulator, client: httpx.Client) -> None:
    etag = client.get(simulator.location("scene.tif")).headers["etag"]
    headers = {"Range": "bytes=1000-", "If-Range": etag}
    assert client.get(simulator.location("scene.tif"), headers=headers).status_code == 206

    simulator.put("scene.tif", DATA[::-1])

    reply = client.get(simulator.location("scene.tif"), headers=headers)
    assert (reply.status_code, reply.content) == (200, DATA[::-1])


def test_a_link_that_has_ended_is_refused_at_both_places(simulator: Simulator) -> None:
    link = simulator.location("scene.tif")
    signed = httpx.get(link).headers["location"]

    simulator.expire_links()

    assert (httpx.get(link).status_code, httpx.get(signed).status_code) == (403, 400)
    assert "ExpiredToken" in httpx.get(signed).text


def test_links_live_a_day() -> None:
    with Simulator(SimulatorSettings()) as simulator:
        link = simulator.location("scene.tif")

        simulator.advance(86_000)
        before = httpx.get(link).status_code
        simulator.advance(400)

        assert (before, httpx.get(link).status_code) == (302, 403)


@pytest.mark.parametrize("token", ["", "x", "a.b.c"])
def test_a_bad_token_is_not_found_and_nothing_is_said(simulator: Simulator, token: str) -> None:
    reply = httpx.get(f"{simulator.url}/compute/ops/download/", params={"token": token})

    assert (reply.status_code, reply.content) == (404, b"")


def test_an_address_without_a_signature_is_forbidden(simulator: Simulator) -> None:
    assert httpx.get(f"{simulator.url}/compute-orders-live/loose/scene.tif").status_code == 403


def test_link_requests_are_limited_by_the_account_in_the_token() -> None:
    """A link needs no key, and still counts against the account that it was made for."""
    with Simulator(SimulatorSettings(), clock=lambda: 1_800_000_000.0) as simulator:
        statuses = [httpx.get(simulator.location("scene.tif")).status_code for _ in range(6)]

    assert statuses == [302] * 5 + [429]


def test_a_file_of_any_size_is_sent_without_being_held() -> None:
    with Simulator(SimulatorSettings(size_bytes={"big.tif": 1 << 40}, rate_limits={})) as simulator:
        headers = {"Range": f"bytes={(1 << 40) - 5000}-"}
        tail = httpx.get(simulator.location("big.tif"), headers=headers, follow_redirects=True)

    assert (tail.status_code, len(tail.content)) == (206, 5000)


def test_a_storage_that_is_configured_is_where_links_lead() -> None:
    with Simulator(SimulatorSettings(storage_url="http://storage.example")) as simulator:
        location = httpx.get(simulator.location("scene.tif")).headers["location"]

    assert location.startswith("http://storage.example/compute-orders-live/loose/scene.tif?X-Goog-Algorithm=")
