"""Planet's Orders API: create orders, follow them, and bring their files home."""

from __future__ import annotations

import asyncio
import time
import uuid
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from planet_sdk.checksum import check_order_folder
from planet_sdk.clients.order_states import ORDER_STATE_SEQUENCE, OrderStates
from planet_sdk.delivery import Delivery, DeliveryFile
from planet_sdk.exceptions import ClientError
from planet_sdk.limits import RequestKind
from planet_sdk.models import Paged, object_of
from planet_sdk.paths import path_inside
from planet_sdk.reporting import TransferBar, TransferBars
from planet_sdk.transfer import Transferred, transfer, transfer_named_by_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from planet_sdk.exchange import BeforeSending
    from planet_sdk.reporting import FileProgress
    from planet_sdk.session import Session

__all__ = ["ORDER_STATE_SEQUENCE", "OrderStates", "OrdersClient"]


class Orders(Paged):
    """The orders of a list, page by page."""

    ITEMS_KEY = "orders"


class OrdersClient:
    """Everything that can be done with orders; needs an open Session.

    Args:
        session: sends the requests.
        base_url: of the Orders API, which gets the Session's credentials; by default that of the Session's Planet.
        sleep: waits between two polls.
        clock: says how long a poll took, in seconds.
    """

    def __init__(
        self,
        session: Session,
        base_url: str | None = None,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.session = session
        self._base_url = (base_url or f"{session.base_url}/compute/ops").rstrip("/")
        session.trust(self._base_url)
        self._orders_url = f"{self._base_url}/orders/v2"
        self._sleep, self._clock = sleep, clock

    async def create_order(
        self, request: dict[str, Any], *, before_sending: BeforeSending | None = None
    ) -> dict[str, Any]:
        """Create one order, and return it as Planet answered.

        Not idempotent, and never repeated blindly: the request is sent a second time only when it is certain that
        Planet did not take the first.

        Args:
            request: see order_request.build_request(); is not changed.
            before_sending: awaited each time just before the first byte is sent: to write down that there may be an
                order from here on. What it raises is raised, and nothing is sent.

        Raises:
            RequestError: with `may_have_reached`, the order may exist: look for it by its name before trying again.
            ServerError: likewise, as all errors of the 5xx family.
            APIError: Planet refused the request.
        """
        response = await self.session.request(
            "POST", self._orders_url, json=request, kind=RequestKind.CREATE, before_sending=before_sending
        )
        return object_of(response)

    async def get_order(self, order_id: str) -> dict[str, Any]:
        """Return the order as it is now, with fresh links to its files once there are any.

        Raises:
            ClientError: the id is no UUID; nothing was sent.
            APIError: Planet's error; MissingResource also for another account's order.
        """
        response = await self.session.request("GET", self._order_url(order_id), kind=RequestKind.GET)
        return object_of(response)

    async def cancel_order(self, order_id: str) -> dict[str, Any]:
        """Cancel an order that is still queued, and return it.

        Raises:
            ClientError: the id is no UUID; nothing was sent.
            Conflict: the order is no longer queued.
            APIError: any other error of Planet's.
        """
        response = await self.session.request("PUT", self._order_url(order_id), kind=RequestKind.CANCEL)
        return object_of(response)

    async def cancel_orders(self, order_ids: list[str] | None = None) -> dict[str, Any]:
        """Cancel queued orders, all of them where no ids are given; return which were cancelled and which not.

        Raises:
            ClientError: an id is no UUID; nothing was sent.
            APIError: Planet's error.
        """
        body = {"order_ids": [_check_order_id(order_id) for order_id in order_ids]} if order_ids else {}
        url = f"{self._base_url}/bulk/orders/v2/cancel"
        response = await self.session.request("POST", url, json=body, kind=RequestKind.BULK_CANCEL)
        return object_of(response)

    async def aggregated_order_stats(self) -> dict[str, Any]:
        """Return how many orders are queued and running, for the user and for the organisation."""
        response = await self.session.request("GET", f"{self._base_url}/stats/orders/v2", kind=RequestKind.STATS)
        return object_of(response)

    async def list_orders(
        self,
        state: str | None = None,
        limit: int = 100,
        source_type: str | None = None,
        name: str | None = None,
        name__contains: str | None = None,
        created_on: str | None = None,
        last_modified: str | None = None,
        hosting: bool | None = None,
        sort_by: str | None = None,
        *,
        destination_ref: str | None = None,
        user_id: str | int | None = None,
        page_size: int | None = None,
    ) -> AsyncIterator[dict[str, Any]]:
        """Yield orders, newest first; asks for the next page only when it is needed.

        Args:
            state: only orders in this state.
            limit: yield no more than this; 0 for all.
            source_type: "scenes" or "basemaps"; by default both.
            name: only orders of exactly this name.
            name__contains: only orders whose name holds this text.
            created_on: RFC 3339 time, or interval "a/b", "a/..", "../b"; the start is part of it, the end is not.
            last_modified: as `created_on`.
            hosting: only orders with, or without, hosting.
            sort_by: name, created_on, state or last_modified, each with " ASC" or " DESC", separated by commas.
            destination_ref: only orders delivered to this destination.
            user_id: of another user of the organisation, or "all"; for its administrators.
            page_size: orders a page; by default as Planet likes.

        Raises:
            ClientError: the state is none of Planet's.
            PagingError: a page names itself as the next one.
            APIError: Planet's error.
        """
        if state:
            OrderStates.check(state)
        params: dict[str, Any] = {
            "source_type": "all" if source_type is None else source_type,
            "name": name,
            "name__contains": name__contains,
            "created_on": created_on,
            "last_modified": last_modified,
            "hosting": hosting,
            "sort_by": sort_by,
            "state": state or None,
            "destination_ref": destination_ref,
            "user_id": user_id,
            "page_size": page_size,
        }
        params = {key: value for key, value in params.items() if value is not None}
        request = partial(self.session.request, kind=RequestKind.LIST)
        first = await request("GET", self._orders_url, params=params)
        async for order in Orders(first, request, limit=limit):
            yield order

    async def wait(
        self,
        order_id: str,
        state: str | None = None,
        delay: int = 5,
        max_attempts: int = 200,
        callback: Callable[[str], None] | None = None,
    ) -> str:
        """Ask for the order until it is final, or has reached `state`; return the state it is in then.

        An order that failed or was cancelled is final, and raises nothing. Errors on the way to Planet are ridden out
        by the Session's retries.

        Args:
            order_id: the order.
            state: end also when this state is reached, or passed.
            delay: seconds from one poll to the next.
            max_attempts: polls before giving up; 0 for no limit.
            callback: called with the state after every poll.

        Raises:
            ClientError: the id or the state makes no sense, or the polls are used up.
            APIError: Planet's error.
        """
        if state:
            OrderStates.check(state)
        attempts = 0
        while True:
            started = self._clock()
            current = _state(await self.get_order(order_id))
            attempts += 1
            if callback:
                callback(current)
            if OrderStates.is_final(current) or (state and OrderStates.reached(state, current)):
                return current
            if max_attempts and attempts >= max_attempts:
                raise ClientError(
                    f"order {order_id} is still {current}: Maximum number of attempts ({max_attempts}) reached. "
                    "Call wait again, or with more attempts or a longer delay."
                )
            await self._sleep(max(delay - (self._clock() - started), 0))

    async def download_asset(
        self,
        location: str,
        filename: str | Path | None = None,
        directory: Path | str = Path(),
        overwrite: bool = False,
        progress_bar: bool = True,
        *,
        progress: FileProgress | None = None,
    ) -> Path:
        """Bring one file home, whole or not at all; return its path.

        What a failed or killed call leaves behind, the next one continues. Under the final name lies nothing but the
        whole file.

        Args:
            location: the download link.
            filename: below `directory`; by default the name the server gives.
            directory: made if need be.
            overwrite: fetch it again, and replace the file that lies there; otherwise one of the same size is kept, or,
                where the server gives no size, one of the same content.
            progress_bar: show a bar, where stderr is a terminal.
            progress: told the file's path (the folder's, until the server has named the file), the bytes that are
                here, and the size of the whole file, or None while that is not known.

        Raises:
            FileConflict: another file lies there.
            LinkExpired: the link is no longer honoured.
            UnsafeName: the file would lie outside the folder.
            TransferError: it did not arrive.
        """
        directory = Path(directory)
        path = path_inside(directory, str(filename)) if filename else None
        with TransferBar(path or directory, enabled=progress_bar, also=progress) as bar:
            if path:
                got = await transfer(self.session, location, path, overwrite=overwrite, progress=bar)
            else:
                got = await transfer_named_by_server(
                    self.session, location, directory, overwrite=overwrite, progress=bar
                )
                bar.rename(got.path)
        return got.path

    async def download_order(
        self,
        order_id: str,
        directory: Path | str = Path(),
        overwrite: bool = False,
        progress_bar: bool = False,
        *,
        progress: FileProgress | None = None,
    ) -> list[Path]:
        """Bring all files of a finished order home, checked against its manifest; return their paths.

        The manifest comes first, the rest side by side. Idempotent: files that are there already are kept, and what a
        failed or killed call leaves behind, the next one continues.

        Args:
            order_id: the order.
            directory: the files go below it, into a folder named after the order.
            overwrite: replace other files that lie there.
            progress_bar: show a bar for each file, where stderr is a terminal.
            progress: told a file's path, the bytes of it that are here, and its size, or None while that is not known.

        Raises:
            ClientError: the order is not final, or lists files without a link.
            FileConflict: another file lies where one of these belongs.
            UnsafeName: a file would lie outside the folder; nothing was written.
            TransferError: a file did not arrive; its notes name all that did not.
            APIError: Planet's error.
        """
        order = await self.get_order(order_id)
        if not OrderStates.is_final(state := _state(order)):
            raise ClientError(
                f"Order {order_id} cannot be downloaded because the order state ({state}) is not a final state. "
                "Consider using wait functionality before attempting to download."
            )
        with TransferBars(enabled=progress_bar, also=progress) as bars:

            def show(file: DeliveryFile, here: int, size: int | None) -> None:
                bars.show(file.path, here, size)

            async def done(file: DeliveryFile, _: Transferred) -> None:
                bars.close(file.path)

            delivery = await Delivery.open(self, order, Path(directory), overwrite=overwrite, progress=show)
            await delivery.fetch_all(overwrite=overwrite, progress=show, done=done)
        return [file.path for file in delivery.files]

    @staticmethod
    def validate_checksum(directory: Path | str, checksum: str) -> None:
        """Return only if every file that the folder's manifest lists is there, with its size and digest.

        Changes nothing, needs no Session, and reads on all cores, a piece of a file at a time. A file may also lie in
        a zip archive beside the manifest.

        Args:
            directory: the order's folder, with its manifest.json.
            checksum: "MD5" or "SHA256", in any capitals.

        Raises:
            ChecksumMismatch: files are missing or wrong; lists each of them.
            ClientError: there is no manifest, or it makes no sense.
        """
        check_order_folder(Path(directory), checksum)

    def _order_url(self, order_id: str) -> str:
        return f"{self._orders_url}/{_check_order_id(order_id)}"


def _check_order_id(order_id: str) -> str:
    """Return the id, which is certain to be a UUID: it becomes part of an address."""
    try:
        uuid.UUID(hex=order_id)
    except (ValueError, AttributeError, TypeError) as error:
        raise ClientError(f"Order id ({order_id}) is not a valid UUID hexadecimal string.") from error
    return order_id


def _state(order: dict[str, Any]) -> str:
    state = order.get("state")
    if not isinstance(state, str):
        raise ClientError(f"order {order.get('id')}: the answer has no state; ask again")
    return state
