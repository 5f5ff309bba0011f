"""Looking for a run: on the page and over the API, by what people have in hand."""

from __future__ import annotations

import re

import httpx
import pytest

from jobs.outcomes import Advance, Finish
from jobs.run import Stage, State

from .conftest import Fleet

RUN_ID = "01JD0000000000000000000001"
ORDER_ID = "2887c43b-26be-4bec-8efe-cb9e94f0ef3d"


@pytest.mark.parametrize("text", [RUN_ID, ORDER_ID, "field-7 of 2026", f" {RUN_ID} "])
async def test_an_id_an_order_and_a_key_lead_to_their_run(web: httpx.AsyncClient, fleet: Fleet, text: str) -> None:
    await fleet.submit("R0", name=f"not {RUN_ID}")
    await fleet.submit(RUN_ID, key="field-7 of 2026")
    await fleet.move(RUN_ID, Advance(Stage.WAIT, "created", {"order_id": ORDER_ID}))

    page = await web.get("/runs", params={"search": text})
    said = (await web.get("/v1/runs", params={"search": text})).json()

    assert (page.status_code, page.headers["location"]) == (303, f"/runs/{RUN_ID}")
    assert [run["run_id"] for run in said["runs"]] == [RUN_ID]


async def test_a_piece_of_a_name_filters_together_with_the_rest_of_the_address(
    web: httpx.AsyncClient, fleet: Fleet
) -> None:
    for run_id, name, producer in (("R1", "North field", "a"), ("R2", "north pole", "a"), ("R3", "northern", "b")):
        await fleet.submit(run_id, name=name, producer=producer)
    await fleet.move("R2", Finish(State.FAILED, "no"))
    asked = {"search": "NORTH", "producer": "a", "state": "queued"}

    text = (await web.get("/runs", params=asked)).text
    said = (await web.get("/v1/runs", params=asked)).json()

    assert re.findall(r'data-run-id="(\w+)"', text) == ["R1"]
    assert [run["run_id"] for run in said["runs"]] == ["R1"]
    assert 'value="NORTH"' in text
    assert 'href="/runs?state=failed&amp;producer=a&amp;search=NORTH"' in text


async def test_a_form_that_was_left_empty_asks_for_all(web: httpx.AsyncClient, fleet: Fleet) -> None:
    await fleet.submit("R1")

    text = (await web.get("/runs?search=&producer=&batch_id=&state=")).text

    assert 'data-run-id="R1"' in text


async def test_what_is_not_there_is_said_so(web: httpx.AsyncClient, fleet: Fleet) -> None:
    await fleet.submit("R1")

    assert "No run that is asked for." in (await web.get("/runs?search=nowhere")).text
