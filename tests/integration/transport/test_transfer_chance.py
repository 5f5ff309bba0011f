"""Transfers under random faults, and many at the same file: whatever happens, no wrong byte gets a final name."""

from __future__ import annotations

import asyncio
import hashlib
import random
from pathlib import Path

import pytest

from planet_sdk.exceptions import PlanetError, TransferBusy
from planet_sdk.session import Session
from planet_sdk.transfer import Expected, Transferred, transfer
from tests.integration.transport.conftest import lying, scene
from tests.integration.transport.origin import Behaviour, Origin

SCENE = scene()
OTHER = SCENE[::-1]


def fault(chance: random.Random) -> Behaviour:
    somewhere = chance.randrange(len(SCENE))
    return chance.choice(
        [
            Behaviour(cut_after=somewhere),
            Behaviour(cut_after=somewhere, chunked=True),
            Behaviour(cut_after=somewhere, ranges=False),
            Behaviour(cut_after=somewhere, etag=None),
            Behaviour(cut_after=somewhere, etag='W/"weak"'),
            Behaviour(content_range=f"bytes {somewhere}-999/1000"),
            Behaviour(content_range=f"bytes 0-{somewhere}/{somewhere + 1}"),
            Behaviour(status=chance.choice([408, 416, 429, 500, 502, 503, 504])),
            Behaviour(status=416, headers={"Content-Range": f"bytes */{somewhere}"}),
            Behaviour(drop=True),
        ]
    )


@pytest.mark.parametrize("with_digest", [True, False])
async def test_after_any_faults_the_file_is_right_or_not_there(
    with_digest: bool, session: Session, api: Origin, tmp_path: Path
) -> None:
    expected = Expected(len(SCENE), hashlib.sha256(SCENE).hexdigest() if with_digest else None)
    for seed in range(30):
        chance, name = random.Random(seed), f"{seed}.tif"
        api.files[f"/{name}"] = SCENE
        for _ in range(3):
            api.then(f"/{name}", *[fault(chance) for _ in range(chance.randrange(8))])
            try:
                await transfer(session, f"{api.url}/{name}", tmp_path / name, expected=expected)
            except PlanetError:
                assert name not in lying(tmp_path)
        api.forget_plans()
        await transfer(session, f"{api.url}/{name}", tmp_path / name, expected=expected)
        assert (tmp_path / name).read_bytes() == SCENE, f"seed {seed}"

    assert set(lying(tmp_path)) == {f"{seed}.tif" for seed in range(30)}


async def test_of_a_file_that_changes_meanwhile_one_version_arrives(
    session: Session, api: Origin, tmp_path: Path
) -> None:
    """Without any digest, the server's own validators keep two versions of one size apart."""
    chance = random.Random(1)

    def change(_: int, __: int | None) -> None:
        api.files["/scene.tif"] = chance.choice([SCENE, OTHER])

    for number in range(15):
        change(0, 0)
        api.then("/scene.tif", *[Behaviour(cut_after=chance.randrange(1, 500)) for _ in range(6)])
        done = await transfer(session, f"{api.url}/scene.tif", tmp_path / f"{number}.tif", progress=change)
        assert done.path.read_bytes() in {SCENE, OTHER}
        api.forget_plans()


async def test_of_many_transfers_of_one_file_one_writes_and_the_others_say_so(
    session: Session, api: Origin, tmp_path: Path
) -> None:
    api.files["/scene.tif"] = SCENE
    expected = Expected(len(SCENE), hashlib.sha256(SCENE).hexdigest())

    results = await asyncio.gather(
        *[transfer(session, f"{api.url}/scene.tif", tmp_path / "scene.tif", expected=expected) for _ in range(20)],
        return_exceptions=True,
    )

    assert all(isinstance(result, (Transferred, TransferBusy)) for result in results)
    assert sum(isinstance(result, Transferred) and not result.was_there for result in results) == 1
    assert api.count("/scene.tif") == 1
    assert lying(tmp_path) == {"scene.tif": len(SCENE)}
