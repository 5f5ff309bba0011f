"""`failed`: what went wrong, by cause, and what to do about it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime

import typer
from rich.text import Text

from jobs.causes import CauseGroup, group_failures, runs_of_cause
from jobs.poison import Poison, discard_poison, list_poison
from worker.board import open_console
from worker.cli.desk import Desk, at_desk, say
from worker.cli.exits import CommandError, Exit
from worker.cli.operate import retry_runs
from worker.cli.output import print_json
from worker.cli.terms import read_span
from worker.wording import age, one_line, plural

_EVIDENCE_SHOWN = 200  # characters; --json has all that is kept
_MOST_SET_ASIDE = 1_000


def show_failures(since: str | None, *, as_json: bool) -> Exit:
    """Print the causes for which runs failed or expired, the most frequent first, and what was set aside."""

    async def work(desk: Desk) -> Exit:
        groups = await group_failures(desk.redis, since=_since(since))
        aside = await list_poison(desk.redis, _MOST_SET_ASIDE)
        if as_json:
            document = {"causes": [group.as_dict() for group in groups], "set_aside": [asdict(each) for each in aside]}
            print_json(document)
        elif not groups and not aside:
            say("Nothing has failed.")
        else:
            console = open_console()
            for line in [*tell_causes(groups), *_tell_set_aside(aside)]:
                console.print(line, soft_wrap=True)  # a command that is folded cannot be copied
        return Exit.OK

    return at_desk(work)


def retry_cause(cause_id: str, since: str | None, *, yes: bool, as_json: bool) -> Exit:
    """Let all runs of one cause go on from the stage they ended in; buys nothing."""

    async def work(desk: Desk) -> Exit:
        run_ids = await runs_of_cause(desk.redis, cause_id.strip().lower(), since=_since(since))
        if not run_ids:
            raise CommandError(f"no failed run has the cause {cause_id!r}; `planet-orders failed` shows the causes")
        if not yes and not _confirm(f"Retry {plural(len(run_ids), 'run')}?"):
            return Exit.FAILED
        return await retry_runs(desk, run_ids, rebuy=False, as_json=as_json)

    return at_desk(work)


def discard(poison_id: str) -> Exit:
    """Forget one entry of what was set aside."""

    async def work(desk: Desk) -> Exit:
        if not await discard_poison(desk.redis, poison_id):
            raise CommandError(f"nothing was set aside under {poison_id!r}; `planet-orders failed` shows what was")
        return Exit.OK

    return at_desk(work)


def _since(text: str | None) -> datetime | None:
    return datetime.now(UTC) - read_span(text, "--since") if text else None


def _confirm(question: str) -> bool:
    if not sys.stdin.isatty():
        raise CommandError("there is nobody to ask; add --yes")
    return typer.confirm(question, err=True)


def tell_causes(groups: Sequence[CauseGroup]) -> Iterator[Text]:
    """What went wrong how often, and what to do about it, line by line."""
    for group in groups:
        cause = group.cause
        what = " ".join(filter(None, [cause.state, cause.type, cause.stage and f"in {cause.stage}"]))
        yield Text.assemble((plural(group.runs, "run"), "bold red"), f"  {one_line(what)}  ", (cause.id, "dim"))
        yield Text(f"  {one_line(cause.message)}")
        first = f", the first {age(group.first_at)}" if group.runs > 1 else ""
        yield Text(f"  the last {age(group.last_at)}{first}, such as {group.example}", style="dim")
        yield Text(f"  {cause.advice}: planet-orders failed --retry {cause.id}")
        yield Text()


def _tell_set_aside(aside: Sequence[Poison]) -> Iterator[Text]:
    for each in aside:
        what = f"run {each.run_id}" if each.run_id else f"job {each.id}"
        yield Text.assemble(("set aside", "bold red"), f"  {one_line(what)}  {age(each.last_at)} on {each.worker}")
        yield Text(f"  {one_line(each.why)}")
        if each.evidence:
            yield Text(f"  {one_line(each.evidence[:_EVIDENCE_SHOWN])}", style="dim")
        yield Text(f"  Nothing of it is needed any more? planet-orders failed --discard {one_line(each.id)}")
        yield Text()
