"""Which Redis the fleet of these settings has."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from jobs.embedded import EmbeddedValkey
from worker.settings import Settings

__all__ = ["open_redis"]


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
