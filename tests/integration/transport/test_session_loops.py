"""A Session and the event loop that it belongs to."""

from __future__ import annotations

import asyncio

import pytest

from planet_sdk import Auth, Session
from planet_sdk.exceptions import ClientError
from planet_sdk.limits import LocalLimiter
from tests.integration.transport.conftest import KEY
from tests.integration.transport.origin import Behaviour, Origin


async def _use(session: Session) -> None:
    async with Origin() as origin:
        origin.always["/x"] = Behaviour(status=200, headers={"Connection": "close"}, body=b"{}")
        await session.request("GET", f"{origin.url}/x")


def test_a_session_made_outside_belongs_to_the_loop_it_is_first_used_in() -> None:
    """Its connections and its queues are of that loop; in another one it would fail by chance, so it fails at once."""
    session = Session(Auth.from_key(KEY), base_url="http://127.0.0.1:1", limiter=LocalLimiter({}))
    asyncio.run(_use(session))

    with pytest.raises(ClientError, match=r"another event loop; make a Session in each asyncio\.run"):
        asyncio.run(_use(session))

    asyncio.run(session.aclose())
