"""Help texts from docstrings, and the option that most commands have."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from itertools import groupby
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperGroup

if TYPE_CHECKING:  # typer brings its own click from 0.26 on
    from typer._click import Context, HelpFormatter

JSON = typer.Option(False, "--json", help="Print JSON, for programs.")

_KEEP_LINES = "\b\n"  # typer's mark of a paragraph that must not be filled


class GroupedCommands(TyperGroup):
    """Lists commands below a heading each: what typer calls a rich help panel, without rich."""

    def format_commands(self, ctx: Context, formatter: HelpFormatter) -> None:
        """Write the headings in the order of their first commands."""
        commands = [(name, command) for name in self.list_commands(ctx) if (command := self.get_command(ctx, name))]
        room = formatter.width - 6 - max(len(name) for name, _ in commands)
        for heading, group in groupby(commands, key=lambda each: getattr(each[1], "rich_help_panel", None)):
            with formatter.section(heading if isinstance(heading, str) else "Commands"):
                formatter.write_dl([(name, command.get_short_help_str(room)) for name, command in group])


def help_of(command: Callable[..., Any] | str) -> str:
    """The command's docstring, or a text, as help: a paragraph with indented lines, such as examples, keeps them."""
    text = command if isinstance(command, str) else command.__doc__ or ""
    paragraphs = inspect.cleandoc(text).split("\n\n")
    return "\n\n".join((_KEEP_LINES if "\n  " in each else "") + each for each in paragraphs)
