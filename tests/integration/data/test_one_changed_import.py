"""One program, run with `planet` 2.14 and with this package: the same answers from the same requests."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.integration.data.conftest import ACTIVATE, ASSET, SCENE, V1, answer, asset
from tests.integration.transport.origin import Behaviour, Origin

PROGRAM = Path(__file__).with_name("drive_data_client.py")
SEARCH_ID = "286469f0b27c476e96c3c4e561f59664"
SEARCH = {"id": SEARCH_ID, "name": "n"}


def feature(name: str) -> dict[str, Any]:
    return {"type": "Feature", "id": name, "geometry": None, "properties": {}}


def prepare(api: Origin) -> None:
    """Answer everything that the program asks, from its first request on."""
    more = {"_links": {"_next": f"{api.url}/more"}}
    api.always["/more"] = answer({"_links": {}, "features": [feature("b"), feature("c")]})
    for path in (f"{V1}/quick-search", f"{V1}/searches/{SEARCH_ID}/results"):
        api.always[path] = answer({**more, "features": [feature("a")]})
    # the first request to this address creates, the second lists
    api.then(f"{V1}/searches", answer(SEARCH), answer({"_links": {"_next": None}, "searches": [SEARCH]}))
    api.always[f"{V1}/searches/{SEARCH_ID}"] = answer(SEARCH)
    api.always[f"{V1}/stats"] = answer({"buckets": []})
    api.always[f"{V1}/item-types/PSScene/items/i/assets"] = answer({"ortho_visual": asset(api, "inactive")})
    api.always[ACTIVATE] = Behaviour(status=202)
    # the poll of the wait that gives up comes last
    polls = [asset(api, status) for status in ("activating", "active", "activating")]
    api.then(ASSET, *map(answer, polls))


async def run(package: str, api: Origin, storage: Origin, folder: Path) -> tuple[dict[str, Any], list[Any]]:
    """Return what the program found, and what was asked meanwhile."""
    for origin in (api, storage):
        origin.forget_plans()
        origin.seen.clear()
    prepare(api)
    pipe = asyncio.subprocess.PIPE
    command: list[str | Path] = [sys.executable, PROGRAM, package, api.url, folder]
    process = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe)
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    asked = [(seen.method, seen.target, json.loads(seen.body or b"null")) for seen in [*api.seen, *storage.seen]]
    return json.loads(out), asked


async def test_a_program_for_planet_2_14_needs_one_changed_import(
    api: Origin, storage: Origin, tmp_path_factory: pytest.TempPathFactory
) -> None:
    found, asked = await run("planet_sdk", api, storage, tmp_path_factory.mktemp("ours"))
    found_2_14, asked_2_14 = await run("planet", api, storage, tmp_path_factory.mktemp("theirs"))

    assert asked == asked_2_14
    assert found == found_2_14
    assert found["files"] == {"scene.tif": len(SCENE), "again.tif": len(SCENE)}
    assert found["statuses"] == ["inactive", "activating", "active"]
    assert len(found["refused"]) == 10
