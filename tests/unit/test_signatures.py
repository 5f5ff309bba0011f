"""Every public name of `planet` 2.14, and what it takes, compared with the package itself."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import planet
import pytest

import planet_sdk

# On purpose; docs/differences.md says why.
ABSENT_MODULES = {
    "planet.__version__",  # planet_sdk.__version__ is the text itself, as planet.__version__ becomes by its own import
    "planet.cli",  # the command line is planet-orders
    "planet.clients.subscriptions",
    "planet.subscription_request",
    "planet.sync",  # the synchronous client
}
ABSENT_NAMES = {
    "planet.Planet",
    "planet.SubscriptionsClient",
    "planet.clients.SubscriptionsClient",
    "planet.subscription_request",
    # where Planet is, a Session says: base_url, PL_API_URL
    "planet.auth.BASE_URL",
    "planet.clients.data.BASE_URL",
    "planet.clients.data.SEARCHES_PATH",
    "planet.clients.data.STATS_PATH",
    "planet.clients.orders.BASE_URL",
    "planet.clients.orders.BULK_PATH",
    "planet.clients.orders.ORDERS_PATH",
    "planet.clients.orders.STATS_PATH",
    # parts of how 2.14 does it
    "planet.geojson.GEOJSON_TYPES",
    "planet.http.BaseSession",
    "planet.io.RFC3339_FORMAT",
}
OTHER_VALUES = {
    "planet.constants.DATA_DIR",  # each package has its own
    "planet.http.RETRY_EXCEPTIONS",  # the SDK's own errors, since httpx's do not escape
    "planet.specs.PRODUCT_BUNDLES",  # there from the start, not fetched on first use
}


def modules_of_theirs() -> Iterator[ModuleType]:
    yield planet
    for found in pkgutil.walk_packages(planet.__path__, "planet."):
        if not any(found.name == absent or found.name.startswith(f"{absent}.") for absent in ABSENT_MODULES):
            yield importlib.import_module(found.name)


def public_names(module: ModuleType) -> Iterator[str]:
    """What the module itself defines, or lists in __all__."""
    yield from getattr(module, "__all__", [])
    for node in ast.parse(inspect.getsource(module)).body:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                names = [name]
            case ast.Assign(targets=targets):
                names = [target.id for target in targets if isinstance(target, ast.Name)]
            case _:
                continue
        yield from (name for name in names if not name.startswith("_") and name not in {"LOGGER", "T"})


def ours(path: str) -> Any:
    """What stands in our package where `path` stands in theirs."""
    module_name, _, name = path.replace("planet", "planet_sdk", 1).rpartition(".")
    return getattr(importlib.import_module(module_name), name)


PATHS = {
    f"{module.__name__}.{name}": getattr(module, name)
    for module in modules_of_theirs()
    for name in public_names(module)
}
SHARED = {path: value for path, value in PATHS.items() if path not in ABSENT_NAMES}
FUNCTIONS = {path: value for path, value in SHARED.items() if inspect.isfunction(value)}
ERRORS = {path: value for path, value in SHARED.items() if inspect.isclass(value) and issubclass(value, Exception)}
CLASSES = {path: value for path, value in SHARED.items() if inspect.isclass(value) and path not in ERRORS}
VALUES = {
    path: value
    for path, value in SHARED.items()
    if path not in OTHER_VALUES and isinstance(value, str | int | float | list | tuple | dict)
}


def test_there_is_something_to_compare() -> None:
    assert len(PATHS) > 100
    assert {"planet.clients.data.DataClient", "planet.specs.get_match", "planet.http.MAX_ACTIVE"} <= SHARED.keys()


@pytest.mark.parametrize("path", SHARED)
def test_every_public_name_of_planet_2_14_is_at_the_same_place(path: str) -> None:
    assert ours(path) is not None


@pytest.mark.parametrize("path", sorted(ABSENT_NAMES))
def test_what_is_said_to_be_absent_is(path: str) -> None:
    """And was there in 2.14, so that the list does not outlive what it lists."""
    assert path in PATHS
    with pytest.raises((AttributeError, ImportError)):
        ours(path)


@pytest.mark.parametrize("path", VALUES)
def test_constants_have_the_value_that_planet_2_14_gives_them(path: str) -> None:
    assert ours(path) == VALUES[path]


@pytest.mark.parametrize("path", FUNCTIONS)
def test_functions_take_what_those_of_planet_2_14_take(path: str) -> None:
    takes_the_same(FUNCTIONS[path], ours(path))


@pytest.mark.parametrize("path", CLASSES)
def test_classes_have_the_members_of_those_of_planet_2_14(path: str) -> None:
    """And methods take what those take."""
    theirs, mine = CLASSES[path], ours(path)
    members = {name for name in dir(theirs) if not name.startswith("_")}
    assert members - set(dir(mine)) == set()
    takes_the_same(theirs, mine)
    for name in sorted(members):
        if inspect.isfunction(getattr(theirs, name)):
            takes_the_same(getattr(theirs, name), getattr(mine, name))


def takes_the_same(theirs: Any, mine: Any) -> None:
    """Ours may take more: by name only, or with a default behind theirs."""
    wanted = list(inspect.signature(theirs).parameters.values())
    present = list(inspect.signature(mine).parameters.values())
    shared = [(one.name, one.kind, one.default) for one in present[: len(wanted)]]
    assert shared == [(one.name, one.kind, one.default) for one in wanted]
    more = [one for one in present[len(wanted) :] if one.kind not in {one.VAR_POSITIONAL, one.VAR_KEYWORD}]
    assert [one.name for one in more if one.default is one.empty] == []
    assert inspect.iscoroutinefunction(mine) == inspect.iscoroutinefunction(theirs)


@pytest.mark.parametrize("path", ERRORS)
def test_what_catches_an_error_of_planet_2_14_catches_ours(path: str) -> None:
    """Each error has the ancestors that it has there, and is one of this package's."""
    ancestors = {base.__name__ for base in ERRORS[path].__mro__ if base.__module__ == "planet.exceptions"}
    assert ancestors <= {base.__name__ for base in ours(path).__mro__}
    assert issubclass(ours(path), planet_sdk.exceptions.PlanetError)
