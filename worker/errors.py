"""Everything this package raises.

WorkerError
├── RedisUnavailable      no usable Redis at the address
├── EmbeddedUnavailable   the private Valkey of the data folder cannot be started or reached
└── NotTheSameDisk        two hosts write to one file:// destination that is two different folders
"""

from __future__ import annotations

__all__ = ["EmbeddedUnavailable", "NotTheSameDisk", "RedisUnavailable", "WorkerError"]


class WorkerError(Exception):
    """The root of everything this package raises."""


class RedisUnavailable(WorkerError):
    """There is no usable Redis at the address."""

    def __init__(self, address: str, why: str) -> None:
        super().__init__(f"no Redis at {address}: {why}; check REDIS_URL, and that the server runs and can be reached")
        self.address, self.why = address, why


class EmbeddedUnavailable(WorkerError):
    """The private Valkey of the data folder cannot be started or reached."""


class NotTheSameDisk(WorkerError):
    """Two hosts of the fleet write to one `file://` destination that is not one folder."""

    def __init__(self, url: str, here: str, there: str, key: str) -> None:
        super().__init__(
            f"{url} on {here} is not the folder that {there} writes to; mount one shared disk there on every host, "
            f"or use an object store (s3://, gs://, az://). If {there} has left the fleet: redis-cli DEL {key}"
        )
        self.url, self.here, self.there = url, here, there
