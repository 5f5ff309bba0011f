"""The record of a run: one request's way through the four stages."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Self

import orjson
from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, ValidationError

from jobs.errors import UnreadableRun
from jobs.json_text import to_json
from jobs.line import Priority, flow_of

RECORD_VERSION = 1  # raise it when older workers would misunderstand a record; new fields alone they pass over


class Stage(StrEnum):
    """A step of a run; each is one arq job at a time, named like the stage."""

    CREATE = "create"
    WAIT = "wait"
    DOWNLOAD = "download"
    VALIDATE = "validate"

    @property
    def state(self) -> State:
        """The state a run has while it is in this stage."""
        return _STATE_OF_STAGE[self]


class State(StrEnum):
    """Where a run stands."""

    QUEUED = "queued"
    CREATING = "creating"
    WAITING = "waiting"
    DOWNLOADING = "downloading"
    VALIDATING = "validating"
    DONE = "done"
    PARTIAL = "partial"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"

    @property
    def is_final(self) -> bool:
        """Whether a run in this state moves only when somebody asks for a retry."""
        return self in FINAL_STATES

    @property
    def has_files(self) -> bool:
        """Whether a run that ended so has delivered verified files."""
        return self in {State.DONE, State.PARTIAL}


FINAL_STATES = frozenset({State.DONE, State.PARTIAL, State.FAILED, State.CANCELLED, State.EXPIRED})

_STATE_OF_STAGE = {
    Stage.CREATE: State.CREATING,
    Stage.WAIT: State.WAITING,
    Stage.DOWNLOAD: State.DOWNLOADING,
    Stage.VALIDATE: State.VALIDATING,
}


class FailureKind(StrEnum):
    """Whose turn it is when something fails; decides whether a stage is tried again."""

    TEMPORARY = "temporary"  # network, 429, 5xx on what is safe to repeat: try again later
    PLANET = "planet"  # the order failed at Planet: nobody's fault here, and final
    PRODUCER = "producer"  # a bad request, a wrong key, an unusable destination: no retry helps
    BUG = "bug"  # ours: a few tries, then failed with the traceback


class Failure(BaseModel):
    """What went wrong, with everything needed to look at it later."""

    model_config = ConfigDict(frozen=True)

    kind: FailureKind
    type: str
    message: str
    stage: Stage | None = None
    traceback: str | None = None


def _instant(value: Any) -> Any:
    """Read milliseconds since 1970, as the scripts write them."""
    if isinstance(value, str | bytes | int):
        return from_ms(value)
    return value


def _from_json(value: Any) -> Any:
    return orjson.loads(value) if isinstance(value, str | bytes) else value


def from_ms(text: str | bytes | int) -> datetime:
    """An instant from milliseconds since 1970."""
    return datetime.fromtimestamp(int(text) / 1000, UTC)


def to_ms(instant: datetime) -> int:
    """Milliseconds since 1970."""
    return round(instant.timestamp() * 1000)


Instant = Annotated[datetime, BeforeValidator(_instant), PlainSerializer(datetime.isoformat, when_used="json")]


class Run(BaseModel):
    """One request's way through the four stages, as Redis keeps it.

    Written only by the scripts beside jobs.store: a run moves in one place.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    version: int = RECORD_VERSION  # of the record; absent in those of version 1
    run_id: str
    state: State
    stage: Stage
    name: str
    request: Annotated[dict[str, Any], BeforeValidator(_from_json)]
    fingerprint: str
    created_at: Instant
    updated_at: Instant

    destination: str = ""  # where files end up; left empty by the producer, it becomes the fleet's own
    key: str | None = None
    producer: str | None = None
    batch_id: str | None = None
    callback_url: str | None = None  # told of the run's end
    traceparent: str | None = None  # of the trace that it was submitted in
    priority: Priority = Priority.NORMAL
    part_of: str | None = None  # the run that tells of the whole request, where it was split
    part_ids: Annotated[list[str], BeforeValidator(_from_json)] = []  # of that run: all parts in order, itself first
    deadline_at: Instant | None = None
    finished_at: Instant | None = None

    step: int = 0  # counts the run's moves from job to job; a job's id ends with it
    job_id: str | None = None  # the one job that may move the run; None while parked and at the end
    starts: int = 0  # times this job was started; part of the fence
    vain_starts: int = 0  # the same since it last got anywhere: grows when workers die in it
    tries: int = 0  # times the stage was started since the run entered it
    faults: int = 0  # charged failures of the stage since the run entered it
    worker: str | None = None  # who has, or had, the job in hand
    cancel_requested: bool = False
    reason: str | None = None  # of the last move

    rebuys: int = 0  # times a person asked to order again
    intent_at: Instant | None = None  # a POST may be on its way or taken; see jobs.stages.create
    order_id: str | None = None
    order_state: str | None = None
    order_message: str | None = None
    error_hints: Annotated[list[Any], BeforeValidator(_from_json)] = []

    files_total: int | None = None
    files_done: int = 0
    bytes_total: int | None = None
    bytes_done: int = 0
    refetches: int = 0  # times validate sent files back to download

    error: Annotated[Failure | None, BeforeValidator(_from_json)] = None

    @property
    def order_name(self) -> str:
        """The `name` the order carries at Planet: the request's own, and the run id by which it can be found again."""
        suffix = f"-{self.rebuys + 1}" if self.rebuys else ""
        return f"{self.name}-{self.run_id}{suffix}"

    @property
    def flow(self) -> str:
        """With whom it takes turns in the line of creates."""
        return flow_of(self.batch_id, self.producer)

    @classmethod
    def from_hash(cls, fields: Mapping[bytes, bytes], run_id: str | None = None) -> Self:
        """Read the hash that the scripts keep.

        Args:
            fields: of the hash.
            run_id: whose hash it is; default: what it says itself.

        Raises:
            UnreadableRun: it is damaged, or of a newer version.
        """
        asked = run_id or fields.get(b"run_id", b"?").decode(errors="backslashreplace")
        try:
            run = cls.model_validate({name.decode(): value.decode() for name, value in fields.items()})
        except ValidationError as error:
            raise UnreadableRun(asked, flaws(error), is_newer=_is_newer(fields)) from error
        except (ValueError, OverflowError, OSError, RecursionError) as error:  # bytes that are no text, no such year
            raise UnreadableRun(asked, str(error)) from error
        if run.version > RECORD_VERSION:
            raise UnreadableRun(asked, f"it has version {run.version}, newer than {RECORD_VERSION}", is_newer=True)
        if run.run_id != asked:
            raise UnreadableRun(asked, "run_id: it is that of another run")
        return run


