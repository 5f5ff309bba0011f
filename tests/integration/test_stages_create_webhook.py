"""Orders are created with the fleet's webhook, where it has one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.stage_rig import Rig, new_run, open_rig, request

OURS = "https://orders.example.com/webhooks/planet/planted-secret-of-the-webhook"
THEIRS = {"url": "https://their.example/hook"}


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with open_rig(tmp_path) as rig:
        yield rig


async def asked_of_planet(rig: Rig) -> dict[str, Any]:
    """What Planet has of the order's request."""
    await rig.step()
    assert rig.run.order_id
    return await rig.orders.get_order(rig.run.order_id)


@pytest.mark.parametrize(
    ("notifications", "sent"),
    [
        ({}, {"webhook": {"url": OURS, "per_order": True}}),
        ({"email": True}, {"email": True, "webhook": {"url": OURS, "per_order": True}}),
        ({"webhook": THEIRS}, {"webhook": THEIRS}),
    ],
    ids=["none of its own", "mail", "a webhook of its own"],
)
async def test_an_order_is_created_with_our_webhook_unless_it_has_one(
    rig: Rig, notifications: dict[str, Any], sent: dict[str, Any]
) -> None:
    """Once for each order; what the producer asked for stays, and the run's own record of it is not touched."""
    rig.webhook_url = OURS
    rig.run = new_run(request=request(notifications=notifications))

    assert (await asked_of_planet(rig))["notifications"] == sent
    assert rig.run.request == request(notifications=notifications)
    assert "planted" not in rig.run.model_dump_json()


async def test_without_a_public_address_nothing_is_added(rig: Rig) -> None:
    assert "notifications" not in await asked_of_planet(rig)
