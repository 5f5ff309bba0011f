"""What a Session sends, to whom, how often, and what becomes of the answers."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import ssl
import threading
from email.utils import formatdate
from pathlib import Path

import httpx
import psutil
import pytest

from planet_sdk import exceptions
from planet_sdk.answers import typed_errors
from planet_sdk.auth import Auth
from planet_sdk.limits import LocalLimiter, RequestKind
from planet_sdk.retry import RetryPolicy, may_repeat
from planet_sdk.session import Session
from planet_sdk.transfer import transfer
from tests.integration.transport.conftest import KEY, TOKEN, Time, lying
from tests.integration.transport.origin import Behaviour, Origin
from tests.waiting import until

JSON = {"Content-Type": "application/json"}
BASIC = "Basic " + base64.b64encode(f"{KEY}:".encode()).decode()


async def test_a_request_is_authenticated_and_its_answer_read(session: Session, api: Origin) -> None:
    api.then("/orders", Behaviour(status=202, headers=JSON, body=b'{"id": "x"}'))

    answer = await session.request("POST", f"{api.url}/orders", json={"name": "n"}, params={"a": "b"})

    assert (answer.status_code, answer.json()) == (202, {"id": "x"})
    seen = api.seen[0]
    assert (seen.method, seen.target, json.loads(seen.body)) == ("POST", "/orders?a=b", {"name": "n"})
    assert seen.headers["authorization"] == BASIC
    assert seen.headers["x-planet-app"] == "python-sdk"


async def test_a_dropped_reply_to_a_post_is_sent_once_and_says_that_it_may_have_arrived(
    session: Session, api: Origin
) -> None:
    api.always["/orders"] = Behaviour(drop=True)

    with pytest.raises(exceptions.RequestError) as caught:
        await session.request("POST", f"{api.url}/orders?secret={TOKEN}", json={})

    assert caught.value.may_have_reached
    assert (caught.value.method, caught.value.url) == ("POST", f"{api.url}/orders")
    assert TOKEN not in str(caught.value)
    assert api.count("/orders") == 1


async def test_a_post_that_cannot_have_arrived_is_sent_again(api: Origin, time: Time) -> None:
    async with Origin() as gone:
        pass
    async with Session(Auth.from_key(KEY), base_url=gone.url, limiter=LocalLimiter({}), retry=time.policy) as session:
        with pytest.raises(exceptions.RequestError) as caught:
            await session.request("POST", f"{gone.url}/orders", json={})
    assert not caught.value.may_have_reached
    assert time.pauses == [1, 2, 4, 8, 16]


async def test_a_post_that_was_refused_for_its_rate_is_sent_again(session: Session, api: Origin, time: Time) -> None:
    api.then("/orders", Behaviour(status=429, body=b"max rate reached: retry-in 2500ms"))
    api.always["/orders"] = Behaviour(status=202, body=b"{}")

    await session.request("POST", f"{api.url}/orders", json={}, kind=RequestKind.CREATE)

    assert time.pauses == [2.5]
    assert session.outcomes == {exceptions.TooManyRequests: 1, "Successful": 1}


@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_a_server_error_on_a_post_is_raised_at_once(status: int, session: Session, api: Origin) -> None:
    api.always["/orders"] = Behaviour(status=status)

    with pytest.raises(exceptions.APIError) as caught:
        await session.request("POST", f"{api.url}/orders", json={})

    assert (caught.value.status, api.count("/orders")) == (status, 1)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
async def test_a_get_is_repeated_after_errors_that_pass(status: int, session: Session, api: Origin, time: Time) -> None:
    api.then("/orders", Behaviour(status=status), Behaviour(drop=True))
    api.always["/orders"] = Behaviour(status=200, body=b"{}")

    await session.request("GET", f"{api.url}/orders")

    assert time.pauses == [1, 2]


async def test_retry_after_is_honoured_in_both_forms(session: Session, api: Origin, time: Time) -> None:
    date = {"Date": formatdate(5_000, usegmt=True), "Retry-After": formatdate(5_030, usegmt=True)}
    api.then(
        "/orders",
        Behaviour(status=503, headers={"Retry-After": "20"}),
        Behaviour(status=503, headers=date),
        Behaviour(status=503, headers={"Retry-After": "soon"}),
    )
    api.always["/orders"] = Behaviour(status=200, body=b"{}")

    await session.request("GET", f"{api.url}/orders")

    assert time.pauses == [20, 30, 4], "a date counts by the server's clock; nonsense counts as nothing"


async def test_a_pause_longer_than_the_budget_is_not_waited_for(session: Session, api: Origin, time: Time) -> None:
    api.always["/orders"] = Behaviour(status=429, headers={"Retry-After": "3600"})

    with pytest.raises(exceptions.TooManyRequests):
        await session.request("GET", f"{api.url}/orders")

    assert (time.pauses, api.count("/orders")) == ([], 1)


async def test_tries_end_and_the_last_error_is_raised(session: Session, api: Origin) -> None:
    api.always["/orders"] = Behaviour(status=503, body=b"Service error -27")
    session.max_retries = 2

    with pytest.raises(exceptions.ServiceUnavailable, match="Service error -27") as caught:
        await session.request("GET", f"{api.url}/orders")

    assert api.count("/orders") == 3
    assert caught.value.__notes__ == ["gave up after 3 tries in 3.0 s"]


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (400, b"bad", exceptions.BadQuery),
        (401, b"", exceptions.InvalidAPIKey),
        (403, b"no", exceptions.NoPermission),
        (403, b"over Quota", exceptions.OverQuota),
        (404, b"", exceptions.MissingResource),
        (405, b"", exceptions.APIError),
        (409, b"", exceptions.Conflict),
        (429, b"Download quota has been exceeded.", exceptions.TooManyRequests),
        (304, b"", exceptions.APIError),
        (599, b"", exceptions.APIError),
    ],
)
async def test_what_the_server_refuses_becomes_its_exception(
    status: int, body: bytes, error: type[exceptions.APIError], session: Session, api: Origin
) -> None:
    api.always["/x"] = Behaviour(status=status, body=body, headers={"X-Trace": "7"})

    with pytest.raises(exceptions.APIError) as caught:
        await session.request("GET", f"{api.url}/x")

    assert type(caught.value) is error
    assert (caught.value.status, caught.value.headers["x-trace"], caught.value.body) == (status, "7", body.decode())
    assert str(caught.value).startswith(body.decode() or str(status))
    assert api.count("/x") == 1


async def test_of_a_long_error_body_only_the_beginning_is_read(session: Session, api: Origin) -> None:
    api.always["/x"] = Behaviour(status=400, body=b"x" * 10_000_000)

    with pytest.raises(exceptions.BadQuery) as caught:
        await session.request("GET", f"{api.url}/x")

    assert len(caught.value.body) == 64 * 1024


async def test_an_error_body_that_breaks_off_still_is_its_error(session: Session, api: Origin) -> None:
    api.always["/x"] = Behaviour(status=404, body=b"some text", cut_after=4)

    with pytest.raises(exceptions.MissingResource, match="some"):
        await session.request("GET", f"{api.url}/x")


async def test_an_answer_that_is_not_json_is_an_api_error(session: Session, api: Origin) -> None:
    api.always["/x"] = Behaviour(status=200, body=b"<html>log in to the hotel</html>")

    answer = await session.request("GET", f"{api.url}/x")

    with pytest.raises(exceptions.APIError, match="is not JSON"):
        answer.json()


async def test_a_cut_answer_to_a_get_is_asked_for_again(session: Session, api: Origin) -> None:
    api.then("/x", Behaviour(status=200, body=b'{"a": 1}', cut_after=3))
    api.always["/x"] = Behaviour(status=200, body=b'{"a": 1}')

    assert (await session.request("GET", f"{api.url}/x")).json() == {"a": 1}


async def test_credentials_go_to_the_own_origin_only(session: Session, api: Origin, storage: Origin, link: str) -> None:
    storage.always["/api"] = Behaviour(status=200, body=b"{}")
    await session.request("GET", link)
    await session.request("GET", f"{storage.url}/api")

    assert "authorization" in api.seen[0].headers
    assert ["authorization" in seen.headers for seen in storage.seen] == [False, False]

    session.trust(storage.url)
    await session.request("GET", f"{storage.url}/api")
    assert "authorization" in storage.seen[-1].headers


async def test_redirects_are_followed_relative_and_not_for_ever(session: Session, api: Origin) -> None:
    api.files["/b"] = b"here"
    api.always["/a"] = Behaviour(redirect="b?x=1")
    api.always["/circle"] = Behaviour(redirect="/circle")

    assert (await session.request("GET", f"{api.url}/a?y=2")).text == "here"
    assert api.seen[-1].target == "/b?x=1"
    with pytest.raises(exceptions.ClientError, match="more than 10 redirects"):
        await session.request("GET", f"{api.url}/circle")
    assert api.count("/circle") == 11


@pytest.mark.parametrize(("cut", "stall"), [(2, None), (None, 2)])
async def test_a_redirect_is_followed_also_where_its_text_does_not_end(
    cut: int | None, stall: int | None, session: Session, api: Origin
) -> None:
    """The address is known with the headers, so that the text is worth neither a try nor a wait."""
    api.then("/a", Behaviour(redirect="/b", body=b"moved", cut_after=cut, stall_after=stall))
    api.always["/b"] = Behaviour(status=200, headers=JSON, body=b"{}")

    await session.request("GET", f"{api.url}/a")

    assert (api.count("/a"), api.count("/b")) == (1, 1)


async def test_a_redirected_post_does_not_turn_into_a_get(session: Session, api: Origin) -> None:
    api.always["/orders"] = Behaviour(redirect="/elsewhere")

    with pytest.raises(exceptions.APIError, match="followed for GET only"):
        await session.request("POST", f"{api.url}/orders", json={})

    assert [seen.path for seen in api.seen] == ["/orders"]


async def test_a_closed_session_says_so(session: Session, api: Origin, tmp_path: Path) -> None:
    await session.aclose()
    await session.aclose()

    with pytest.raises(exceptions.SessionClosed):
        await session.request("GET", f"{api.url}/x")
    with pytest.raises(exceptions.SessionClosed):
        await transfer(session, f"{api.url}/x", tmp_path / "x")


async def test_sessions_leave_no_threads_and_no_open_files(api: Origin) -> None:
    api.always["/x"] = Behaviour(status=200, body=b"{}")

    async def use_one() -> None:
        async with Session(Auth.from_key(KEY), base_url=api.url) as session:
            await session.request("GET", f"{api.url}/x")

    await use_one()
    process, threads = psutil.Process(), threading.active_count()
    await until("the server has seen the first one close", lambda: api.connections == 0)
    files = process.num_fds()
    for _ in range(20):
        await use_one()
    await until("the server has seen all of them close", lambda: api.connections == 0)

    await until("all files are closed", lambda: process.num_fds() <= files)
    assert threading.active_count() == threads


async def test_an_address_that_is_none_is_a_client_error(session: Session) -> None:
    for url in ("no address", "ftp://x/y", "http://[::1", ""):
        with pytest.raises(exceptions.ClientError):
            await session.request("GET", url)


async def test_a_stream_is_read_piece_by_piece_and_breaks_with_a_typed_error(session: Session, api: Origin) -> None:
    api.files["/f"] = b"one\ntwo\n" * 10
    async with session.stream("GET", f"{api.url}/f") as answer:
        assert [line async for line in answer.aiter_lines()] == ["one", "two"] * 10
        assert answer.num_bytes_downloaded == 80

    api.then("/f", Behaviour(status=503), Behaviour(cut_after=4))
    async with session.stream("GET", f"{api.url}/f") as answer:
        with pytest.raises(exceptions.RequestError):
            [chunk async for chunk in answer.aiter_bytes()]


async def test_more_downloads_than_places_end_without_timeouts_and_within_the_cap(
    session: Session, api: Origin, storage: Origin, link: str, tmp_path: Path
) -> None:
    """130 side by side: planet 2.14 loses 30 of them to pool timeouts, and bounds nothing while bodies are read."""
    gate = asyncio.Event()
    storage.always["/scene.tif"] = Behaviour(wait_for=gate)

    async with asyncio.TaskGroup() as group:
        for number in range(130):
            group.create_task(transfer(session, link, tmp_path / f"{number}.tif"))
        await until("all places are taken", lambda: storage.bodies_open == 16)
        gate.set()

    assert len(lying(tmp_path)) == 130
    assert storage.bodies_peak == 16


async def test_downloads_do_not_take_the_places_of_requests(
    api: Origin, storage: Origin, link: str, time: Time, tmp_path: Path
) -> None:
    gate = asyncio.Event()
    storage.always["/scene.tif"] = Behaviour(wait_for=gate)
    api.always["/orders"] = Behaviour(status=200, body=b"{}")
    limiter = LocalLimiter({}, max_active=1)
    async with Session(Auth.from_key(KEY), base_url=api.url, limiter=limiter, retry=time.policy) as session:
        downloads = [asyncio.create_task(transfer(session, link, tmp_path / f"{n}")) for n in range(3)]
        await until("three bodies are open", lambda: storage.bodies_open == 3)
        await session.request("GET", f"{api.url}/orders")
        gate.set()
        await asyncio.gather(*downloads)


async def test_signed_links_and_keys_are_never_logged(
    session: Session, storage: Origin, link: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    storage.then("/scene.tif", Behaviour(cut_after=400), Behaviour(status=503), Behaviour(drop=True))

    await transfer(session, link, tmp_path / "scene.tif")
    async with session.stream("GET", link) as answer:
        await answer.aclose()

    assert {"httpx", "httpcore.http11", "planet_sdk.session"} <= {record.name for record in caplog.records}
    text = caplog.text + "".join(repr(record.__dict__) for record in caplog.records)
    assert TOKEN not in text
    assert KEY not in text
    assert BASIC not in text


async def test_errors_and_reprs_name_no_secret(session: Session, api: Origin, link: str, tmp_path: Path) -> None:
    api.always["/download/"] = Behaviour(status=404)
    with pytest.raises(exceptions.LinkExpired) as caught:
        await transfer(session, link, tmp_path / "scene.tif")

    for shown in (repr(session), repr(Auth.from_key(KEY)), repr(caught.value), str(caught.value.__cause__)):
        assert TOKEN not in shown
        assert KEY not in shown


def test_a_session_is_made_outside_an_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PL_API_KEY", KEY)
    monkeypatch.setenv("PL_API_URL", "https://planet.example/")

    session = Session()

    assert session.base_url == "https://planet.example"
    asyncio.run(session.aclose())


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://planet.example", "http://[::1"])
def test_a_base_address_that_is_none_is_refused_at_once(url: str) -> None:
    with pytest.raises(exceptions.ClientError):
        Session(Auth.from_key(KEY), base_url=url)


def test_a_session_without_credentials_says_where_they_may_come_from(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("PL_API_KEY", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))

    with pytest.raises(exceptions.AuthException, match=r"PL_API_KEY is not set.*\.planet\.json does not exist"):
        Session()


async def test_the_session_names_its_clients(session: Session) -> None:
    assert type(session.client("orders")).__name__ == "OrdersClient"
    with pytest.raises(exceptions.ClientError, match="no client named 'subscriptions'"):
        session.client("subscriptions")


def test_a_certificate_that_is_not_trusted_is_not_tried_again() -> None:
    """An expired or foreign certificate does not pass by waiting."""
    error = httpx.ConnectError("bad certificate")
    error.__cause__ = ssl.SSLCertVerificationError("self-signed")
    with pytest.raises(exceptions.RequestError) as caught, typed_errors("GET", "https://x"):
        raise error
    assert not may_repeat(caught.value, "GET")


async def test_waiting_for_the_limiter_costs_nothing_of_the_budget(api: Origin, time: Time) -> None:
    """A thousand requests at three a second wait for minutes; that is no failing of any of them."""
    api.always["/x"] = Behaviour(status=200, body=b"{}")
    api.then("/x", Behaviour(status=503))
    limiter = LocalLimiter({RequestKind.GET: 1}, clock=time, sleep=time.sleep)
    policy = RetryPolicy(max_elapsed_s=10, sleep=time.sleep, clock=time, draw=lambda: 1.0)
    async with Session(Auth.from_key(KEY), base_url=api.url, limiter=limiter, retry=policy) as session:
        limiter.pause(RequestKind.GET, 1_000)
        await session.request("GET", f"{api.url}/x", kind=RequestKind.GET)
    assert api.count("/x") == 2
