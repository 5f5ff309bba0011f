"""The files of one order, on their way from Planet's links to a folder."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from planet_sdk.delivery_files import DeliveryFile, files_of, links_of, order_id_of, results_of
from planet_sdk.exceptions import ClientError, PlanetError
from planet_sdk.manifest import MANIFEST_NAME, ManifestEntry, read_manifest_file
from planet_sdk.transfer import Expected, Progress, Transferred, transfer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping
    from pathlib import Path

    from planet_sdk.clients.orders import OrdersClient

__all__ = ["Delivery", "DeliveryFile"]

_log = logging.getLogger(__name__)

SIDE_BY_SIDE = 8  # files of one order at once; the Session bounds the transfers of all orders together


class Delivery:
    """The files of one order and the way to each of them; made by Delivery.open().

    Attributes:
        order_id: the order.
        files: what can be fetched, manifest included, in the order in which Planet lists it.
        undelivered: names that the order lists without a download link, each with Planet's word for why.
        unoffered: paths in the manifest that the order does not offer as files of their own; for an order that was
            delivered as an archive, these lie inside it.
        unoffered_bytes: their sizes together, as far as the manifest tells.
    """

    def __init__(self, client: OrdersClient, order: Mapping[str, Any], files: tuple[DeliveryFile, ...]) -> None:
        results = results_of(order)
        self.order_id: str = order_id_of(order)
        self.files = files
        self._client = client
        self._links = links_of(results)
        self._renewing = asyncio.Lock()
        self._fetched: dict[str, Transferred] = {}
        self.undelivered: dict[str, str] = {
            result["name"]: str(result.get("delivery") or "unknown") for result in results if not result.get("location")
        }
        self.unoffered: tuple[str, ...] = ()
        self.unoffered_bytes = 0

    @classmethod
    async def open(
        cls,
        client: OrdersClient,
        order: Mapping[str, Any],
        directory: Path,
        *,
        overwrite: bool = False,
        progress: Callable[[DeliveryFile, int, int | None], None] | None = None,
    ) -> Delivery:
        """Return the order's files, each with what its manifest promises; fetches the manifest where there is one.

        All names are checked before anything is written. Opening twice is harmless.

        Args:
            client: reads the order again when links have expired.
            order: as OrdersClient.get_order() returned it.
            directory: where the files go; is made if need be.
            overwrite: replace another manifest that lies there.
            progress: told how much of the manifest is here.

        Raises:
            UnsafeName: a file would lie outside the folder; nothing was written.
            ClientError: two files would lie in the same place, or the order or its manifest makes no sense.
            TransferError: the manifest did not arrive.
        """
        files = await asyncio.to_thread(files_of, order, directory)  # in a thread: it resolves every path
        delivery = cls(client, order, files)
        manifest = next((file for file in delivery.files if file.relative == MANIFEST_NAME), None)
        if manifest is not None:
            told = partial(progress, manifest) if progress else None
            delivery._fetched[manifest.name] = got = await delivery.fetch(manifest, overwrite=overwrite, progress=told)
            delivery._expect(await asyncio.to_thread(_read_fetched_manifest, got))
        return delivery

    async def fetch(
        self, file: DeliveryFile, *, overwrite: bool = False, progress: Progress | None = None
    ) -> Transferred:
        """Bring one file to its place, whole and as the manifest promises it.

        A link that has expired, or is refused, makes it read the order again, once for all files that ask, and carry
        on from the same byte. What a cancelled or killed call leaves behind, the next one continues.

        Args:
            file: one of `files`.
            overwrite: replace another file that lies there.
            progress: told how much of the file is here, and how large it is.

        Raises:
            FileConflict: another file lies there.
            TransferError: it did not arrive.
            ClientError: the order no longer offers the file.
        """
        used = self._links

        async def renew() -> str:
            nonlocal used
            used = await self._links_after(used)
            if file.name not in used:
                raise ClientError(f"{file.name}: order {self.order_id} no longer offers this file")
            return used[file.name]

        return await transfer(
            self._client.session,
            used.get(file.name, file.location),
            file.path,
            expected=file.expected,
            overwrite=overwrite,
            progress=progress,
            renew=renew,
        )

    async def fetch_all(
        self,
        *,
        overwrite: bool = False,
        progress: Callable[[DeliveryFile, int, int | None], None] | None = None,
        only: Collection[str] | None = None,
        at_once: int = SIDE_BY_SIDE,
        done: Callable[[DeliveryFile, Transferred], Awaitable[None]] | None = None,
    ) -> list[Transferred]:
        """Bring the files to their places, side by side; returns one entry for each, in the order of `files`.

        After a file has failed, no other is started; those that are under way are finished.

        Args:
            overwrite: replace other files that lie there.
            progress: told about each file how much of it is here, and how large it is.
            only: names of the files to fetch; by default all of them.
            at_once: how many side by side.
            done: awaited for each file once it is in place; what it raises stops everything, and is raised.

        Raises:
            TransferError: and whatever else fetch() raises: the first failure, with the others in its notes.
            ClientError: the order lists files without a link; raised after the others have arrived.
        """
        wanted = self._wanted(only)
        waiting = deque(wanted)
        arrived: dict[str, Transferred] = {}
        failed: dict[str, Exception] = {}

        async def fetch_until_none_waits() -> None:
            while waiting and not failed:
                file = waiting.popleft()
                told = partial(progress, file) if progress else None
                try:
                    got = self._fetched.get(file.name) or await self.fetch(file, overwrite=overwrite, progress=told)
                except (PlanetError, OSError) as error:
                    failed[file.name] = error
                    return
                arrived[file.name] = got
                if done is not None:
                    await done(file, got)

        await _side_by_side([fetch_until_none_waits() for _ in range(min(at_once, len(wanted)))])
        if failed:
            self._raise_first(failed, of=len(wanted))
        if only is None:
            self._raise_undelivered()
        return [arrived[file.name] for file in wanted]

    async def _links_after(self, used: Mapping[str, str]) -> Mapping[str, str]:
        """Return links that are newer than those used; of several callers with the same old ones, one asks Planet."""
        async with self._renewing:
            if self._links is used:
                self._links = links_of(results_of(await self._client.get_order(self.order_id)))
                _log.info("download links renewed", extra={"order_id": self.order_id})
            return self._links

    def _expect(self, entries: list[ManifestEntry]) -> None:
        """Give each file what the manifest says about it."""
        listed = {
            entry.path: Expected(size_bytes=entry.size_bytes, sha256=entry.sha256, md5=entry.md5) for entry in entries
        }
        offered = {file.relative for file in self.files}
        self.files = tuple(replace(file, expected=listed.get(file.relative, file.expected)) for file in self.files)
        self.unoffered = tuple(path for path in listed if path not in offered)
        self.unoffered_bytes = sum(listed[path].size_bytes or 0 for path in self.unoffered)
        unlisted = sorted(offered - listed.keys() - {MANIFEST_NAME})
        if unlisted:
            _log.warning("files are not in the manifest", extra={"order_id": self.order_id, "files": unlisted})
        if self.unoffered and not any(path.endswith(".zip") for path in offered):
            _log.warning(
                "files of the manifest have no link", extra={"order_id": self.order_id, "files": self.unoffered}
            )

    def _wanted(self, only: Collection[str] | None) -> list[DeliveryFile]:
        names = {file.name for file in self.files}
        unknown = sorted(set(only or ()) - names)
        if unknown:
            raise ClientError(f"order {self.order_id} offers no file named {', '.join(unknown)}")
        return [file for file in self.files if only is None or file.name in only]

    def _raise_first(self, failed: Mapping[str, Exception], *, of: int) -> None:
        first = next(iter(failed.values()))
        first.add_note(
            f"order {self.order_id}: {len(failed)} of {of} files failed, download it again to continue: "
            + "; ".join(f"{name}: {error}" for name, error in failed.items())
        )
        raise first

    def _raise_undelivered(self) -> None:
        if self.undelivered:
            names = ", ".join(f"{name} (delivery: {why})" for name, why in self.undelivered.items())
            raise ClientError(
                f"order {self.order_id}: {len(self.undelivered)} files have no download link: {names}; "
                "wait for Planet to deliver them, or look where the order's own delivery puts them"
            )


def _read_fetched_manifest(fetched: Transferred) -> list[ManifestEntry]:
    """Return what the manifest lists; one that makes no sense does not stay to be found by the next call."""
    try:
        return read_manifest_file(fetched.path)
    except PlanetError:
        if not fetched.was_there:
            fetched.path.unlink(missing_ok=True)
        raise


async def _side_by_side(tasks: list[Coroutine[Any, Any, None]]) -> None:
    """Await all; the first exception cancels the others, cleanly, and is raised as it is."""
    try:
        async with asyncio.TaskGroup() as group:
            for task in tasks:
                group.create_task(task)
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
