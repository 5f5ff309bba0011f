"""What an order delivers: results with links, the manifest, and the stored objects behind them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from .content import Bytes, Content, Library
from .links import Links, storage_alias
from .orders import Order, OrderState
from .products import MANIFEST, OrderFile
from .settings import SimulatorSettings

LOOSE = "loose"
"""The folder, beside those of orders, of files that belong to no order."""

_NO_END = "0001-01-01T00:00:00.000Z"  # what Planet writes where there is no link


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One object in the simulator's storage."""

    key: str
    file: OrderFile
    content: Content
    modified_us: int


def list_results(
    order: Order, links: Links, settings: SimulatorSettings, base_url: str, now_us: int
) -> list[dict[str, Any]]:
    """The results as Get shows them, each with a fresh link; what is still being made is pending and has none.

    What went to a bucket of the user's own has no link either: the simulator writes to none.
    """
    storage_url = settings.storage_url or storage_alias(base_url)
    ready, results = order.ready_files(now_us), []
    for file in ready:
        key = f"{order.id}/{file.path}"
        result = {"delivery": "success", "expires_at": _NO_END, "name": key}
        if not order.is_sent_away:
            link = links.mint(key, order.api_key, base_url, storage_url)
            result |= {"expires_at": link.expires_at, "location": link.location}
        results.append(result)
    if order.state is OrderState.RUNNING and ready:
        results += [{"delivery": "pending", "name": f"{order.id}/{file.path}"} for file in order.files[len(ready) :]]
    if order.evil_name is not None and ready:
        results.append({**results[0], "name": order.evil_name})
    return results


def make_manifest(order: Order, library: Library, settings: SimulatorSettings) -> bytes:
    """The manifest, with the true size and digests of every file; it does not list itself."""
    files = [_describe(file, library) for file in _manifested(order.files, settings.manifest_lists)]
    return json.dumps({"files": files, "name": ""}, sort_keys=True).encode()


def _manifested(files: Iterable[OrderFile], lists: Literal["archive", "members"]) -> Iterator[OrderFile]:
    for file in files:
        if file.members and lists == "members":
            yield from file.members
        elif file is not MANIFEST:
            yield file


def _describe(file: OrderFile, library: Library) -> dict[str, Any]:
    digests = library.digest(file)
    return {
        "annotations": file.annotations,
        "digests": {"md5": digests.md5, "sha256": digests.sha256},
        "media_type": file.media_type,
        "path": file.path,
        "size": library.open(file).size_bytes,
    }


def open_order_file(order: Order, file: OrderFile, library: Library, settings: SimulatorSettings) -> StoredObject:
    """The object behind one result of an order; slow when pixels or digests have to be made first."""
    key = f"{order.id}/{file.path}"
    if file is not MANIFEST:
        return StoredObject(key, file, library.open(file), order.created_us)
    if order.manifest is None:
        order.manifest = make_manifest(order, library, settings)
    return StoredObject(key, file, Bytes(order.manifest), order.created_us)
