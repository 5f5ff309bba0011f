"""What a stage can decide. It returns one of these; the worker commits it, all at once or not at all."""

from __future__ import annotations

from dataclasses import dataclass, field

from jobs.run import Facts, Failure, Stage, State


@dataclass(frozen=True, slots=True)
class Advance:
    """Go on to the next stage, with what was learnt."""

    stage: Stage
    reason: str
    facts: Facts = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Park:
    """Wait for Planet: no job, no slot; the watcher looks again after `check_in_s` seconds."""

    check_in_s: float
    reason: str
    facts: Facts = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Again:
    """Run the same stage again after a delay. `charge` says whether it counts against the stage's tries."""

    delay_s: float
    reason: str
    charge: bool = True
    failure: Failure | None = None
    facts: Facts = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Requeue:
    """Go back to the head of the line of creates: Planet has as many active orders as it takes."""

    reason: str
    failure: Failure | None = None
    facts: Facts = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Finish:
    """The run ends in a final state."""

    state: State
    reason: str
    failure: Failure | None = None
    facts: Facts = field(default_factory=dict)


Outcome = Advance | Park | Again | Requeue | Finish
