"""A trace that goes from a producer's HTTP call through real processes, to a collector on real HTTP."""

from __future__ import annotations

import re
import signal

import httpx

from jobs.run import State
from tests.receiver import receiver
from tests.span_reader import read_spans
from tests.stage_rig import request
from tests.waiting import until

from .conftest import Desk

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


async def test_a_call_of_the_http_api_and_all_that_comes_of_it_are_one_trace(desk: Desk) -> None:
    """What was under way as the processes were stopped has been sent, and nothing that is secret."""
    with receiver() as collector:
        settings = {"ORDERS_TRACES": "on", "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
        web = desk.processes.start("web", "--port", "0", **settings)
        worker = await desk.start_worker("w1", **settings)
        address = re.compile(r"http://127\.0\.0\.1:\d+/")
        (url, *_) = await until("web listens", lambda: address.findall(desk.processes.logs()))
        headers = {"traceparent": f"00-{TRACE}-{SPAN}-01"}
        async with httpx.AsyncClient(base_url=url, headers=headers) as client:
            answer = await client.post("/v1/runs", json=request(name="field"))
        run = await desk.queue.run(answer.json()["run_id"]).result(timeout=60)
        for process in (worker, web):
            process.send_signal(signal.SIGTERM)
            process.wait(30)
        spans = read_spans(collector.bodies)

    assert run.state is State.DONE
    assert {span.trace_id for span in spans} == {TRACE}
    (submit,) = [span for span in spans if span.name == "submit"]
    assert (submit.service, submit.parent_id) == ("planet-orders-web", SPAN)
    below = {span.name: span for span in spans if span.parent_id == submit.span_id}
    assert set(below) == {"stage create", "stage wait", "parked at Planet", "stage download", "stage validate"}
    assert {span.service for span in below.values()} == {"planet-orders-worker"}
    requests = {(span.name, span.parent_id) for span in spans if span.name.startswith("planet ")}
    assert ("planet create", below["stage create"].span_id) in requests
    assert ("planet body", below["stage download"].span_id) in requests
    assert {span.attributes["run_id"] for span in below.values()} == {run.run_id}
    sent = b"".join(collector.bodies)
    assert desk.simulator.api_key.encode() not in sent
    assert b"token=" not in sent
