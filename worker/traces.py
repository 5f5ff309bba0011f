"""Traces: each run is one, from its producer through all stages, told over OTLP to wherever `OTEL_…` says.

This module is imported only where traces are on. A run that was submitted outside any trace gets one that is made from
its id, so that its stages still stand together.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from jobs.outcomes import Again, Finish, Outcome
from jobs.run import Run
from jobs.trace_context import current_traceparent, in_trace
from planet_sdk._version import __version__
from planet_sdk.exceptions import APIError
from planet_sdk.limits import RequestKind

__all__ = ["Traces", "open_traces"]

_CLOSE_S = 3.0  # for the last spans to leave; a process that stops must not wait for a collector that is away
_PROPAGATOR = TraceContextTextMapPropagator()
_trace_id: ContextVar[int] = ContextVar("trace_id", default=0)


class _RunIds(RandomIdGenerator):
    """The trace of a run that has no other."""

    def generate_trace_id(self) -> int:
        return _trace_id.get() or super().generate_trace_id()


class Traces:
    """The spans of one process; made by open_traces()."""

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("planet-orders", __version__)

    async def follow(self, run: Run, deciding: Awaitable[Outcome]) -> Outcome:
        """Wait for what a stage of the run decides, inside its span; requests that it sends are spans below."""
        with _trace_of(run) as context:
            span = self._tracer.start_span(f"stage {run.stage}", context, SpanKind.CONSUMER, _about(run))
        try:
            with trace.use_span(span, record_exception=False, set_status_on_exception=False):
                outcome = await deciding
        except BaseException as error:
            span.set_attribute("outcome", "handed back")
            span.set_status(Status(StatusCode.ERROR, type(error).__name__))
            raise
        else:
            _tell(span, outcome)
            return outcome
        finally:
            span.end()

    def waited(self, run: Run, outcome: Outcome) -> None:
        """A parked run goes on: a span from when it was parked until now."""
        with _trace_of(run) as context:
            start_ns = round(run.updated_at.timestamp() * 1e9)
            span = self._tracer.start_span(
                "parked at Planet", context, SpanKind.INTERNAL, _about(run), start_time=start_ns
            )
        _tell(span, outcome)
        span.end(max(start_ns, round(datetime.now(UTC).timestamp() * 1e9)))

    @contextmanager
    def request(self, kind: RequestKind) -> Iterator[Span | None]:
        """A request to Planet or to storage, its turn in the fleet's budget included; not those of no stage.

        The address is not told: links to files are as good as keys.
        """
        if not trace.get_current_span().is_recording():
            yield None
            return
        span = self._tracer.start_span(f"planet {kind}", kind=SpanKind.CLIENT, attributes={"kind": kind.value})
        try:
            yield span
        except BaseException as error:
            if isinstance(error, APIError) and error.status:
                span.set_attribute("http.response.status_code", int(error.status))
            span.set_status(Status(StatusCode.ERROR, type(error).__name__))
            raise
        finally:
            span.end()

    @contextmanager
    def submitting(self) -> Iterator[None]:
        """A span in the trace of whoever submits; what is submitted inside belongs to it."""
        context = _context_of(current_traceparent())
        with self._tracer.start_as_current_span("submit", context, SpanKind.PRODUCER), in_trace(None):
            yield

    async def aclose(self) -> None:
        """Send what has not been sent yet, as far as that goes within seconds."""
        sending = threading.Thread(target=self._provider.shutdown, name="last spans", daemon=True)
        sending.start()
        await asyncio.to_thread(sending.join, _CLOSE_S)


def open_traces(service: str, processor: SpanProcessor | None = None) -> Traces:
    """Traces as the standard `OTEL_…` variables want them: endpoint, headers, sampler, resource.

    Args:
        service: the name of this process's kind, where `OTEL_SERVICE_NAME` gives none.
        processor: takes the spans; without one they are sent over OTLP, by HTTP.
    """
    resource = Resource.create()
    if str(resource.attributes.get(SERVICE_NAME, "unknown_service")).startswith("unknown_service"):
        resource = resource.merge(Resource({SERVICE_NAME: service}))
    provider = TracerProvider(resource=resource, id_generator=_RunIds(), shutdown_on_exit=False)
    provider.add_span_processor(processor or BatchSpanProcessor(OTLPSpanExporter()))
    return Traces(provider)


@contextmanager
def _trace_of(run: Run) -> Iterator[Context]:
    """The context that the run's spans are made in: below its producer's span, or at the top of a trace of its own."""
    token = _trace_id.set(int.from_bytes(sha256(run.run_id.encode()).digest()[:16]))
    try:
        yield _context_of(run.traceparent)
    finally:
        _trace_id.reset(token)


def _context_of(traceparent: str | None) -> Context:
    return _PROPAGATOR.extract({"traceparent": traceparent} if traceparent else {}, Context())


def _about(run: Run) -> Mapping[str, Any]:
    known = {"run_id": run.run_id, "stage": run.stage.value, "try": max(1, run.tries), "order_id": run.order_id}
    return {name: value for name, value in known.items() if value is not None}


def _tell(span: Span, outcome: Outcome) -> None:
    """What came of it, in words that logs and runs show as well."""
    span.set_attribute("outcome", type(outcome).__name__.lower())
    if isinstance(outcome, Finish):
        span.set_attribute("state", outcome.state.value)
    if order_id := outcome.facts.get("order_id"):
        span.set_attribute("order_id", order_id)
    if isinstance(outcome, Again | Finish) and outcome.failure:
        span.set_status(Status(StatusCode.ERROR, outcome.failure.message))
