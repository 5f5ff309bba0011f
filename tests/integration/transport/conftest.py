"""A Session whose pauses take no time, between an API and a storage that misbehave as told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from planet_sdk.auth import Auth
from planet_sdk.limits import LocalLimiter
from planet_sdk.retry import RetryPolicy
from planet_sdk.session import Session
from tests.integration.transport.origin import Behaviour, Origin

KEY = "PLAK-not-to-be-seen"
TOKEN = "token-not-to-be-seen"


class Time:
    """A clock that moves only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.pauses: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, delay_s: float) -> None:
        self.pauses.append(delay_s)
        self.now += delay_s

    @property
    def policy(self) -> RetryPolicy:
        return RetryPolicy(sleep=self.sleep, clock=self, wall_clock=self, draw=lambda: 1.0)


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
async def api() -> AsyncIterator[Origin]:
    async with Origin() as origin:
        yield origin


@pytest.fixture
async def storage() -> AsyncIterator[Origin]:
    async with Origin() as origin:
        yield origin


@pytest.fixture
async def session(api: Origin, time: Time) -> AsyncIterator[Session]:
    limiter = LocalLimiter({}, clock=time, sleep=time.sleep)
    async with Session(Auth.from_key(KEY), base_url=api.url, limiter=limiter, retry=time.policy) as session:
        yield session


@pytest.fixture
def link(api: Origin, storage: Origin) -> str:
    """A download link: the API redirects it to the file in storage, as Planet does."""
    storage.files["/scene.tif"] = scene()
    api.always["/download/"] = Behaviour(redirect=f"{storage.url}/scene.tif?X-Goog-Signature={TOKEN}")
    return f"{api.url}/download/?token={TOKEN}"


def scene(size: int = 1_000) -> bytes:
    """Bytes that differ from place to place, so that what is spliced wrongly is found."""
    return b"".join(number.to_bytes(4, "big") for number in range((size + 3) // 4))[:size]


def lying(folder: Path) -> dict[str, int]:
    """Return the names and sizes of what lies in the folder, where others may be at work."""
    sizes = {}
    for path in folder.iterdir():
        with suppress(FileNotFoundError):
            sizes[path.name] = path.stat().st_size
    return sizes
