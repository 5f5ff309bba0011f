"""`planet-orders submit`: what it takes, and its help."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from worker.cli.help_text import JSON


class PriorityName(StrEnum):
    """As jobs.line.Priority, whose import is slow; a test holds the two together."""

    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


_Files = Annotated[
    list[str] | None, typer.Argument(metavar="[FILE...]", help="Files of requests; - is standard input.")
]
_Key = Annotated[
    str | None,
    typer.Option(help="Makes it idempotent: the same key is the same run. Of several requests, number n gets KEY-n."),
]
_Destination = Annotated[
    str | None, typer.Option(help="Folder or URL (file, s3, gs, az) for the files; default: the fleet's own.")
]
_Producer = Annotated[
    str | None, typer.Option(help="Who asks; producers take turns in placing orders. Default: user@host.")
]
_Priority = Annotated[PriorityName, typer.Option(help="Whose orders are placed first.")]
_Name = Annotated[str, typer.Option(help="What several requests are called together, for people to read.")]
_Callback = Annotated[
    str | None,
    typer.Option(metavar="URL", help="Told of the end, of all where there are several: see docs/batches.md."),
]
_Deadline = Annotated[str | None, typer.Option(help="When to give up: 90m, 2h, 7d, 1h30m, or a time with its zone.")]
_Wait = Annotated[bool, typer.Option("--wait", help="Show progress until all have ended.")]
_Timeout = Annotated[str | None, typer.Option(help="With --wait: stop waiting after this long; the runs go on.")]
_Again = Annotated[
    bool, typer.Option("--again", help="Order it even if the very same request was ordered within the last days.")
]
_DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Do all that comes before ordering, and print what would be ordered.")
]
_SkipBad = Annotated[bool, typer.Option("--skip-bad", help="Submit the good requests even if others are bad.")]
_AllowUnknown = Annotated[
    bool,
    typer.Option("--allow-unknown", help="Let unknown item types, bundles and fields pass; Planet decides."),
]

HELP = """Put order requests into the queue and print run ids.

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


def submit(
    files: _Files = None,
    key: _Key = None,
    destination: _Destination = None,
    producer: _Producer = None,
    priority: _Priority = PriorityName.NORMAL,
    name: _Name = "",
    callback: _Callback = None,
    deadline: _Deadline = None,
    wait: _Wait = False,
    timeout: _Timeout = None,
    again: _Again = False,
    dry_run: _DryRun = False,
    skip_bad: _SkipBad = False,
    allow_unknown: _AllowUnknown = False,
    json: bool = JSON,
) -> int:
    """Put order requests into the queue and print run ids."""
    from worker.cli import submit as command  # noqa: PLC0415 — heavy: only when it is asked for

    terms = command.Terms(
        key=key,
        destination=destination,
        producer=producer,
        priority=priority.value,
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
