"""Write docs/reference/*.md: what each package offers, from its signatures and docstrings. Run it with `make docs`."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from textwrap import indent
from typing import Any

import griffe

ROOT = Path(__file__).parents[1]
PACKAGES = ("jobs", "planet_sdk")
ATTRIBUTES = griffe.DocstringSectionKind.attributes
TITLES = {
    griffe.DocstringSectionKind.parameters: "Arguments",
    ATTRIBUTES: "Attributes",
    griffe.DocstringSectionKind.raises: "Raises",
    griffe.DocstringSectionKind.returns: "Returns",
    griffe.DocstringSectionKind.yields: "Yields",
}


def main(folder: Path = ROOT / "docs" / "reference") -> None:
    """Write the pages into a folder."""
    folder.mkdir(exist_ok=True)
    for package in PACKAGES:
        (folder / f"{package}.md").write_text(make_page(package), encoding="utf-8")


def make_page(package: str) -> str:
    """Return a package's page; the package is read, not imported."""
    module = griffe.load(package, search_paths=[ROOT], docstring_parser="google", allow_inspection=False)
    note = "<!-- Made from the docstrings by `make docs`: change those. -->"
    return formatted("\n\n".join([note, *describe(module, package, level=1)]) + "\n")


def formatted(page: str) -> str:
    """Return the page with its code laid out as all of the repository's is."""
    ruff = [sys.executable, "-m", "ruff", "format", "--stdin-filename", "docs/reference/page.md", "-"]
    return subprocess.run(ruff, input=page, cwd=ROOT, capture_output=True, encoding="utf-8", check=True).stdout  # noqa: S603 — every word of it stands above


def describe(thing: griffe.Object | griffe.Alias, name: str, level: int) -> Iterator[str]:
    """Yield the paragraphs about a module, class or function, and then those about what is in it."""
    yield f"{'#' * level} {name}"
    if signature := signature_of(thing):
        yield f"```python\n{signature}\n```"
    yield from docstring_of(thing)
    if maker := maker_of(thing):
        yield from docstring_of(maker)
    yield from fields_of(thing)
    prefix = "" if level == 1 else f"{name}."
    for member in public_members(thing):
        if not is_field(member):
            yield from describe(member, f"{prefix}{member.name}", min(level + 1, 4))


def public_members(thing: griffe.Object | griffe.Alias) -> list[Any]:
    """Return what a reader may use: what a module lists in `__all__`; of a class what has no underscore."""
    if thing.is_module:
        names = sorted(str(name) for name in thing.exports or ())
    elif thing.is_class:
        names = [name for name, member in thing.all_members.items() if member.is_public and not is_told(thing, member)]
    else:
        names = []
    return [thing.all_members[name] for name in names if not name.startswith("_")]


def is_told(thing: griffe.Object | griffe.Alias, member: Any) -> bool:
    """Tell whether the class inherits the member from one of the same module, which has its own place on the page."""
    return member.inherited and member.final_target.module is thing.module


def maker_of(thing: griffe.Object | griffe.Alias) -> Any:
    """Return the `__init__` that makes the class's objects, if it is ours and not told with another class."""
    maker = thing.all_members.get("__init__") if thing.is_class else None
    return maker if maker and not is_told(thing, maker) else None


def is_field(thing: griffe.Object | griffe.Alias) -> bool:
    """Tell whether it is a value, for which a line is enough."""
    return thing.is_attribute and "property" not in thing.labels


def fields_of(thing: griffe.Object | griffe.Alias) -> Iterator[str]:
    """Yield the list of a class's values, unless docstring or signature list them."""
    is_listed = "dataclass" in thing.labels or any(section.kind is ATTRIBUTES for section in sections_of(thing))
    fields = [] if is_listed else [field for field in public_members(thing) if is_field(field)]
    if lines := [field_line(field) for field in fields if field.name != "model_config"]:
        yield f"**{TITLES[ATTRIBUTES]}**"
        yield "\n".join(lines)


def field_line(field: Any) -> str:
    """Return a value's name, and its type and default where the class states them."""
    annotation = f": {field.annotation}" if field.annotation else ""
    value = f" = {field.value}" if field.value is not None and "class-attribute" in field.labels else ""
    return f"- `{field.name}{annotation}{value}`"


def signature_of(thing: Any) -> str:
    """Return its first lines, as Python; a method is shown as it is called, without self."""
    if thing.is_class:
        bases = ", ".join(str(base) for base in thing.bases)
        maker = maker_of(thing)
        return f"class {thing.name}{f'({bases})' if bases else ''}: " + (f"\n    {call_of(maker)}" if maker else "...")
    if thing.is_attribute:
        return f"{thing.name}: {thing.annotation}"
    return call_of(thing) if thing.is_function else ""


def call_of(function: Any) -> str:
    """Return a function's head, with what decorates it: it may make a context manager of an iterator."""
    decorators = [f"@{decorator.value}\n" for decorator in function.decorators]
    opening = "async def" if "async" in function.labels else "def"
    return f"{''.join(decorators)}{opening} {function.signature(return_type=True)}: ..."


def docstring_of(thing: griffe.Object | griffe.Alias) -> Iterator[str]:
    """Yield the paragraphs of its docstring, with lists of what it takes, gives and raises."""
    for section in sections_of(thing):
        if section.kind is griffe.DocstringSectionKind.text:
            yield section.value
        elif section.kind is griffe.DocstringSectionKind.admonition:  # a line with a colon, and an indented block
            yield f"{section.title}:"
            yield indent(section.value.contents, "    ")
        else:
            yield f"**{TITLES[section.kind]}**"
            yield "\n".join(entries(section.value))


def sections_of(thing: griffe.Object | griffe.Alias) -> list[griffe.DocstringSection]:
    """Return the parts of its docstring."""
    return thing.docstring.parse("google", warnings=False) if thing.docstring else []


def entries(values: Iterable[Any]) -> Iterator[str]:
    """Yield a line for each argument, result or error."""
    for value in values:
        name = getattr(value, "name", "") or str(value.annotation).strip("()")
        yield f"- `{name}`: {' '.join(value.description.split())}"


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
