"""From an outcome to the one move that commits it."""

from __future__ import annotations

from dataclasses import dataclass, field
from secrets import token_hex
from typing import Any, assert_never

from jobs import codec
from jobs.json_text import to_json
from jobs.outcomes import Advance, Again, Finish, Outcome, Park, Requeue
from jobs.run import Facts, Run, Stage, State, encode_facts


def job_id_of(run_id: str, stage: Stage, step: int) -> str:
    """The id of the job that runs `stage` as the run's move number `step`; no two jobs of a run share one."""
    return f"{run_id}:{stage}:{step}"


def run_id_of(job_id: str) -> str | None:
    """The run a stage's job belongs to, or None for a job that is no stage's."""
    match job_id.split(":"):
        case [run_id, stage, step] if stage in _STAGES and step.isdecimal():
            return run_id
    return None


def stage_of(job_id: str) -> str:
    """The stage that a job runs which is a stage's; for any other job, nothing."""
    return job_id.split(":")[1] if run_id_of(job_id) else ""


_STAGES = frozenset(stage.value for stage in Stage)


def job_payload(stage: Stage, run_id: str, now_ms: int) -> bytes:
    """arq's payload of a stage's job: the id of the run, and nothing that could grow stale."""
    return codec.dumps_quickly({"t": None, "f": stage.value, "a": [run_id], "k": {}, "et": now_ms})


@dataclass(frozen=True, slots=True)
class By:
    """Who moves a run: the worker that owns its job, the watcher that finds it parked, or a person."""

    role: str
    name: str = ""
    owner: str = ""

    @classmethod
    def owner_of_job(cls, name: str, owner: str) -> By:
        """A worker; `owner` is what it wrote into the job's in-progress key."""
        return cls("owner", name, owner)

    @classmethod
    def watcher(cls, name: str) -> By:
        """Whoever holds the watcher's lease; only a parked run is moved."""
        return cls("watcher", name)

    @classmethod
    def person(cls, name: str = "") -> By:
        """Somebody from outside; only a run that no worker has in hand is moved."""
        return cls("person", name)


@dataclass(frozen=True, slots=True)
class Move:
    """One step of a run, as jobs/lua/move.lua takes it."""

    run: Run
    by: By
    state: State
    stage: Stage
    reason: str
    facts: Facts
    enters_stage: bool = False
    next_stage: Stage | None = None
    delay_s: float = 0
    park_s: float | None = None
    result: bytes = b""
    take_s: float = 0  # above 0: the owner takes the next job on, with a lease of so many seconds
    log: tuple[str, ...] = ()  # lines to keep with the run: JSON, without secrets
    id: str = field(default_factory=lambda: token_hex(16))

    @property
    def next_job_id(self) -> str:
        """The job that comes, or the empty string."""
        return "" if self.next_stage is None else job_id_of(self.run.run_id, self.next_stage, self.run.step + 1)

    @property
    def can_be_taken_on(self) -> bool:
        """Whether whoever has the run's job in hand may go on with the next one, without another worker's turn."""
        return self.by.role == "owner" and self.enters_stage and self.next_stage is not None

    @property
    def order_id(self) -> str | None:
        """The order whose index entry lives with the run from here on; an order given up keeps its lifetime."""
        order_id = self.facts.get("order_id", self.run.order_id)
        return order_id or None

    def as_json(self, *, now_ms: int, job_ms: int, **more: Any) -> str:
        """The script's argument; `more` is what the store adds to it."""
        payload = job_payload(self.next_stage, self.run.run_id, now_ms).decode() if self.next_stage else ""
        return to_json(
            {
                "id": self.id,
                "run_id": self.run.run_id,
                "priority": self.run.priority,
                "flow": self.run.flow,
                "step": self.run.step,
                "starts": self.run.starts,
                "by": self.by.role,
                "owner": self.by.owner,
                "worker": self.by.name,
                "from_state": self.run.state,
                "job_id": self.run.job_id or "",
                "state": self.state,
                "stage": self.stage,
                "reason": self.reason,
                "tries": self.run.tries,
                "fields": encode_facts(self.facts),
                "enters_stage": self.enters_stage,
                "is_final": self.state.is_final,
                "next_job_id": self.next_job_id,
                "payload": payload,
                "delay_ms": round(self.delay_s * 1000),
                "park_ms": -1 if self.park_s is None else round(self.park_s * 1000),
                "result": self.result.decode(),
                "take_ms": round(self.take_s * 1000) if self.can_be_taken_on else 0,
                "log": self.log,
                "job_ms": job_ms + round(self.delay_s * 1000),
                **more,
            }
        )


def plan_move(run: Run, outcome: Outcome, by: By, result: bytes = b"") -> Move:
    """Turn what a stage decided into the move that commits it."""
    known: dict[str, Any] = {"run": run, "by": by, "reason": outcome.reason, "result": result}
    match outcome:
        case Advance(stage=stage, facts=facts):
            learnt = {"error": None, **facts}
            return Move(**known, state=stage.state, stage=stage, facts=learnt, enters_stage=True, next_stage=stage)
        case Park(check_in_s=check_in_s, facts=facts):
            learnt = {"error": None, **facts}
            return Move(**known, state=State.WAITING, stage=Stage.WAIT, facts=learnt, park_s=check_in_s)
        case Again(delay_s=delay_s, charge=charge, failure=failure, facts=facts):
            charged = {"faults": run.faults + 1} if charge else {}
            learnt = {**facts, **charged, **({"error": failure} if failure else {})}
            return Move(
                **known, state=run.stage.state, stage=run.stage, facts=learnt, next_stage=run.stage, delay_s=delay_s
            )
        case Requeue(failure=failure, facts=facts):
            learnt = {**facts, "error": failure}
            return Move(**known, state=State.QUEUED, stage=Stage.CREATE, facts=learnt, next_stage=Stage.CREATE)
        case Finish(state=state, failure=failure, facts=facts):
            return Move(**known, state=state, stage=run.stage, facts={"error": failure, **facts})
        case _:
            assert_never(outcome)
