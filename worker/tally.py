"""What this worker has counted for the fleet's metrics, handed to Redis as differences.

Counting costs an addition in a dict. The pulse hands over what has changed, in one script, and only if anything has.
Each parcel is numbered, and counted once however often it is handed over. What a killed worker counted since its last
pulse is lost: the sums may be too small by that, and never too large.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Mapping
from typing import Any

from redis import Redis

from jobs import keys
from jobs.moves import Move
from jobs.outcomes import Finish, Outcome
from jobs.run import Failure, FileRecord, Run, Stage
from planet_sdk.limits import RequestKind
from worker.claims import script_source

__all__ = ["BOUNDS_S", "NEWEST", "Tally"]

BOUNDS_S = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 60.0, 180.0, 600.0, 1800.0, 3600.0, 10_800.0, 43_200.0)
"""Upper bounds of the histogram of stages: a commit takes milliseconds, Planet hours."""

NEWEST = "newest"
"""First part of the names of times, in ms since 1970: the latest of all workers is kept. All others are added up."""

_OVER = "inf"
_US = 1_000_000


class Tally:
    """One process's counts. Add to it in the event loop; one other thread at a time may hand it over."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._handed: dict[str, int] = {}  # the counts that are in Redis
        self._under_way: dict[str, int] = {}  # those of a parcel that is perhaps there
        self._number = 0

    def add(self, *name: str, by: int = 1) -> None:
        """Count one more, or so many more, under this name and its labels."""
        field = "|".join(name)
        self._counts[field] = self._counts.get(field, 0) + by

    def stage_ended(self, run: Run, outcome: Outcome, failure: Failure | None, seconds: float) -> None:
        """A stage has decided after so long; `failure` is what kept it from doing what it is there for."""
        self.spent(run.stage, outcome, seconds)
        if failure:
            self.add("faults", run.stage, failure.kind)

    def spent(self, stage: Stage, outcome: Outcome, seconds: float) -> None:
        """A stage, or the waiting in it, has taken so long."""
        what = outcome.state.value if isinstance(outcome, Finish) else type(outcome).__name__.lower()
        place = bisect_left(BOUNDS_S, seconds)
        self.add("stage", stage, what, f"{BOUNDS_S[place]:g}" if place < len(BOUNDS_S) else _OVER)
        self.add("stage_us", stage, what, by=round(max(0.0, seconds) * _US))

    def moved(self, move: Move) -> None:
        """A move was committed by this worker: a run has its order, or has ended."""
        if move.run.stage is Stage.CREATE and move.stage is Stage.WAIT:
            self.add("orders")
        if move.state.is_final:
            self.add("ended", move.state)

    def kept(self, files: Mapping[str, FileRecord]) -> None:
        """These files have arrived, and are written down."""
        whole = [file for file in files.values() if not file.problem]
        self.add("files", by=len(whole))
        self.add("bytes", by=sum(file.size_bytes or 0 for file in whole))

    def request_sent(self, kind: RequestKind) -> None:
        """A request has gone out."""
        self.add("requests", kind)

    def refused(self, kind: RequestKind) -> None:
        """The server has refused a request as one too many."""
        self.add("refused", kind)

    def list_read(self) -> None:
        """The watcher has read Planet's list of changes to its end."""
        self.add("lists")
        self._counts[f"{NEWEST}|list"] = round(time.time() * 1000)

    def hand_over(self, redis: Redis, worker: str, boot: str) -> None:
        """Add what has changed to the fleet's sums; sends nothing where nothing has.

        Args:
            redis: a connection of this thread's own.
            worker: the name of the worker, in whose report the number of its last parcel is kept.
            boot: tells this process from earlier ones of that name.

        Raises:
            RedisError, OSError: perhaps it was added, perhaps not; the next call finds out.
        """
        counts = self._under_way or self._counts.copy()  # at once, while the loop goes on counting
        news = {name: count for name, count in counts.items() if count != self._handed.get(name, 0)}
        if not news:
            return
        if not self._under_way:
            self._under_way, self._number = counts, self._number + 1
        pairs = [part for name, count in news.items() for part in (name, count - self._base(name))]
        take: Any = redis.register_script(script_source("tally"))
        take(keys=[keys.TALLY, keys.worker(worker)], args=[f"{boot}/{self._number}", NEWEST, *pairs])
        self._handed, self._under_way = counts, {}

    def _base(self, name: str) -> int:
        """What a count is the difference to; a time is handed over as it is."""
        return 0 if name.startswith(NEWEST) else self._handed.get(name, 0)
