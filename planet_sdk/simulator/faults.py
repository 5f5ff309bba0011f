"""Misbehaviour on command: faults that wait for a request they match, and a seeded plan with a rate for each kind."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any, ClassVar

from pydantic import ConfigDict, TypeAdapter


class FaultKind(StrEnum):
    """What can go wrong."""

    DROP_REQUEST = "drop_request"
    """The connection is reset and nothing was processed."""
    DROP_REPLY = "drop_reply"
    """The request is processed, then the connection is reset before the first byte of the answer."""
    ERROR = "error"
    """An error status, 503 unless told otherwise; with `after_processing`, what was asked for happened all the same."""
    TOO_MANY_REQUESTS = "too_many_requests"
    EXPIRED_LINK = "expired_link"
    MISDIRECT = "misdirect"
    """A link that redirects to `location`."""

    CUT_BODY = "cut_body"
    CORRUPT_BODY = "corrupt_body"
    SLOW_BODY = "slow_body"
    STALL_BODY = "stall_body"
    EXTRA_BYTES = "extra_bytes"
    NO_CONTENT_LENGTH = "no_content_length"
    NO_CONTENT_DISPOSITION = "no_content_disposition"
    EVIL_DISPOSITION = "evil_disposition"
    RANGE_IGNORED = "range_ignored"
    WRONG_CONTENT_RANGE = "wrong_content_range"
    NO_ETAG = "no_etag"

    ORDER_FAILED = "order_failed"
    ORDER_PARTIAL = "order_partial"
    ORDER_CANCELLED = "order_cancelled"
    ORDER_STUCK = "order_stuck"
    ORDER_UNLISTED = "order_unlisted"
    EVIL_NAME = "evil_name"

    ASSET_STUCK = "asset_stuck"
    """The activation never ends."""
    ASSET_STALE = "asset_stale"
    """The asset becomes active, but storage refuses its links until it has been activated once more."""


ANSWERS = (FaultKind.DROP_REQUEST, FaultKind.ERROR, FaultKind.TOO_MANY_REQUESTS, FaultKind.DROP_REPLY)
"""Kinds that take the place of an answer, at any endpoint."""
BODIES = (
    FaultKind.CUT_BODY,
    FaultKind.CORRUPT_BODY,
    FaultKind.SLOW_BODY,
    FaultKind.STALL_BODY,
    FaultKind.EXTRA_BYTES,
    FaultKind.NO_CONTENT_LENGTH,
    FaultKind.NO_CONTENT_DISPOSITION,
    FaultKind.EVIL_DISPOSITION,
    FaultKind.RANGE_IGNORED,
    FaultKind.WRONG_CONTENT_RANGE,
    FaultKind.NO_ETAG,
)
"""Kinds that spoil how storage sends a file; several can meet in one reply."""
ORDERS = (
    FaultKind.ORDER_FAILED,
    FaultKind.ORDER_PARTIAL,
    FaultKind.ORDER_CANCELLED,
    FaultKind.ORDER_STUCK,
    FaultKind.ORDER_UNLISTED,
    FaultKind.EVIL_NAME,
)
"""Kinds that are decided when an order is created."""

ASSETS = (FaultKind.ASSET_STUCK, FaultKind.ASSET_STALE)
"""Kinds that are decided when an asset is activated."""
LINKS = frozenset({"link", "data_link"})
"""The endpoints that download links lead to, before the storage."""

_OTHERS: Mapping[str, tuple[FaultKind, ...]] = {
    "create": ORDERS,
    "data_activate": ASSETS,
    "data_link": (FaultKind.MISDIRECT,),
    "link": (FaultKind.MISDIRECT,),
    "storage": BODIES,
}

ERROR_BODIES: Mapping[int, str] = {
    500: "Internal Server Error",
    502: "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>",
    503: "Service error -27",
    504: "upstream request timeout",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One misbehaviour, and the requests it waits for.

    Fields that its kind does not need are ignored.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    kind: FaultKind
    endpoint: str = "*"
    """create, get, list, cancel, bulk_cancel, stats, spec, login, link, storage; of the Data API data_search (results,
    quick or not), data_searches (what is kept), data_stats, data_item, data_assets, data_activate, data_link; or a
    pattern of these."""
    subject: str = "*"
    """Pattern of the file's name or path (link, data_link, storage); the search's name or id, the item's id, the
    asset's type or `item/type` (the other data endpoints); the order's name or id (all others)."""
    times: int | None = 1
    """How many requests it hits; None is every one."""
    status: int = 503
    body: str | None = None
    retry_after_s: float | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    """More headers of an error."""
    after_processing: bool = False
    after_bytes: int | None = None
    """Where the body is cut, stalls or is corrupt, counted from the first byte sent; None: at `share` of it."""
    share: float = 0.5
    bytes_per_s: float = 10_000.0
    extra_bytes: int = 1_024
    name: str = "../../escaped.txt"
    """For evil_name and evil_disposition."""
    location: str = ""
    """For misdirect; a relative one counts from the link."""

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Fault:
        """The fault that a JSON object describes; ValueError names every field that does not fit."""
        return TypeAdapter(cls).validate_python(value)

    def to_json(self) -> dict[str, Any]:
        """The fault as `from_json` takes it."""
        return asdict(self)

    def matches(self, endpoint: str, subjects: Iterable[str]) -> bool:
        """Is this request one of those it waits for?"""
        return fnmatchcase(endpoint, self.endpoint) and (
            self.subject == "*" or any(fnmatchcase(subject, self.subject) for subject in subjects)
        )

    def position(self, length: int) -> int:
        """The byte, of `length` that are to be sent, where it strikes."""
        place = int(length * self.share) if self.after_bytes is None else self.after_bytes
        return max(0, min(place, length))


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultPlan:
    """Random misbehaviour that a seed reproduces.

    Whether a request is hit depends on the seed, the kind, the endpoint, the subject and how often that subject was
    asked for, not on the order in which parallel requests arrive.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    seed: int = 0
    rates: Mapping[FaultKind, float] = field(default_factory=dict)
    """Share of requests, 0 to 1, by kind."""
    at_most: int | None = None
    """A kind hits the same subject at the same endpoint this often at most; None: no bound."""
    retry_after_s: float | None = 1.0

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> FaultPlan:
        """The plan that a JSON object describes; ValueError names every field that does not fit."""
        return TypeAdapter(cls).validate_python(value)

    def roll(self, kind: FaultKind, endpoint: str, subject: str, nth: int) -> Fault | None:
        """The fault of this kind that hits the `nth` request for `subject`, if one does."""
        rate = self.rates.get(kind, 0.0)
        if rate <= 0:
            return None
        chance = random.Random(f"{self.seed}:{kind}:{endpoint}:{subject}:{nth}")  # noqa: S311 — must be reproducible
        if chance.random() >= rate:
            return None
        return Fault(
            kind=kind,
            status=chance.choice(sorted(ERROR_BODIES)),
            share=chance.random(),
            after_processing=chance.random() < 0.5,  # noqa: PLR2004 — a coin
            retry_after_s=self.retry_after_s if kind is FaultKind.TOO_MANY_REQUESTS else None,
        )


