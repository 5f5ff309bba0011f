"""One run, stage by stage: a real simulator, a real Session, and in the place of Redis a notebook in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from jobs.caps import Caps
from jobs.context import StageContext
from jobs.destination import Destination, open_destination
from jobs.moves import By, plan_move
from jobs.outcomes import Outcome
from jobs.policy import Policy
from jobs.room import Room
from jobs.run import Facts, FileRecord, Run, Stage, State, encode_facts
from jobs.runner import run_stage
from jobs.watch import look
from planet_sdk import Auth, OrdersClient, Session
from planet_sdk.limits import Limiter, LocalLimiter
from planet_sdk.retry import RetryPolicy
from planet_sdk.simulator import Simulator, SimulatorSettings

RUN_ID = "01JQ8Z5V6W0000000000000000"
START = datetime(2026, 11, 2, 12, tzinfo=UTC)
OREGON = {
    "type": "Polygon",
    "coordinates": [[[-121.6, 45.5], [-121.5, 45.5], [-121.5, 45.6], [-121.6, 45.6], [-121.6, 45.5]]],
}


def request(items: Sequence[str] = ("20220605_124027_64_242b",), **more: Any) -> dict[str, Any]:
    """An order request of one product."""
    product = {"item_ids": list(items), "item_type": "PSScene", "product_bundle": "analytic_udm2"}
    return {"name": "field 7", "products": [product], "tools": [{"clip": {"aoi": OREGON}}], **more}


def new_run(**fields: Any) -> Run:
    """A run as the store would read it; nothing but what the caller says differs from a fresh one."""
    known: dict[str, Any] = {
        "run_id": RUN_ID,
        "state": State.CREATING,
        "stage": Stage.CREATE,
        "name": "field 7",
        "request": request(),
        "fingerprint": "f",
        "destination": "file:///nowhere",
        "created_at": START,
        "updated_at": START,
        "starts": 1,
        "tries": 1,
        "job_id": f"{RUN_ID}:create:0",
    }
    return Run.model_validate({**known, **fields})


def a_store() -> str:
    """An object store of one's own."""
    return f"memory://{uuid4().hex}"


class MemoryNotebook:
    """Keeps what a stage writes down, and the order in which it did."""

    def __init__(self) -> None:
        self.facts: dict[str, Any] = {}
        self.records: dict[str, FileRecord] = {}
        self.lines: list[tuple[dict[str, Any], list[str]]] = []

    async def note(self, facts: Facts, files: Mapping[str, FileRecord] | None = None) -> None:
        self.facts |= facts
        self.records |= files or {}
        self.lines.append((dict(facts), list(files or {})))

    async def files(self) -> list[FileRecord]:
        return list(self.records.values())


@dataclass
class Rig:
    """A run and everything that its stages may touch."""

    simulator: Simulator
    orders: OrdersClient
    destination: Destination
    staging: Path
    run: Run = field(default_factory=new_run)
    notebook: MemoryNotebook = field(default_factory=MemoryNotebook)
    policy: Policy = field(default_factory=Policy)
    caps: Caps | None = None
    room: Room = field(default_factory=Room)
    now: datetime = START
    progress: list[tuple[str, int, int | None]] = field(default_factory=list)
    slept_s: list[float] = field(default_factory=list)
    webhook_url: str | None = None

    @property
    def context(self) -> StageContext:
        return StageContext(
            orders=self.orders,
            destination=self.destination,
            notebook=self.notebook,
            staging=self.staging,
            policy=self.policy,
            caps=self.caps,
            room=self.room,
            webhook_url=self.webhook_url,
            now=lambda: self.now,
            sleep=self._sleep,
            progress=lambda path, done, total: self.progress.append((path, done, total)),
        )

    async def _sleep(self, seconds: float) -> None:
        self.slept_s.append(seconds)

    @property
    def folder(self) -> Path:
        """Where the order's files lie."""
        assert self.destination.local_dir is not None
        assert self.run.order_id is not None
        return self.destination.local_dir / self.run.order_id

    async def step(self) -> Outcome:
        """Run the stage that the run is in, and move the run as the worker would."""
        outcome = await run_stage(self.run, self.context)
        self.apply(outcome)
        return outcome

    async def watch(self) -> Outcome | None:
        """Let the watcher look at the parked run, and move it if it says so."""
        outcome = await look(self.run, self.context)
        if outcome is not None:
            self.apply(outcome)
        return outcome

    async def go(self, until: State, steps: int = 12) -> Outcome:
        """Take steps until the run is in that state, letting time pass where the run waits."""
        for _ in range(steps):
            waits = self.run.state is State.WAITING and self.run.job_id is None
            outcome = await (self.watch() if waits else self.step())
            if self.run.state is until and outcome is not None:
                return outcome
            self.now += timedelta(seconds=getattr(outcome, "delay_s", 1))
        raise AssertionError(f"the run is {self.run.state} after {steps} steps: {self.run.reason}")

    def crash(self) -> None:
        """Let the worker have died: what was noted is there, the next start counts one more."""
        self._write({**self.notebook.facts, "starts": self.run.starts + 1, "tries": self.run.tries + 1})

    def apply(self, outcome: Outcome) -> None:
        """Move the run as jobs/lua/move.lua does."""
        move = plan_move(self.run, outcome, By.owner_of_job("w", "w"))
        fresh = {"tries": 1, "faults": None} if move.enters_stage else {"tries": self.run.tries + 1}
        next_job = move.next_job_id or None
        self._write(
            {
                **self.notebook.facts,
                **fresh,
                **move.facts,
                "state": move.state,
                "stage": move.stage,
                "reason": move.reason,
                "step": self.run.step + 1,
                "starts": 1,
                "job_id": next_job,
                "updated_at": self.now,
            }
        )

    def _write(self, facts: Mapping[str, Any]) -> None:
        self.notebook.facts.clear()
        fields = encode_facts(self.run.model_dump(exclude={"error"}) | {"error": self.run.error}) | encode_facts(facts)
        self.run = Run.from_hash({name.encode(): text.encode() for name, text in fields.items() if text})

    def creates(self) -> int:
        """How many orders of this run's name the simulator has made."""
        return sum(count for name, count in self.simulator.report().orders.items() if RUN_ID in name)


QUICK = SimulatorSettings(queued_s=0, running_s=0, jitter=0, rate_limits={}, scene_size_px=48)


@asynccontextmanager
async def open_rig(
    folder: Path, settings: SimulatorSettings = QUICK, destination: str = "", limiter: Limiter | None = None
) -> AsyncIterator[Rig]:
    """A rig on a simulator of its own."""
    limiter, retry = limiter or LocalLimiter({}), RetryPolicy(max_tries=2, base_s=0.001)
    async with (
        Simulator(settings) as simulator,
        Session(Auth.from_key(simulator.api_key), limiter=limiter, retry=retry, base_url=simulator.url) as one,
    ):
        yield Rig(
            simulator, OrdersClient(one), open_destination(destination or str(folder / "files")), folder / "staging"
        )
