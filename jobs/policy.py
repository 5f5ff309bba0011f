"""How patient the stages are."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from jobs.run import Stage


@dataclass(frozen=True, slots=True)
class Policy:
    """How often a stage is tried, how long each wait is, and how many files travel at once."""

    max_faults: dict[Stage, int] = field(
        default_factory=lambda: dict.fromkeys(Stage, 25)  # with these pauses, an outage of an hour is borne
    )
    max_faults_of_bugs: int = 3  # an error of ours is not mended by repetition
    max_vain_starts: int = 10  # a job whose worker ended so often, and that got nowhere, is set aside
    backoff_base_s: float = 2
    backoff_cap_s: float = 300
    stage_timeout_s: dict[Stage, float] = field(
        default_factory=lambda: {Stage.CREATE: 300, Stage.WAIT: 300, Stage.DOWNLOAD: 6 * 3600, Stage.VALIDATE: 6 * 3600}
    )
    settle_s: float = 30  # how long Planet's list may lag behind a POST before "not there" is believed
    first_check_s: float = 5  # a parked run is first thought of after this, then ever more rarely
    max_check_s: float = 60
    check_growth: float = 1.5
    running_orders: int = 10_000  # under way at Planet at once; what it allows an organisation
    transfers_per_run: int = 4
    max_refetches: int = 3  # times validate may send files back to download

    def backoff_s(self, faults: int, rng: random.Random | None = None) -> float:
        """The wait before the next try: exponential, with full jitter above half."""
        doublings = min(faults, 60)  # beyond any cap, within a float
        ceiling = min(self.backoff_cap_s, self.backoff_base_s * 2.0**doublings)
        return float(ceiling * (rng or _random).uniform(0.5, 1))

    def next_check_s(self, waited_s: float) -> float:
        """When to look at a parked order again, by how long it has been waited for already."""
        growth = self.check_growth - 1
        return min(self.max_check_s, max(self.first_check_s, waited_s * growth))

    def next_check_of_unlisted_s(self, waited_s: float) -> float:
        """When to look at a parked order again that Planet's list ought to show, by how long it has been waited for."""
        growth = self.check_growth - 1
        return min(_UNLISTED_GROWTH * self.max_check_s, max(self.max_check_s, waited_s * growth))


_UNLISTED_GROWTH = 10
_random = random.Random()  # noqa: S311 — jitter needs no secrecy
