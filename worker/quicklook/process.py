"""Having a picture made: a process for each, which may crash, hang or run out of memory, and harms nobody."""

from __future__ import annotations

import asyncio
import json
import os
import sys

from jobs.destination import DestinationError, open_destination
from planet_sdk.exceptions import UnsafeName
from planet_sdk.paths import path_inside
from worker.quicklook.terms import EXIT_NO_PICTURE, NoPicture

__all__ = ["make_quicklook"]

_PATIENCE_S = 30.0
_MOST_WHY = 500  # characters
_ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "TOKIO_WORKER_THREADS": "1"}
_NOT_FOR_IT = {"PL_API_KEY", "PL_AUTH_CLIENT_ID", "PL_AUTH_CLIENT_SECRET", "REDIS_URL", "ORDERS_WEBHOOK_SECRET"}


async def make_quicklook(destination: str, key: str) -> bytes:
    """A PNG of the GeoTIFF with this key; cancelled, the process that makes it is killed.

    Raises:
        NoPicture: there is none, and why.
    """
    if destination.startswith("memory://"):
        raise NoPicture("its destination is the memory of a worker")
    asked = await asyncio.to_thread(_find, destination, key)
    environment = {name: value for name, value in os.environ.items() if name not in _NOT_FOR_IT} | _ONE_THREAD
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "worker.quicklook"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment,
    )
    try:
        async with asyncio.timeout(_PATIENCE_S):
            picture, why = await process.communicate(json.dumps(asked).encode())
    except TimeoutError as error:
        raise NoPicture("it takes longer than a quicklook may") from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode == EXIT_NO_PICTURE:
        raise NoPicture(why.decode(errors="replace")[:_MOST_WHY])
    if process.returncode != 0:
        raise NoPicture("it takes more time or memory than a quicklook may")
    return picture


def _find(destination: str, key: str) -> dict[str, str]:
    """What the process is told to open: looked up here, since it would take longer to load what knows destinations."""
    try:
        folder = open_destination(destination).local_dir
        return {"path": str(path_inside(folder, key))} if folder else {"destination": destination, "key": key}
    except (DestinationError, UnsafeName) as error:
        raise NoPicture(str(error)) from error
