"""`token`: who may use the HTTP API."""

from __future__ import annotations

from collections.abc import Sequence

import typer
from rich.table import Table

from worker.board import open_console
from worker.cli.desk import Desk, at_desk, say
from worker.cli.exits import CommandError, Exit
from worker.cli.output import print_json
from worker.tokens import Scope, create_token, list_tokens, revoke_token
from worker.wording import age, one_line


def create(name: str, scopes: Sequence[Scope], *, as_json: bool) -> Exit:
    """Make a token and print it."""
    if not (name.strip() and name.isprintable() and len(name) <= 100):  # noqa: PLR2004 — histories of runs show it
        raise CommandError("a token's name has 1 to 100 characters that can be printed")

    async def work(desk: Desk) -> Exit:
        token = await create_token(desk.redis, name, scopes)
        say(f"For {name}: may {', '.join(sorted(set(scopes)))}. It is shown this once; only a digest of it is kept.")
        if as_json:
            print_json({"name": name, "scopes": sorted(set(scopes)), "token": token})
        else:
            typer.echo(token)
        return Exit.OK

    return at_desk(work)


def show_all(*, as_json: bool) -> Exit:
    """Print whom tokens were made for; not the tokens, which nobody has but their owners."""

    async def work(desk: Desk) -> Exit:
        tokens = await list_tokens(desk.redis)
        if as_json:
            fields = [(each.id, each.name, sorted(each.scopes), each.created_at.isoformat()) for each in tokens]
            print_json([dict(zip(_FIELDS, each, strict=True)) for each in fields])
            return Exit.OK
        if not tokens:
            say("There are no tokens: the web process answers callers on its own machine only, and all of them.")
            return Exit.OK
        table = Table(*_FIELDS, box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
        for each in tokens:
            table.add_row(each.id, one_line(each.name), " ".join(sorted(each.scopes)), age(each.created_at))
        open_console().print(table)
        return Exit.OK

    return at_desk(work)


_FIELDS = ("id", "name", "scopes", "created_at")


def revoke(token_id: str) -> Exit:
    """Take a token back."""

    async def work(desk: Desk) -> Exit:
        token = await revoke_token(desk.redis, token_id)
        if token is None:
            raise CommandError(f"no token has the id {token_id!r}; `planet-orders token list` shows them", Exit.FAILED)
        say(f"The token of {token.name} is no longer taken.")
        if not await list_tokens(desk.redis):
            say("It was the last: from now on the web process is open to callers on its own machine.")
        return Exit.OK

    return at_desk(work)
