"""The application: its commands, its help, and how it ends.

Only the standard library and typer are imported before a command runs, so that help and shell completion are quick.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import typer

from worker.cli import fleet_commands, run_commands, token_commands
from worker.cli.exits import Exit, explain
from worker.cli.help_text import GroupedCommands
from worker.wording import one_line

_USAGE_ERROR: type[Exception] = typer.BadParameter.__bases__[0]  # typer brings its own click from 0.26 on

_EPILOG = """\b
Examples:
  planet-orders demo                                  the whole of it, with a simulated Planet
  planet-orders submit order.json --wait              order, and wait for the verified files
  planet-orders submit orders.ndjson --key harvest    a thousand orders; repeating it buys nothing twice
  planet-orders status                                how the fleet is
  planet-orders status 8Z3KQ7                         the story of one run; the end of its id is enough

\b
Exit status:
  0    it did what was asked
  1    a run failed, or the action was refused
  2    bad options, bad input or bad settings
  3    Redis or Planet cannot be reached
  130  interrupted by Ctrl-C
  check has codes of its own: see `planet-orders check --help`

\b
Settings come from the environment and from .env; `planet-orders config` shows them all.
Results go to standard output, everything else to standard error."""

app = typer.Typer(
    cls=GroupedCommands,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=_EPILOG,
)


def _print_version(asked: bool) -> None:
    if asked:
        from planet_sdk._version import __version__  # noqa: PLC0415 — planet_sdk is slow to import

        typer.echo(f"planet-orders {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _start(
    context: typer.Context,
    version: bool = typer.Option(
        False, "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
    ),
) -> None:
    """Order Planet imagery by the thousand: buy once, and get every file, verified."""
    del version  # its callback has done everything
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


run_commands.add_to(app)
fleet_commands.add_to(app)
token_commands.add_to(app)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status. An error that can be expected is one line on stderr, never more."""
    try:
        status = app(args=arguments, prog_name="planet-orders", standalone_mode=False)
        sys.stdout.flush()
    except _USAGE_ERROR as error:
        return _fail(_describe_usage(error), Exit.USAGE)
    except (KeyboardInterrupt, typer.Abort):
        return Exit.INTERRUPTED
    except BrokenPipeError:  # whoever read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.OK
    except Exception as error:
        known = explain(error)
        if known is None:
            raise
        return _fail(*known)
    return int(status or Exit.OK)


def _fail(message: str, status: Exit) -> int:
    typer.echo(f"Error: {message}", err=True)
    return status


def _describe_usage(error: Exception) -> str:
    message = getattr(error, "format_message", error.__str__)()
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "planet-orders"
    message = one_line(message.replace("Value error, ", "")).rstrip(".")
    return f"{message}; see `{command} --help`"
