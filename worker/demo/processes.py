"""The demo's processes: started in sessions of their own, watched, and gone when the demo ends, however it ends."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep
from types import TracebackType
from typing import Self

_LOOK_S = 0.05
_STOP_S = 15  # a Procfile manager gives its processes five seconds, and then some to end them itself
_STARTED_S = 5  # a manager that is stopped before it has started everything may forget what it started
_TAIL_LINES = 12
_TAIL_WIDTH = 400


class DemoFailed(Exception):
    """The demo could not be shown to its end; the message ends with the end of a log."""


class Child:
    """One process with its log; a context manager that ends it, and what it started.

    Args:
        name: for messages.
        command: what to run.
        folder: its working directory.
        environment: all of it.
        log: where its output goes.
    """

    def __init__(
        self, name: str, command: Sequence[str], *, folder: Path, environment: Mapping[str, str], log: Path
    ) -> None:
        self.name, self.log = name, log
        with log.open("wb") as output:
            self._process = subprocess.Popen(  # noqa: S603 — our own commands, run by our own interpreter
                command,
                cwd=folder,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for the demo, which ends its processes in order
            )

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def failure(self, what: str) -> DemoFailed:
        """The error for a process that does not do what it should, with the end of its log."""
        lines = self.read_log().splitlines()[-_TAIL_LINES:]
        tail = "".join(f"\n    {line[:_TAIL_WIDTH]}" for line in lines) or "\n    (it is empty)"
        return DemoFailed(f"{self.name}: {what}. The end of {self.log}:{tail}")

    def read_log(self) -> str:
        """What it has said so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def stop(self) -> None:
        """End it in order, or by force after some seconds. Harmless when it has ended."""
        if self.is_running:
            self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_STOP_S)
        with suppress(ProcessLookupError):  # what is left of its group
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class ProcfileManager(Child):
    """honcho with its processes, each of which it starts in a session of its own."""

    def __init__(
        self, command: Sequence[str], *, processes: int, folder: Path, environment: Mapping[str, str], log: Path
    ) -> None:
        super().__init__("the fleet", command, folder=folder, environment=environment, log=log)
        self._processes = processes

    def stop(self) -> None:
        """End the manager and its processes; those it could not end are ended by force."""
        deadline = monotonic() + _STARTED_S
        while self.is_running and len(self._pids()) < self._processes and monotonic() < deadline:
            sleep(_LOOK_S)
        was_running = self.is_running
        super().stop()
        if was_running and "Traceback" not in self.read_log() and self._process.returncode in {0, 143, -signal.SIGTERM}:
            return
        for pid in self._pids():
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)

    def _pids(self) -> list[int]:
        return [int(pid) for pid in re.findall(r"started \(pid=(\d+)\)", self.read_log())]


def wait_until(child: Child, what: str, is_so: Callable[[], bool], *, patience_s: float) -> None:
    """Return when it is so.

    Raises:
        DemoFailed: the child has ended, or the time is up.
    """
    deadline = monotonic() + patience_s
    while not is_so():
        if not child.is_running:
            raise child.failure(f"ended before {what}")
        if monotonic() > deadline:
            raise child.failure(f"{what}: not within {patience_s:g} s")
        sleep(_LOOK_S)
