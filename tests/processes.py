"""Real `planet-orders` processes, started for a test and ended with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import psutil

COMMAND = Path(sys.executable).with_name("planet-orders")


def clean_environment() -> dict[str, str]:
    """This process's environment without any setting of ours."""
    return {name: text for name, text in os.environ.items() if not name.startswith(("ORDERS_", "PL_", "REDIS_"))}


def processes_of(folder: Path) -> list[str]:
    """The processes that work in a folder, or name it."""
    found = []
    for process in psutil.process_iter():
        try:
            line = " ".join(process.cmdline())
            if str(folder) in line or str(folder) in process.cwd():
                found.append(line)
        except psutil.Error:  # it ended just now, or is not ours to look at
            continue
    return found


@dataclass
class Processes:
    """Starts `planet-orders` processes that share one data folder, and ends them all."""

    folder: Path
    environment: dict[str, str]
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, *arguments: str, **more: str) -> subprocess.Popen[bytes]:
        with (self.folder / f"{'-'.join(arguments)}-{len(self.running)}.log").open("wb") as log:
            process = subprocess.Popen(
                [COMMAND, *arguments],
                cwd=self.folder,
                env={**self.environment, **more},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.running.append(process)
        return process

    def logs(self) -> str:
        return "\n".join(f"--- {log.name}\n{log.read_text()}" for log in sorted(self.folder.glob("*.log")))

    def kill_all(self) -> None:
        for process in self.running:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(timeout=10)
