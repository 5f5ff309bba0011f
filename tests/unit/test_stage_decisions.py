"""What stages decide from what they see, without a server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.abreast import abreast
from jobs.context import StageContext
from jobs.destination import open_destination
from jobs.ending import reason_to_end
from jobs.orders import facts_of, find_orders, read_order, valid_id
from jobs.outcomes import Advance, Finish
from jobs.run import FailureKind, Stage, State, encode_facts
from jobs.stages.download import _folder
from jobs.watch import judge
from planet_sdk import OrdersClient
from planet_sdk.exceptions import ClientError
from tests.stage_rig import START, MemoryNotebook, new_run, request

RUN = new_run(order_id=str(UUID(int=7)))


class ListedOrders:
    """An OrdersClient of which nothing but the list is asked; its filter does not work."""

    def __init__(self, *orders: dict[str, Any]) -> None:
        self._orders = orders

    async def list_orders(self, **_: Any) -> AsyncIterator[dict[str, Any]]:
        for order in self._orders:
            yield order


def listed(number: int, name: str = RUN.order_name, **more: Any) -> dict[str, Any]:
    created_on = datetime(2026, 11, 2, 12, number, tzinfo=UTC).isoformat()
    return {"id": str(UUID(int=number)), "name": name, "state": "queued", "created_on": created_on, **more}


async def found(*orders: dict[str, Any]) -> list[int]:
    client = cast("OrdersClient", ListedOrders(*orders))
    return [UUID(order["id"]).int for order in await find_orders(client, RUN)]


async def test_a_list_that_ignores_its_filter_leads_to_no_foreign_order() -> None:
    assert await found(listed(1, name="field 7"), listed(2), listed(3, name=f"{RUN.order_name}-2")) == [2]


async def test_the_oldest_comes_first_whatever_the_order_of_the_list() -> None:
    assert await found(listed(3), listed(1), listed(2)) == [1, 2, 3]


async def test_an_order_that_failed_comes_after_those_that_live() -> None:
    assert await found(listed(1, state="failed"), listed(2), listed(3, state="cancelled")) == [2, 1, 3]


async def test_orders_without_an_id_or_a_time_do_no_harm() -> None:
    odd = [listed(1, created_on=None), listed(2, created_on="2026-11-02T12:00:00"), listed(3, id=None)]
    assert await found(*odd) == [2, 1]


@pytest.mark.parametrize("order_id", [None, 5, "", "x", "../../etc", "urn:uuid:00000000-0000-0000-0000-000000000001"])
def test_what_is_no_uuid_is_no_order_id(order_id: object) -> None:
    assert valid_id({"id": order_id}) is None


@pytest.mark.parametrize("order_id", [str(UUID(int=7)), UUID(int=7).hex, str(UUID(int=2**127 + 11)).upper()])
def test_an_order_id_is_a_uuid_in_any_dress(order_id: str) -> None:
    assert valid_id({"id": order_id}) == order_id


@pytest.mark.parametrize("state", ["queued", "running", "starting", "brand-new", None, 5])
def test_an_order_in_any_state_but_a_final_one_lets_the_run_wait(state: object) -> None:
    assert judge(RUN, {"state": state}) is None


@pytest.mark.parametrize("state", ["success", "partial"])
def test_a_delivered_order_is_downloaded(state: str) -> None:
    outcome = judge(RUN, {"state": state, "last_message": "Manifest delivery completed"})
    assert isinstance(outcome, Advance)
    assert outcome.stage is Stage.DOWNLOAD
    assert outcome.facts["order_state"] == state


def test_a_failed_order_ends_the_run_with_its_hints() -> None:
    outcome = judge(RUN, {"state": "failed", "last_message": "Quota check failed", "error_hints": ["buy more"]})
    assert isinstance(outcome, Finish)
    assert outcome.failure is not None
    assert outcome.failure.kind is FailureKind.PLANET
    assert "Quota check failed (buy more)" in outcome.reason


def test_a_partial_order_that_planet_delivers_to_a_cloud_ends_partial() -> None:
    run = new_run(request=request(delivery={"google_earth_engine": {"project": "p", "collection": "c"}}))
    outcome = judge(run, {"state": "partial"})
    assert isinstance(outcome, Finish)
    assert outcome.state is State.PARTIAL
    assert "google_earth_engine collection c" in outcome.reason


TEXT = st.text(st.characters(exclude_categories=[]), max_size=5)  # halves of surrogate pairs included
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None, max_examples=60)
@given(st.dictionaries(st.sampled_from(["state", "last_message", "error_hints", "name", "id"]), JSON))
def test_whatever_an_order_says_can_be_judged_and_kept(order: dict[str, Any]) -> None:
    outcome = judge(RUN, order)
    kept = encode_facts(facts_of(order)) | {"reason": outcome.reason if outcome else ""}
    assert all(text.encode() or not text for text in kept.values())


def test_endless_hints_are_cut() -> None:
    facts = facts_of({"error_hints": ["x" * 10_000] * 1_000, "last_message": "y" * 1_000_000})
    assert sum(map(len, encode_facts(facts).values())) < 30_000


def test_hints_that_are_nested_too_deep_do_no_harm() -> None:
    hints: list[Any] = []
    for _ in range(100_000):
        hints = [hints]
    assert "too deep" in facts_of({"error_hints": hints})["error_hints"][0]


def test_what_is_kept_of_an_order_tells_no_link() -> None:
    link = 'see https://planet.example/a?token=secret" and on'

    facts = facts_of({"last_message": link, "error_hints": [link, {"text": [link]}]})

    assert "secret" not in str(facts)
    assert facts["order_message"] == 'see https://planet.example/a?..." and on'
    assert facts["error_hints"] == [facts["order_message"], {"text": [facts["order_message"]]}]


def test_what_a_server_says_cannot_drive_a_terminal() -> None:
    outcome = judge(RUN, {"state": "failed", "last_message": "\x1b[2Jgone\r\nHost: x"})
    assert outcome is not None
    assert outcome.reason.isprintable()


@pytest.mark.parametrize("answer", [[], "a page", {"id": str(UUID(int=8)), "state": "success"}])
async def test_an_answer_that_is_not_the_order_is_not_believed(answer: object) -> None:
    class Odd:
        async def get_order(self, _: str) -> object:
            return answer

    with pytest.raises(ClientError, match="is not that order"):
        await read_order(cast("OrdersClient", Odd()), str(UUID(int=7)))


def test_a_wish_to_cancel_comes_before_a_deadline() -> None:
    late = new_run(deadline_at=START, cancel_requested=True)
    assert reason_to_end(late, START) == (State.CANCELLED, "cancelled on request")
    assert reason_to_end(new_run(deadline_at=START + timedelta(seconds=1)), START) is None
    expired = reason_to_end(new_run(deadline_at=START), START)
    assert expired is not None
    assert expired[0] is State.EXPIRED


def context(folder: Path, destination: str = "") -> StageContext:
    return StageContext(
        orders=cast("OrdersClient", ListedOrders()),
        destination=open_destination(destination or str(folder)),
        notebook=MemoryNotebook(),
        staging=folder,
    )


def test_names_without_the_order_id_get_a_folder_of_it(tmp_path: Path) -> None:
    full = {"_links": {"results": [{"name": f"{RUN.order_id}/PSScene/a.tif"}]}}
    bare = {"_links": {"results": [{"name": "a.tif"}, {"name": "manifest.json"}]}}

    assert _folder(RUN, context(tmp_path), full) == tmp_path
    assert _folder(RUN, context(tmp_path), bare) == tmp_path / (RUN.order_id or "")


async def test_abreast_keeps_the_order_and_raises_the_error_itself() -> None:
    async def halve(number: int) -> int:
        if number % 2:
            raise ValueError(number)
        return number // 2

    assert await abreast(halve, [8, 2, 4], 2) == [4, 1, 2]
    with pytest.raises(ValueError, match="3"):
        await abreast(halve, [2, 3, 4], 1)
