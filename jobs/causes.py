"""Failed runs by cause: a thousand failures are a handful of causes, and each has one remedy."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from jobs import keys
from jobs.index import pages_of
from jobs.run import FailureKind, Run, State, to_ms

if TYPE_CHECKING:
    from arq.connections import ArqRedis

__all__ = [
    "CAUSE_FIELDS",
    "FAILED_STATES",
    "Cause",
    "CauseGroup",
    "Groups",
    "cause_of",
    "cause_of_run",
    "group_failures",
    "runs_of_cause",
]

FAILED_STATES = (State.FAILED, State.EXPIRED)
CAUSE_FIELDS = ("stage", "error", "reason")

_MAX_GROUPS = 500  # beyond it, causes of one type are one: what servers say must not fill the memory
_MAX_READ = 500  # characters of a message that are looked at
_MAX_PATTERN = 200  # characters that tell causes apart

# What differs from run to run, in the order in which it is taken out.
_ANY = "…"
_VARIABLE = (
    re.compile(r"\b[a-z][a-z0-9+.-]*://\S+", re.IGNORECASE),  # addresses
    re.compile(r"(?<!\w)'[^']*'(?!\w)|\"[^\"]*\"|«[^»]*»"),  # whatever is quoted: names, values
    re.compile(r"(?<![^\s'\"();,:=])[^\s'\"();,:=]*/[^\s'\"();,:=]+"),  # paths
    re.compile(r"\b(?!sha256\b|md5\b|s3\b)(?<!answered )[\w.-]*\d[\w.-]*"),  # numbers, ids, dates; not a status
)
_REPEATED = re.compile(rf"{_ANY}(?:[\s,;:+-]*{_ANY})+")
_LISTED = re.compile(rf"({_ANY}(?: \([^()]*\))?)(?:[,;] {_ANY}(?: \([^()]*\))?)+")


@dataclass(frozen=True, slots=True)
class Cause:
    """What failed runs have in common.

    Attributes:
        message: with what differs from run to run taken out: ids, numbers, names, paths.
    """

    state: State
    kind: str
    type: str
    stage: str
    message: str

    @property
    def id(self) -> str:
        """Eight letters that name it, today as tomorrow."""
        parts = (self.state.value, self.kind, self.type, self.stage, self.message)
        return sha256("\0".join(parts).encode()).hexdigest()[:8]

    @property
    def advice(self) -> str:
        """What a person can do about it; docs/failures.md has more."""
        if self.state is State.EXPIRED:
            return "retry goes on without the deadline; a cancelled order takes --rebuy"
        return _ADVICE_BY_TYPE.get(self.type) or _ADVICE_BY_KIND.get(self.kind, "look at one of them, then retry")


@dataclass(slots=True)
class CauseGroup:
    """The runs of one cause."""

    cause: Cause
    runs: int
    first_at: datetime
    last_at: datetime
    example: str  # the id of the newest run
    message: str  # of the newest run, as it was

    def as_dict(self) -> dict[str, Any]:
        """For programs: plain JSON."""
        return {
            "cause": self.cause.id,
            **asdict(self.cause),
            "runs": self.runs,
            "first_at": self.first_at.isoformat(),
            "last_at": self.last_at.isoformat(),
            "example": self.example,
            "example_message": self.message,
            "advice": self.cause.advice,
        }


_ADVICE_BY_KIND: Mapping[str, str] = {
    FailureKind.TEMPORARY: "when the network, Planet or the disk is well again, retry",
    FailureKind.PRODUCER: "no repetition helps by itself: mend what the message names, then retry",
    FailureKind.PLANET: "a new order may help, which Planet bills: retry with --rebuy",
    FailureKind.BUG: "an error of this program: report it with its traceback (status), then retry",
}
_ADVICE_BY_TYPE: Mapping[str, str] = {
    "BadQuery": "mend the request and submit it anew; a retry sends the same one",
    "BadRequest": "mend the request and submit it anew; a retry sends the same one",
    "CapReached": "after midnight UTC, or with a higher cap and the workers restarted, retry",
    "InvalidAPIKey": "mend PL_API_KEY, restart the workers, then retry",
    "APIKeyAuthException": "set PL_API_KEY, restart the workers, then retry",
    "NoPermission": "have the account allowed to do this, then retry",
    "OverQuota": "raise the quota, then retry",
    "TooManyRequests": "raise the quota, then retry",
    "MissingResource": "look whether the item or the order exists for this account; then submit anew, or retry",
    "DestinationError": "mend the destination or its credentials, restart the workers, then retry",
    "FilesNotAsPromised": "look at the manifest and the disk, tell Planet; then retry",
    "BadOrderId": "look at the order in the account; it is not bought again by itself",
    "UnsafeArchive": "tell Planet; nothing was unpacked",
    "UnsafeName": "tell Planet; nothing was written",
    "UnsafeLink": "look where the address leads, and tell Planet; nothing was fetched",
    "WorkerEnded": "look for a crash or a lack of memory in the hosts' logs, then retry",
    "Unreadable": "mend the record, or bring back the version that wrote it",
}


async def group_failures(
    redis: ArqRedis, *, states: Iterable[State] = FAILED_STATES, since: datetime | None = None
) -> list[CauseGroup]:
    """Group the runs that ended in these states by cause, the most frequent cause first.

    Reads a page at a time and holds no more than the groups in memory.
    """
    groups = Groups()
    async for run_id, at, cause, message in _walk(redis, states, since):
        groups.add(run_id, at, cause, message)
    return groups.most_frequent_first()


class Groups:
    """Failures sorted into groups as they are read."""

    def __init__(self) -> None:
        self._groups: dict[Cause, CauseGroup] = {}

    def add(self, run_id: str, at: datetime, cause: Cause, message: str) -> Cause:
        """Count one run that ended at this time; `message` is its own, as it was.

        Returns:
            Under which cause it was counted.
        """
        if cause not in self._groups and len(self._groups) >= _MAX_GROUPS:
            cause = Cause(cause.state, cause.kind, cause.type, cause.stage, _ANY)  # a coarser one
        group = self._groups.setdefault(cause, CauseGroup(cause, 0, at, at, run_id, message))
        group.runs += 1
        group.first_at = min(group.first_at, at)
        if at >= group.last_at:
            group.last_at, group.example, group.message = at, run_id, message
        return cause

    def most_frequent_first(self) -> list[CauseGroup]:
        """The groups there are."""
        return sorted(self._groups.values(), key=lambda group: (-group.runs, -group.last_at.timestamp()))


async def runs_of_cause(redis: ArqRedis, cause_id: str, *, since: datetime | None = None) -> list[str]:
    """The ids of the runs that ended for this cause, the longest ended first."""
    return [run_id async for run_id, _, cause, _ in _walk(redis, FAILED_STATES, since) if cause.id == cause_id]


async def _walk(
    redis: ArqRedis, states: Iterable[State], since: datetime | None
) -> AsyncIterator[tuple[str, datetime, Cause, str]]:
    for state in states:
        async for page in pages_of(redis, keys.state(state), to_ms(since) if since else 0):
            async with redis.pipeline(transaction=False) as pipe:
                for run_id, _ in page:
                    pipe.hmget(keys.run(run_id), list(CAUSE_FIELDS))
                records = await pipe.execute(raise_on_error=False)
            for (run_id, at_ms), record in zip(page, records, strict=True):
                cause, message = cause_of(state, record)
                yield run_id, datetime.fromtimestamp(at_ms / 1000, UTC), cause, message


def cause_of(state: State, record: Sequence[bytes | None] | Exception) -> tuple[Cause, str]:
    """The cause of a run that ended in this state, from CAUSE_FIELDS of its record, and the message as it was."""
    try:
        if isinstance(record, Exception):
            raise ValueError(str(record))  # noqa: TRY301, TRY004 — a key of another kind is one more unreadable record
        stage, error, reason = ((field or b"").decode() for field in record)
        failure: dict[str, Any] = json.loads(error) if error else {}
        kind, type_, at_stage = (str(failure.get(name) or "") for name in ("kind", "type", "stage"))
        message = str(failure.get("message") or reason or "no reason was recorded")
    except (ValueError, AttributeError, RecursionError) as error:
        return Cause(state, FailureKind.BUG, "Unreadable", "", "its record cannot be read"), str(error)
    return Cause(state, kind, type_, at_stage or stage, generalize(message)), message


def cause_of_run(run: Run) -> Cause | None:
    """The cause of a run that failed or expired, under which it is grouped; None of any other."""
    if run.state not in FAILED_STATES:
        return None
    error = run.error.model_dump_json().encode() if run.error else None
    cause, _ = cause_of(run.state, [run.stage.encode(), error, (run.reason or "").encode()])
    return cause


@lru_cache(maxsize=1024)
def generalize(message: str) -> str:
    """The message without what differs from run to run: ids, numbers, names, paths."""
    text = message[:_MAX_READ]
    for pattern in _VARIABLE:
        text = pattern.sub(_ANY, text)
    text = _LISTED.sub(rf"\1, {_ANY}", _REPEATED.sub(_ANY, text))
    return " ".join(text.split())[:_MAX_PATTERN]
