"""What this package raises beside the errors of jobs.

JobsError (jobs.errors)
└── WorkerError
    └── NotTheSameDisk        two hosts write to one file:// destination that is two different folders
"""

from __future__ import annotations

from jobs.errors import JobsError

__all__ = ["NotTheSameDisk", "WorkerError"]


class WorkerError(JobsError):
    """The root of what this package raises itself."""


class NotTheSameDisk(WorkerError):
    """Two hosts of the fleet write to one `file://` destination that is not one folder."""

    def __init__(self, url: str, here: str, there: str, key: str) -> None:
        super().__init__(
            f"{url} on {here} is not the folder that {there} writes to; mount one shared disk there on every host, "
            f"or use an object store (s3://, gs://, az://). If {there} has left the fleet: redis-cli DEL {key}"
        )
        self.url, self.here, self.there = url, here, there
