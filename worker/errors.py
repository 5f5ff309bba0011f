"""What this package raises beside the errors of jobs.

JobsError (jobs.errors)
└── WorkerError
    ├── AnotherFleet          the Redis database belongs to a fleet with another queue
    ├── EndOfProcessRefused   a job wanted to end the process (worker.containment)
    ├── NotTheSameDisk        two hosts write to one file:// destination that is two different folders
    └── NoTraces              traces are on, and what sends them is not installed
"""

from __future__ import annotations

from jobs import keys
from jobs.destination import DiskAway
from jobs.errors import JobsError

__all__ = ["AnotherFleet", "NoTraces", "NotTheSameDisk", "WorkerError"]


class WorkerError(JobsError):
    """The root of what this package raises itself."""


class AnotherFleet(WorkerError):
    """The Redis database belongs to a fleet with another queue; two in one would take each other's runs for lost."""

    def __init__(self, mine: str, theirs: str) -> None:
        super().__init__(
            f"this Redis database belongs to a fleet with the queue {theirs!r}, and ORDERS_QUEUE_NAME is {mine!r}; "
            f"use the same name, or another database (redis://host:6379/1). If that fleet is no more: "
            f"redis-cli DEL {keys.FLEET}"
        )
        self.mine, self.theirs = mine, theirs


class NoTraces(WorkerError):
    """Traces are on, and what sends them is not installed."""

    def __init__(self, missing: str | None) -> None:
        super().__init__(
            f"ORDERS_TRACES=on needs {missing or 'OpenTelemetry'}, which is not installed: "
            "pip install 'planet-order-worker[traces]', or set ORDERS_TRACES=off"
        )


class NotTheSameDisk(WorkerError, DiskAway):
    """Two hosts of the fleet write to one `file://` destination that is not one folder."""

    def __init__(self, url: str, here: str, there: str, key: str) -> None:
        super().__init__(
            f"{url} on {here} is not the folder that {there} writes to; mount one shared disk there on every host, "
            f"or use an object store (s3://, gs://, az://). If {there} has left the fleet: redis-cli DEL {key}"
        )
        self.url, self.here, self.there = url, here, there
