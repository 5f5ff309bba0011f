"""A caller may change its mind until the first byte is sent."""

from __future__ import annotations

import pytest

from planet_sdk.session import Session
from tests.integration.transport.conftest import Time
from tests.integration.transport.origin import Behaviour, Origin


class TooLate(Exception):
    """What a caller raises who no longer wants the request sent."""


async def test_what_is_raised_before_sending_ends_the_request_unsent(session: Session, api: Origin) -> None:
    api.always["/orders"] = Behaviour(status=202)

    async def refuse() -> None:
        raise TooLate

    with pytest.raises(TooLate):
        await session.request("POST", f"{api.url}/orders", json={}, before_sending=refuse)
    assert api.count("/orders") == 0

    assert (await session.request("POST", f"{api.url}/orders", json={})).status_code == 202


async def test_each_time_a_request_is_sent_its_caller_is_asked_first(session: Session, api: Origin, time: Time) -> None:
    """Also when it is sent again, on a connection that stands already."""
    api.always["/orders"] = Behaviour(status=202)
    api.then("/orders", Behaviour(status=429, headers={"Retry-After": "7"}))
    asked: list[int] = []

    async def ask() -> None:
        asked.append(api.count("/orders"))

    await session.request("POST", f"{api.url}/orders", json={}, before_sending=ask)

    assert asked == [0, 1]
