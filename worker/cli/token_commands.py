"""`planet-orders token ...`: what its commands take, and their help."""

from __future__ import annotations

from enum import StrEnum

import typer

from worker.cli.help_text import JSON, help_of


class _Scope(StrEnum):
    """As worker.tokens.Scope, which is slow to import."""

    SUBMIT = "submit"
    READ = "read"
    OPERATE = "operate"


def create(
    name: str = typer.Argument(..., help="Whose it is; the history of a run that it acts on shows it."),
    scope: list[_Scope] = typer.Option(..., help="What it allows; may be repeated."),
    json: bool = JSON,
) -> int:
    """Make a token and print it, this once.

    Scopes:
      submit   put requests into the queue, which spends money
      read     see runs, batches, workers and their events
      operate  cancel and retry

    Examples:
      planet-orders token create nightly-import --scope submit --scope read

    --json prints an object: name, scopes, token
    """
    from worker.cli import token as command  # noqa: PLC0415 — heavy: only when it is asked for
    from worker.tokens import Scope  # noqa: PLC0415 — as above

    return command.create(name, [Scope(each.value) for each in scope], as_json=json)


def list_(json: bool = JSON) -> int:
    """List tokens: ids, names, scopes and age.

    --json prints an array; each entry has id, name, scopes, created_at.
    """
    from worker.cli import token as command  # noqa: PLC0415 — heavy: only when it is asked for

    return command.show_all(as_json=json)


def revoke(token_id: str = typer.Argument(..., metavar="ID", help="As `token list` shows it.")) -> int:
    """Take a token back, from this moment on."""
    from worker.cli import token as command  # noqa: PLC0415 — heavy: only when it is asked for

    return command.revoke(token_id)


def add_to(app: typer.Typer) -> None:
    """Register the commands of this module, below `token`."""
    tokens = typer.Typer(rich_markup_mode=None, no_args_is_help=True)
    tokens.command(help=help_of(create))(create)
    tokens.command("list", help=help_of(list_))(list_)
    tokens.command(help=help_of(revoke))(revoke)
    app.add_typer(tokens, name="token", help="Make, list and revoke tokens of the HTTP API.", rich_help_panel="Set up")
