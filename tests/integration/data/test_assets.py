"""Looking assets up, activating them and bringing their files home over real HTTP."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from planet_sdk import DataClient, exceptions
from planet_sdk.clients.asset_link import POLLS_AFTER_REACTIVATION
from tests.integration.data.conftest import ACTIVATE, ASSET, DOWNLOAD, MD5, SCENE, TOKEN, V1, answer, asset
from tests.integration.transport.conftest import Time, lying
from tests.integration.transport.origin import Behaviour, Origin

ITEM = f"{V1}/item-types/PSScene/items/20221003_002705_38_2461"


def polls(api: Origin, *statuses: str) -> None:
    """Show the asset in these states, one after another; the last one stays."""
    api.then(ASSET, *(answer(asset(api, status)) for status in statuses[:-1]))
    api.always[ASSET] = answer(asset(api, statuses[-1]))


async def test_an_items_assets_are_listed_and_one_is_picked(api: Origin, data: DataClient) -> None:
    api.always[f"{ITEM}/assets"] = answer({"ortho_visual": asset(api), "basic_udm2": {}})

    assert list(await data.list_item_assets("PSScene", "20221003_002705_38_2461")) == ["ortho_visual", "basic_udm2"]
    assert await data.get_asset("psscene", "20221003_002705_38_2461", "ortho_visual") == asset(api)
    with pytest.raises(exceptions.ClientError, match=r"\(visual\) must be one of \['ortho_visual', 'basic_udm2'\]"):
        await data.get_asset("PSScene", "20221003_002705_38_2461", "visual")


@pytest.mark.parametrize(("status", "requests"), [("inactive", 1), ("activating", 0), ("active", 0)])
async def test_only_an_inactive_asset_is_activated(api: Origin, data: DataClient, status: str, requests: int) -> None:
    api.then(ACTIVATE, Behaviour(status=503), Behaviour(status=202))

    await data.activate_asset(asset(api, status))

    assert [seen.method for seen in api.seen] == ["GET", "GET"][: 2 * requests]


async def test_wait_reports_every_status_and_returns_the_active_asset(
    api: Origin, data: DataClient, time: Time
) -> None:
    """The asset that was passed in is looked at first, without a request."""
    polls(api, "inactive", "activating", "active")
    seen: list[str] = []

    active = await data.wait_asset(asset(api, "inactive"), callback=seen.append)

    assert active == asset(api)
    assert seen == ["inactive", "inactive", "activating", "active"]
    assert time.pauses == [5, 5, 5]
    assert await data.wait_asset(active) is active
    assert api.count(ASSET) == 3


async def test_wait_rides_out_errors_that_pass(api: Origin, data: DataClient) -> None:
    api.then(ASSET, Behaviour(drop=True), Behaviour(status=502), Behaviour(status=429))

    assert await data.wait_asset(asset(api, "activating")) == asset(api)


async def test_wait_gives_up_after_its_attempts_and_does_not_sleep_after_the_last(
    api: Origin, data: DataClient, time: Time
) -> None:
    polls(api, "activating")

    with pytest.raises(exceptions.ClientError, match=r"ortho_visual .* still activating.*attempts \(3\)"):
        await data.wait_asset(asset(api, "inactive"), delay=2, max_attempts=3)
    assert api.count(ASSET) == 3
    assert time.pauses == [2, 2, 2]


async def test_the_last_attempt_counts(api: Origin, data: DataClient) -> None:
    polls(api, "activating", "active")

    assert await data.wait_asset(asset(api, "inactive"), max_attempts=2) == asset(api)


async def test_wait_has_no_end_with_zero_attempts(api: Origin, data: DataClient) -> None:
    polls(api, *["activating"] * 250, "active")

    assert await data.wait_asset(asset(api, "inactive"), max_attempts=0) == asset(api)


async def test_an_asset_that_is_gone_ends_the_wait(api: Origin, data: DataClient) -> None:
    api.always[ASSET] = answer({"message": "no such asset"}, 404)

    with pytest.raises(exceptions.MissingResource):
        await data.wait_asset(asset(api, "inactive"))


@pytest.mark.parametrize(
    ("broken", "entry"),
    [({}, "status"), ({"status": "inactive"}, "_links"), ({"status": "inactive", "_links": {"_self": 5}}, "_links")],
)
async def test_what_is_no_asset_is_refused_with_what_it_lacks(
    api: Origin, data: DataClient, broken: dict[str, Any], entry: str
) -> None:
    for call in (data.activate_asset, data.wait_asset):
        with pytest.raises(exceptions.ClientError, match=rf'missing \["{entry}"\]|missing \["_links"\]'):
            await call(broken)
    assert api.seen == []


async def test_an_asset_comes_home_under_the_servers_name(
    api: Origin, storage: Origin, data: DataClient, tmp_path: Path
) -> None:
    path = await data.download_asset(asset(api), directory=tmp_path / "new")

    assert path == tmp_path / "new" / "scene.tif"
    assert path.read_bytes() == SCENE
    assert lying(path.parent) == {"scene.tif": len(SCENE)}
    assert "authorization" not in storage.seen[-1].headers
    data.validate_checksum(asset(api), path)


async def test_an_asset_comes_home_under_a_name_of_ones_own(api: Origin, data: DataClient, tmp_path: Path) -> None:
    assert await data.download_asset(asset(api), "a/b.tif", tmp_path) == tmp_path / "a" / "b.tif"
    with pytest.raises(exceptions.UnsafeName):
        await data.download_asset(asset(api), "../b.tif", tmp_path)


@pytest.mark.parametrize("status", ["inactive", "activating"])
async def test_an_asset_that_is_not_active_is_refused_with_what_to_do(
    api: Origin, data: DataClient, tmp_path: Path, status: str
) -> None:
    with pytest.raises(exceptions.ClientError, match=rf'missing \["location"\] .*{status}.*activate_asset\(\)'):
        await data.download_asset(asset(api, status), directory=tmp_path)
    assert api.seen == []


@pytest.mark.parametrize("name", [None, "mine.tif"])
async def test_a_cut_body_is_carried_on(
    api: Origin, storage: Origin, data: DataClient, tmp_path: Path, name: str | None
) -> None:
    storage.then("/scene.tif", Behaviour(cut_after=70_000))

    path = await data.download_asset(asset(api), name, tmp_path)

    assert path.read_bytes() == SCENE
    assert storage.ranges("/scene.tif") == [None, "bytes=70000-"]


async def test_a_file_that_is_not_the_assets_never_gets_its_name(
    api: Origin, storage: Origin, data: DataClient, tmp_path: Path
) -> None:
    storage.always["/scene.tif"] = Behaviour(corrupt=True)

    with pytest.raises(exceptions.TransferCorrupt, match="md5"):
        await data.download_asset(asset(api), directory=tmp_path)
    assert lying(tmp_path) == {}


async def test_the_right_file_is_kept_and_another_is_not_overwritten_unasked(
    api: Origin, storage: Origin, data: DataClient, tmp_path: Path
) -> None:
    path = await data.download_asset(asset(api), "scene.tif", tmp_path)
    assert await data.download_asset(asset(api), "scene.tif", tmp_path) == path
    assert storage.count("/scene.tif") == 1

    path.write_bytes(b"mine")
    with pytest.raises(exceptions.FileConflict):
        await data.download_asset(asset(api), "scene.tif", tmp_path)
    await data.download_asset(asset(api), "scene.tif", tmp_path, overwrite=True)
    assert path.read_bytes() == SCENE


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
async def test_a_link_that_storage_refuses_at_the_first_read_is_minted_again(
    api: Origin, storage: Origin, data: DataClient, tmp_path: Path, status: int
) -> None:
    """Storage answers 400, too, to links of assets that are active."""
    storage.then("/scene.tif", Behaviour(status=status))

    path = await data.download_asset(asset(api), directory=tmp_path)

    assert path.read_bytes() == SCENE
    assert (api.count(ASSET), api.count(ACTIVATE)) == (1, 0)


async def test_a_link_that_expires_on_the_way_is_renewed_and_the_download_goes_on(
    api: Origin, storage: Origin, data: DataClient, tmp_path: Path
) -> None:
    api.always["/fresh"] = Behaviour(redirect=f"{storage.url}/scene.tif")
    api.always[ASSET] = answer(asset(api, location=f"{api.url}/fresh"))
    storage.then("/scene.tif", Behaviour(cut_after=70_000), Behaviour(status=403))

    path = await data.download_asset(asset(api), directory=tmp_path)

    assert path.read_bytes() == SCENE
    assert storage.ranges("/scene.tif") == [None, "bytes=70000-", "bytes=70000-"]
    assert (api.count(DOWNLOAD), api.count("/fresh")) == (2, 1)


async def test_an_asset_whose_new_link_is_refused_too_is_activated_again(
    api: Origin, storage: Origin, data: DataClient, tmp_path: Path
) -> None:
    storage.then("/scene.tif", Behaviour(status=400), Behaviour(status=400))

    path = await data.download_asset(asset(api), directory=tmp_path)

    assert path.read_bytes() == SCENE
    assert api.count(ACTIVATE) == 1


async def test_an_asset_that_is_no_longer_active_is_activated_again(
    api: Origin, storage: Origin, data: DataClient, tmp_path: Path
) -> None:
    storage.then("/scene.tif", Behaviour(cut_after=70_000), Behaviour(status=404))
    polls(api, "inactive", "activating", "active")

    path = await data.download_asset(asset(api), directory=tmp_path)

    assert path.read_bytes() == SCENE
    assert [seen.path for seen in api.seen if seen.path != DOWNLOAD] == [ASSET, ACTIVATE, ASSET, ASSET]


async def test_an_asset_that_stays_inactive_ends_the_download_and_keeps_what_arrived(
    api: Origin, storage: Origin, data: DataClient, tmp_path: Path
) -> None:
    storage.then("/scene.tif", Behaviour(cut_after=70_000), Behaviour(status=404))
    polls(api, "activating")

    with pytest.raises(exceptions.ClientError, match="still activating"):
        await data.download_asset(asset(api), directory=tmp_path)
    assert api.count(ASSET) == 2 + POLLS_AFTER_REACTIVATION
    assert lying(tmp_path)["scene.tif.part"] == 70_000


async def test_links_that_are_refused_again_and_again_end_the_download(
    api: Origin, storage: Origin, data: DataClient, tmp_path: Path
) -> None:
    storage.always["/scene.tif"] = Behaviour(status=403)

    with pytest.raises(exceptions.LinkExpired):
        await data.download_asset(asset(api), directory=tmp_path)


async def test_an_asset_that_became_another_file_is_not_spliced_together(
    api: Origin, storage: Origin, data: DataClient, tmp_path: Path
) -> None:
    storage.then("/scene.tif", Behaviour(cut_after=70_000), Behaviour(status=403))
    api.always[ASSET] = answer(asset(api, md5_digest="0" * 32))

    with pytest.raises(exceptions.ClientError, match="another file"):
        await data.download_asset(asset(api), directory=tmp_path)


async def test_an_asset_without_a_digest_comes_home_whole(
    api: Origin, storage: Origin, data: DataClient, tmp_path: Path
) -> None:
    storage.then("/scene.tif", Behaviour(cut_after=70_000))

    path = await data.download_asset(asset(api, md5_digest=None), directory=tmp_path)

    assert path.read_bytes() == SCENE


async def test_no_message_holds_a_link(
    api: Origin, storage: Origin, data: DataClient, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A link's query string is a bearer token."""
    caplog.set_level("DEBUG")
    storage.always["/scene.tif"] = Behaviour(status=403)

    with pytest.raises(exceptions.LinkExpired) as caught:
        await data.download_asset(asset(api), directory=tmp_path)
    assert TOKEN not in str(caught.value)
    assert TOKEN not in caplog.text


