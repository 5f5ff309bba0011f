"""`python -m tests.chaos`: a long storm, its figures, and exit status 1 if it broke a promise."""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
from pathlib import Path
from time import monotonic

from tests.chaos.figures import describe
from tests.chaos.plan import Plan
from tests.chaos.storm import brew
from tests.chaos.verdict import gather, judge

_NOW_AND_THEN_S = 30


def main() -> int:
    """Run the storm that the command line describes; returns the exit status."""
    plan, patience_s = _read_arguments()
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    print(f"To repeat it: {plan.command}\nEverything is in {folder}", flush=True)
    try:
        is_kept = asyncio.run(_run(plan, folder, patience_s))
    except KeyboardInterrupt:
        print(f"\nStopped; what there was until then is in {folder}")
        return 130
    if is_kept:
        shutil.rmtree(folder)
        return 0
    print(f"\nBroken. The logs are in {folder}; to repeat it: {plan.command}")
    return 1


async def _run(plan: Plan, folder: Path, patience_s: float) -> bool:
    async with brew(plan, folder) as storm:
        await storm.rage(_Teller(), patience_s)
        print("\nholding what is there against what was promised", flush=True)
        evidence = await gather(storm)
        verdict = judge(evidence)
    print(describe(evidence, verdict))
    return not any(verdict.values())


class _Teller:
    """Shows how far it is: on a terminal in one line that is written over and over, elsewhere now and then."""

    def __init__(self) -> None:
        self._said_at = 0.0

    def __call__(self, progress: str) -> None:
        if sys.stdout.isatty():
            print(f"\r{progress}\x1b[K", end="", flush=True)
        elif monotonic() - self._said_at >= _NOW_AND_THEN_S:
            self._said_at = monotonic()
            print(progress, flush=True)


def _read_arguments() -> tuple[Plan, float]:
    parser = argparse.ArgumentParser(
        prog="python -m tests.chaos",
        description="Kill workers, restart their Valkey, let Planet misbehave, and see whether every promise is kept.",
    )
    default = Plan()
    for name, kind, standard, words in (
        ("--seed", int, default.seed, "decides all that happens"),
        ("--orders", int, default.orders, "how many"),
        ("--workers", int, default.workers, "how many at a time"),
        ("--kill-every", float, default.kill_every_s, "seconds between two blows; 0: none"),
        ("--restarts", int, default.restarts, "of Valkey"),
        ("--fault-rate", float, default.fault_rate, "of each kind of fault, by request"),
        ("--patience", float, 180, "seconds without any move that end it"),
    ):
        parser.add_argument(name, type=kind, default=standard, help=f"{words} (%(default)s)")
    given = parser.parse_args()
    plan = Plan(
        seed=given.seed,
        orders=given.orders,
        workers=given.workers,
        kill_every_s=given.kill_every or None,
        restarts=given.restarts,
        fault_rate=given.fault_rate,
    )
    return plan, given.patience


if __name__ == "__main__":
    sys.exit(main())
