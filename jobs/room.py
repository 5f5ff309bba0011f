"""Room on the disk: what the downloads of a worker still need, so that none begins where others need the rest."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from planet_sdk.transfer_part import part_path

__all__ = ["Room", "Wanted"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file to come, and what it takes until it is done with; a size that nobody knows is 0."""

    path: Path
    size_bytes: int

    @property
    def still_bytes(self) -> int:
        """What of it is not on the disk yet."""
        for candidate in (self.path, part_path(self.path)):
            with suppress(OSError):
                return max(0, self.size_bytes - candidate.stat().st_size)
        return self.size_bytes


@dataclass(frozen=True, slots=True)
class _Claim:
    device: int
    files: Sequence[Wanted]
    at_once: int | None

    @property
    def still_bytes(self) -> int:
        sizes = sorted(file.still_bytes for file in self.files)
        return sum(sizes if self.at_once is None else sizes[-self.at_once :])


class Room:
    """What running downloads have claimed, shared by all of a worker's. Its methods may run in threads."""

    def __init__(self) -> None:
        self._claims: dict[str, _Claim] = {}
        self._lock = Lock()

    def claim(self, run_id: str, folder: Path, files: Sequence[Wanted], at_once: int | None = None) -> str | None:
        """Claim room for a run's files in a folder, which is made; returns None, or why there is not enough.

        Args:
            run_id: whose earlier claim this one replaces.
            folder: on the disk in question.
            files: those to come.
            at_once: how many of them lie there at a time; None: all.
        """
        folder.mkdir(parents=True, exist_ok=True)
        claim = _Claim(folder.stat().st_dev, files, at_once)
        with self._lock:
            self._claims.pop(run_id, None)
            kept = sum(other.still_bytes for other in self._claims.values() if other.device == claim.device)
            free, needed = max(0, shutil.disk_usage(folder).free - kept), claim.still_bytes
            if needed > free:
                others = f"; {kept:,} are kept for other downloads" if kept else ""
                here = f"{folder} has room for {free:,} bytes, and "
                return f"{here}{needed:,} are to come; make room, the run goes on by itself{others}"
            self._claims[run_id] = claim
        return None

    def release(self, run_id: str) -> None:
        """Give up a run's claim; harmless if there is none."""
        with self._lock:
            self._claims.pop(run_id, None)
