"""Where files end up: a folder or an object store prefix, written as a URL."""

from __future__ import annotations

from typing import Any

from jobs.destination.contract import Destination, DestinationUnavailable, DiskAway
from jobs.destination.local import LocalDestination
from jobs.destination.objects import ObjectDestination
from jobs.destination.urls import destination_url
from jobs.errors import DestinationError

__all__ = [
    "Destination",
    "DestinationError",
    "DestinationUnavailable",
    "DiskAway",
    "destination_url",
    "open_destination",
]


def open_destination(destination: str, **options: Any) -> Destination:
    """The destination that was written so; nothing is sent and nothing is created yet.

    Args:
        destination: a URL or the path of a folder: see `destination_url`.
        options: obstore's configuration of an object store, over what its usual environment says.

    Raises:
        DestinationError: naming what is wrong with it.
    """
    url = destination_url(destination)
    if url.startswith("file://"):
        return LocalDestination(url)
    return ObjectDestination(url, **options)
