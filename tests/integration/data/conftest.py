"""A client of the Data API, between an API and a storage that answer as told."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from planet_sdk import Auth, DataClient, Session
from planet_sdk.limits import LocalLimiter
from tests.integration.transport.conftest import Time, scene
from tests.integration.transport.origin import Behaviour, Origin

KEY = "PLAK-not-to-be-seen"
TOKEN = "token-not-to-be-seen"
SCENE = scene(200_000)
MD5 = hashlib.md5(SCENE).hexdigest()

V1 = "/data/v1"
ASSET = f"{V1}/assets/eyJpIjogIm"
ACTIVATE = f"{ASSET}/activate"
DOWNLOAD = f"{V1}/download"


def answer(value: Any, status: int = 200) -> Behaviour:
    return Behaviour(status=status, body=json.dumps(value).encode())


def asset(api: Origin, status: str = "active", **entries: Any) -> dict[str, Any]:
    """An asset as the Data API describes it."""
    is_active = status == "active"
    return {
        "_links": {"_self": f"{api.url}{ASSET}", "activate": f"{api.url}{ACTIVATE}", "type": f"{api.url}{V1}/t"},
        "_permissions": ["download"],
        "md5_digest": MD5 if is_active else None,
        "status": status,
        "type": "ortho_visual",
        **({"location": f"{api.url}{DOWNLOAD}?token={TOKEN}"} if is_active else {}),
        **entries,
    }


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
async def storage() -> AsyncIterator[Origin]:
    async with Origin() as origin:
        origin.files["/scene.tif"] = SCENE
        yield origin


@pytest.fixture
async def api(storage: Origin) -> AsyncIterator[Origin]:
    """The Data API, with an asset that is active, whose link leads to storage."""
    async with Origin() as origin:
        origin.always[ASSET] = answer(asset(origin))
        origin.always[ACTIVATE] = Behaviour(status=204)
        origin.always[DOWNLOAD] = Behaviour(redirect=f"{storage.url}/scene.tif?X-Goog-Signature={TOKEN}")
        yield origin


@pytest.fixture
async def session(api: Origin, time: Time) -> AsyncIterator[Session]:
    limiter = LocalLimiter({}, clock=time, sleep=time.sleep)
    async with Session(Auth.from_key(KEY), base_url=api.url, limiter=limiter, retry=time.policy) as session:
        yield session


@pytest.fixture
def data(session: Session, time: Time) -> DataClient:
    return DataClient(session, sleep=time.sleep, clock=time)
