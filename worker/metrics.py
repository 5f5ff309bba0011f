"""The fleet's metrics for Prometheus: gauges of what is, counters and histograms of what workers have counted.

Every label has few values, all known beforehand: no run, producer, host or worker is one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from math import inf
from typing import Any

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

from jobs.run import FailureKind, Stage, State
from planet_sdk._version import __version__
from planet_sdk.limits import RequestKind
from worker.budget import BudgetUse
from worker.fleet import Presence
from worker.tally import BOUNDS_S, NEWEST

__all__ = ["FleetMetrics", "Seen"]

_PREFIX = "planet_orders_"
_FINAL = [state for state in State if state.is_final]
_OUTCOMES = ["advance", "park", "again", "requeue", *_FINAL]


@dataclass(frozen=True, slots=True)
class _Sum:
    """One of the tally's counts, and the metric that it is."""

    count: str
    name: str
    text: str
    labels: Mapping[str, Sequence[str]] = field(default_factory=dict)


_SUMS = (
    _Sum("orders", "orders_placed", "Orders placed at Planet."),
    _Sum("ended", "runs_ended", "Runs that workers ended, by final state.", {"state": _FINAL}),
    _Sum(
        "faults",
        "stage_faults",
        "Tries of a stage that failed, by whose fault it was.",
        {"stage": list(Stage), "kind": list(FailureKind)},
    ),
    _Sum("files", "files", "Files that arrived whole."),
    _Sum("bytes", "file_bytes", "Bytes of the files that arrived whole."),
    _Sum("requests", "planet_requests", "Requests sent to Planet and to storage.", {"kind": list(RequestKind)}),
    _Sum(
        "refused",
        "planet_refusals",
        "Requests that Planet refused as too many (429), naming a pause.",
        {"kind": list(RequestKind)},
    ),
    _Sum("lists", "lists_read", "Times that Planet's list of changed orders was read to its end."),
    _Sum("leases_lost", "leases_lost", "Jobs given up because another worker took them over."),
    _Sum("commits_refused", "commits_refused", "Stages whose end came too late: another worker had the job."),
)


@dataclass(frozen=True, slots=True)
class Seen:
    """What was found in Redis, on its clock.

    Attributes:
        runs: by state.
        waiting: runs by stage that no worker has in hand: in line, parked, or between two tries.
        oldest_s: by stage, for how long the run has not moved that has not for longest.
        in_hand: jobs in workers' hands by stage.
        lag_s: of the worker whose event loop is latest.
        watch_late_s: for how long the parked run that is due longest has been waiting for a look.
        batches: among the newest of them, those that go on.
        budget: what is used of the limits of requests that somebody has sent of late.
        sums: the fleet's tally.
    """

    runs: Mapping[State, int]
    waiting: Mapping[Stage, int]
    oldest_s: Mapping[Stage, float]
    in_hand: Mapping[str, int]
    due: int
    oldest_due_s: float
    parked: int
    watch_late_s: float
    is_watched: bool
    workers: Mapping[Presence, int]
    slots: int
    busy: int
    lag_s: float
    batches: int
    set_aside: int
    budget: Sequence[BudgetUse]
    sums: Mapping[str, int]


class FleetMetrics:
    """One scrape's worth; `seen` is None while Redis is away, and then hardly anything is known."""

    def __init__(self, seen: Seen | None) -> None:
        self._seen = seen

    def collect(self) -> Iterator[Metric]:
        """The metrics, as prometheus_client writes them out."""
        yield _gauge(
            "redis_up", "Whether the web process reaches Redis; if not, nothing else is known.", self._seen is not None
        )
        yield _gauges("build_info", "Always 1; the version of the web process.", "version", {__version__: 1})
        if self._seen is not None:
            yield from _gauges_of(self._seen)
            yield from (_counter(each, self._seen.sums) for each in _SUMS)
            yield _stage_durations(self._seen.sums)


