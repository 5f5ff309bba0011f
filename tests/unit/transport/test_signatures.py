"""Names and parameters that code written for `planet` 2.14 uses."""

from __future__ import annotations

import inspect
from typing import Any

import planet.auth
import planet.http
import planet.models
import pytest

import planet_sdk.auth
import planet_sdk.http
import planet_sdk.models


def methods(theirs: type, ours: type) -> list[tuple[Any, Any]]:
    names = [name for name, member in vars(theirs).items() if not name.startswith("_") and inspect.isfunction(member)]
    return [(getattr(theirs, name), getattr(ours, name)) for name in [*names, "__init__"]]


CALLS = [
    pair
    for theirs, ours, names in (
        (planet.auth, planet_sdk.auth, ("Auth", "AuthClient", "APIKeyAuth")),
        (planet.http, planet_sdk.http, ("Session", "AuthSession")),
        (planet.models, planet_sdk.models, ("Response", "StreamingResponse", "StreamingBody", "Paged")),
    )
    for name in names
    for pair in methods(getattr(theirs, name), getattr(ours, name))
]
STATIC = [
    (getattr(planet.auth.Auth, name), getattr(planet_sdk.auth.Auth, name))
    for name in ("from_key", "from_file", "from_env", "from_login")
]


@pytest.mark.parametrize(("theirs", "ours"), CALLS + STATIC, ids=lambda call: call.__qualname__)
def test_parameters_and_defaults_are_those_of_planet_2_14(theirs: Any, ours: Any) -> None:
    """Ours may have more, as keywords or with a default behind theirs."""
    wanted = list(inspect.signature(theirs).parameters.values())
    present = list(inspect.signature(ours).parameters.values())

    assert [(one.name, one.default) for one in wanted] == [(one.name, one.default) for one in present[: len(wanted)]]
    rest = [one for one in present[len(wanted) :] if one.kind not in {one.VAR_POSITIONAL, one.VAR_KEYWORD}]
    assert all(one.default is not one.empty for one in rest)


def test_the_constants_are_there() -> None:
    for name in ("MAX_RETRIES", "MAX_RETRY_BACKOFF", "READ_TIMEOUT", "RATE_LIMIT", "MAX_ACTIVE"):
        assert getattr(planet_sdk.http, name) == getattr(planet.http, name)
    assert planet_sdk.http.RETRY_EXCEPTIONS
