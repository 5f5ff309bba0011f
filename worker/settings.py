"""Every setting of the fleet, read once from the environment and from `.env` in the working directory.

`Settings()` is the whole of it: typed, checked and frozen. Environment beats `.env`, `.env` beats the default, and an
empty value counts as unset. What a person sees of it (values, errors, likely typing errors) is in `settings_report`.
"""

from __future__ import annotations

import os
import re
import secrets
import socket
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, AliasChoices, BeforeValidator, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from redis.connection import ConnectionPool

from jobs.destination import DestinationError, destination_url
from worker.budget.rates import read_rates
from worker.origins import read_origins

__all__ = ["PREFIX", "Settings"]

PREFIX = "ORDERS_"


def _check_api_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("must be an http:// or https:// address, such as https://api.planet.com")
    if parts.username or parts.password or parts.query or parts.fragment or parts.port == 0:
        raise ValueError("must be a plain address: no user, password, query or fragment")
    return url.rstrip("/")


def _check_redis_url(url: str) -> str:
    if url.partition("://")[0] not in {"redis", "rediss", "unix"}:
        raise ValueError("must start with redis://, rediss:// or unix://")
    try:
        parts = urlsplit(url)
        ConnectionPool.from_url(url).make_connection()  # opens nothing
    except TypeError as error:
        raise ValueError("has an option after its ? that redis-py does not know") from error
    except ValueError as error:  # whose text may hold a piece of the password
        raise ValueError("cannot be read; a password's special characters are written as %40 (@), %2F (/)") from error
    database = parts.path.strip("/")
    if parts.scheme == "unix" and not parts.path:
        raise ValueError("must name the socket: unix:///path/to/socket")
    if parts.scheme != "unix" and not (database.isdigit() or not database):
        raise ValueError("must end in a database number, such as redis://host:6379/0")
    return url


def _check_destination(destination: str) -> str:
    try:
        return destination_url(destination)
    except DestinationError as error:
        raise ValueError(str(error)) from error


def _check_rates(text: str) -> str:
    read_rates(text)
    return text


def _check_callback_hosts(text: str) -> str:
    read_origins(text)
    return text


def _check_queue_name(name: str) -> str:
    if not re.fullmatch(r"[\w.:-]+", name):
        raise ValueError("may hold letters, digits and . : - _ only")
    return name


def _check_worker_name(name: str) -> str:
    if not re.fullmatch(r"[\w.:@-]{1,100}", name):
        raise ValueError("may hold up to 100 letters, digits and . : @ - _")
    return name


def _check_webhook_secret(secret: SecretStr) -> SecretStr:
    if not re.fullmatch(r"[\w-]{16,200}", secret.get_secret_value(), re.ASCII):
        raise ValueError("must be 16 to 200 letters, digits, - or _")
    return secret


def _upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


def _absolute(path: Path) -> Path:
    expanded = os.path.expanduser(path)  # noqa: PTH111 — Path.expanduser raises where there is no such home
    return Path(os.path.abspath(expanded))  # noqa: PTH100 — resolve() follows links, absolute() keeps '..'


def _name_this_worker() -> str:
    """Unique on this host and readable: the host, and the name a Procfile manager gave the process, or its id."""
    process = os.environ.get("HONCHO_PROCESS_NAME") or os.environ.get("DYNO") or str(os.getpid())
    return re.sub(r"[^\w.:@-]", "-", f"{socket.gethostname()}-{process}")[:100]


