"""The worker process: from the settings to a worker at work, until a signal."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from functools import partial

import structlog
from arq.connections import ArqRedis
from redis.exceptions import AuthenticationError, AuthorizationError

from jobs import keys
from jobs.connection import RETRIES, connect, connect_blocking, find_weaknesses
from jobs.destination import open_destination
from jobs.errors import RedisUnavailable
from jobs.policy import Policy
from jobs.run import Stage
from jobs.store import RunStore
from planet_sdk import Auth, OrdersClient, Session
from planet_sdk.auth import AuthType, default_auth
from worker.budget import FleetLimiter, account_of, read_rates, tell_budget
from worker.callbacks import Callbacks
from worker.caps import caps_of
from worker.claims import REDIS_AWAY
from worker.connection import lifetimes_of
from worker.errors import AnotherFleet
from worker.hosts import Disks
from worker.identity import Identity
from worker.metered import MeteredLimiter, Meters, traces_of
from worker.order_worker import OrderWorker
from worker.origins import read_origins
from worker.settings import Settings
from worker.stage_jobs import StageJobs
from worker.staging import clear_staging
from worker.watcher import Watcher

log = structlog.get_logger(__name__)

_REDIS_PAUSE_S = 2.0
_BUDGET_RETRIES = 1


def run_worker(settings: Settings, redis_url: str) -> int:
    """Run one worker until SIGTERM or SIGINT; a second signal hands back at once what is still in hand.

    Returns:
        The exit status.

    Raises:
        WorkerError, DestinationError, PlanetError: the worker cannot start as it is set up. A Redis that does not
            answer yet is waited for.
    """
    return asyncio.run(_serve(settings, redis_url))


async def _serve(settings: Settings, redis_url: str) -> int:
    auth = Auth.from_key(settings.api_key.get_secret_value()) if settings.api_key else default_auth()
    meters = Meters(traces=traces_of(settings, "planet-orders-worker"))
    redis = await _connect_patiently(redis_url, settings.queue_name)
    async with aclosing(meters), open_session(settings, auth, redis_url, meters) as session:
        disks = Disks(redis)
        worker, watcher = assemble(settings, redis_url, redis, OrdersClient(session), disks, meters)
        worker.pulse.also_told = {"budget": _tell_budget(settings, auth)}
        await _look_around_patiently(settings, watcher.store, disks)
        log.info("worker starting", planet=settings.api_url, destination=settings.destination)
        loop = asyncio.get_running_loop()
        for sign in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(sign, partial(worker.stop, sign.name))
        watching = asyncio.create_task(watcher.run(), name="watcher")
        try:
            await worker.async_run()
        finally:
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching
            await worker.close()
    return 0


def _tell_budget(settings: Settings, auth: AuthType) -> str:
    account, rates = account_of(settings.api_url, auth), read_rates(settings.rates or "")
    return tell_budget(account, rates, settings.downloads_per_fleet or 0)


@asynccontextmanager
async def open_session(
    settings: Settings, auth: AuthType, redis_url: str, meters: Meters | None = None
) -> AsyncIterator[Session]:
    """The one Session of this process, which keeps to the request budget of the fleet; its requests are metered."""
    # A connection of its own, which soon gives up: a request is not to wait for a Redis that is away.
    async with await _connect_patiently(redis_url, settings.queue_name, _BUDGET_RETRIES) as redis:
        limiter = FleetLimiter(
            redis,
            account=account_of(settings.api_url, auth),
            owner=Identity(settings.worker_name).owner,
            rates=read_rates(settings.rates or ""),
            max_bodies=settings.downloads_per_fleet or 0,
        )
        session = Session(
            auth,
            limiter=MeteredLimiter(limiter, meters or Meters()),
            base_url=settings.api_url,
            max_transfers=settings.downloads_per_worker,
        )
        try:
            async with session:
                yield session
        finally:
            await limiter.aclose()


def assemble(
    settings: Settings,
    redis_url: str,
    redis: ArqRedis,
    orders: OrdersClient,
    disks: Disks | None = None,
    meters: Meters | None = None,
) -> tuple[OrderWorker, Watcher]:
    """The worker of these settings, and the watcher to run beside it; nothing is started."""
    identity = Identity(settings.worker_name)
    store = RunStore(redis, queue=settings.queue_name, lifetimes=lifetimes_of(settings))
    meters = meters or Meters()
    callbacks = callbacks_of(settings, store)
    stages = StageJobs(
        store=store,
        orders=orders,
        identity=identity,
        destination=settings.destination,
        disks=disks,
        caps=caps_of(settings, redis),
        staging=settings.data_dir / "staging",
        policy=policy_of(settings),
        webhook_url=settings.webhook_url,
        tally=meters.tally,
        traces=meters.traces,
    )
    worker = OrderWorker(
        [callbacks.function()],
        on_shutdown=callbacks.aclose,
        redis_pool=redis,
        connect_pulse=partial(connect_blocking, redis_url),
        identity=identity,
        stage_jobs=stages,
        max_jobs=settings.slots,
        poll_delay=settings.poll_delay_s,
        lease_s=settings.lease_s,
        health_interval_s=settings.health_interval_s,
        stop_wait_s=settings.stop_wait_s,
    )
    return worker, Watcher(stages, lease_s=settings.lease_s, uses_list=settings.wait == "list")


def callbacks_of(settings: Settings, store: RunStore) -> Callbacks:
    """How producers are told of ends."""
    secret = settings.callback_secret.get_secret_value() if settings.callback_secret else ""
    return Callbacks(store, allowed=read_origins(settings.callback_hosts or ""), secret=secret)


def policy_of(settings: Settings) -> Policy:
    """How patient the stages are."""
    return Policy(
        max_faults={
            Stage.CREATE: settings.create_tries or settings.stage_tries,
            Stage.WAIT: settings.stage_tries,
            Stage.DOWNLOAD: settings.download_tries or settings.stage_tries,
            Stage.VALIDATE: settings.validate_tries or settings.stage_tries,
        },
        stage_timeout_s={
            Stage.CREATE: settings.create_timeout_s,
            Stage.WAIT: settings.create_timeout_s,  # it only parks the run
            Stage.DOWNLOAD: settings.download_timeout_s,
            Stage.VALIDATE: settings.validate_timeout_s,
        },
        backoff_base_s=settings.retry_base_s,
        backoff_cap_s=settings.retry_cap_s,
        settle_s=settings.settle_s,
        first_check_s=settings.wait_check_min_s,
        max_check_s=settings.wait_check_max_s,
        running_orders=settings.running_orders,
        transfers_per_run=settings.downloads_per_order,
    )


async def _connect_patiently(redis_url: str, queue: str, retries: int = RETRIES) -> ArqRedis:
    """A Redis that is not there yet is waited for; one that refuses us is an error to be mended."""
    while True:
        try:
            return await connect(redis_url, queue_name=queue, retries=retries)
        except RedisUnavailable as error:
            if isinstance(error.__cause__, AuthenticationError | AuthorizationError):
                raise
            log.warning("waiting for Redis", error=str(error))
            await asyncio.sleep(_REDIS_PAUSE_S)


async def _look_around_patiently(settings: Settings, store: RunStore, disks: Disks) -> None:
    """See whether this worker may start where it is; a Redis that goes away or refuses meanwhile is waited for."""
    while True:
        try:
            return await _look_around(settings, store, disks)
        except REDIS_AWAY as error:
            log.warning("waiting for Redis", error=f"{type(error).__name__}: {error}")
            await asyncio.sleep(_REDIS_PAUSE_S)


async def _look_around(settings: Settings, store: RunStore, disks: Disks) -> None:
    for weakness in await find_weaknesses(store.redis):
        log.warning("Redis can lose runs as it is set up", weakness=weakness)
    await check_queue(store.redis, settings.queue_name)
    destination = open_destination(settings.destination)
    await destination.check_writable()
    await disks.check(destination)
    if cleared := await clear_staging(settings.data_dir / "staging", store):
        log.info("staged files of ended runs removed", run_ids=cleared)


async def check_queue(redis: ArqRedis, queue: str) -> None:
    """Claim the Redis database for the fleet with this queue, or find it claimed for it.

    Raises:
        AnotherFleet: it belongs to a fleet with another queue.
    """
    await redis.set(keys.FLEET, queue, nx=True)
    theirs = (await redis.get(keys.FLEET) or b"").decode()
    if theirs != queue:
        raise AnotherFleet(queue, theirs)
