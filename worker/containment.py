"""What a function or a hook may not do: end the process, and with it everybody else's jobs."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from worker.errors import WorkerError

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
