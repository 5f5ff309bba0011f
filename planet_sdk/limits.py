"""How many requests a second, and how many at once: the limiter as an object.

A Session asks its limiter before every request it sends. The one here serves one process; a fleet passes one that
shares its budget, which is why this is a protocol and not a class to inherit from.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from enum import StrEnum
from typing import Protocol


class RequestKind(StrEnum):
    """What a request is for, as Planet counts it; each kind has its own budget.

    The published limits are requests per second and API key: docs.planet.com, "Orders API", read 2026-11.
    """

    CREATE = "create"  # 3/s
    GET = "get"  # 3/s
    LIST = "list"  # 3/s
    CANCEL = "cancel"  # 3/s
    BULK_CANCEL = "bulk_cancel"  # 5/s
    STATS = "stats"  # 5/s
    LINK = "link"  # 5/s: the download endpoint, which redirects to storage
    SPEC = "spec"  # 10/s
    AUTH = "auth"
    DATA = "data"  # 10/s: search and the rest of the Data API
    ACTIVATE = "activate"  # 5/s
    BODY = "body"  # storage: no rate, but a number at once
    OTHER = "other"  # 10/s


class Limiter(Protocol):
    """What a Session asks before it sends."""

    def slot(self, kind: RequestKind) -> AbstractAsyncContextManager[None]:
        """Wait for this request's turn; hold the slot, until its body has been read, by staying inside."""

    def pause(self, kind: RequestKind, delay_s: float) -> None:
        """Let nothing of this kind pass for `delay_s` seconds, because the server said so."""
