"""The commands that start processes and look at the set-up: what they take, and their help."""

from __future__ import annotations

from collections.abc import Callable

import typer

from worker.cli.help_text import JSON, help_of


def demo() -> int:
    """Show all of it, with a simulated Planet.

    Two workers, a web page, and 24 orders from request to verified files. Needs no account, no Redis and no network.
    Everything it makes lies in the folder .demo, which is kept.
    """
    from worker.demo import run_demo  # noqa: PLC0415 — heavy: only when it is asked for

    return run_demo()


def worker() -> int:
    """Run a worker until SIGTERM or Ctrl-C.

    Start as many as there are machines for: they share one queue.
    Needs PL_API_KEY, or the secret file that `planet_sdk.Auth` writes.
    """
    from worker.cli import processes  # noqa: PLC0415 — heavy: only when it is asked for

    return processes.run_worker_process()


def web(
    host: str | None = typer.Option(None, help="Address to listen on; default: ORDERS_WEB_HOST."),
    port: int | None = typer.Option(None, min=0, max=65_535, help="Port; default: ORDERS_WEB_PORT, or PORT."),
) -> int:
    """Run the web process: health, runs and workers on a page."""
    from worker.cli import processes  # noqa: PLC0415 — heavy: only when it is asked for

    return processes.run_web_process(host, port)


def simulator(
    host: str = typer.Option("127.0.0.1", help="Address to listen on."),
    port: int = typer.Option(8080, min=0, max=65_535, help="Port; 0 takes a free one."),
    speed: float = typer.Option(1.0, help="Orders and assets move on so many times as fast."),
    queued_s: float = typer.Option(1.0, min=0, help="Seconds an order is queued."),
    running_s: float = typer.Option(2.0, min=0, help="Seconds an order is running."),
    api_key: list[str] = typer.Option(None, help="Accepted API key; may be repeated. Default: simulator-key."),
    fault: list[str] = typer.Option(None, metavar="KIND=RATE", help="Share of requests to spoil; may be repeated."),
    size: list[str] = typer.Option(None, metavar="PATTERN=BYTES", help="Size of files by name, as '*_SR*.tif=2MB'."),
    bytes_per_s: float | None = typer.Option(None, min=1, help="Speed of each download."),
    rate_limits: bool = typer.Option(True, help="Refuse requests beyond Planet's rate limits with 429."),
    seed: int = typer.Option(0, help="Decides ids, pixels and faults."),
) -> int:
    """Run a local stand-in for Planet's services.

    Its address is the one line it prints on standard output.

    Examples:
      planet-orders simulator
      planet-orders simulator --speed 10 --fault cut_body=0.05 --fault error=0.02
      PL_API_URL=http://127.0.0.1:8080 PL_API_KEY=simulator-key planet-orders worker
    """
    from worker.cli import simulate  # noqa: PLC0415 — heavy: only when it is asked for

    options = simulate.Options(
        api_keys=tuple(api_key or ()),
        faults=tuple(fault or ()),
        sizes=tuple(size or ()),
        speed=speed,
        queued_s=queued_s,
        running_s=running_s,
        bytes_per_s=bytes_per_s,
        rate_limits=rate_limits,
        seed=seed,
    )
    return simulate.run_simulator(options, host, port)


def config(json: bool = JSON) -> int:
    """Show every setting and where it came from.

    Secrets are hidden. --json prints an array; each entry has variable, value, origin, description.
    """
    from worker.cli import configuration  # noqa: PLC0415 — heavy: only when it is asked for

    return configuration.show_settings(as_json=json)


def check(
    planet: bool = typer.Option(False, "--planet", help="Also ask Planet whether it accepts the key: one request."),
    json: bool = JSON,
) -> int:
    """Check Redis, the workers and the destination.

    Prints one line for each; made for probes and for people.

    Exit status, of the first check that fails:
      0  all is well
      1  no worker is alive
      2  bad settings
      3  Redis does not answer
      4  files cannot be written to the destination
      5  Planet refuses the key, or does not answer (--planet)

    --json prints an array; each entry has check (redis, workers, destination, planet), ok, detail
    """
    from worker.cli import check as command  # noqa: PLC0415 — heavy: only when it is asked for

    return command.check(planet=planet, as_json=json)


def add_to(app: typer.Typer) -> None:
    """Register the commands of this module."""
    panels: dict[str, tuple[Callable[..., int], ...]] = {
        "Run": (worker, web),
        "Try out": (demo, simulator),
        "Set up": (check, config),
    }
    for panel, commands in panels.items():
        for command in commands:
            app.command(help=help_of(command), rich_help_panel=panel)(command)
