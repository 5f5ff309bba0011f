"""Which Redis the fleet of these settings has, and how long things stay in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from jobs.embedded import EmbeddedValkey
from jobs.store import Lifetimes
from worker.settings import Settings

__all__ = ["lifetimes_of", "open_redis"]


@contextmanager
def open_redis(settings: Settings) -> Iterator[str]:
    """The address of the fleet's Redis while the block runs: `REDIS_URL`, or the data folder's private Valkey.

    It blocks while the private server starts: enter it before the event loop runs, or in a thread.

    Raises:
        EmbeddedUnavailable: there is no `REDIS_URL`, and the private server cannot be started.
    """
    if settings.redis_url is not None:
        yield settings.redis_url
        return
    with EmbeddedValkey(settings.data_dir) as valkey:
        yield valkey.url


def lifetimes_of(settings: Settings) -> Lifetimes:
    """How long runs are kept, and for how long their requests are known again."""
    return Lifetimes(
        retention=timedelta(days=settings.retention_days), same_request=timedelta(days=settings.same_request_days)
    )
