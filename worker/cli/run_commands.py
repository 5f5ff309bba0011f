"""The commands for runs: what they take, and their help. The work is done in a module each."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

import typer

from worker.cli.help_text import JSON, help_of
from worker.cli.submit_command import HELP as SUBMIT_HELP
from worker.cli.submit_command import submit

_RUNS = typer.Argument(..., metavar="RUN...", help="Ids of runs; a unique start or end of one is enough.")


class StateName(StrEnum):
    """The states of a run, as jobs.run.State has them, whose import is slow; a test holds the two together."""

    QUEUED = "queued"
    CREATING = "creating"
    WAITING = "waiting"
    DOWNLOADING = "downloading"
    VALIDATING = "validating"
    DONE = "done"
    PARTIAL = "partial"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


def status(
    run: str | None = typer.Argument(None, metavar="[RUN]", help="Id of a run; a unique start or end is enough."),
    json: bool = JSON,
) -> int:
    """Tell the story of one run; without an id, how the fleet is.

    Examples:
      planet-orders status
      planet-orders status 8Z3KQ7 --json

    --json of a run is what `GET /v1/runs/{run_id}` answers, and log (list: last lines of stages that failed):
      run_id, name, state, stage, reason, ..., error, request, history (list), files (list), log
    --json of the fleet is what `GET /v1/fleet` answers:
      verdict, workers (list), stages (list), backlog, budget, runs (count by state), last_hour, last_day, ...
    """
    from worker.cli import status as command  # noqa: PLC0415 — heavy: only when it is asked for

    return command.show_run(run, as_json=json) if run else command.show_fleet(as_json=json)


def list_runs(
    state: StateName | None = typer.Option(None, help="Only runs in this state."),
    limit: int = typer.Option(20, min=1, max=10_000, help="How many."),
    batch: str | None = typer.Option(None, metavar="BATCH", help="Only those of this batch, in its order."),
    before: str | None = typer.Option(None, metavar="PLACE", help="The next page: `next` of the one before."),
    json: bool = JSON,
) -> int:
    """List runs, the newest first.

    Examples:
      planet-orders list --state failed
      planet-orders list --limit 1000 --json | jq -r '.runs[].order_id'

    --json prints an object, as `GET /v1/runs` does:
      runs (list), next (for --before; null on the last page, and with --batch)
    """
    if batch and before:
        raise typer.BadParameter("the runs of a batch are one page: leave out --before, and raise --limit")
    from worker.cli import listing as command  # noqa: PLC0415 — heavy: only when it is asked for

    return command.list_runs(state.value if state else None, limit, batch, before, as_json=json)


def batch(
    batch: str | None = typer.Argument(None, metavar="[BATCH]", help="Id of a batch; a unique start or end is enough."),
    wait: bool = typer.Option(False, "--wait", help="Show progress until all of its runs have ended."),
    timeout: str | None = typer.Option(None, help="With --wait: stop waiting after this long; the runs go on."),
    json: bool = JSON,
) -> int:
    """Tell how far a batch is and what has become of it; without an id, list the newest batches.

    Several requests that are submitted together are a batch.

    Examples:
      planet-orders batch 8Z3KQ7 --wait
      planet-orders batch 8Z3KQ7 --json | jq .batch.runs

    --json of a batch prints an object, as `GET /v1/batches/{batch_id}/summary` does:
      batch (batch_id, name, ..., requests, refused, elsewhere, runs (count by state), total, ended),
      files, bytes, failures (list, as in `planet-orders failed --json`)
    --json of several prints an object with batches (list), as `GET /v1/batches` does.

    Exit status: 1 if (--wait) a run did not end done or partial, a request was refused, or the time was up.
    """
    from worker.cli import batch as command  # noqa: PLC0415 — heavy: only when it is asked for

    if batch is None:
        return command.list_batches(as_json=json)
    return command.show_batch(batch, wait=wait, timeout=timeout, as_json=json)


def watch(
    runs: list[str] = typer.Argument(None, metavar="[RUN...]", help="Ids of runs; default: everything."),
    batch: str | None = typer.Option(None, metavar="BATCH", help="The runs of this batch."),
    json: bool = JSON,
) -> int:
    """Watch runs and workers live.

    On a terminal it is a screen of bars, of the runs that are named, or of what is under way. In a pipe it prints one
    line for each move of a run. With ids or a batch it ends when these runs have; without, with Ctrl-C. An outage of
    Redis is waited for.

    Examples:
      planet-orders watch
      planet-orders watch 8Z3KQ7
      planet-orders watch --batch 4YN0QE --json | jq -r .state

    --json prints one object a line for each move of a run, beginning with where named runs stand, as `events` does:
      id, run_id, state, stage, at, reason

    Exit status: 1 if a run that was named did not end done or partial, or a request of the batch was refused.
    """
    if runs and batch:
        raise typer.BadParameter("give ids of runs, or --batch")
    from worker.cli import watch as command  # noqa: PLC0415 — heavy: only when it is asked for

    return command.watch(runs or [], batch, as_json=json)


def events(
    follow: bool = typer.Option(False, "--follow", "-f", help="Go on with what comes, until Ctrl-C."),
    run: str | None = typer.Option(None, metavar="RUN", help="Only moves of this run."),
    batch: str | None = typer.Option(None, metavar="BATCH", help="Only moves of this batch's runs."),
    state: list[StateName] = typer.Option(None, help="Only moves into this state; may be repeated."),
    after: str | None = typer.Option(None, metavar="EVENT", help="Begin behind the event with this id."),
    since: str | None = typer.Option(None, help="Begin so long ago: 90m, 2h, 7d."),
    json: bool = JSON,
) -> int:
    """Print moves of runs from state to state, the oldest first.

    Without --follow: all that are kept, which are about the last 10,000. With it: from now on, or from --after or
    --since on. An outage of Redis is waited for, and nothing is left out. Ctrl-C says where to go on.

    Examples:
      planet-orders events --since 1h --state failed --state expired
      planet-orders events --follow --json | while read -r event; do ...; done
      planet-orders events --follow --after 1795401603123-0

    --json prints one object a line:
      id, run_id, state, stage, at, reason
    """
    if after and since:
        raise typer.BadParameter("give --after or --since")
    from worker.cli import events as command  # noqa: PLC0415 — heavy: only when it is asked for

    wanted = command.Wanted(run, batch, [each.value for each in state or ()], after, since)
    return command.show_events(wanted, follow=follow, as_json=json)


def cancel(
    runs: list[str] = typer.Argument(None, metavar="[RUN...]", help="Ids of runs; a unique start or end is enough."),
    batch: str | None = typer.Option(None, metavar="BATCH", help="All runs of this batch that have not ended."),
    json: bool = JSON,
) -> int:
    """Cancel runs and their orders.

    An order is cancelled where Planet still allows it, by the worker that has the run in hand.

    Examples:
      planet-orders cancel 8Z3KQ7 1M4T0C
      planet-orders cancel --batch 4YN0QE

    --json prints one object a line: each run as it is then, as in `list`; of a batch: batch_id, cancelled

    Exit status: 1 if a run could not be cancelled, as it has ended.
    """
    if bool(runs) == bool(batch):
        raise typer.BadParameter("give ids of runs, or --batch")
    from worker.cli import operate  # noqa: PLC0415 — heavy: only when it is asked for

    return operate.cancel_batch(batch, as_json=json) if batch else operate.cancel(runs, as_json=json)


def retry(
    runs: list[str] = _RUNS,
    rebuy: bool = typer.Option(False, "--rebuy", help="Place a new order, which Planet bills anew."),
    json: bool = JSON,
) -> int:
    """Let ended runs go on from the stage they ended in.

    Nothing is bought again without --rebuy. To retry all runs of one cause, see `failed --retry`.

    Examples:
      planet-orders retry 8Z3KQ7

    --json prints one object a line: each run as it is then, as in `list`

    Exit status: 1 if a run could not be retried.
    """
    from worker.cli import operate  # noqa: PLC0415 — heavy: only when it is asked for

    return operate.retry(runs, rebuy=rebuy, as_json=json)


def failed(
    since: str | None = typer.Option(None, help="Only what ended within this time: 90m, 2h, 7d."),
    retry: str | None = typer.Option(None, metavar="CAUSE", help="Let all runs of this cause go on; buys nothing."),
    discard: str | None = typer.Option(None, metavar="ID", help="Forget this entry of what was set aside."),
    yes: bool = typer.Option(False, "--yes", help="Do not ask before --retry."),
    json: bool = JSON,
) -> int:
    """Show why runs failed or expired, by cause, the most frequent first; and what could not be read and was set aside.

    Examples:
      planet-orders failed --since 1d
      planet-orders failed --retry 3f9a01c2 --yes

    --json prints an object:
      causes     (list) cause, state, kind, type, stage, message, runs, first_at, last_at, example, example_message,
                 advice
      set_aside  (list) id, run_id, why, evidence, worker, first_at, last_at, times
    --json with --retry prints one object a line: each run as it is then, as in `list`

    Exit status: 1 if a run could not be retried.
    """
    from worker.cli import failed as command  # noqa: PLC0415 — heavy: only when it is asked for

    if discard:
        return command.discard(discard)
    if retry:
        return command.retry_cause(retry, since, yes=yes, as_json=json)
    return command.show_failures(since, as_json=json)


def verify(
    targets: list[str] = typer.Argument(
        None, metavar="[RUN|FOLDER...]", help="Ids of runs, or folders of orders: paths or URLs."
    ),
    every: bool = typer.Option(False, "--all", help="Every run that has delivered files."),
    repair: bool = typer.Option(False, "--repair", help="Have what is missing or wrong fetched again; buys nothing."),
    json: bool = JSON,
) -> int:
    """Read delivered files again, and hold each against the manifest: missing, wrong size, wrong digest.

    It reads on this machine: a destination on disk must be mounted here. A folder needs no Redis.

    Examples:
      planet-orders verify 8Z3KQ7
      planet-orders verify orders/2887c43b-26be-4bec-8efe-cb9e94f0ef3d
      planet-orders verify --all --repair

    --json prints an array; each entry has
      run_id, folder, files, bytes, problems (what is wrong, by file), error (why it could not be read), repairing

    Exit status: 1 if a file is not as promised, or could not be read.
    """
    from worker.cli import verify as command  # noqa: PLC0415 — heavy: only when it is asked for

    return command.verify(targets or [], every=every, repair=repair, as_json=json)


def add_to(app: typer.Typer) -> None:
    """Register the commands of this module, and submit."""
    app.command("submit", help=help_of(SUBMIT_HELP), rich_help_panel="Order")(submit)
    looks: dict[str, Callable[..., int]] = {
        "status": status,
        "list": list_runs,
        "batch": batch,
        "watch": watch,
        "events": events,
        "failed": failed,
        "verify": verify,
    }
    acts: dict[str, Callable[..., int]] = {"cancel": cancel, "retry": retry}
    for panel, commands in (("Look", looks), ("Act", acts)):
        for name, command in commands.items():
            app.command(name, help=help_of(command), rich_help_panel=panel)(command)
