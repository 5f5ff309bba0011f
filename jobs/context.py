"""What a stage has at hand: clients, the destination, a fenced notebook, the clock."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from jobs.caps import Caps
from jobs.destination import Destination
from jobs.policy import Policy
from jobs.room import Room
from jobs.run import Facts, FileRecord
from planet_sdk import OrdersClient


class Notebook(Protocol):
    """What a stage must write down while it works, through the fence of its job."""

    async def note(self, facts: Facts, files: Mapping[str, FileRecord] | None = None) -> None:
        """Write fields and files of the run; raises jobs.errors.Fenced if the job is no longer this worker's."""

    async def files(self) -> list[FileRecord]:
        """The files noted so far."""


Progress = Callable[[str, int, int | None], None]
"""Told a file's path, how many of its bytes are there, and its size where it is known."""


def show_nobody(_path: str, _done: int, _total: int | None) -> None:
    """Progress that nobody watches."""


def trust_lease() -> None:
    """Do not ask whether the job is still this worker's."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class StageContext:
    """Everything a stage may touch. It never enqueues, and never writes the run's state itself."""

    orders: OrdersClient
    destination: Destination
    notebook: Notebook
    staging: Path  # files on their way to an object store
    policy: Policy = field(default_factory=Policy)
    webhook_url: str | None = None  # that Planet is to call when an order is ready; a secret
    now: Callable[[], datetime] = _utc_now
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    progress: Progress = show_nobody
    room: Room = field(default_factory=Room)  # on disks, of all downloads of this worker
    caps: Caps | None = None  # on what a day may order
    check_lease: Callable[[], None] = trust_lease  # raises LeaseInDoubt; asks nobody, and so takes no time
