"""What the simulator saw: the side of the story that a test holds its own against."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict, deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from .clock import MICROSECONDS, Clock


@dataclass(frozen=True, slots=True)
class Report:
    """What was seen since the start or the last reset."""

    orders: Mapping[str, int]
    """Orders that exist, by name: more than 1 is an order bought twice."""
    orders_by_state: Mapping[str, int]
    requests: Mapping[str, int]
    """By kind of request, whatever the answer was."""
    peak_per_second: Mapping[str, int]
    """The most requests of a kind, with one API key, in any one-second window."""
    answers: Mapping[str, Mapping[int, int]]
    """How many of which status, by kind of request; 0 is a connection that was dropped."""
    reads: Mapping[str, int]
    """How often each order was read by its id."""
    ranges: Mapping[str, list[str]]
    """The Range headers seen, by file name, in their order."""
    bodies: Mapping[str, int]
    """Bodies sent to their end, by file name."""
    body_bytes: int
    open_bodies_peak: int
    auth_failures: int
    rate_limited: int
    """Requests refused with 429 because of the rate limits."""
    faults: Mapping[str, int]
    webhooks: int

    def to_json(self) -> dict[str, Any]:
        """The report as JSON."""
        return asdict(self)


class Journal:
    """Notes down requests as they come."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.stamps: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
        """Microseconds of each request, by kind and API key."""
        self.answers: defaultdict[str, Counter[int]] = defaultdict(Counter)
        self.ranges: defaultdict[str, list[str]] = defaultdict(list)
        self.reads: Counter[str] = Counter()
        self.bodies: Counter[str] = Counter()
        self.body_bytes = 0
        self.open_bodies = 0
        self.open_bodies_peak = 0
        self.auth_failures = 0
        self.rate_limited = 0
        self.webhooks = 0

    def note_request(self, endpoint: str, api_key: str) -> None:
        """A request of this kind has come in."""
        self.stamps[endpoint, api_key].append(self._clock.now_us())

    def list_times(self, endpoint: str) -> list[float]:
        """When requests of this kind came, in seconds since the epoch."""
        stamps = (stamp for (kind, _), all_stamps in self.stamps.items() if kind == endpoint for stamp in all_stamps)
        return [stamp / MICROSECONDS for stamp in sorted(stamps)]

    def open_body(self) -> None:
        """A body begins."""
        self.open_bodies += 1
        self.open_bodies_peak = max(self.open_bodies_peak, self.open_bodies)

    def note_sent(self, name: str, size_bytes: int, *, whole: bool) -> None:
        """A piece of a body is about to go out; `whole` if it is the last one and none was missing."""
        self.body_bytes += size_bytes
        self.bodies[name] += whole

    def close_body(self) -> None:
        """A body has ended, here or at the other side."""
        self.open_bodies -= 1

    def report(self, orders: Mapping[str, int], states: Mapping[str, int], faults: Mapping[str, int]) -> Report:
        """Everything so far."""
        requests: Counter[str] = Counter()
        peaks: Counter[str] = Counter()
        for (endpoint, _), stamps in self.stamps.items():
            requests[endpoint] += len(stamps)
            peaks[endpoint] = max(peaks[endpoint], find_peak(stamps, MICROSECONDS))
        return Report(
            orders=dict(orders),
            orders_by_state=dict(states),
            requests=dict(requests),
            peak_per_second=dict(peaks),
            answers={endpoint: dict(answers) for endpoint, answers in self.answers.items()},
            reads=dict(self.reads),
            ranges={name: list(ranges) for name, ranges in self.ranges.items()},
            bodies=dict(self.bodies),
            body_bytes=self.body_bytes,
            open_bodies_peak=self.open_bodies_peak,
            auth_failures=self.auth_failures,
            rate_limited=self.rate_limited,
            faults=dict(faults),
            webhooks=self.webhooks,
        )


def find_peak(stamps: list[int], window: int) -> int:
    """The most stamps, which are sorted, within any half-open window of this length."""
    return max(
        (index + 1 - bisect_left(stamps, stamp - window + 1, 0, index + 1) for index, stamp in enumerate(stamps)),
        default=0,
    )


class RateLimits:
    """Lets so many requests of a kind pass with one API key in any one-second window."""

    def __init__(self, limits: Mapping[str, int], clock: Clock) -> None:
        self._limits, self._clock = limits, clock
        self._passed: defaultdict[tuple[str, str], deque[int]] = defaultdict(deque)

    def admit(self, endpoint: str, api_key: str) -> bool:
        """May this request pass? One that may not does not count against the next."""
        limit = self._limits.get(endpoint)
        if limit is None:
            return True
        now_us = self._clock.now_us()
        passed = self._passed[endpoint, api_key]
        while passed and passed[0] <= now_us - MICROSECONDS:
            passed.popleft()
        if len(passed) >= limit:
            return False
        passed.append(now_us)
        return True
