"""What a function or a hook may not do: end the process, and with it everybody else's jobs."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import structlog

from worker.errors import WorkerError

log = structlog.get_logger(__name__)

P = ParamSpec("P")
T = TypeVar("T")


class EndOfProcessRefused(WorkerError):
    """A job wanted to end the process: `sys.exit()`, in a library that takes itself for a command."""


def contained(coroutine: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    """The same coroutine function; what would end the event loop it runs in is an ordinary error instead.

    Raises:
        EndOfProcessRefused: from SystemExit or KeyboardInterrupt; signals never raise either in a worker.
    """

    @wraps(coroutine)
    async def run(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return await coroutine(*args, **kwargs)
        except (SystemExit, KeyboardInterrupt) as error:
            name = getattr(coroutine, "__qualname__", repr(coroutine))
            raise EndOfProcessRefused(f"{name} raised {error!r}, which a worker does not obey") from error

    return run


def harmless(hook: Callable[[dict[Any, Any]], Coroutine[Any, Any, None]]) -> Callable[[dict[Any, Any]], Any]:
    """The same hook; its errors are told, and change nothing for the job it is about.

    With plain arq they end the worker, and what the job has done is done again.
    """

    @wraps(hook)
    async def run(ctx: dict[Any, Any]) -> None:
        try:
            await contained(hook)(ctx)
        except Exception:
            name = getattr(hook, "__qualname__", repr(hook))
            log.exception("hook failed, the job goes on", hook=name, job_id=ctx.get("job_id"))

    return run
