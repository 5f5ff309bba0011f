"""`simulator`: from options to a stand-in for Planet's services."""

from __future__ import annotations

import errno
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import typer

from planet_sdk.simulator import PLANET_RATE_LIMITS, FaultKind, FaultPlan, SimulatorSettings, serve
from worker.cli.desk import say
from worker.cli.exits import CommandError, Exit

T = TypeVar("T")

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(B|kB|MB|GB)?", re.IGNORECASE)
_FACTORS = {"": 1, "b": 1, "kb": 1_000, "mb": 1_000_000, "gb": 1_000_000_000}


@dataclass(frozen=True, slots=True)
class Options:
    """What the simulator is to be like, as it was typed."""

    api_keys: tuple[str, ...]
    faults: tuple[str, ...]
    sizes: tuple[str, ...]
    speed: float
    queued_s: float
    running_s: float
    bytes_per_s: float | None
    rate_limits: bool
    seed: int


def run_simulator(options: Options, host: str, port: int) -> Exit:
    """Serve until SIGINT or SIGTERM; its address is the only line on stdout."""
    settings = read_simulator_settings(options)
    try:
        serve(settings, host, port, on_start=lambda url: _announce(url, settings))
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise CommandError(f"port {port} of {host} is in use; choose another with --port, or 0 for any") from error
        raise CommandError(f"cannot listen on {host}, port {port}: {error.strerror or error}", Exit.FAILED) from error
    return Exit.OK


def read_simulator_settings(options: Options) -> SimulatorSettings:
    """The settings that these options mean.

    Raises:
        CommandError: naming the option that cannot be read.
    """
    if options.speed <= 0:
        raise CommandError(f"--speed: {options.speed:g} is not more than 0")
    defaults = SimulatorSettings()
    return SimulatorSettings(
        api_keys=options.api_keys or defaults.api_keys,
        seed=options.seed,
        queued_s=options.queued_s / options.speed,
        running_s=options.running_s / options.speed,
        activation_s=defaults.activation_s / options.speed,
        rate_limits=PLANET_RATE_LIMITS if options.rate_limits else {},
        size_bytes=_read_pairs(options.sizes, "--size", _read_size),
        body_bytes_per_s=options.bytes_per_s,
        fault_plan=FaultPlan(
            seed=options.seed,
            rates={_read_kind(name): rate for name, rate in _read_pairs(options.faults, "--fault", _read_rate).items()},
        ),
    )


def _read_pairs(texts: tuple[str, ...], option: str, read: Callable[[str], T | None]) -> dict[str, T]:
    pairs = {}
    for text in texts:
        name, equals, value = text.rpartition("=")
        read_value = read(value.strip())
        if not equals or not name or read_value is None:
            example = "cut_body=0.05" if option == "--fault" else "'*.tif=2MB'"
            raise CommandError(f"{option}: {text!r} cannot be read; write for example {option} {example}")
        pairs[name.strip()] = read_value
    return pairs


def _read_rate(text: str) -> float | None:
    try:
        rate = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        return None
    return rate if 0 <= rate <= 1 else None


def _read_size(text: str) -> int | None:
    match = _SIZE.fullmatch(text)
    return None if match is None else round(float(match[1]) * _FACTORS[(match[2] or "").lower()])


def _read_kind(name: str) -> FaultKind:
    try:
        return FaultKind(name)
    except ValueError as error:
        kinds = ", ".join(kind.value for kind in FaultKind)
        raise CommandError(f"--fault: {name!r} is no kind of fault; there are {kinds}") from error


def _announce(url: str, settings: SimulatorSettings) -> None:
    typer.echo(url)
    say(f"The simulator answers for Planet. Use it with: PL_API_URL={url} PL_API_KEY={settings.api_keys[0]}")
