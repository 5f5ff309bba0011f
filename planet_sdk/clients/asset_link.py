"""The download link of an asset, which storage refuses one day."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from planet_sdk.clients.asset_json import ACTIVE, expected_of, location_of, name_of, status_of
from planet_sdk.exceptions import ClientError

if TYPE_CHECKING:
    from planet_sdk.clients.assets import AssetsClient

# What was active a moment ago is so again within seconds; a cold start, of up to 45 minutes, is left to the caller.
POLLS_AFTER_REACTIVATION = 12


class AssetLink:
    """Gets new links for one download.

    Args:
        client: reads the asset again.
        asset: as it was when the download began.
    """

    def __init__(self, client: AssetsClient, asset: dict[str, Any]) -> None:
        self._client = client
        self._asset = asset
        self._renewals = 0

    async def renew(self) -> str:
        """Return a new link: of the asset read again, and from the second time on of the asset activated again.

        The link of every fourth active asset was refused by storage until the asset was activated once more (seen in
        the wild).

        Raises:
            ClientError: the asset has become another one, or is not active again after a minute.
            APIError: Planet's error.
        """
        self._renewals += 1
        fresh = await self._client.read_again(self._asset)
        if self._renewals > 1 or status_of(fresh) != ACTIVE:
            await self._client.activate_anew(self._asset)
            fresh = await self._client.read_again(self._asset)
            fresh = await self._client.wait_asset(fresh, max_attempts=POLLS_AFTER_REACTIVATION)
        if expected_of(self._asset).digest not in {None, expected_of(fresh).digest}:
            raise ClientError(f"{name_of(self._asset)} has another file by now: read it again with get_asset()")
        return location_of(fresh)
