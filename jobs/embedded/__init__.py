"""The private Valkey that a data folder has when there is no `REDIS_URL`."""

from __future__ import annotations

from jobs.embedded.membership import EmbeddedValkey

__all__ = ["EmbeddedValkey"]
