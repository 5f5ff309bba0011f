"""Points in time between which a stopped process, and a sleeping machine, grow older too."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # Linux's monotonic clock stands still in a sleep


def _uptime_s() -> float:
    return time.clock_gettime(_CLOCK)


@dataclass(frozen=True, slots=True)
class Moment:
    """Now, by the clock of this machine's uptime and by the one on the wall."""

    uptime_s: float = field(default_factory=_uptime_s)
    wall_s: float = field(default_factory=time.time)

    def age_s(self) -> float:
        """Seconds since then: the more of what the two clocks say, since a virtual machine's uptime may be paused."""
        return max(_uptime_s() - self.uptime_s, time.time() - self.wall_s)
