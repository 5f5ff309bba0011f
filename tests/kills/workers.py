"""Worker processes that start at once: forked from a process that has imported everything already."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Callable, Mapping
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from tests.processes import clean_environment

_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(["pytest", "anyio._backends._asyncio", "worker.serve", "tests.kills.workers"])


def start(target: Callable[[], int], environment: Mapping[str, str], log: Path) -> ForkServerProcess:
    """Run `target` in a process of its own, with this environment of ours alone; what it prints goes to `log`."""
    process = _forks.Process(target=_run, args=(target, {**clean_environment(), **environment}, log), daemon=True)
    process.start()
    return process


def end(process: ForkServerProcess) -> None:
    """Kill a process, if it still lives, and forget it."""
    process.kill()
    process.join()
    process.close()


def _run(target: Callable[[], int], environment: Mapping[str, str], log: Path) -> None:
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(log.parent)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for number in (1, 2):
        os.dup2(output, number)
    sys.exit(target())
