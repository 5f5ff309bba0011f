"""Everything this package raises.

JobsError
├── BadRequest        the request cannot be ordered; every problem names its field
├── BatchNotFound     no batch has this id (or it is older than runs are kept)
├── BatchTimeout      result() of a batch waited long enough; its runs go on
├── UnreadableBatch   its record is damaged, or of a newer version of this program
├── RunNotFound       no run has this id (or it is older than runs are kept)
├── UnreadableRun     its record is damaged, or of a newer version of this program
├── KeyReused         the producer's key already belongs to a run with another request
├── SubmitUncertain   whether runs were taken is not known: Redis went away, or refused
├── NotPossible       the run's state does not allow it
├── RunFailed         result() of a run that ended without its files
├── ResultTimeout     result() waited long enough; the run goes on
├── Fenced            this worker no longer owns the job; what it learnt is dropped
├── CapReached        the day's orders would exceed a cap; the order was not placed
├── NoPlace           as many orders are under way as may be; the run waits in line
├── DamagedArchive    an archive did not arrive as it was made; it is fetched again
├── UnsafeArchive     an archive is not to be unpacked
├── LeaseInDoubt      this worker may no longer own the job; what must not happen twice was not begun
└── DestinationError  the destination cannot be used (jobs.destination)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jobs.batch import Batch
    from jobs.run import Run

__all__ = [
    "BadRequest",
    "BatchNotFound",
    "BatchTimeout",
    "CapReached",
    "DamagedArchive",
    "DestinationError",
    "EmbeddedUnavailable",
    "Fenced",
    "JobsError",
    "KeyReused",
    "LeaseInDoubt",
    "NoPlace",
    "NotPossible",
    "Problem",
    "RedisUnavailable",
    "ResultTimeout",
    "RunFailed",
    "RunNotFound",
    "SubmitUncertain",
    "UnreadableBatch",
    "UnreadableRun",
    "UnsafeArchive",
]


class JobsError(Exception):
    """The root of everything this package raises."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with one field of a request, and what to do about it."""

    field: str
    message: str

    def __str__(self) -> str:
        return f"{self.field}: {self.message}" if self.field else self.message


class BadRequest(JobsError):
    """The request cannot be ordered as it is.

    Attributes:
        problems: what is wrong, field by field.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


class BatchNotFound(JobsError):
    """No batch has this id."""

    def __init__(self, batch_id: str) -> None:
        super().__init__(f"there is no batch {batch_id}; `planet-orders batch` shows those that are kept")
        self.batch_id = batch_id


class UnreadableBatch(JobsError):
    """The record of the batch cannot be read here; it stays as it is, and its runs go on."""

    def __init__(self, batch_id: str, why: str) -> None:
        super().__init__(f"batch {batch_id} cannot be read ({why}); its record is kept as it is, and its runs go on")
        self.batch_id, self.why = batch_id, why


class BatchTimeout(JobsError):
    """The batch had not ended when the time was up; it goes on.

    Attributes:
        batch: as it was then.
    """

    def __init__(self, batch: Batch, timeout_s: float) -> None:
        what = f"{batch.total - batch.ended:,} of {batch.total:,} runs have not ended after {timeout_s:g} s; they go on"
        if batch.submitted_at is None:
            what = f"it was not submitted to its end ({what}); submit it again, with its key if it has one"
        super().__init__(f"batch {batch.batch_id}: {what}")
        self.batch = batch


class RunNotFound(JobsError):
    """No run has this id."""

    def __init__(self, run_id: str) -> None:
        super().__init__(f"there is no run {run_id}; `planet-orders list` shows those that are kept")
        self.run_id = run_id


class UnreadableRun(JobsError):
    """The record of the run cannot be read here; it stays as it is.

    Attributes:
        is_newer: it was written by a newer version, which can read it.
    """

    def __init__(self, run_id: str, why: str, *, is_newer: bool = False) -> None:
        super().__init__(f"run {run_id} cannot be read ({why}); its record is kept as it is")
        self.run_id, self.why, self.is_newer = run_id, why, is_newer


class KeyReused(JobsError):
    """The key already belongs to a run with another request; nothing was submitted."""

    def __init__(self, key: str, run_id: str) -> None:
        super().__init__(f"key {key!r} already belongs to run {run_id}, whose request is another one; choose a new key")
        self.key, self.run_id = key, run_id


class SubmitUncertain(JobsError):
    """Whether these runs were taken is not known: Redis went away while they were submitted, or refused them.

    Attributes:
        run_ids: the runs that may have been taken; OrderQueue.get() finds those that were, once Redis is back.
        why: what happened.
    """

    def __init__(self, run_ids: Sequence[str], why: str) -> None:
        some = ", ".join(run_ids[:3]) + (", …" if len(run_ids) > 3 else "")  # noqa: PLR2004 — enough to find the others
        some = some or "the whole batch"
        super().__init__(
            f"whether {some} was taken is not known ({why}); submit again with the same key, which never orders twice; "
            "without a key, a request is not ordered twice within days, unless `again` asks for it"
        )
        self.run_ids, self.why = tuple(run_ids), why


class NotPossible(JobsError):
    """The run's state does not allow what was asked."""

    def __init__(self, run_id: str, message: str) -> None:
        super().__init__(f"run {run_id}: {message}")
        self.run_id = run_id