def _is_newer(fields: Mapping[bytes, bytes]) -> bool:
    version = fields.get(b"version", b"")
    return version.isdigit() and len(version) < 10 and int(version) > RECORD_VERSION  # noqa: PLR2004 — no count of ours


def flaws(error: ValidationError) -> str:
    """What is wrong, field by field, without the values: they may hold secrets."""
    problems = error.errors(include_url=False, include_input=False, include_context=False)
    return "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in problems[:3])


Facts = Mapping[str, Any]
"""Fields of a run that a stage has learnt; None removes a field."""


_FIELDS = frozenset(Run.model_fields)


def encode_facts(facts: Facts) -> dict[str, str]:
    """Fields as the run's hash holds them; a removed one becomes the empty string, which the scripts delete."""
    return {name: _encode(name, "" if value is None else value) for name, value in facts.items()}


def _encode(name: str, value: Any) -> str:
    if name not in _FIELDS:
        raise KeyError(f"a run has no field {name!r}")
    match value:
        case bool():
            return "1" if value else "0"
        case str() | int():
            return str(value)
        case datetime():
            return str(to_ms(value))
        case BaseModel():
            return value.model_dump_json()
        case dict() | list():
            return to_json(value)
        case _:
            return str(value)


class Transition(BaseModel):
    """One line of a run's history."""

    model_config = ConfigDict(frozen=True)

    at: Instant
    state: State
    stage: Stage
    reason: str = ""
    tries: int = 0
    worker: str | None = None


class FileRecord(BaseModel):
    """One file of a run's order, as far as it has come."""

    model_config = ConfigDict(frozen=True)

    path: str  # relative to the run's destination
    size_bytes: int | None = None
    fetched_bytes: int = 0  # over the wire, all tries together
    sha256: str | None = None
    md5: str | None = None
    verified: bool = False
    problem: str | None = None
    archive: str | None = None  # the archive that it came in, and that is gone since it was unpacked
    archive_files: int | None = None  # how many files that had
