"""The commands for runs: what they take, and their help. The work is done in a module each."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

import typer

from worker.cli.help_text import help_of

_JSON = typer.Option(False, "--json", help="Print JSON, for programs.")
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


def submit(
    files: list[str] = typer.Argument(None, metavar="[FILE...]", help="Files of requests; - is standard input."),
    key: str | None = typer.Option(
        None, help="Makes it idempotent: the same key is the same run. Of several requests, number n gets KEY-n."
    ),
    destination: str | None = typer.Option(
        None, help="Folder or URL (file, s3, gs, az) for the files; default: the fleet's own."
    ),
    producer: str | None = typer.Option(
        None, help="Who asks; producers take turns in placing orders. Default: user@host."
    ),
    priority: str = typer.Option("normal", help="high, normal or low: whose orders are placed first."),
    name: str = typer.Option("", help="What several requests are called together, for people to read."),
    callback: str | None = typer.Option(
        None, metavar="URL", help="Told of the end, of all where there are several: see docs/batches.md."
    ),
    deadline: str | None = typer.Option(None, help="When to give up: 90m, 2h, 7d, 1h30m, or a time with its zone."),
    wait: bool = typer.Option(False, "--wait", help="Show progress until all have ended."),
    timeout: str | None = typer.Option(None, help="With --wait: stop waiting after this long; the runs go on."),
    again: bool = typer.Option(
        False, "--again", help="Order it even if the very same request was ordered within the last days."
    ),
    dry_run: bool = typer.Option(
        False, "--dry-run", help="Do all that comes before ordering, and print what would be ordered."
    ),
    skip_bad: bool = typer.Option(False, "--skip-bad", help="Submit the good requests even if others are bad."),
    allow_unknown: bool = typer.Option(
        False, "--allow-unknown", help="Let unknown item types, bundles and fields pass; Planet decides."
    ),
    json: bool = _JSON,
) -> int:
    """Put order requests into the queue and print run ids.

    A file holds one request, a JSON array of requests, or one request a line (NDJSON). Each is checked before anything
    is enqueued: if one is bad, none goes in, unless --skip-bad is given. Several are a batch: see `batch --help`.

    Without --key, the very same request, its name included, is not ordered twice within ORDERS_SAME_REQUEST_DAYS: the
    id of the run that has it is printed, with "ordered before" behind it. --again orders it all the same.

    Examples:
      planet-orders submit order.json --key field-7-2026-11
      planet-orders submit orders/*.json --destination s3://imagery/2026 --deadline 2d
      generate-requests | planet-orders submit --skip-bad --wait

    --json prints an array; each entry has
      run_id, created (false: the key or the request had this run already), ordered_before (true: the request had),
      place (file and line), key, batch_id, and with --wait: state, error

    --dry-run checks the requests, looks at the destination, at keys and runs, at the caps in the settings of this
    process, and has Planet read the key; nothing is written, nothing is ordered. It prints each request that would be
    sent, without its secrets, as a line of JSON; with --json an array, in which each entry has
      place, would ("order", "known", "ordered before"), run_id, items, hectares (of the area, times the items),
      requests (more than one, where there are more items than one order holds)

    Exit status: 1 if a key belongs to another request, a cap would be exceeded (--dry-run), or a run did not end done
    or partial (--wait); 3 if Redis, or Planet (--dry-run), cannot be reached.
    """
    from worker.cli import submit as command  # noqa: PLC0415 — heavy: only when it is asked for

    terms = command.Terms(
        key=key,
        destination=destination,
        producer=producer,
        priority=priority,
        name=name,
        callback=callback,
        deadline=deadline,
        allow_unknown=allow_unknown,
        again=again,
        dry_run=dry_run,
        skip_bad=skip_bad,
        wait=wait,
        timeout=timeout,
        as_json=json,
    )
    return command.submit(files or [], terms)


def status(
    run: str | None = typer.Argument(None, metavar="[RUN]", help="Id of a run; a unique start or end is enough."),
    json: bool = _JSON,
) -> int:
    """Tell the story of one run; without an id, how the fleet is.

    Examples:
      planet-orders status
      planet-orders status 8Z3KQ7 --json

    --json of a run:      run (its record), history (list), files (list), log (list: last lines of stages that failed)
    --json of the fleet:  runs (count by state), workers (list), oldest_queued
    """
    from worker.cli import status as command  # noqa: PLC0415 — heavy: only when it is asked for

    return command.show_run(run, as_json=json) if run else command.show_fleet(as_json=json)


def list_runs(
    state: StateName | None = typer.Option(None, help="Only runs in this state."),
    limit: int = typer.Option(20, min=1, max=10_000, help="How many."),
    batch: str | None = typer.Option(None, metavar="BATCH", help="Only those of this batch, in its order."),
    json: bool = _JSON,
) -> int:
    """List runs, the newest first.

    Examples:
      planet-orders list --state failed
      planet-orders list --limit 1000 --json | jq -r '.[].order_id'

    --json prints an array of the runs' records.
    """
    from worker.cli import listing as command  # noqa: PLC0415 — heavy: only when it is asked for

    return command.list_runs(state.value if state else None, limit, batch, as_json=json)


def batch(
    batch: str | None = typer.Argument(None, metavar="[BATCH]", help="Id of a batch; a unique start or end is enough."),
    wait: bool = typer.Option(False, "--wait", help="Show progress until all of its runs have ended."),
    timeout: str | None = typer.Option(None, help="With --wait: stop waiting after this long; the runs go on."),
    json: bool = _JSON,
) -> int:
    """Tell how far a batch is and what has become of it; without an id, list the newest batches.

    Several requests that are submitted together are a batch.

    Examples:
      planet-orders batch 8Z3KQ7 --wait
      planet-orders batch 8Z3KQ7 --json | jq .runs

    --json of a batch prints an object:
      batch_id, name, producer, key, created_at, submitted_at, ended_at, requests, refused, elsewhere,
      runs (count by state), files, bytes, failures (list, as in `planet-orders failed --json`)
    --json of several prints an array of the same, without files, bytes and failures.

    Exit status: 1 if (--wait) a run did not end done or partial, a request was refused, or the time was up.
    """
    from worker.cli import batch as command  # noqa: PLC0415 — heavy: only when it is asked for

    if batch is None:
        return command.list_batches(as_json=json)
    return command.show_batch(batch, wait=wait, timeout=timeout, as_json=json)


def watch(
    runs: list[str] = typer.Argument(None, metavar="[RUN...]", help="Ids of runs; default: everything."),
    batch: str | None = typer.Option(None, metavar="BATCH", help="The runs of this batch."),
    json: bool = _JSON,
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
    json: bool = _JSON,
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
) -> int:
    """Cancel runs and their orders.

    An order is cancelled where Planet still allows it, by the worker that has the run in hand.
    """
    if bool(runs) == bool(batch):
        raise typer.BadParameter("give ids of runs, or --batch")
    from worker.cli import operate  # noqa: PLC0415 — heavy: only when it is asked for

    return operate.cancel_batch(batch) if batch else operate.cancel(runs)


def retry(
    runs: list[str] = _RUNS,
    rebuy: bool = typer.Option(False, "--rebuy", help="Place a new order, which Planet bills anew."),
) -> int:
    """Let ended runs go on from the stage they ended in.

    Nothing is bought again without --rebuy.
    """
    from worker.cli import operate  # noqa: PLC0415 — heavy: only when it is asked for

    return operate.retry(runs, rebuy=rebuy)


def failed(
    since: str | None = typer.Option(None, help="Only what ended within this time: 90m, 2h, 7d."),
    retry: str | None = typer.Option(None, metavar="CAUSE", help="Let all runs of this cause go on; buys nothing."),
    discard: str | None = typer.Option(None, metavar="ID", help="Forget this entry of what was set aside."),
    yes: bool = typer.Option(False, "--yes", help="Do not ask before --retry."),
    json: bool = _JSON,
) -> int:
    """Show why runs failed or expired, by cause, the most frequent first; and what could not be read and was set aside.

    Examples:
      planet-orders failed --since 1d
      planet-orders failed --retry 3f9a01c2 --yes

    --json prints an object:
      causes     (list) cause, state, kind, type, stage, message, runs, first_at, last_at, example, example_message,
                 advice
      set_aside  (list) id, run_id, why, evidence, worker, first_at, last_at, times

    Exit status: 1 if a run could not be retried.
    """
    from worker.cli import failed as command  # noqa: PLC0415 — heavy: only when it is asked for

    if discard:
        return command.discard(discard)
    if retry:
        return command.retry_cause(retry, since, yes=yes)
    return command.show_failures(since, as_json=json)


def verify(
    targets: list[str] = typer.Argument(
        None, metavar="[RUN|FOLDER...]", help="Ids of runs, or folders of orders: paths or URLs."
    ),
    every: bool = typer.Option(False, "--all", help="Every run that has delivered files."),
    repair: bool = typer.Option(False, "--repair", help="Have what is missing or wrong fetched again; buys nothing."),
    json: bool = _JSON,
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
    """Register the commands of this module."""
    commands: dict[str, Callable[..., int]] = {
        "submit": submit,
        "status": status,
        "list": list_runs,
        "batch": batch,
        "watch": watch,
        "events": events,
        "cancel": cancel,
        "retry": retry,
        "failed": failed,
        "verify": verify,
    }
    for name, command in commands.items():
        app.command(name, help=help_of(command))(command)
