"""What ten thousand waiting orders cost, and how soon a finished one is noticed, under Planet's published limits.

    python benchmarks/waiting.py                        10,000 runs, finishing over ten minutes; twice, about 25 minutes
    python benchmarks/waiting.py --only list            without webhooks
    python benchmarks/waiting.py --quick                500 runs, finishing over half a minute

The exit code is 1 where a figure is not what is wanted.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
from pathlib import Path

from waiting_measures import Figures, Plan, measure

POLL_S = 5.0
REQUESTS, NOTICED_S, TOLD_S, GROWTH_MB = 1.25, 10.0, 1.0, 10.0


def report(plan: Plan, figures: Figures) -> bool:
    """Print what came of one pass; whether everything is as it is wanted."""
    noticed_s = TOLD_S if plan.webhooks else NOTICED_S
    polls = figures.polls_an_order(POLL_S)
    claims = [
        ("requests for each delivered order, besides create and links", figures.requests_an_order, REQUESTS),
        ("s from Planet's success to our download, p95", figures.noticed_s(0.95), noticed_s),
        ("MB that a worker grows with all runs parked", figures.growth_mb, GROWTH_MB),
        ("runs that were not noticed", figures.missed, 0),
    ]
    how = "with" if plan.webhooks else "without"
    print(f"\n{plan.runs:,} runs, finishing over {plan.seconds / 60:g} min, {how} webhooks")
    for what, figure, wanted in claims:
        print(f"  {what:62}{figure:9,.2f}   <= {wanted:<6g}{'' if figure <= wanted else 'MISSED'}")
    print(f"  {'s from success to download, p50':62}{figures.noticed_s(0.5):9,.2f}")
    print(f"  {'lists; reads by id that no download made':62}{figures.lists:9,}{figures.looks:9,}")
    print(f"  {'orders delivered meanwhile, reads of each':62}{figures.delivered:9,}{figures.reads:9.3f}")
    refused = ", ".join(f"{kind} {count}" for kind, count in figures.refused.items())
    print(f"  {'requests refused with 429':62}{refused or 'none':>9}")
    print(f"  {'polling each by id every 5 s: requests for each order':62}{polls:9,.2f}")
    print(f"  {'    and requests a second, of 3 that Planet allows':62}{plan.runs / POLL_S:9,.0f}", flush=True)
    return all(figure <= wanted for _, figure, wanted in claims)


def main() -> None:
    """Measure and report; the exit code is 1 where a figure is not what is wanted."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, help="how many are parked; default 10,000")
    parser.add_argument("--minutes", type=float, help="over which their orders finish; default 10")
    parser.add_argument("--only", choices=["list", "webhooks"], help="one of the two passes")
    parser.add_argument("--quick", action="store_true", help="500 runs over half a minute")
    options = parser.parse_args()
    runs = options.runs or (500 if options.quick else 10_000)
    seconds = 60 * (options.minutes or (0.5 if options.quick else 10))
    all_hold, load = True, f"{os.getloadavg()[0]:.1f}"
    for webhooks in (False, True):
        if options.only in {None, "webhooks" if webhooks else "list"}:
            plan = Plan(runs, seconds, webhooks=webhooks)
            with tempfile.TemporaryDirectory() as scratch:
                all_hold &= report(plan, asyncio.run(measure(plan, Path(scratch))))
    print(f"\n{os.cpu_count()} cores, Python {sys.version.split()[0]}; load of the machine before: {load}")
    sys.exit(not all_hold)


if __name__ == "__main__":
    main()
