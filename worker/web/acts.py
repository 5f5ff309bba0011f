"""What a person can do with a run: which buttons its page has, and why one cannot be used."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from jobs.errors import NotPossible
from jobs.moves import By
from jobs.request import Size, size_of
from jobs.resumption import plan_retry
from jobs.run import Run, State
from worker.web.views import RunDetail
from worker.wording import plural, sentence


@dataclass(frozen=True, slots=True)
class Act:
    """One button.

    Attributes:
        name: what it says.
        path: what it POSTs to, below the run's address.
        done: what is told when that was taken.
        question: what is asked before; empty where there is nothing to ask.
        why_not: why it cannot be used; empty where it can.
    """

    name: str
    path: str
    done: str
    question: str = ""
    why_not: str = ""


def acts_of(parts: Sequence[Run]) -> list[Act]:
    """The buttons of a run; a request that was split has those that help one of its parts."""
    acts = [
        Act("Cancel run", "cancel", "The run is {state}.", _question_of_cancel(parts), _why_not(parts, _check_cancel)),
        Act("Retry run", "retry", "The run is {state}.", "", _why_not(parts, _check_retry)),
    ]
    if any(run.state.is_final and run.state is not State.DONE and run.order_id for run in parts):
        acts.append(
            Act("Retry and buy again", "retry?rebuy=true", "Ordered again: {state}.", _question_of_rebuy(parts))
        )
    return acts


def folder_of(run: RunDetail) -> str:
    """Where the files of a run are, or will be, for people; the empty text where that is not known yet."""
    return "/".join(filter(None, [run.destination, run.order_id])) if run.destination else ""


def console_link(destination: str) -> str | None:
    """Where a browser shows a destination; None where that is not known, as of a folder."""
    scheme, _, rest = destination.partition("://")
    bucket, _, prefix = rest.partition("/")
    match scheme:
        case "gs":
            return f"https://console.cloud.google.com/storage/browser/{quote(rest)}"
        case "s3" if not os.environ.get("AWS_ENDPOINT_URL") and not os.environ.get("AWS_ENDPOINT"):
            query = urlencode({"prefix": f"{prefix}/"})
            return f"https://console.aws.amazon.com/s3/buckets/{quote(bucket, safe='')}?{query}"
        case _:
            return None


def _why_not(parts: Sequence[Run], check: Callable[[Run], None]) -> str:
    refusals = []
    for run in parts:
        try:
            check(run)
        except NotPossible as error:
            refusals.append(str(error).removeprefix(f"run {run.run_id}: "))
    return sentence(refusals[0]) if len(refusals) == len(parts) else ""


def _check_cancel(run: Run) -> None:
    if run.state.is_final:
        raise NotPossible(run.run_id, f"it has ended ({run.state}); there is nothing to cancel")
    if run.cancel_requested:
        raise NotPossible(run.run_id, "it is to be cancelled already")


def _check_retry(run: Run) -> None:
    plan_retry(run, By.person(), rebuy=False)


def _question_of_cancel(parts: Sequence[Run]) -> str:
    if any(run.order_id for run in parts):
        return "Cancel this run? Its order is cancelled too, where Planet still allows it."
    return "Cancel this run?"


def _question_of_rebuy(parts: Sequence[Run]) -> str:
    """What a new order costs, as far as the request tells."""
    size = Size.sum(size_of(run.request) for run in parts)
    what = [plural(size.items, "item")] if size.items is not None else []
    what += [f"{size.hectares:,.0f} hectares"] if size.hectares is not None else []
    amount = f", {' and '.join(what)}" if what else ""
    return f"Buy again? This places a new order{amount}, and Planet bills it beside the one there was."
