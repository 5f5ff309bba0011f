"""Where files end up: a folder or an object store prefix, written as a URL."""

from __future__ import annotations

from jobs.destination.urls import destination_url, local_path
from jobs.errors import DestinationError

__all__ = ["DestinationError", "destination_url", "local_path"]