class RunFailed(JobsError):
    """The run ended without all of its files.

    Attributes:
        run: the run as it ended, with its error.
    """

    def __init__(self, run: Run) -> None:
        reason = run.error.message if run.error else (run.reason or "no reason was recorded")
        super().__init__(f"run {run.run_id} ended {run.state}: {reason}")
        self.run = run


class ResultTimeout(JobsError):
    """The run had not ended when the time was up; it goes on."""

    def __init__(self, run_id: str, timeout_s: float, state: str) -> None:
        super().__init__(f"run {run_id} is still {state} after {timeout_s:g} s; it goes on, ask again")
        self.run_id, self.timeout_s, self.state = run_id, timeout_s, state


class Fenced(JobsError):
    """This worker no longer owns the job: another one has it, or the run has moved on."""

    def __init__(self, job_id: str, why: str) -> None:
        super().__init__(f"job {job_id}: {why}")
        self.job_id, self.why = job_id, why


class NoPlace(JobsError):
    """As many orders are under way as may be; the run goes back to the head of the line."""

    def __init__(self, run_id: str) -> None:
        super().__init__(f"run {run_id}: as many orders are under way as may be; it goes back to the head of the line")
        self.run_id = run_id


class LeaseInDoubt(JobsError):
    """This worker may no longer own the job: its lease was not renewed in time. Nothing was sent."""

    def __init__(self, job_id: str, late_s: float) -> None:
        super().__init__(
            f"job {job_id}: its lease ran out {late_s:.1f} s ago and was not renewed (the worker stood still, or Redis "
            "was away); nothing was sent, the next try looks again"
        )
        self.job_id, self.late_s = job_id, late_s


class CapReached(JobsError):
    """The order would exceed a cap on what a day may order, or cannot be held against it; it was not placed.

    Attributes:
        setting: the cap's.
    """

    def __init__(self, setting: str, why: str) -> None:
        super().__init__(f"{why}; nothing was ordered")
        self.setting = setting


class DamagedArchive(JobsError):
    """The archive is not whole, or a file in it is not what the archive says of it."""

    def __init__(self, name: str, why: object) -> None:
        super().__init__(f"{name} cannot be unpacked: {why}")
        self.name = name


class UnsafeArchive(JobsError):
    """The archive holds what no order does; nothing of it was unpacked."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"refused to unpack {name}: {why}")
        self.name, self.why = name, why


class DestinationError(JobsError):
    """The destination cannot be used."""


class RedisUnavailable(JobsError):
    """There is no usable Redis at the address."""

    def __init__(self, address: str, why: str) -> None:
        super().__init__(f"no Redis at {address}: {why}; check REDIS_URL, and that the server runs and can be reached")
        self.address, self.why = address, why


class EmbeddedUnavailable(JobsError):
    """The private Valkey of the data folder cannot be started or reached."""
