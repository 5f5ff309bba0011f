"""What people see of the settings: a table without secrets, one line a problem, and a word on likely typing errors."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import AliasChoices, SecretStr
from pydantic_settings import DotEnvSettingsSource

from jobs.redaction import HIDDEN, hide_password
from worker.settings import PREFIX, Settings

if TYPE_CHECKING:
    from pydantic import ValidationError
    from pydantic.fields import FieldInfo
    from pydantic_core import ErrorDetails

__all__ = ["SettingLine", "describe_errors", "describe_settings", "warn_unknown_variables"]

_MESSAGES = {
    "greater_than_equal": "must be at least {ge}, not {input}",
    "greater_than": "must be more than {gt}, not {input}",
    "less_than_equal": "must be at most {le}, not {input}",
    "literal_error": "must be one of {expected}, not {input}",
    "int_parsing": "must be a whole number, not {input}",
    "int_from_float": "must be a whole number, not {input}",
    "float_parsing": "must be a number, not {input}",
    "finite_number": "must be a finite number, not {input}",
}


@dataclass(frozen=True, slots=True)
class SettingLine:
    """One setting as `planet-orders config` shows it."""

    variable: str
    value: str
    origin: str
    description: str


def describe_settings(
    settings: Settings, *, environ: Mapping[str, str] | None = None, env_file: Path = Path(".env")
) -> list[SettingLine]:
    """Every setting with its value and where it came from; secrets and passwords are hidden.

    Args:
        settings: what was read.
        environ: the environment it was read from; default: this process's.
        env_file: the `.env` it was read from.
    """
    environment = _variables(os.environ if environ is None else environ)
    dotenv = _variables(_read_env_file(env_file))
    return [
        _describe(settings, name, field, environment, dotenv) for name, field in type(settings).model_fields.items()
    ]


def _describe(
    settings: Settings, name: str, field: FieldInfo, environment: Mapping[str, str], dotenv: Mapping[str, str]
) -> SettingLine:
    variables = _variables_of(name, field)
    origin = "default"
    if name in settings.model_fields_set:
        origin = next((f"environment ({each})" for each in variables if environment.get(each)), "")
        origin = origin or next((f".env ({each})" for each in variables if dotenv.get(each)), "program")
    return SettingLine(variables[0], _show(getattr(settings, name)), origin, field.description or "")


def _show(value: object) -> str:
    match value:
        case None:
            return "(unset)"
        case SecretStr():
            return HIDDEN
        case str():
            return hide_password(value) if "://" in value else value
        case float():
            return f"{value:g}"
        case _:
            return str(value)


def describe_errors(error: ValidationError) -> list[str]:
    """One line a problem, each naming the variable to change and what it must be. No secret is repeated."""
    return [_describe_error(each) for each in error.errors(include_url=False)]


def _describe_error(problem: ErrorDetails) -> str:
    location = str(problem["loc"][0]) if problem["loc"] else ""
    template = _MESSAGES.get(problem["type"])
    if template is None:
        message = problem["msg"].removeprefix("Value error, ")
    else:
        context = problem.get("ctx", {})
        limits = {name: f"{value:g}" if isinstance(value, float) else value for name, value in context.items()}
        message = template.format(**limits, input=_quote(problem.get("input")))
    return f"{_variable_at(location)}: {message}" if location else message


def _quote(value: Any) -> str:
    return repr(value) if isinstance(value, str) and not re.fullmatch(r"-?[\d.]+", value) else str(value)


def _variable_at(location: str) -> str:
    field = Settings.model_fields.get(location.lower().removeprefix(PREFIX.lower()))
    return location if field is None else _variables_of(location.lower().removeprefix(PREFIX.lower()), field)[0]


def _variables_of(name: str, field: FieldInfo) -> tuple[str, ...]:
    match field.validation_alias:
        case str() as alias:
            return (alias,)
        case AliasChoices(choices=choices):
            return tuple(str(choice) for choice in choices)
        case _:
            return (PREFIX + name.upper(),)


def warn_unknown_variables(
    environ: Mapping[str, str] | None = None, *, env_file: Path = Path(".env"), also_known: Iterable[str] = ()
) -> list[str]:
    """One line for each `ORDERS_...` variable that no setting reads, naming the closest that one does.

    Args:
        environ: default: this process's environment.
        env_file: the `.env` that is read beside it.
        also_known: variables of ours that are no settings.
    """
    known = {each for name, field in Settings.model_fields.items() for each in _variables_of(name, field)}
    known.update(also_known)
    given = _variables(os.environ if environ is None else environ).keys() | _variables(_read_env_file(env_file)).keys()
    return [
        _warn_unknown(variable, known)
        for variable in sorted(given)
        if variable.startswith(PREFIX) and variable not in known
    ]


def _warn_unknown(variable: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(variable, sorted(known), n=1)
    return f"{variable} is not a setting and has no effect" + (f"; did you mean {close[0]}?" if close else "")


def _variables(values: Mapping[str, str | None]) -> dict[str, str]:
    return {name.upper(): value for name, value in values.items() if value}


def _read_env_file(path: Path) -> Mapping[str, str | None]:
    return DotEnvSettingsSource(Settings, env_file=path, env_file_encoding="utf-8").env_vars
