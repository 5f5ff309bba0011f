"""How a command ends: its exit status, and the one line that says what is wrong and what to do."""

from __future__ import annotations

from enum import IntEnum

from worker.wording import one_line


class Exit(IntEnum):
    """What the shell gets to know; `planet-orders --help` lists them."""

    OK = 0
    FAILED = 1  # a run failed, or the action was refused
    USAGE = 2  # bad options, bad input or bad settings
    UNREACHABLE = 3  # Redis or Planet
    DESTINATION = 4  # check only: files cannot be written
    PLANET = 5  # check only: Planet refuses the key, or does not answer
    INTERRUPTED = 130


class CommandError(Exception):
    """A command cannot do what it was asked; the message is all a person needs."""

    def __init__(self, message: str, exit_status: Exit = Exit.USAGE) -> None:
        super().__init__(message)
        self.exit_status = exit_status


def explain(error: Exception) -> tuple[str, Exit] | None:
    """The line and the exit status for an error that can be expected; None for a bug, which keeps its traceback."""
    if isinstance(error, CommandError):
        return one_line(str(error)), error.exit_status
    known = _explain_settings(error) or _explain_ours(error)
    if known is None and isinstance(error, OSError):
        what = f"{error.filename}: {error.strerror}" if error.filename else error.strerror or str(error)
        known = what, Exit.FAILED
    return None if known is None else (one_line(known[0]), known[1])


def _explain_settings(error: Exception) -> tuple[str, Exit] | None:
    from pydantic import ValidationError  # noqa: PLC0415 — slow to import, and most commands end well

    if not isinstance(error, ValidationError) or error.title != "Settings":
        return None
    from worker.settings_report import describe_errors  # noqa: PLC0415 — as above

    return "; ".join(describe_errors(error)) + "; `planet-orders config` shows all settings", Exit.USAGE


def _explain_ours(error: Exception) -> tuple[str, Exit] | None:
    """Sort the errors of our packages and of Redis; imported here, since a command that ends well needs none."""
    from redis.exceptions import RedisError  # noqa: PLC0415 — slow to import, and most commands end well

    from jobs.errors import (  # noqa: PLC0415 — as above
        BadRequest,
        DestinationError,
        EmbeddedUnavailable,
        JobsError,
        RedisUnavailable,
    )
    from jobs.redaction import Redactor  # noqa: PLC0415 — as above
    from planet_sdk.exceptions import AuthException, PlanetError  # noqa: PLC0415 — as above

    text = Redactor().text(str(error))
    kinds: list[tuple[type[Exception] | tuple[type[Exception], ...], str, Exit]] = [
        ((RedisUnavailable, EmbeddedUnavailable), "{}", Exit.UNREACHABLE),
        (RedisError, "Redis went away or refused: {}; nothing that was accepted is lost", Exit.UNREACHABLE),
        ((BadRequest, DestinationError), "{}", Exit.USAGE),
        (JobsError, "{}", Exit.FAILED),
        (AuthException, "{}; set PL_API_KEY to your Planet API key", Exit.USAGE),
        (PlanetError, "Planet: {}", Exit.UNREACHABLE),
    ]
    return next(((form.format(text), status) for kind, form, status in kinds if isinstance(error, kind)), None)
