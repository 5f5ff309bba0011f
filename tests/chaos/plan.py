"""What a storm will do, decided by its seed before it begins: requests, faults, kills, restarts."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import count
from typing import Any

from ulid import ULID

from jobs import Submission
from jobs.new_runs import NewRun
from jobs.store import RunStore
from planet_sdk.limits import PLANET_RATES
from planet_sdk.simulator import FaultKind, FaultPlan, SimulatorSettings
from planet_sdk.simulator.faults import ASSETS
from tests.stage_rig import request

LEASE_S = 2.0
SETTLE_S = 3.0
RATES = {kind: 10 * round(rate) for kind, rate in PLANET_RATES.items()}  # more than Planet allows, so that a storm ends
_FREEZE_S = 1.5 * LEASE_S, LEASE_S + SETTLE_S + 3  # longer than a lease; some outlast the look-up of a lost order too
_NOTED = datetime(2026, 1, 1, tzinfo=UTC)


class Blow(StrEnum):
    """What can happen to a worker's process."""

    KILL = "SIGKILL"
    TERMINATE = "SIGTERM"
    FREEZE = "SIGSTOP"


class Restart(StrEnum):
    """How the server of the queue can end; its keeper starts it again."""

    KILL = "kill -9"
    POLITE = "SHUTDOWN"


@dataclass(frozen=True, slots=True)
class Strike:
    """One blow: when, against which worker, and, for a freeze, for how long."""

    at_s: float
    worker: int
    blow: Blow
    freeze_s: float = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A storm. Two with the same fields strike at the same moments, and spoil the same requests of the same orders."""

    seed: int = 0
    orders: int = 1000
    workers: int = 8
    kill_every_s: float | None = 5
    """None: no worker is struck."""
    blows: int | None = None
    """None: as many as there is time for."""
    restarts: int = 2
    fault_rate: float = 0.05
    without: Collection[FaultKind] = field(default=frozenset(ASSETS))
    """Kinds that do not happen; those of the Data API's assets concern no order."""

    @property
    def kinds(self) -> list[FaultKind]:
        """What goes wrong at Planet."""
        return [kind for kind in FaultKind if kind not in self.without]

    @property
    def command(self) -> str:
        """What repeats it."""
        every_s = 0 if self.kill_every_s is None else self.kill_every_s
        return (
            f"python -m tests.chaos --seed {self.seed} --orders {self.orders} --workers {self.workers}"
            f" --kill-every {every_s:g} --restarts {self.restarts} --fault-rate {self.fault_rate:g}"
        )

    def submissions(self) -> list[Submission]:
        """Requests of one or two scenes, each scene in one request only."""
        draw = self._draw("requests")
        return [Submission(_request(number, draw.choice((1, 2))), key=f"key {number}") for number in range(self.orders)]

    def planet(self) -> SimulatorSettings:
        """A Planet that misbehaves."""
        rates = dict.fromkeys(self.kinds, self.fault_rate)
        return SimulatorSettings(
            api_keys=("key-that-no-log-may-show",),
            seed=self.seed,
            queued_s=0.5,
            running_s=0.5,
            list_lag_s=0.5,
            rate_limits={},  # what the fleet sends is held against its budget by the verdict
            scene_size_px=48,
            body_bytes_per_s=60_000,
            fault_plan=FaultPlan(seed=self.seed, rates=rates, retry_after_s=0.2),
        )

    def strikes(self) -> Iterator[Strike]:
        """Blows for as long as somebody asks."""
        if self.kill_every_s is None:
            return
        draw = self._draw("strikes")
        for number in count(1) if self.blows is None else range(1, self.blows + 1):
            (blow,) = draw.choices(list(Blow), weights=(2, 1, 1))
            freeze_s = draw.uniform(*_FREEZE_S) if blow is Blow.FREEZE else 0
            yield Strike(number * self.kill_every_s, draw.randrange(self.workers), blow, freeze_s)

    def restart_moments(self) -> Sequence[tuple[float, Restart]]:
        """After which share of all the work the server is restarted, and how."""
        hows = [list(Restart)[number % len(Restart)] for number in range(self.restarts)]
        self._draw("restarts").shuffle(hows)
        return [((number + 1) / (self.restarts + 1), how) for number, how in enumerate(hows)]

    def run_id(self, number: int) -> str:
        """The id of a run: orders carry it in their names, by which the faults are drawn."""
        draw = self._draw(f"run {number}")
        return str(ULID((_milliseconds(_NOTED) + number).to_bytes(6) + draw.randbytes(10)))

    def _draw(self, what: str) -> random.Random:
        return random.Random(f"{self.seed}:{what}")


class SeededStore(RunStore):
    """The store as a producer uses it, but the ids of new runs come from the plan, by the order's number in its key."""

    plan: Plan

    async def submit_many(self, runs: Iterable[NewRun], *, dry: bool = False) -> list[tuple[str, str]]:
        return await super().submit_many([self._renamed(run) for run in runs], dry=dry)

    def _renamed(self, run: NewRun) -> NewRun:
        run_id = self.plan.run_id(int((run.key or "").split()[-1]))
        return replace(run, run_id=run_id, facts={**run.facts, "run_id": run_id})


def quick_settings() -> Mapping[str, str]:
    """The settings of a fleet that must not wait long for anything."""
    return {
        "ORDERS_LEASE_S": f"{LEASE_S:g}",
        "ORDERS_SETTLE_S": f"{SETTLE_S:g}",
        "ORDERS_HEALTH_INTERVAL_S": "0.5",
        "ORDERS_WAIT_CHECK_MIN_S": "0.5",
        "ORDERS_WAIT_CHECK_MAX_S": "2",
        "ORDERS_RETRY_BASE_S": "0.2",
        "ORDERS_RETRY_CAP_S": "2",
        "ORDERS_RATES": ",".join(f"{kind}={rate}" for kind, rate in RATES.items()),
        "ORDERS_LOG_FORMAT": "json",
    }


def _request(number: int, scenes: int) -> dict[str, Any]:
    day = datetime(2020, 1, 1, tzinfo=UTC) + timedelta(days=number % 1000)
    items = [f"{day:%Y%m%d}_{number:06d}_{scene:02d}_242b" for scene in range(scenes)]
    few_files = {"item_ids": items, "item_type": "PSScene", "product_bundle": "visual"}
    return request(name=f"field {number}", products=[few_files])


def _milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
