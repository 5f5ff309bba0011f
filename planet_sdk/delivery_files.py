"""What an order's JSON offers for download, checked before anything is done with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any

from planet_sdk.exceptions import ClientError
from planet_sdk.paths import as_one_name, path_inside
from planet_sdk.transfer import Expected


@dataclass(frozen=True, slots=True)
class DeliveryFile:
    """One file that an order offers.

    Attributes:
        name: as the order names it: `<order id>/PSScene/scene.tif`.
        relative: the name without the leading order id, as the manifest names it.
        path: where the file ends up on this machine.
        location: the download link the order showed when it was first read.
        expires_at: when that link ends, where the order says so.
        expected: what the manifest promises about the file; empty where it is not listed.
    """

    name: str
    relative: str
    path: Path
    location: str = field(repr=False)  # whoever reads it in a log can fetch the file
    expires_at: datetime | None
    expected: Expected


def order_id_of(order: Mapping[str, Any]) -> str:
    """Return the order's id, or raise ClientError if this is no order."""
    order_id = order.get("id")
    if not isinstance(order_id, str):
        raise ClientError("this is no order: it has no id; pass what get_order() returned")
    return order_id


def results_of(order: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return what the order lists, each with a name; nothing, where it lists nothing yet.

    Raises:
        ClientError: there is no list, or an entry has no name, or a link that is no text.
    """
    links = order.get("_links") or {}
    results = (links.get("results") or []) if isinstance(links, Mapping) else links
    if not isinstance(results, list):
        raise ClientError(f"order {order.get('id')} has results that are no list; read the order again")
    results = [result for result in results if result]
    for result in results:
        if not (
            isinstance(result, Mapping)
            and isinstance(result.get("name"), str)
            and isinstance(result.get("location") or "", str)
        ):
            raise ClientError(f"order {order.get('id')} has a result without name or address; read the order again")
    return results


def links_of(results: list[Mapping[str, Any]]) -> Mapping[str, str]:
    """Return the download link of each name that has one."""
    return {result["name"]: result["location"] for result in results if result.get("location")}


def files_of(order: Mapping[str, Any], directory: Path) -> tuple[DeliveryFile, ...]:
    """Return the order's files that have a link, each with its place in the directory.

    Raises:
        UnsafeName: a name does not stay inside the directory.
        ClientError: two results need the same place, on some disks at least, or one needs a folder where another needs
            a file.
    """
    order_id, results = order_id_of(order), results_of(order)
    paths = {result["name"]: path_inside(directory, result["name"]) for result in results}
    folders = {as_one_name(folder) for path in paths.values() for folder in path.parents}
    counts = Counter(as_one_name(paths[result["name"]]) for result in results)
    places = {name: as_one_name(path) for name, path in paths.items()}
    clashes = [name for name, place in places.items() if counts[place] > 1 or place in folders]
    if clashes:
        raise ClientError(f"order {order_id} has more than one file for {', '.join(clashes)}; nothing was written")
    return tuple(
        DeliveryFile(
            name=result["name"],
            relative=_without_order_id(result["name"], order_id),
            path=paths[result["name"]],
            location=result["location"],
            expires_at=_time(result.get("expires_at")),
            expected=Expected(),
        )
        for result in results
        if result.get("location")
    )


def _without_order_id(name: str, order_id: str) -> str:
    first, *rest = PurePosixPath(name).parts
    return str(PurePosixPath(*rest)) if rest and first == order_id else name


def _time(text: object) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
