"""`cancel` and `retry`: what is possible is done, what is not is said."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import typer

from jobs.errors import NotPossible, RunNotFound, UnreadableRun
from jobs.run import Run
from worker.cli.desk import Desk, at_desk, say
from worker.cli.exits import CommandError, Exit
from worker.wording import plural


def cancel(texts: list[str]) -> Exit:
    """Cancel the runs. A run in hand is cancelled by the worker that has it."""

    async def work(desk: Desk) -> Exit:
        return await _each(desk, texts, desk.queue.cancel, _describe_cancelled)

    return at_desk(work)


def cancel_batch(text: str) -> Exit:
    """Cancel the runs of a batch that have not ended."""

    async def work(desk: Desk) -> Exit:
        batch_id = await desk.find_batch_id(text)
        cancelled = await desk.queue.cancel_batch(batch_id)
        typer.echo(f"{batch_id}\t{plural(cancelled, 'run')} cancelled, or to be cancelled")
        return Exit.OK

    return at_desk(work)


def retry(texts: list[str], *, rebuy: bool) -> Exit:
    """Let ended runs go on."""

    async def work(desk: Desk) -> Exit:
        return await retry_runs(desk, texts, rebuy=rebuy)

    return at_desk(work)


async def retry_runs(desk: Desk, texts: list[str], *, rebuy: bool) -> Exit:
    """Retry each of the runs, and say where it stands then."""
    status = await _each(desk, texts, lambda run_id: desk.queue.retry(run_id, rebuy=rebuy), _describe_retried)
    await desk.warn_if_nobody_works()
    return status


async def _each(
    desk: Desk, texts: list[str], act: Callable[[str], Awaitable[Run]], describe: Callable[[Run], str]
) -> Exit:
    """Act on each run; one that cannot be does not hold the others up."""
    status = Exit.OK
    for text in texts:
        try:
            run = await act(await desk.find_run_id(text))
        except (NotPossible, RunNotFound, UnreadableRun, CommandError) as error:
            say(f"Error: {error}")
            status = Exit.FAILED
        else:
            typer.echo(f"{run.run_id}\t{describe(run)}")
    return status


def _describe_cancelled(run: Run) -> str:
    return str(run.state) if run.state.is_final else f"{run.state}, to be cancelled"


def _describe_retried(run: Run) -> str:
    return str(run.state)
