"""What a fleet of ours costs and reaches, against arq 0.28 on the same server, in the same run.

    python benchmarks/fleet.py                     all figures, about five minutes
    python benchmarks/fleet.py --only chains idle  some of them
    python benchmarks/fleet.py --quick             all of them, roughly

The exit code is 1 where a figure is not what is wanted.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path

import fleet_measures as measures
from fleet_measures import Bench

from jobs.embedded import EmbeddedValkey

ARQ = f"arq {version('arq')}"


@dataclass(frozen=True)
class Claim:
    """One figure, what is wanted of it, and the baselines it is held against."""

    name: str
    text: str
    measure: Callable[[Bench, str], Awaitable[float]]
    wanted: float
    is_most: bool  # whether `wanted` is the most it may be, or the least
    digits: int = 0
    tuned: Callable[[Bench, str], Awaitable[float]] | None = None  # arq with settings that suit this figure best

    def holds(self, figure: float) -> bool:
        """Whether the figure is what is wanted."""
        return figure <= self.wanted if self.is_most else figure >= self.wanted


CLAIMS = (
    Claim("slots", "slots busy of 512 (16 workers x 32)", measures.busy_slots, 512, is_most=False),
    Claim("commands", "Redis commands a job (20 workers x 10)", measures.commands_a_job, 15, is_most=True, digits=1),
    Claim("recovery", "s to recover from kill -9 of a six-hour job", measures.recovery_s, 15, is_most=True, digits=1),
    Claim("latency", "ms of a four-stage chain, p50, idle worker", measures.chain_ms, 8, is_most=True, digits=1),
    Claim(
        "chains",
        "four-stage chains/s of one process",
        measures.chains_a_second,
        400,
        is_most=False,
        tuned=partial(measures.chains_a_second, max_jobs=100, poll_delay=0.01),
    ),
    Claim("idle", "Redis commands/s of an idle worker", measures.idle_commands, 5, is_most=True, digits=1),
    Claim("bulk", "runs/s enqueued in bulk, with dedupe", measures.enqueued_a_second, 10_000, is_most=False),
)


async def measure(claims: list[Claim], url: str, scratch: Path, *, is_quick: bool) -> bool:
    """Take each figure of each contender on an empty server, and print what came of it."""
    print(f"{'':45}{'ours':>10}{'wanted':>11}{ARQ:>11}{'tuned':>10}")
    all_hold = True
    async with measures.open_bench(url, scratch, is_quick=is_quick) as bench:
        for claim in claims:
            print(f"{claim.name}: {claim.text}", file=sys.stderr, flush=True)
            await bench.redis.flushall()
            ours = await claim.measure(bench, "ours")
            await bench.redis.flushall()
            theirs = await claim.measure(bench, "arq")
            tuned = ""
            if claim.tuned:
                await bench.redis.flushall()
                tuned = f"{await claim.tuned(bench, 'arq'):,.{claim.digits}f}"
            wanted = f"{'<=' if claim.is_most else '>='} {claim.wanted:,g}"
            holds = claim.holds(ours)
            all_hold &= holds
            figures = f"{ours:10,.{claim.digits}f}{wanted:>11}{theirs:11,.{claim.digits}f}{tuned:>10}"
            print(f"{claim.text:45}{figures}{'' if holds else '   MISSED'}", flush=True)
    return all_hold


def main() -> None:
    """Measure and report; the exit code is 1 where a figure is not what is wanted."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=[claim.name for claim in CLAIMS], metavar="NAME", help="see below")
    parser.add_argument("--quick", action="store_true", help="fewer jobs and shorter looks")
    parser.epilog = "names: " + ", ".join(claim.name for claim in CLAIMS)
    options = parser.parse_args()
    claims = [claim for claim in CLAIMS if not options.only or claim.name in options.only]
    load = f"{os.getloadavg()[0]:.1f}"
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch,
        EmbeddedValkey(Path(scratch)) as valkey,
    ):
        all_hold = asyncio.run(measure(claims, valkey.url, Path(scratch), is_quick=options.quick))
    print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}; load of the machine before: {load}")
    sys.exit(not all_hold)


if __name__ == "__main__":
    main()