Seconds = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1, le=10_000)]
Tries = Annotated[int, Field(ge=1, le=1000)]
Cap = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Settings(BaseSettings):
    """All settings of this process; `Settings()` reads and checks them, once, at the start.

    Raises:
        pydantic.ValidationError: turn it into one line a problem with `settings_report.describe_errors`.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_file=".env",
        env_file_encoding="utf-8",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        populate_by_name=True,
        hide_input_in_errors=True,
    )

    # Planet
    api_key: SecretStr | None = Field(
        default=None,
        validation_alias="PL_API_KEY",
        description="Planet API key; unset: PL_AUTH_CLIENT_ID and its secret, or ~/.planet.json",
    )
    api_url: Annotated[str, AfterValidator(_check_api_url)] = Field(
        default="https://api.planet.com", validation_alias="PL_API_URL", description="base address of Planet's APIs"
    )

    rates: Annotated[str, AfterValidator(_check_rates)] | None = Field(
        default=None,
        description="limits of this account where they are not the published ones, as `get=10/s+300/min, link=20`",
    )

    # Where things are
    redis_url: Annotated[str, AfterValidator(_check_redis_url)] | None = Field(
        default=None,
        validation_alias="REDIS_URL",
        repr=False,
        description="redis://, rediss:// or unix://; unset: a private Valkey in the data folder",
    )
    destination: Annotated[str, AfterValidator(_check_destination)] = Field(
        default="orders",
        validate_default=True,
        description="where files end up: a folder, or file://, s3://, gs://, az:// or memory://",
    )
    data_dir: Annotated[Path, AfterValidator(_absolute)] = Field(
        default=Path(".planet-orders"), validate_default=True, description="folder of the fleet's own working files"
    )

    # The worker
    worker_name: Annotated[str, AfterValidator(_check_worker_name)] = Field(
        default_factory=_name_this_worker, description="what people see; never two alike in a fleet"
    )
    queue_name: Annotated[str, AfterValidator(_check_queue_name)] = Field(
        default="arq:queue",
        description="arq's queue; one name, and one Redis database, per fleet",
    )
    slots: Count = Field(default=32, description="jobs one worker runs at a time")
    lease_s: float = Field(
        # with a poll on top, a killed worker's jobs start elsewhere within 15 s
        default=12,
        ge=2,
        le=600,
        description="a killed worker's jobs start elsewhere within this and a poll",
    )
    poll_delay_s: float = Field(default=0.5, ge=0.01, le=60, description="look at the queue this often without a bell")
    health_interval_s: float = Field(default=5, ge=0.1, le=3600, description="how often a worker reports itself")
    stop_wait_s: float = Field(
        # Procfile managers kill 5 s after SIGTERM, and what is handed back is carried on from its last byte
        default=3,
        ge=0,
        le=3600,
        description="time for running jobs to end on SIGTERM, before they are handed back",
    )

    # The stages
    stage_tries: Tries = Field(
        # with the pauses below, a stage bears an outage of an hour
        default=25,
        description="tries of one stage, then failed",
    )
    create_tries: Tries | None = Field(default=None, description="the same for create alone")
    download_tries: Tries | None = Field(default=None, description="the same for download alone")
    validate_tries: Tries | None = Field(default=None, description="the same for validate alone")
    create_timeout_s: Seconds = Field(default=300, description="longest try of create; it is stopped, and tried again")
    download_timeout_s: Seconds = Field(default=21_600, description="longest try of download; likewise")
    validate_timeout_s: Seconds = Field(default=21_600, description="longest try of validate; likewise")
    retry_base_s: Seconds = Field(default=2, description="pause before a stage's second try; doubles from there")
    retry_cap_s: Seconds = Field(default=300, description="longest pause between two tries of a stage")
    settle_s: Seconds = Field(
        default=30,
        description="how far Planet's list may lag; an order whose POST got no reply is not sent again before",
    )
    wait: Literal["list", "poll"] = Field(
        default="list",
        description="how finished orders are found: list what has changed, or poll each order by its id",
    )
    wait_check_min_s: Seconds = Field(default=5, description="first and most frequent look at a waiting order")
    wait_check_max_s: Seconds = Field(
        default=120, description="rarest look at a waiting order; an order that no list shows is read after this"
    )
    running_orders: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        default=10_000,
        description="orders under way at Planet at a time; further ones wait in line here. Planet's own cap by default",
    )
    downloads_per_order: Count = Field(default=6, description="files of one order fetched side by side")
    downloads_per_worker: Count = Field(default=24, description="files one worker fetches side by side")
    downloads_per_fleet: Count | None = Field(
        default=None, description="files all workers together fetch side by side; unset: no bound"
    )

    # Guards before money
    cap_orders: Cap | None = Field(default=None, description="orders that the fleet places a day (UTC); unset: no cap")
    cap_items: Cap | None = Field(default=None, description="items that it orders a day")
    cap_hectares: Cap | None = Field(
        default=None, description="hectares that it orders a day: the area of each order times its items"
    )
    cap_orders_per_producer: Cap | None = Field(default=None, description="orders a day of each producer")
    cap_items_per_producer: Cap | None = Field(default=None, description="items a day of each producer")
    cap_hectares_per_producer: Cap | None = Field(default=None, description="hectares a day of each producer")
    same_request_days: Annotated[float, Field(ge=0, le=90, allow_inf_nan=False)] = Field(
        default=7, description="how long after a run's end its very request is not ordered again; 0: it always is"
    )

    # What is kept
    retention_days: Annotated[int, Field(ge=1, le=3650)] = Field(
        default=90, description="how long a finished run, and its key, are kept; Planet keeps orders this long"
    )

    # Telling producers
    callback_hosts: Annotated[str, AfterValidator(_check_callback_hosts)] | None = Field(
        default=None,
        description="whom callbacks may go to, as `hooks.example.com, http://10.0.0.5:8080`; unset: nobody",
    )
    callback_secret: SecretStr | None = Field(default=None, min_length=16, description="what callbacks are signed with")

    # Logs and web
    log_level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], BeforeValidator(_upper)] = Field(
        default="INFO", description="what is logged from this level up"
    )
    log_format: Literal["auto", "json", "console"] = Field(
        default="auto", description="auto: console on a terminal, else JSON lines"
    )
    traces: Literal["off", "on"] = Field(
        default="off", description="on: each run is a trace, sent over OTLP as the standard OTEL_... variables say"
    )
    web_host: str = Field(default="127.0.0.1", min_length=1, description="address the web process listens on")
    web_port: int = Field(
        default=8000,
        ge=0,
        le=65_535,
        validation_alias=AliasChoices("ORDERS_WEB_PORT", "PORT"),
        description="port of the web process; PORT, as Procfile managers set it, counts too",
    )

    public_url: Annotated[str, AfterValidator(_check_api_url)] | None = Field(
        default=None, description="address at which Planet reaches the web process; it is called when an order is ready"
    )
    webhook_secret: Annotated[SecretStr, AfterValidator(_check_webhook_secret)] | None = Field(
        default=None, description="last part of the address that Planet calls; goes with ORDERS_PUBLIC_URL"
    )

    @property
    def webhook_url(self) -> str | None:
        """The address that Planet is to call when an order is ready, if the fleet has one. It holds the secret."""
        if self.public_url is None or self.webhook_secret is None:
            return None
        return f"{self.public_url}/webhooks/planet/{self.webhook_secret.get_secret_value()}"

    @property
    def secrets(self) -> list[str]:
        """The values among the settings that nobody must see, for a Redactor."""
        return [each.get_secret_value() for each in (self.api_key, self.webhook_secret, self.callback_secret) if each]

    @model_validator(mode="after")
    def _check_bounds(self) -> Self:
        if self.callback_hosts and not self.callback_secret:
            raise ValueError("ORDERS_CALLBACK_HOSTS needs ORDERS_CALLBACK_SECRET, with which callbacks are signed")
        if self.public_url and not self.webhook_secret:
            raise ValueError(
                "ORDERS_PUBLIC_URL needs ORDERS_WEBHOOK_SECRET, the same for all processes, such as "
                f"ORDERS_WEBHOOK_SECRET={secrets.token_urlsafe(24)}"
            )
        if self.wait_check_min_s > self.wait_check_max_s:
            raise ValueError("ORDERS_WAIT_CHECK_MIN_S must not exceed ORDERS_WAIT_CHECK_MAX_S")
        if self.retry_base_s > self.retry_cap_s:
            raise ValueError("ORDERS_RETRY_BASE_S must not exceed ORDERS_RETRY_CAP_S")
        return self
