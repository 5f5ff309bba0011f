"""Orders as runs through four stages, kept in Redis: put requests in, get verified files out."""

from jobs.batch import Batch
from jobs.batch_handle import BatchHandle
from jobs.batch_summary import BatchSummary
from jobs.blocking import BlockingBatchHandle, BlockingOrderQueue, BlockingRunHandle
from jobs.callbacks import verify_callback
from jobs.errors import (
    BadRequest,
    BatchNotFound,
    BatchTimeout,
    DestinationError,
    EmbeddedUnavailable,
    JobsError,
    KeyReused,
    NotPossible,
    Problem,
    RedisUnavailable,
    ResultTimeout,
    RunFailed,
    RunNotFound,
    SubmitUncertain,
    UnreadableBatch,
    UnreadableRun,
)
from jobs.handles import RunHandle
from jobs.line import Priority
from jobs.preview import Preview
from jobs.queue import OrderQueue
from jobs.run import Failure, FailureKind, FileRecord, Run, Stage, State, Transition
from jobs.store import Event
from jobs.submission import Submission

__all__ = [
    "BadRequest",
    "Batch",
    "BatchHandle",
    "BatchNotFound",
    "BatchSummary",
    "BatchTimeout",
    "BlockingBatchHandle",
    "BlockingOrderQueue",
    "BlockingRunHandle",
    "DestinationError",
    "EmbeddedUnavailable",
    "Event",
    "Failure",
    "FailureKind",
    "FileRecord",
    "JobsError",
    "KeyReused",
    "NotPossible",
    "OrderQueue",
    "Preview",
    "Priority",
    "Problem",
    "RedisUnavailable",
    "ResultTimeout",
    "Run",
    "RunFailed",
    "RunHandle",
    "RunNotFound",
    "Stage",
    "State",
    "Submission",
    "SubmitUncertain",
    "Transition",
    "UnreadableBatch",
    "UnreadableRun",
    "verify_callback",
]
