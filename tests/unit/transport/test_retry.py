from __future__ import annotations

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planet_sdk import exceptions
from planet_sdk.answers import error_for, retry_after_s, typed_errors
from planet_sdk.retry import Budget, RetryPolicy, may_repeat, retry

SAFE = ["GET", "HEAD", "get"]
UNSAFE = ["POST", "PUT", "DELETE", "PATCH", "post"]
TRANSPORT = st.sampled_from(
    [
        httpx.ConnectError,
        httpx.ConnectTimeout,
        httpx.PoolTimeout,
        httpx.ProxyError,
        httpx.ReadError,
        httpx.ReadTimeout,
        httpx.WriteError,
        httpx.WriteTimeout,
        httpx.CloseError,
        httpx.RemoteProtocolError,
        httpx.DecodingError,
    ]
)
NEVER_ARRIVED = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)


def typed(error: Exception) -> exceptions.PlanetError:
    with pytest.raises(exceptions.PlanetError) as caught, typed_errors("GET", "https://planet.example/a?b=c"):
        raise error
    return caught.value


@given(TRANSPORT, st.sampled_from(SAFE + UNSAFE))
def test_a_transport_error_is_repeated_if_it_cannot_have_arrived_or_does_no_harm(
    kind: type[httpx.TransportError], method: str
) -> None:
    error = typed(kind("why"))

    assert isinstance(error, exceptions.RequestError)
    assert error.may_have_reached == (not issubclass(kind, NEVER_ARRIVED))
    assert may_repeat(error, method) == (method in SAFE or not error.may_have_reached)


@given(st.integers(300, 599), st.sampled_from(SAFE + UNSAFE))
def test_an_answer_is_repeated_if_it_passes_and_was_not_processed_or_does_no_harm(status: int, method: str) -> None:
    error = error_for(status, {}, "")

    passes = status in {408, 429, 500, 502, 503, 504}
    assert may_repeat(error, method) == (passes and (method in SAFE or status == 429))


@pytest.mark.parametrize(
    "error",
    [
        httpx.UnsupportedProtocol("no"),
        httpx.InvalidURL("no"),
        httpx.LocalProtocolError("no"),
        httpx.StreamConsumed(),
    ],
)
def test_our_own_mistakes_are_client_errors_and_not_repeated(error: Exception) -> None:
    assert not isinstance(typed(error), exceptions.RequestError)
    assert not may_repeat(typed(error), "GET")


def test_a_used_up_quota_does_not_come_back_by_waiting() -> None:
    assert not may_repeat(error_for(429, {}, "Download quota has been exceeded."), "GET")
    assert may_repeat(error_for(429, {"Retry-After": "1"}, "request quota, come back"), "GET")
    assert not may_repeat(error_for(403, {}, "over quota"), "GET")


@pytest.mark.parametrize(
    ("headers", "body", "seconds"),
    [
        ({"Retry-After": "9"}, "", 9),
        ({"Retry-After": "Thu, 01 Jan 1970 00:16:50 GMT"}, "", 10),
        ({"Retry-After": "Thu, 01 Jan 1970 00:16:30 GMT"}, "", 0),
        ({"Retry-After": "Thu, 01 Jan 1970 01:00:10 GMT", "Date": "Thu, 01 Jan 1970 01:00:00 GMT"}, "", 10),
        ({}, "max rate reached: retry-in 200ms", 0.2),
        ({}, "retry-in 1.5 s", 1.5),
        ({"Retry-After": "-1"}, "", None),
        ({"Retry-After": "²"}, "", None),
        ({}, "", None),
    ],
)
def test_what_the_server_asks_for_is_understood(headers: dict[str, str], body: str, seconds: float | None) -> None:
    assert retry_after_s(error_for(429, headers, body), now=1_000) == seconds


@given(st.text(), st.text())
def test_nonsense_in_a_header_is_never_an_error(value: str, body: str) -> None:
    delay = retry_after_s(error_for(429, {"Retry-After": value, "Date": value}, body), now=0)
    assert delay is None or delay >= 0


@given(st.floats(0, 1, exclude_max=True), st.integers(1, 40))
async def test_pauses_are_drawn_below_a_doubling_bound_and_a_cap(luck: float, tries: int) -> None:
    pauses: list[float] = []

    async def sleep(delay_s: float) -> None:
        pauses.append(delay_s)

    policy = RetryPolicy(max_tries=tries, max_elapsed_s=1e9, sleep=sleep, clock=lambda: 0, draw=lambda: luck)
    with pytest.raises(exceptions.ServerError):
        await retry(fail, Budget(policy), lambda _: True)

    assert pauses == [luck * min(64, 2**number) for number in range(tries - 1)]


async def fail() -> None:
    raise exceptions.ServerError(status=500)


async def test_progress_starts_the_count_afresh() -> None:
    async def sleep(_: float) -> None:
        pass

    budget = Budget(RetryPolicy(max_tries=2, sleep=sleep))
    for _ in range(10):
        await budget.pause_after(exceptions.ServerError())
        budget.progressed()
    await budget.pause_after(exceptions.ServerError())
    with pytest.raises(exceptions.ServerError):
        await budget.pause_after(exceptions.ServerError())


async def test_seconds_end_as_tries_do() -> None:
    now = 0.0

    async def sleep(delay_s: float) -> None:
        nonlocal now
        now += delay_s

    policy = RetryPolicy(max_tries=100, max_elapsed_s=100, sleep=sleep, clock=lambda: now, draw=lambda: 1)
    with pytest.raises(exceptions.ServerError):
        await retry(fail, Budget(policy), lambda _: True)
    assert now == 1 + 2 + 4 + 8 + 16 + 32
