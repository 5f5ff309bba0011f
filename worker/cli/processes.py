"""`worker` and `web`: from the command line to the processes."""

from __future__ import annotations

import os

from worker.cli.desk import read_settings
from worker.cli.exits import CommandError
from worker.connection import open_redis
from worker.logs import configure_logs
from worker.settings import Settings


def run_worker_process() -> int:
    """Run a worker until it is told to stop; returns its exit status."""
    settings = read_settings()
    _require_key(settings)
    _configure_logs(settings)
    from worker.serve import run_worker  # noqa: PLC0415 — imported after what can be wrong with the settings

    with open_redis(settings) as url:
        return run_worker(settings, url)


def run_web_process(host: str | None, port: int | None) -> int:
    """Run the web process until it is told to stop; returns its exit status."""
    settings = read_settings()
    given = {"web_host": host, "web_port": port}
    settings = settings.model_copy(update={name: value for name, value in given.items() if value is not None})
    _configure_logs(settings)
    from worker.web import run_web  # noqa: PLC0415 — slow to import, and the worker does without

    with open_redis(settings) as url:
        return run_web(settings, url)


def _require_key(settings: Settings) -> None:
    """A worker without a key would fail every run: better it does not start."""
    from planet_sdk.auth import Auth, default_auth  # noqa: PLC0415 — slow to import, and only the worker needs it
    from planet_sdk.exceptions import AuthException  # noqa: PLC0415 — as above

    try:
        if settings.api_key is not None:
            Auth.from_key(settings.api_key.get_secret_value())
        else:
            default_auth()
    except AuthException as error:
        raise CommandError(
            f"no usable Planet API key ({error}); mend it with: export PL_API_KEY=<your key>, or a line "
            "PL_API_KEY=<your key> in .env"
        ) from error


def _configure_logs(settings: Settings) -> None:
    secrets = filter(None, [*settings.secrets, os.environ.get("PL_AUTH_CLIENT_SECRET")])
    configure_logs(settings.log_level, settings.log_format, secrets=secrets)