class Faults:
    """The faults that wait, the plan, and which of them hits a request."""

    def __init__(self, plan: FaultPlan) -> None:
        self.plan = plan
        self.waiting: list[Fault] = []
        self.struck: Counter[str] = Counter()
        self._asked: Counter[tuple[str, str]] = Counter()
        self._hit: Counter[tuple[FaultKind, str, str]] = Counter()

    def add(self, fault: Fault) -> None:
        """Let `fault` wait for its requests, behind those that wait already."""
        self.waiting.append(fault)

    def clear(self) -> None:
        """Forget the waiting faults and the plan: from here on everything works."""
        self.waiting.clear()
        self.plan = FaultPlan()

    def take(self, endpoint: str, subjects: tuple[str, ...]) -> dict[FaultKind, Fault]:
        """The faults that hit this request, used up by it; one that replaces the answer leaves all others waiting."""
        self._asked[endpoint, subjects[0]] += 1
        for kind in (*ANSWERS, FaultKind.EXPIRED_LINK) if endpoint in {"storage", *LINKS} else ANSWERS:
            if fault := self._next(kind, endpoint, subjects):
                return {kind: fault}
        return self._take_all(_OTHERS.get(endpoint, ()), endpoint, subjects)

    def _take_all(self, kinds: Iterable[FaultKind], endpoint: str, subjects: tuple[str, ...]) -> dict[FaultKind, Fault]:
        found = ((kind, self._next(kind, endpoint, subjects)) for kind in kinds)
        return {kind: fault for kind, fault in found if fault is not None}

    def _next(self, kind: FaultKind, endpoint: str, subjects: tuple[str, ...]) -> Fault | None:
        fault = self._next_waiting(kind, endpoint, subjects) or self._next_planned(kind, endpoint, subjects[0])
        if fault is not None:
            self.struck[kind.value] += 1
        return fault

    def _next_waiting(self, kind: FaultKind, endpoint: str, subjects: tuple[str, ...]) -> Fault | None:
        for index, fault in enumerate(self.waiting):
            if fault.kind is kind and fault.matches(endpoint, subjects):
                if fault.times is None:
                    return fault
                if fault.times > 1:
                    self.waiting[index] = replace(fault, times=fault.times - 1)
                else:
                    del self.waiting[index]
                return fault
        return None

    def _next_planned(self, kind: FaultKind, endpoint: str, subject: str) -> Fault | None:
        hits = self._hit[kind, endpoint, subject]
        if self.plan.at_most is not None and hits >= self.plan.at_most:
            return None
        fault = self.plan.roll(kind, endpoint, subject, self._asked[endpoint, subject])
        if fault is not None:
            self._hit[kind, endpoint, subject] += 1
        return fault
