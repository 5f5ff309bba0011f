"""A run's trace: from its producer's span through all stages."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from jobs import BlockingOrderQueue
from jobs.outcomes import Again, Outcome
from jobs.run import Failure, FailureKind, Run, State
from jobs.trace_context import current_traceparent, in_trace
from planet_sdk.exceptions import TooManyRequests
from planet_sdk.limits import LocalLimiter, RequestKind
from tests.fleet_rig import Fleet
from tests.processes import clean_environment
from tests.stage_rig import request
from tests.unit.test_board import new_run
from worker.metered import MeteredLimiter, Meters, traces_of
from worker.settings import Settings
from worker.traces import Traces, open_traces

ROOT = Path(__file__).parents[2]
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01"


def producers_span() -> Any:
    """As a producer is in one who uses OpenTelemetry, whatever it sends its spans with."""
    context = SpanContext(int(TRACE, 16), int(SPAN, 16), is_remote=False, trace_flags=TraceFlags(1))
    return trace.use_span(NonRecordingSpan(context))


@pytest.fixture
def sent() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def traces(sent: InMemorySpanExporter) -> Traces:
    return open_traces("test", SimpleSpanProcessor(sent))


# What a run carries


async def test_a_run_carries_the_span_it_was_submitted_in(fleet: Fleet) -> None:
    with producers_span():
        alone = await fleet.queue.submit(request(name="alone"))
        batch = await fleet.queue.submit_batch([request(name="first"), request(name="second")])
    outside = await fleet.queue.submit(request(name="outside"))

    assert (await alone.status()).traceparent == PARENT
    assert [run.traceparent async for run in batch.runs()] == [PARENT, PARENT]
    assert (await outside.status()).traceparent is None


def test_the_blocking_twin_carries_it_to_its_loop(redis_url: str) -> None:
    with BlockingOrderQueue.connect(redis_url) as queue, producers_span():
        assert queue.submit(request(name="blocking"), again=True).status().traceparent == PARENT


@pytest.mark.parametrize(
    "text", ["", "7", PARENT.replace("4", "g"), f"00-{'0' * 32}-{SPAN}-01", f"ff{PARENT[2:]}", f"{PARENT}\n"]
)
def test_a_header_that_is_no_traceparent_is_none(text: str) -> None:
    with in_trace(text):
        assert current_traceparent() is None


def test_a_header_of_a_later_version_is_read_as_ours() -> None:
    with in_trace(f"01{PARENT[2:]}-more"):
        assert current_traceparent() == PARENT


def test_while_traces_are_off_a_worker_loads_nothing_of_opentelemetry() -> None:
    """It takes longer to load than many a run takes."""
    code = "import sys, jobs, worker.serve; print([name for name in sys.modules if 'opentelemetry' in name])"
    answer = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert answer.stdout.strip() == "[]"


# What workers tell


async def run_to_its_end(fleet: Fleet, traces: Traces) -> Run:
    """A run that was submitted in the producer's span, or in none, and its whole way."""
    handle = await fleet.queue.submit(request(name="field"))
    async with fleet.worker() as worker:
        assert worker.stages
        worker.stages.traces = traces
        return await handle.result(timeout=60)


async def test_each_stage_is_a_span_below_the_producers(
    fleet: Fleet, traces: Traces, sent: InMemorySpanExporter
) -> None:
    with producers_span():
        run = await run_to_its_end(fleet, traces)
    spans = sent.get_finished_spans()

    assert run.state is State.DONE
    assert [span.name for span in spans] == [
        "stage create",
        "stage wait",
        "parked at Planet",
        "stage download",
        "stage validate",
    ]
    assert {f"{span.context.trace_id:032x}" for span in spans if span.context} == {TRACE}
    assert {f"{span.parent.span_id:016x}" for span in spans if span.parent} == {SPAN}
    told = [dict(span.attributes or {}) for span in spans]
    assert {each["run_id"] for each in told} == {run.run_id}
    assert {each["order_id"] for each in told} == {run.order_id}
    assert [each["outcome"] for each in told] == ["advance", "park", "advance", "advance", "finish"]
    assert told[-1]["state"] == "done"
    assert told[0]["stage"] == "create"
    assert told[0]["try"] == 1


async def test_a_run_of_nobodys_trace_has_one_of_its_own(
    fleet: Fleet, traces: Traces, sent: InMemorySpanExporter
) -> None:
    await run_to_its_end(fleet, traces)
    spans = sent.get_finished_spans()

    assert len(spans) == 5
    assert len({span.context.trace_id for span in spans if span.context}) == 1
    assert {span.parent for span in spans} == {None}


async def test_what_its_producer_does_not_sample_is_not_told(
    fleet: Fleet, traces: Traces, sent: InMemorySpanExporter
) -> None:
    with in_trace(f"00-{TRACE}-{SPAN}-00"):
        await run_to_its_end(fleet, traces)

    assert sent.get_finished_spans() == ()


async def test_a_failure_is_a_failed_span_and_a_job_handed_back_too(traces: Traces, sent: InMemorySpanExporter) -> None:
    async def fail() -> Outcome:
        failure = Failure(kind=FailureKind.TEMPORARY, type="E", message="Planet answered 503")
        return Again(1, "later", failure=failure)

    async def be_taken_away() -> Outcome:
        raise asyncio.CancelledError

    await traces.follow(new_run(), fail())
    with pytest.raises(asyncio.CancelledError):
        await traces.follow(new_run(), be_taken_away())
    failed, taken = sent.get_finished_spans()

    assert failed.status.description == "Planet answered 503"
    assert not failed.status.is_ok
    assert (taken.attributes or {})["outcome"] == "handed back"
    assert not taken.status.is_ok


async def test_requests_are_spans_below_their_stages_and_no_address_is_told(
    traces: Traces, sent: InMemorySpanExporter
) -> None:
    limiter = MeteredLimiter(LocalLimiter({}), Meters(traces=traces))

    async def ask() -> Outcome:
        async with limiter.slot(RequestKind.GET):
            pass
        with pytest.raises(TooManyRequests):
            async with limiter.slot(RequestKind.LINK):
                raise TooManyRequests("at https://planet.example/file?token=secret", status=429)
        return Again(1, "later")

    async with limiter.slot(RequestKind.LIST):
        pass  # of no stage: the watcher's
    await traces.follow(new_run(), ask())
    get, link, stage = sent.get_finished_spans()

    assert (get.name, link.name) == ("planet get", "planet link")
    assert get.parent == link.parent == stage.context
    assert (link.attributes or {})["http.response.status_code"] == 429
    assert "secret" not in "".join(span.to_json() for span in (get, link, stage))


def test_traces_without_what_sends_them_are_a_clear_error() -> None:
    code = """
import sys
sys.modules["opentelemetry.sdk"] = None
from worker.cli.app import main
sys.argv = ["planet-orders", "web", "--port", "0"]
sys.exit(main())
"""
    answer = subprocess.run(
        [sys.executable, "-c", code],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        env={**clean_environment(), "ORDERS_TRACES": "on", "REDIS_URL": "unix:///nowhere", "PYTHONPATH": str(ROOT)},
    )

    assert answer.returncode != 0
    assert "pip install 'planet-order-worker[traces]'" in answer.stderr + answer.stdout
    assert "Traceback" not in answer.stderr


def test_traces_that_are_off_are_none() -> None:
    assert traces_of(Settings(), "planet-orders-worker") is None
