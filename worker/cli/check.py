"""`check`: one line for each thing that must be right, and an exit status that says which is not."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import typer

from jobs.connection import connect, find_weaknesses
from jobs.destination import open_destination
from jobs.errors import JobsError
from jobs.redaction import Redactor, hide_password
from planet_sdk import Auth, OrdersClient, Session
from planet_sdk.exceptions import PlanetError
from planet_sdk.retry import RetryPolicy
from worker.cli.desk import read_settings
from worker.cli.exits import Exit
from worker.connection import open_redis
from worker.fleet import read_fleet
from worker.settings import Settings
from worker.wording import one_line, plural

_PLANET_TIMEOUT_S = 30
_PLANET_TRIES = 3  # a person waits


class _Failure(Exception):
    """A check failed; the message says what to do."""


def check(*, planet: bool) -> Exit:
    """Make all checks and print them; returns the status of the first that fails.

    Nothing is left behind but the destination's folder, where there was none.
    """
    settings = read_settings()
    checks: list[tuple[str, Exit, Callable[[], Awaitable[str]]]] = [
        ("destination", Exit.DESTINATION, lambda: _check_destination(settings)),
    ]
    if planet:
        checks.append(("planet", Exit.PLANET, lambda: _check_planet(settings)))
    failed = [_check_fleet(settings), *(_report(name, run, status) for name, status, run in checks)]
    return next((status for status in failed if status is not Exit.OK), Exit.OK)


def _check_fleet(settings: Settings) -> Exit:
    """Redis and, where it answers, the workers."""
    try:
        with open_redis(settings) as url:
            redis = _report("redis", lambda: _check_redis(settings, url), Exit.UNREACHABLE)
            return redis or _report("workers", lambda: _check_workers(settings, url), Exit.FAILED)
    except JobsError as error:
        _print("redis", "FAILED", str(error))
        return Exit.UNREACHABLE


def _report(name: str, run: Callable[[], Awaitable[str]], status: Exit) -> Exit:
    try:
        _print(name, "ok", asyncio.run(_await(run)))
    except (_Failure, JobsError, PlanetError, TimeoutError) as error:
        _print(name, "FAILED", str(error) or "no answer in time")
        return status
    return Exit.OK


async def _await(run: Callable[[], Awaitable[str]]) -> str:
    return await run()


def _print(name: str, verdict: str, text: str) -> None:
    typer.echo(f"{name:<12} {verdict:<7} {one_line(Redactor().text(text))}")


async def _check_redis(settings: Settings, url: str) -> str:
    redis = await connect(url, queue_name=settings.queue_name, retries=1)
    try:
        weaknesses = await find_weaknesses(redis)
    finally:
        await redis.aclose()
    where = hide_password(url) if settings.redis_url else f"the private Valkey of {settings.data_dir}"
    return "; but ".join([f"{where} answers", *weaknesses])


async def _check_workers(settings: Settings, url: str) -> str:
    redis = await connect(url, queue_name=settings.queue_name, retries=1)
    try:
        alive = [worker for worker in await read_fleet(redis) if worker.is_alive]
    finally:
        await redis.aclose()
    if not alive:
        raise _Failure("no worker is alive; start one with: planet-orders worker")
    busy, slots = sum(len(worker.jobs) for worker in alive), sum(worker.slots for worker in alive)
    return f"{plural(len(alive), 'worker')} alive, {busy:,} of {slots:,} slots busy"


async def _check_destination(settings: Settings) -> str:
    await open_destination(settings.destination).check_writable()
    return f"{hide_password(settings.destination)} can be written"


async def _check_planet(settings: Settings) -> str:
    await ask_planet(settings)
    return f"{settings.api_url} accepts the key"


async def ask_planet(settings: Settings) -> None:
    """Have Planet read the key, with one request that changes nothing.

    Raises:
        PlanetError, TimeoutError: it does not accept it, or does not answer.
    """
    auth = Auth.from_key(settings.api_key.get_secret_value()) if settings.api_key else None
    session = Session(auth, base_url=settings.api_url, retry=RetryPolicy(max_tries=_PLANET_TRIES))
    async with asyncio.timeout(_PLANET_TIMEOUT_S), session:
        async for _ in OrdersClient(session).list_orders(limit=1):
            break
