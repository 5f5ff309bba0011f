"""From an address to a Redis that can be relied on: connections that ride out a blip, and a look at how it is set up.

Every command is repeated for about four seconds on a lost connection, a timeout, a server that is still loading, or one
that has become a replica; whoever must outlive a longer outage (the worker) loops around that. Commands time out after
ten seconds, so that a host that vanished without a word is noticed: nothing here may block longer in one command, and a
pub/sub reader passes its own timeout to `get_message`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit

from arq.connections import ArqRedis, RedisSettings
from redis import Redis
from redis.asyncio.connection import parse_url
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import AuthenticationError, BusyLoadingError, ReadOnlyError, RedisError, ResponseError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry as BlockingRetry

from jobs.codec import dumps, loads
from jobs.errors import RedisUnavailable
from jobs.redaction import hide_password
from jobs.wire import open_pool

__all__ = ["RETRIES", "connect", "connect_blocking", "find_weaknesses", "redis_settings"]

_CONNECT_TIMEOUT_S = 3
_COMMAND_TIMEOUT_S = 10.0
RETRIES = 8  # 0.05 + 0.1 + 0.2 + 0.4 + 0.8 + 3 x 1 s: longer than a restart, shorter than a person's patience
_BACKOFF_BASE_S, _BACKOFF_CAP_S = 0.05, 1.0
# Read-only: the primary is another server by now, and the same address leads to it on a new connection.
_RETRIED: list[type[Exception]] = [RedisConnectionError, RedisTimeoutError, BusyLoadingError, ReadOnlyError, OSError]
_VERSION_MIN = (6, 2)

T = TypeVar("T")


class _OneLoop(Retry):
    """Retries a command or, for a new connection, the connecting; never one inside the other.

    redis-py retries both by itself, and a reconnect within a command would multiply their tries. A connection has a
    retry object of its own and one user at a time, so a flag is enough.
    """

    _busy = False

    async def call_with_retry(self, do: Callable[[], Awaitable[T]], fail: Callable[[RedisError], Any]) -> T:
        async def once() -> T:
            self._busy = True
            try:
                return await do()
            finally:
                self._busy = False

        return await do() if self._busy else await super().call_with_retry(once, fail)


async def connect(url: str, *, queue_name: str = "arq:queue", retries: int = RETRIES) -> ArqRedis:
    """A pool of connections to the Redis at `url`, which has answered; jobs and results are written as JSON.

    Args:
        url: redis://, rediss:// or unix://; its query may set redis-py's connection options.
        queue_name: where `enqueue_job` puts jobs.
        retries: how often one command is repeated on a lost connection.

    Raises:
        RedisUnavailable: it did not answer, or refused the password or the database.
    """
    backoff = _OneLoop(ExponentialBackoff(cap=_BACKOFF_CAP_S, base=_BACKOFF_BASE_S), retries)
    pool = open_pool({"retry": backoff, **_connection_options(url), **parse_url(url)})
    redis = ArqRedis(pool, job_serializer=dumps, job_deserializer=loads, default_queue_name=queue_name)
    redis.auto_close_connection_pool = True
    try:
        await redis.ping()
    except (RedisError, OSError) as error:
        await redis.aclose()
        raise RedisUnavailable(hide_password(url), _explain(error)) from error
    return redis


def connect_blocking(url: str, *, timeout_s: float = 2.0) -> Redis:
    """A client for a thread that must not wait long, as the one that renews leases; nothing is sent yet.

    Args:
        url: as in `connect`.
        timeout_s: for connecting and for each command; one repetition at most.
    """
    once = BlockingRetry(ExponentialBackoff(cap=_BACKOFF_BASE_S, base=_BACKOFF_BASE_S), 1)
    options = _connection_options(url) | {"socket_timeout": timeout_s, "socket_connect_timeout": timeout_s}
    client: Redis = Redis.from_url(url, retry=once, **options)
    return client


def redis_settings(url: str) -> RedisSettings:
    """The same address and patience for code that takes arq's own settings.

    arq cannot express a command timeout or a client name; prefer `connect` where there is the choice.
    """
    options: dict[str, Any] = {**parse_url(url)}
    options.pop("connection_class", None)
    renamed = {"db": "database", "path": "unix_socket_path"}
    known = set(RedisSettings.__dataclass_fields__)
    values = {renamed.get(name, name): value for name, value in options.items() if renamed.get(name, name) in known}
    return RedisSettings(
        **{"ssl": urlsplit(url).scheme == "rediss", "ssl_check_hostname": _checks_host_name(url), **values},
        conn_timeout=_CONNECT_TIMEOUT_S,
        retry_on_timeout=True,
        retry_on_error=list(_RETRIED),
        retry=_OneLoop(ExponentialBackoff(cap=_BACKOFF_CAP_S, base=_BACKOFF_BASE_S), RETRIES),
    )


def _connection_options(url: str) -> dict[str, Any]:
    """Options for redis-py's `from_url`; what the URL's query says wins over them."""
    # Without a library's name and version: telling the server them costs each new connection two round trips.
    unnamed = {"lib_name": None, "lib_version": None}
    options: dict[str, Any] = {"retry_on_error": list(_RETRIED), "socket_timeout": _COMMAND_TIMEOUT_S, **unnamed}
    options["socket_connect_timeout"] = _CONNECT_TIMEOUT_S
    if urlsplit(url).scheme != "unix":
        options["socket_keepalive"] = True
    if _checks_host_name(url):
        options["ssl_check_hostname"] = True
    return options


def _checks_host_name(url: str) -> bool:
    """Whether a certificate must name the host: redis-py leaves that out unless told; the URL may still say no."""
    parts = urlsplit(url)
    return parts.scheme == "rediss" and not parse_qs(parts.query).keys() & {"ssl_cert_reqs", "ssl_check_hostname"}


def _explain(error: Exception) -> str:
    if isinstance(error, AuthenticationError) or "NOAUTH" in str(error) or "WRONGPASS" in str(error):
        return "it refused the user or the password"
    if isinstance(error, RedisTimeoutError | TimeoutError):
        return "it did not answer in time"
    return str(error).rstrip(".") or type(error).__name__


async def find_weaknesses(redis: ArqRedis) -> list[str]:
    """What about this server can lose jobs or stop the fleet, one line each; empty if nothing is known to.

    Reads INFO, and CONFIG where the server allows it; changes nothing.
    """
    info: dict[str, Any] = await redis.info()
    version = str(info.get("valkey_version") or info.get("redis_version") or "0")
    found = []
    if "valkey_version" not in info and _version_of(version) < _VERSION_MIN:
        found.append(f"Redis {version} is too old; 6.2 or newer, or any Valkey, is needed")
    if info.get("role") not in {None, "master"}:
        found.append("this server is a read-only replica; REDIS_URL must name the primary")
    if info.get("cluster_enabled"):
        found.append("this server is a cluster node; scripts that change several keys need one that is not")
    policy = str(info.get("maxmemory_policy", "noeviction"))
    if policy != "noeviction":
        found.append(f"maxmemory-policy is {policy}: the server may throw jobs away; set it to noeviction")
    if not info.get("aof_enabled"):
        found.extend(await _find_snapshot_weakness(redis))
    return found


async def _find_snapshot_weakness(redis: ArqRedis) -> list[str]:
    try:
        save = (await redis.config_get("save")).get("save")
    except ResponseError:  # hosted servers often forbid CONFIG and see to persistence themselves
        return []
    if save:
        return ["only snapshots are kept: a crash of the server loses the last minutes; set appendonly yes"]
    return ["nothing is kept on disk: a restart of the server loses every run; set appendonly yes"]


def _version_of(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".")[:2] if part.isdigit())