@pytest.mark.parametrize("as_given", [Path, str])
def test_a_file_is_held_against_its_asset(tmp_path: Path, as_given: type[Path | str]) -> None:
    path = tmp_path / "scene.tif"
    path.write_bytes(SCENE)

    DataClient.validate_checksum({"md5_digest": MD5.upper()}, as_given(path))
    path.write_bytes(b"x")
    with pytest.raises(exceptions.ChecksumMismatch, match="do not match") as caught:
        DataClient.validate_checksum({"md5_digest": MD5}, path)
    assert hashlib.md5(b"x").hexdigest() in caught.value.problems[0]


@pytest.mark.parametrize("known", [{}, {"md5_digest": None}, {"md5_digest": 5}])
def test_an_asset_without_a_digest_cannot_be_checked(tmp_path: Path, known: dict[str, Any]) -> None:
    (tmp_path / "a").write_bytes(b"x")

    with pytest.raises(exceptions.ClientError, match=r'missing \["md5_digest"\].*activate_asset'):
        DataClient.validate_checksum(known, tmp_path / "a")


def test_a_file_that_is_not_there_or_none_is_an_error_of_this_package(tmp_path: Path) -> None:
    with pytest.raises(exceptions.ClientError, match="does not exist"):
        DataClient.validate_checksum({"md5_digest": MD5}, tmp_path / "a")
    with pytest.raises(exceptions.ClientError, match="cannot be read"):
        DataClient.validate_checksum({"md5_digest": MD5}, tmp_path)
