"""The half of the Data API that deals with assets: look them up, activate them, bring their files home."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from planet_sdk.clients.asset_json import (
    ACTIVE,
    INACTIVE,
    check_file,
    expected_of,
    link_of,
    location_of,
    name_of,
    status_of,
)
from planet_sdk.clients.asset_link import AssetLink
from planet_sdk.clients.data_terms import segment
from planet_sdk.exceptions import ClientError
from planet_sdk.limits import RequestKind
from planet_sdk.models import object_of
from planet_sdk.paths import path_inside
from planet_sdk.reporting import TransferBar
from planet_sdk.specs import validate_data_item_type
from planet_sdk.transfer import transfer, transfer_named_by_server

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from planet_sdk.reporting import FileProgress
    from planet_sdk.session import Session

WAIT_DELAY = 5
WAIT_MAX_ATTEMPTS = 200


class AssetsClient:
    """What can be done with assets; part of DataClient, which says how to make one."""

    def __init__(
        self,
        session: Session,
        base_url: str | None = None,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.session = session
        self._base_url = (base_url or f"{session.base_url}/data/v1").rstrip("/")
        session.trust(self._base_url)
        self._request = partial(session.request, kind=RequestKind.DATA)
        self._sleep, self._clock = sleep, clock

    async def list_item_assets(self, item_type_id: str, item_id: str) -> dict[str, Any]:
        """Return the item's assets by their type."""
        return object_of(await self._request("GET", f"{self._item_url(item_type_id, item_id)}/assets"))

    async def get_asset(self, item_type_id: str, item_id: str, asset_type_id: str) -> dict[str, Any]:
        """Return one asset of an item.

        Raises:
            SpecificationException: Planet has no such item type.
            ClientError: the item has no such asset; lists those it has.
            APIError: Planet's error.
        """
        assets = await self.list_item_assets(validate_data_item_type(item_type_id), item_id)
        asset = assets.get(asset_type_id)
        if not isinstance(asset, dict):
            raise ClientError(f"asset_type_id ({asset_type_id}) must be one of {list(assets)}, for item {item_id}")
        return asset

    async def activate_asset(self, asset: dict[str, Any]) -> None:
        """Ask Planet to make the asset ready for download; returns at once, and does nothing unless it is inactive.

        Idempotent. An asset that the user may not download is answered with 401, InvalidAPIKey.

        Args:
            asset: as get_asset() returned it.

        Raises:
            ClientError: that is no asset.
            APIError: Planet's error.
        """
        link_of(asset, "activate")
        if status_of(asset) == INACTIVE:
            await self.activate_anew(asset)

    async def wait_asset(
        self,
        asset: dict[str, Any],
        delay: int = WAIT_DELAY,
        max_attempts: int = WAIT_MAX_ATTEMPTS,
        callback: Callable[[str], None] | None = None,
    ) -> dict[str, Any]:
        """Ask for the asset until it is active, and return it as it is then, with its download link.

        Activate it first. Errors on the way to Planet are ridden out by the Session's retries.

        Args:
            asset: as get_asset() returned it.
            delay: seconds from one poll to the next, and before the first.
            max_attempts: polls before giving up; 0 for no limit.
            callback: called with the status that `asset` has, and with that of every poll.

        Raises:
            ClientError: that is no asset, or the polls are used up.
            APIError: Planet's error.
        """
        attempts, started = 0, self._clock()
        while True:
            status = status_of(asset)
            if callback:
                callback(status)
            if status == ACTIVE:
                return asset
            if max_attempts and attempts >= max_attempts:
                raise ClientError(
                    f"{name_of(asset)} is still {status}: Maximum number of attempts ({max_attempts}) reached. "
                    "Make sure it was activated; call wait_asset again, or with more attempts or a longer delay."
                )
            await self._sleep(max(delay - (self._clock() - started), 0))
            started = self._clock()
            asset = await self.read_again(asset)
            attempts += 1

    async def download_asset(
        self,
        asset: dict[str, Any],
        filename: str | Path | None = None,
        directory: Path | str = Path(),
        overwrite: bool = False,
        progress_bar: bool = True,
        *,
        progress: FileProgress | None = None,
    ) -> Path:
        """Bring the asset's file home, whole and with the asset's MD5, or not at all; return its path.

        What a failed or killed call leaves behind, the next one continues. Where the link is refused, the asset is read
        again, if need be activated again, and the download goes on from the byte that was reached.

        Args:
            asset: as wait_asset() returned it.
            filename: below `directory`; by default the name the server gives.
            directory: made if need be.
            overwrite: replace another file that lies there; without, it raises FileConflict. The right one is kept.
            progress_bar: show a bar, where stderr is a terminal.
            progress: told the file's path (the folder's, until the server has named the file), the bytes that are
                here, and the size of the whole file, or None while that is not known.

        Raises:
            ClientError: the asset is not active.
            FileConflict: another file lies there.
            LinkExpired: the link was refused, and so were new ones.
            UnsafeName: the file would lie outside the folder.
            TransferError: it did not arrive.
        """
        location, directory = location_of(asset), Path(directory)
        path = path_inside(directory, str(filename)) if filename else None
        with TransferBar(path or directory, enabled=progress_bar, also=progress) as bar:
            bring = partial(
                transfer if path else transfer_named_by_server,
                expected=expected_of(asset),
                overwrite=overwrite,
                progress=bar,
                renew=AssetLink(self, asset).renew,
            )
            got = await bring(self.session, location, path or directory)
            bar.rename(got.path)
        return got.path

    @staticmethod
    def validate_checksum(asset: dict[str, Any], filename: Path | str) -> None:
        """Return only if the file has the asset's MD5. Reads it a piece at a time, and does not need a Session.

        Args:
            asset: as wait_asset() returned it.
            filename: the file.

        Raises:
            ChecksumMismatch: it is another file.
            ClientError: there is no file, or the asset is not active and so has no MD5.
        """
        check_file(asset, Path(filename))

    async def activate_anew(self, asset: dict[str, Any]) -> None:
        """Ask Planet to make the asset ready for download, whatever its status is. Idempotent."""
        await self.session.request("GET", link_of(asset, "activate"), kind=RequestKind.ACTIVATE)  # GET, as in 2.14

    async def read_again(self, asset: dict[str, Any]) -> dict[str, Any]:
        """Return the asset as it is now, with a fresh download link if it is active."""
        return object_of(await self._request("GET", link_of(asset, "_self")))

    def _item_url(self, item_type_id: str, item_id: str) -> str:
        kind, item = segment(item_type_id, "item type"), segment(item_id, "item id")
        return f"{self._base_url}/item-types/{kind}/items/{item}"
