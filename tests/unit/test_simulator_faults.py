from __future__ import annotations

import random

import pytest

from planet_sdk.simulator import Fault, FaultKind, FaultPlan
from planet_sdk.simulator.faults import Faults

SCENE = ("order/PSScene/scene.tif", "PSScene/scene.tif", "scene.tif")


@pytest.fixture
def faults() -> Faults:
    return Faults(FaultPlan())


def test_a_fault_strikes_as_often_as_it_was_asked_to(faults: Faults) -> None:
    faults.add(Fault(kind=FaultKind.ERROR, endpoint="get", times=2))

    assert [FaultKind.ERROR in faults.take("get", ("order",)) for _ in range(3)] == [True, True, False]


def test_a_fault_without_times_strikes_until_it_is_cleared(faults: Faults) -> None:
    faults.add(Fault(kind=FaultKind.ERROR, times=None))
    assert all(faults.take("get", ("order",)) for _ in range(10))

    faults.clear()

    assert faults.take("get", ("order",)) == {}


def test_a_fault_waits_for_its_endpoint_and_its_file(faults: Faults) -> None:
    faults.add(Fault(kind=FaultKind.CUT_BODY, endpoint="storage", subject="scene.tif"))

    assert faults.take("link", SCENE) == {}
    assert faults.take("storage", ("order/other.tif", "other.tif")) == {}
    assert set(faults.take("storage", SCENE)) == {FaultKind.CUT_BODY}


def test_several_faults_of_a_body_meet_in_one_reply(faults: Faults) -> None:
    for kind in (FaultKind.NO_ETAG, FaultKind.RANGE_IGNORED):
        faults.add(Fault(kind=kind))

    assert set(faults.take("storage", SCENE)) == {FaultKind.NO_ETAG, FaultKind.RANGE_IGNORED}


def test_a_fault_that_replaces_the_answer_leaves_those_of_the_body_waiting(faults: Faults) -> None:
    faults.add(Fault(kind=FaultKind.CUT_BODY))
    faults.add(Fault(kind=FaultKind.ERROR))

    assert [set(faults.take("storage", SCENE)) for _ in range(2)] == [{FaultKind.ERROR}, {FaultKind.CUT_BODY}]


def test_faults_of_bodies_do_not_strike_the_api(faults: Faults) -> None:
    faults.add(Fault(kind=FaultKind.CUT_BODY))

    assert faults.take("get", ("order",)) == {}


def test_a_plan_gives_each_request_the_same_fate_in_whatever_order_they_come() -> None:
    """A seed reproduces a run although parallel requests never arrive in the same order."""
    requests = [f"order {number}" for number in range(200)] * 3
    shuffled = requests.copy()
    random.Random(1).shuffle(shuffled)

    def fate(order: list[str]) -> dict[str, list[bool]]:
        faults = Faults(FaultPlan(seed=7, rates={FaultKind.ERROR: 0.3}))
        struck: dict[str, list[bool]] = {}
        for subject in order:
            struck.setdefault(subject, []).append(bool(faults.take("get", (subject,))))
        return struck

    assert fate(requests) == fate(shuffled)


def test_a_plan_keeps_its_rate() -> None:
    faults = Faults(FaultPlan(rates={FaultKind.DROP_REPLY: 0.1}))

    hits = sum(bool(faults.take("create", (f"order {number}",))) for number in range(2000))

    assert 140 < hits < 260
    assert faults.struck == {"drop_reply": hits}


def test_a_plan_can_be_bounded_for_each_subject() -> None:
    faults = Faults(FaultPlan(rates={FaultKind.ERROR: 1.0}, at_most=2))

    assert [bool(faults.take("get", ("order",))) for _ in range(4)] == [True, True, False, False]


def test_a_fault_comes_back_from_its_json() -> None:
    fault = Fault(kind=FaultKind.CUT_BODY, subject="*.tif", after_bytes=400, times=None)

    assert Fault.from_json(fault.to_json()) == fault


@pytest.mark.parametrize(
    "value",
    [{}, {"kind": "nonsense"}, {"kind": "error", "statuss": 500}, {"kind": "cut_body", "after_bytes": "many"}, None],
)
def test_json_that_is_no_fault_is_refused(value: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="Fault"):
        Fault.from_json(value)


@pytest.mark.parametrize(("after_bytes", "position"), [(None, 50), (30, 30), (0, 0), (500, 100)])
def test_a_fault_strikes_within_the_body(after_bytes: int | None, position: int) -> None:
    assert Fault(kind=FaultKind.CUT_BODY, after_bytes=after_bytes).position(100) == position
