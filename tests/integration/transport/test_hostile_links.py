"""Links and redirects that lead where no answer of Planet's may lead: nothing is sent there."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from planet_sdk.auth import Auth
from planet_sdk.exceptions import RequestError, UnsafeLink
from planet_sdk.session import Session
from planet_sdk.transfer import transfer
from tests.integration.transport.conftest import KEY, TOKEN, lying, scene
from tests.integration.transport.origin import Behaviour, Origin

PLANET, FILES = "api.planet.test", "files.planet.test"
PUBLIC, PRIVATE = "93.184.215.14", "127.0.0.1"

Names = dict[str, str]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    """What the machine's resolver says, name by name; numbers stay what they are."""
    known: Names = {}
    ask: Callable[..., Any] = socket.getaddrinfo

    def answer(host: Any, *args: Any, **kwargs: Any) -> Any:
        text = host.decode() if isinstance(host, bytes) else host
        return ask(known.get(text, text), *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    return known


@pytest.fixture
async def heard() -> AsyncIterator[tuple[int, list[bytes]]]:
    """A port of this machine that nobody has any business with, and what was said to it."""
    said: list[bytes] = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        said.append(await reader.read())
        writer.close()

    server = await asyncio.start_server(listen, PRIVATE, 0)
    yield server.sockets[0].getsockname()[1], said
    server.close()
    await server.wait_closed()


async def test_a_name_that_leads_into_a_private_network_is_refused_before_a_byte_is_sent(
    names: Names, heard: tuple[int, list[bytes]], tmp_path: Path
) -> None:
    """The address looked at is the one that is connected to, so that no second answer of the resolver matters."""
    port, said = heard
    names.update({PLANET: PUBLIC, FILES: PRIVATE})

    async with Session(Auth.from_key(KEY), base_url=f"https://{PLANET}") as session:
        with pytest.raises(UnsafeLink, match=r"127\.0\.0\.1 is not in the public internet") as caught:
            await transfer(session, f"https://{FILES}:{port}/scene.tif?token={TOKEN}", tmp_path / "scene.tif")
        with pytest.raises(UnsafeLink):
            await session.request("GET", f"https://{FILES}:{port}/next")

    assert b"".join(said) == b""
    assert TOKEN not in str(caught.value)
    assert lying(tmp_path) == {}


async def test_a_planet_whose_own_name_leads_into_a_private_network_may_send_us_there(
    names: Names, api: Origin, storage: Origin, tmp_path: Path
) -> None:
    names.update({PLANET: PRIVATE, FILES: PRIVATE})
    storage.files["/scene.tif"] = scene()
    api.always["/download"] = Behaviour(redirect=f"http://{FILES}:{storage.port}/scene.tif")
    home = f"http://{PLANET}:{api.port}"

    async with Session(Auth.from_key(KEY), base_url=home) as session:
        await transfer(session, f"{home}/download", tmp_path / "scene.tif")

    assert lying(tmp_path) == {"scene.tif": 1_000}
    assert "authorization" in api.seen[0].headers
    assert "authorization" not in storage.seen[0].headers


@pytest.mark.parametrize("where", ["file:///etc/passwd", "gopher://x/", "http://x:99999/"])
async def test_a_redirect_to_an_odd_place_is_refused(where: str, session: Session, api: Origin) -> None:
    api.always["/a"] = Behaviour(redirect=where)

    with pytest.raises(UnsafeLink):
        await session.request("GET", f"{api.url}/a")


async def test_a_proxy_may_be_on_a_private_network_and_a_number_is_refused_all_the_same(
    monkeypatch: pytest.MonkeyPatch, api: Origin, tmp_path: Path
) -> None:
    """It is the proxy that resolves names; here it answers in place of Planet, to which it is asked for a tunnel."""
    monkeypatch.setenv("HTTPS_PROXY", api.url)

    async with Session(Auth.from_key(KEY), base_url=f"https://{PLANET}") as session:
        session.max_retries = 0
        with pytest.raises(RequestError, match="ProxyError"):
            await session.request("GET", f"https://{PLANET}/x")
        asked = len(api.seen)
        with pytest.raises(UnsafeLink):
            await transfer(session, "https://169.254.169.254/latest", tmp_path / "x")

    assert [(seen.method, seen.target) for seen in api.seen[:1]] == [("CONNECT", f"{PLANET}:443")]
    assert len(api.seen) == asked == 1
