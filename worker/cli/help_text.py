"""Help texts from docstrings."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

_KEEP_LINES = "\b\n"  # typer's mark of a paragraph that must not be filled


def help_of(command: Callable[..., Any]) -> str:
    """The command's docstring as help: a paragraph with indented lines, such as examples, keeps its lines."""
    paragraphs = inspect.cleandoc(command.__doc__ or "").split("\n\n")
    return "\n\n".join((_KEEP_LINES if "\n  " in each else "") + each for each in paragraphs)
