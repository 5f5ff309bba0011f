"""The shape of the code: which room may import which, and what each shows to the outside."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("planet_sdk", "jobs", "worker")
MODULES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


NAMES = {name_of(path) for path in MODULES}


def imports_of(path: Path) -> Iterator[str]:
    """What is imported when this module is: not what type checkers see, not what functions import."""
    yield from _imports_in(ast.parse(path.read_text()).body)


def _imports_in(body: list[ast.stmt]) -> Iterator[str]:
    for node in body:
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=str(module), names=names):
                for alias in names:
                    full = f"{module}.{alias.name}"
                    yield full if full in NAMES else module
            case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                continue
            case ast.If() | ast.Try():
                yield from _imports_in(node.body + node.orelse)


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_room_imports_only_from_rooms_before_it(path: Path) -> None:
    """planet_sdk <- jobs <- worker, also inside functions."""
    later = ROOMS[ROOMS.index(name_of(path).split(".")[0]) + 1 :]
    for node in ast.walk(ast.parse(path.read_text())):
        module = node.module if isinstance(node, ast.ImportFrom) else None
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [module or ""]
        assert not [name for name in names if name.split(".")[0] in later]


def test_no_module_imports_itself_round_a_corner() -> None:
    graph = {name_of(path): {name for name in imports_of(path) if name in NAMES} for path in MODULES}
    for name, needed in graph.items():  # a package's parts may import each other past its __init__
        graph[name] = {other for other in needed if not name.startswith(f"{other}.")}
    TopologicalSorter(graph).prepare()


@pytest.mark.parametrize("room", ROOMS[:2])
def test_what_a_package_shows_is_sorted_and_there(room: str) -> None:
    package = importlib.import_module(room)

    assert package.__all__ == sorted(package.__all__)
    assert [name for name in package.__all__ if not hasattr(package, name)] == []


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_no_module_is_longer_than_it_can_be_read(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 400
