"""Who a worker is: the name people read, and the one nobody else ever has."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass, field
from uuid import uuid4


@dataclass(frozen=True, slots=True)
class Identity:
    """A worker's name, and the owner's mark it writes into the jobs it claims.

    The mark holds a part that is new at each start, so that a worker that was killed and started again under the same
    name does not take its predecessor's jobs for its own.
    """

    name: str
    boot: str = field(default_factory=lambda: uuid4().hex[:12])
    host: str = field(default_factory=socket.gethostname)
    pid: int = field(default_factory=os.getpid)

    @property
    def owner(self) -> str:
        """What stands in arq's in-progress key of a job this worker has in hand."""
        return f"{self.name}/{self.boot}"
