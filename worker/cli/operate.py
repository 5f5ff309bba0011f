"""`cancel` and `retry`: what is possible is done, what is not is said."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import typer

from jobs.errors import NotPossible, RunNotFound, UnreadableRun
from jobs.run import Run
from worker.cli.desk import Desk, at_desk, say
from worker.cli.exits import CommandError, Exit
from worker.cli.output import print_line
from worker.wording import plural


def cancel(texts: list[str], *, as_json: bool) -> Exit:
    """Cancel the runs. A run in hand is cancelled by the worker that has it."""

    async def work(desk: Desk) -> Exit:
        return await _each(desk, texts, desk.queue.cancel, _describe_cancelled, as_json=as_json)

    return at_desk(work)


def cancel_batch(text: str, *, as_json: bool) -> Exit:
    """Cancel the runs of a batch that have not ended."""

    async def work(desk: Desk) -> Exit:
        batch_id = await desk.find_batch_id(text)
        cancelled = await desk.queue.cancel_batch(batch_id)
        if as_json:
            print_line({"batch_id": batch_id, "cancelled": cancelled})
        else:
            typer.echo(f"{batch_id}\t{plural(cancelled, 'run')} cancelled, or to be cancelled")
        return Exit.OK

    return at_desk(work)


def retry(texts: list[str], *, rebuy: bool, as_json: bool) -> Exit:
    """Let ended runs go on."""

    async def work(desk: Desk) -> Exit:
        return await retry_runs(desk, texts, rebuy=rebuy, as_json=as_json)

    return at_desk(work)


async def retry_runs(desk: Desk, texts: list[str], *, rebuy: bool, as_json: bool) -> Exit:
    """Retry each of the runs, and say where it stands then."""

    async def act(run_id: str) -> Run:
        return await desk.queue.retry(run_id, rebuy=rebuy)

    status = await _each(desk, texts, act, _describe_retried, as_json=as_json)
    await desk.warn_if_nobody_works()
    return status


async def _each(
    desk: Desk,
    texts: list[str],
    act: Callable[[str], Awaitable[Run]],
    describe: Callable[[Run], str],
    *,
    as_json: bool,
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
            _tell(desk, run, describe, as_json=as_json)
    return status


def _tell(desk: Desk, run: Run, describe: Callable[[Run], str], *, as_json: bool) -> None:
    if not as_json:
        typer.echo(f"{run.run_id}\t{describe(run)}")
        return
    from worker.web.views import RunSummary  # noqa: PLC0415 — slow to import, and people need none of it

    print_line(RunSummary.of(run, desk.redactor))


def _describe_cancelled(run: Run) -> str:
    return str(run.state) if run.state.is_final else f"{run.state}, to be cancelled"


def _describe_retried(run: Run) -> str:
    return str(run.state)
