"""What the web shows of a run: an agreed part of its record, without secrets. JSON and pages show the same."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Self

from pydantic import BaseModel, ConfigDict

from jobs.line import Priority
from jobs.redaction import Redactor
from jobs.request import redact_request
from jobs.run import Failure, FileRecord, Run, Stage, State, Transition

# Fields that hold what somebody else wrote: a producer, Planet, or an error message.
_FREE_TEXT = {
    "name",
    "destination",
    "key",
    "producer",
    "batch_id",
    "reason",
    "order_message",
    "error_hints",
    "error",
    "request",
}


class RunSummary(BaseModel):
    """A run as a list shows it."""

    model_config = ConfigDict(frozen=True)

    run_id: str
    name: str
    state: State
    stage: Stage
    reason: str | None
    tries: int
    faults: int
    worker: str | None
    cancel_requested: bool
    key: str | None
    producer: str | None
    batch_id: str | None
    priority: Priority
    destination: str
    created_at: datetime
    updated_at: datetime
    finished_at: datetime | None
    deadline_at: datetime | None
    order_id: str | None
    order_state: str | None
    order_message: str | None
    files_total: int | None
    files_done: int
    bytes_total: int | None
    bytes_done: int
    error: Failure | None

    @classmethod
    def of(cls, run: Run, redactor: Redactor, **more: Any) -> Self:
        """The run without secrets; `more` are the fields that a run's record does not hold."""
        shown = run.model_dump(include=set(cls.model_fields))
        shown |= redactor.mapping({name: shown[name] for name in _FREE_TEXT & shown.keys()})
        return cls.model_validate(shown | more)


class RunDetail(RunSummary):
    """A run with its story."""

    error_hints: list[Any]
    request: dict[str, Any]
    history: list[Transition]
    files: list[FileRecord]


class FileList(BaseModel):
    """The files of a run."""

    files: list[FileRecord]


class History(BaseModel):
    """What has happened to a run, oldest first."""

    history: list[Transition]


class LogLines(BaseModel):
    """Log lines, oldest first: each an event with its fields."""

    lines: list[dict[str, Any]]


class RunPage(BaseModel):
    """A page of runs, the newest first."""

    model_config = ConfigDict(frozen=True)

    runs: list[RunSummary]
    next: str | None
    """`before` of the next page; null on the last one."""


def tell_run(run: Run, history: Sequence[Transition], files: Sequence[FileRecord], redactor: Redactor) -> RunDetail:
    """One run with everything that is told of it."""
    request = redactor.mapping(redact_request(run.request))
    return RunDetail.of(
        run,
        redactor,
        request=request,
        history=[line.model_copy(update={"reason": redactor.text(line.reason)}) for line in history],
        files=[file.model_copy(update={"problem": redactor.text(file.problem or "") or None}) for file in files],
    )
