"""`check`: one line for each thing that must be right, and an exit status that says which is not."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass

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
from worker.cli.output import print_json
from worker.connection import open_redis
from worker.fleet import read_fleet
from worker.settings import Settings
from worker.wording import one_line, plural

_PLANET_TIMEOUT_S = 30
_PLANET_TRIES = 3  # a person waits


class _Failure(Exception):
    """A check failed; the message says what to do."""


@dataclass(frozen=True, slots=True)
class _Found:
    """What one check has found."""

    check: str
    ok: bool
    detail: str
    status: Exit


def check(*, planet: bool, as_json: bool) -> Exit:
    """Make all checks and print them; returns the status of the first that fails.

    Nothing is left behind but the destination's folder, where there was none.
    """
    found = []
    for each in _make_checks(read_settings(), planet=planet):
        found.append(each)
        if not as_json:
            typer.echo(f"{each.check:<12} {'ok' if each.ok else 'FAILED':<7} {each.detail}")
    if as_json:
        print_json([{"check": each.check, "ok": each.ok, "detail": each.detail} for each in found])
    return next((each.status for each in found if not each.ok), Exit.OK)


def _make_checks(settings: Settings, *, planet: bool) -> Iterator[_Found]:
    yield from _check_fleet(settings)
    yield _report("destination", lambda: _check_destination(settings), Exit.DESTINATION)
    if planet:
        yield _report("planet", lambda: _check_planet(settings), Exit.PLANET)


def _check_fleet(settings: Settings) -> Iterator[_Found]:
    """Redis and, where it answers, the workers."""
    try:
        with open_redis(settings) as url:
            yield (redis := _report("redis", lambda: _check_redis(settings, url), Exit.UNREACHABLE))
            if redis.ok:
                yield _report("workers", lambda: _check_workers(settings, url), Exit.FAILED)
    except JobsError as error:
        yield _found("redis", Exit.UNREACHABLE, str(error))


def _report(name: str, run: Callable[[], Awaitable[str]], status: Exit) -> _Found:
    try:
        return _found(name, Exit.OK, asyncio.run(_await(run)))
    except (_Failure, JobsError, PlanetError, TimeoutError) as error:
        return _found(name, status, str(error) or "no answer in time")


def _found(name: str, status: Exit, text: str) -> _Found:
    return _Found(name, status is Exit.OK, one_line(Redactor().text(text)), status)


async def _await(run: Callable[[], Awaitable[str]]) -> str:
    return await run()


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
