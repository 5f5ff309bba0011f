"""A storm in figures, and what became of each promise, for people to read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Any

from tests.chaos.verdict import Evidence

_SHOWN = 5  # of what speaks against a promise


def describe(evidence: Evidence, verdict: Mapping[str, Sequence[str]]) -> str:
    """The whole report."""
    lines = [f"{name:<28} {figure}" for name, figure in _figures(evidence)]
    return "\n".join(["", *lines, "", *_promises(verdict)])


def _figures(evidence: Evidence) -> Iterator[tuple[str, str]]:
    storm, report = evidence.storm, evidence.report
    twice = [orders for orders in evidence.orders_by_name.values() if len(orders) > 1]
    hidden = sum(not all(order.is_listed for order in orders) for orders in twice)
    yield "seed", str(storm.plan.seed)
    yield "orders asked for", f"{storm.plan.orders:,}"
    yield "orders at Planet", _list_counts(report.orders_by_state)
    yield "POSTs to create one", f"{report.requests.get('create', 0):,}"
    yield "orders bought twice", f"{len(twice) - hidden}" + (f", and {hidden} that Planet hid" if hidden else "")
    yield "runs by state", _list_counts({state: count for state, count in storm.counts.items() if count})
    yield "set aside, then retried", str(storm.set_aside)
    yield "lost runs", str(storm.left)
    yield "files verified", f"{evidence.files:,} of {len(evidence.delivered):,} orders"
    yield "bad files", str(len(evidence.bad_files))
    yield "keys that should not be", str(len(evidence.homeless) + len(evidence.leftovers))
    yield "blows to workers", _list_counts(storm.fleet.blows)
    yield "workers ended by themselves", str(len(storm.fleet.strays))
    yield "restarts of Valkey", _list_counts(storm.fleet.restarts)
    yield "from kill -9 to recovery", _list_spread(storm.fleet.recoveries_s)
    yield "faults", _list_counts(report.faults)
    yield "requests, most in a second", _list_counts(report.peak_per_second)
    yield "seconds", f"{storm.seconds:.0f}"


def _promises(verdict: Mapping[str, Sequence[str]]) -> Iterator[str]:
    for promise, against in verdict.items():
        yield f"{'BROKEN' if against else 'kept':<7} {promise}"
        yield from (f"        {line}" for line in against[:_SHOWN])
        if len(against) > _SHOWN:
            yield f"        and {len(against) - _SHOWN:,} more"


def _list_counts(counts: Mapping[Any, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in sorted(counts.items())) or "none"


def _list_spread(seconds: Sequence[float]) -> str:
    return f"{median(seconds):.1f} s, at most {max(seconds):.1f} s" if seconds else "none"