def _gauges_of(seen: Seen) -> Iterator[Metric]:
    yield _gauges("runs", "Runs, by state.", "state", seen.runs)
    yield _gauges(
        "waiting_runs", "Runs that no worker has in hand: in line, parked, or between tries.", "stage", seen.waiting
    )
    yield _gauges(
        "oldest_run_age_seconds", "Since when the run has not moved that has not for longest.", "stage", seen.oldest_s
    )
    yield _gauges(
        "jobs_in_hand", "Jobs that workers have in hand.", "stage", {s: seen.in_hand.get(s, 0) for s in Stage}
    )
    yield _gauge("due_jobs", "Jobs that a worker should take now.", seen.due)
    yield _gauge(
        "oldest_due_job_age_seconds", "For how long the oldest of them has been due; 0 for none.", seen.oldest_due_s
    )
    yield _gauge("parked_runs", "Runs parked until Planet has their orders ready.", seen.parked)
    yield _gauge(
        "watch_late_seconds", "For how long a parked run that is due has been waiting for a look.", seen.watch_late_s
    )
    yield _gauge("watcher_on_duty", "Whether a worker has the duty of watching parked runs.", seen.is_watched)
    yield _gauge(
        "last_list_timestamp_seconds",
        "When Planet's list was last read to its end; it is not while no run is parked.",
        seen.sums.get(f"{NEWEST}|list", 0) / 1000,
    )
    yield _gauges(
        "workers", "Workers seen within a day.", "presence", {each: seen.workers.get(each, 0) for each in Presence}
    )
    yield _gauge("slots", "Job slots of the workers that are alive.", seen.slots)
    yield _gauge("slots_busy", "Slots with a job.", seen.busy)
    yield _gauge("loop_lag_seconds", "By how much the latest event loop of a worker is late.", seen.lag_s)
    yield _gauge("open_batches", "Batches that have not ended, of the newest hundred.", seen.batches)
    yield _gauge("set_aside", "Jobs and records set aside because they could not be read.", seen.set_aside)
    yield from _budget(seen.budget)


def _budget(budget: Sequence[BudgetUse]) -> Iterator[Metric]:
    """Of several limits of a kind the one that is tightest, or nearest."""
    kinds = {use.kind for use in budget}
    rates = {kind: [use.limit / use.period_s for use in budget if use.kind is kind and use.period_s] for kind in kinds}
    used = {kind: max(use.used / use.limit for use in budget if use.kind is kind) for kind in kinds}
    paused_s = {kind: max(use.paused_s for use in budget if use.kind is kind) for kind in kinds}
    limits = {kind: min(each) for kind, each in rates.items() if each}
    yield _gauges(
        "planet_request_limit", "Requests a second that the fleet may send, of kinds sent of late.", "kind", limits
    )
    yield _gauges("planet_request_use", "What is used of that just now; 1 is all of it.", "kind", used)
    yield _gauges(
        "planet_pause_seconds", "For how long Planet takes no more requests, as it has said.", "kind", paused_s
    )


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(_PREFIX + name, text, value=float(value))


def _gauges(name: str, text: str, label: str, values: Mapping[Any, float]) -> Metric:
    family = GaugeMetricFamily(_PREFIX + name, text, labels=[label])
    for each, value in values.items():
        family.add_metric([each], float(value))
    return family


def _counter(what: _Sum, sums: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily(_PREFIX + what.name, what.text, labels=list(what.labels))
    for values in product(*what.labels.values()):
        family.add_metric(values, sums.get("|".join([what.count, *values]), 0))
    return family


def _stage_durations(sums: Mapping[str, int]) -> Metric:
    """Workers of another version may have other bounds: theirs count below the next of ours."""
    text = "How long a try of a stage took, and for stage `wait` how long a run was parked, by what came of it."
    family = HistogramMetricFamily(f"{_PREFIX}stage_duration_seconds", text, labels=["stage", "outcome"])
    for stage, outcome in product(Stage, _OUTCOMES):
        prefix = f"stage|{stage}|{outcome}|"
        found = {float(name.removeprefix(prefix)): count for name, count in sums.items() if name.startswith(prefix)}
        if found:
            buckets = [(_bound(most), sum(n for at, n in found.items() if at <= most)) for most in (*BOUNDS_S, inf)]
            family.add_metric([stage, outcome], buckets, sums.get(f"stage_us|{stage}|{outcome}", 0) / 1e6)
    return family


def _bound(seconds: float) -> str:
    return "+Inf" if seconds == inf else str(seconds)
