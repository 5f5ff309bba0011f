"""Plain arq functions: their errors are sorted as those of stages are, and decide whether they are tried again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from typing import Any

import structlog
from arq.cron import CronJob
from arq.worker import Function, Retry, RetryJob

from jobs.failures import pause_s, sort_failure
from jobs.policy import Policy
from jobs.run import FailureKind

log = structlog.get_logger(__name__)

AnyFunction = Function | CronJob

_ARQ_COMES_LATER_S = 60  # than our own time limit, since arq's cannot be sorted
_CRON_RESULT_S = 120  # beyond the minute for which arq keeps another worker from running a cron's job once more


def tried_again(
    function: AnyFunction, policy: Policy, *, timeout_s: float, max_tries: int, is_allowed: Callable[[], bool]
) -> AnyFunction:
    """The same function; an error that may pass starts it again after a pause, as long as it has tries left.

    What jobs.failures sorts as temporary has all tries of the function, a bug a few of them, and what no repetition
    helps has one. arq itself tries nothing again that does not raise Retry.

    Arguments:
        function: no stage.
        policy: how patient to be.
        timeout_s: for a function that sets no time limit.
        max_tries: for a function that sets none.
        is_allowed: whether the worker tries jobs again at all.
    """
    name, coroutine = function.name, function.coroutine
    limit_s = timeout_s if function.timeout_s is None else function.timeout_s
    tries = max_tries if function.max_tries is None else function.max_tries

    @wraps(coroutine)
    async def run(ctx: dict[Any, Any], *args: Any, **kwargs: Any) -> Any:
        try:
            return await _within(limit_s, name, coroutine(ctx, *args, **kwargs))
        except (Retry, RetryJob):
            raise
        except Exception as error:
            delay_s = _delay_s(error, ctx["job_try"], tries, policy) if is_allowed() else None
            if delay_s is None:
                raise
            said = sort_failure(error).message
            log.warning("job failed, tried again", job_id=ctx["job_id"], function=name, error=said, delay_s=delay_s)
            raise Retry(defer=delay_s) from error

    return replace(function, coroutine=run, timeout_s=limit_s + _ARQ_COMES_LATER_S)


def run_once(function: AnyFunction) -> AnyFunction:
    """A cron that workers whose clocks differ do not run twice: while its result is kept, arq refuses its job's id.

    A job id of the user's own is that of all its times, and must be free again for the next. Other functions stay.
    """
    if not isinstance(function, CronJob) or function.job_id or not function.unique or function.keep_result_forever:
        return function
    return replace(function, keep_result_s=max(function.keep_result_s or 0, _CRON_RESULT_S))


async def _within(limit_s: float, name: str, work: Any) -> Any:
    try:
        async with asyncio.timeout(limit_s) as limit:
            return await work
    except TimeoutError as error:
        if limit.expired():
            raise TimeoutError(f"{name} had not ended after {limit_s:g} s, and was stopped") from error
        raise


def _delay_s(error: Exception, tried: int, max_tries: int, policy: Policy) -> float | None:
    """The pause before the next try, or None where there is none."""
    kind = sort_failure(error).kind
    if kind is FailureKind.BUG:
        max_tries = min(max_tries, policy.max_faults_of_bugs)
    if kind in {FailureKind.PRODUCER, FailureKind.PLANET} or tried >= max_tries:
        return None
    return max(policy.backoff_s(tried - 1), pause_s(error))
