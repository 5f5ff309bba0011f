"""The staging folder: files on their way through this machine to an object store."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

from jobs.errors import RunNotFound, UnreadableRun
from jobs.store import RunStore


async def clear_staging(folder: Path, store: RunStore) -> list[str]:
    """Remove what was staged for runs that have ended meanwhile, here or on another host; returns their ids.

    A worker that dies leaves its staged files for whoever goes on with the run. That may be another host, which has its
    own. Harmless to repeat, also while workers of this data folder are at work.
    """
    staged = await asyncio.to_thread(_names, folder)
    ended = [run_id for run_id in staged if await _has_ended(store, run_id)]
    for run_id in ended:
        await asyncio.to_thread(shutil.rmtree, folder / run_id, ignore_errors=True)
    return ended


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


async def _has_ended(store: RunStore, run_id: str) -> bool:
    try:
        return (await store.get(run_id)).state.is_final
    except RunNotFound:
        return True
    except UnreadableRun:
        return False
