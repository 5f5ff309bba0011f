from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from jobs.request import check_request
from jobs.run import Run, Stage, State
from worker.demo.proof import bought_twice, tell_mishaps, verify_delivery
from worker.demo.requests import build_requests

ORDER_ID = "8d7f6910-d563-4902-abcd-573a8e8641c8"
RUN = Run.model_validate(
    {
        "run_id": "01M82EJHPA6S08FHZQ39ZFARS8",
        "state": State.DONE,
        "stage": Stage.VALIDATE,
        "name": "oregon",
        "request": {},
        "fingerprint": "f",
        "created_at": 0,
        "updated_at": 1000,
        "order_id": ORDER_ID,
    }
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An order's folder with one good file."""
    order = tmp_path / ORDER_ID
    order.mkdir()
    (order / "scene.tif").write_bytes(b"pixels")
    digests = {"sha256": hashlib.sha256(b"pixels").hexdigest()}
    manifest = {"files": [{"path": "scene.tif", "size": 6, "digests": digests}]}
    (order / "manifest.json").write_text(json.dumps(manifest))
    return order


def test_the_demo_orders_24_different_things_that_planet_would_take() -> None:
    requests = build_requests()
    assert len({request["name"] for request in requests}) == 24
    assert len({item for request in requests for each in request["products"] for item in each["item_ids"]}) == sum(
        len(each["item_ids"]) for request in requests for each in request["products"]
    )
    for request in requests:
        assert check_request(request) == request
    assert requests == build_requests()


def test_a_good_delivery_is_whole(folder: Path) -> None:
    delivery = verify_delivery(RUN, folder.parent)
    assert (delivery.files, delivery.size_bytes, delivery.problems, delivery.is_whole) == (1, 6, [], True)


def test_a_changed_file_is_found(folder: Path) -> None:
    (folder / "scene.tif").write_bytes(b"pixelz")
    assert not verify_delivery(RUN, folder.parent).is_whole


def test_a_missing_file_is_found(folder: Path) -> None:
    (folder / "scene.tif").unlink()
    assert not verify_delivery(RUN, folder.parent).is_whole


def test_a_missing_manifest_is_found(folder: Path) -> None:
    (folder / "manifest.json").unlink()
    assert not verify_delivery(RUN, folder.parent).is_whole


def test_a_run_that_is_not_done_is_not_whole_whatever_lies_there(folder: Path) -> None:
    assert not verify_delivery(RUN.model_copy(update={"state": State.FAILED}), folder.parent).is_whole


def test_mishaps_are_told_by_what_the_simulator_saw_and_only_those() -> None:
    report = {
        "faults": {"cut_body": 2},
        "ranges": {"a.tif": ["bytes=400-", "bytes=0-"], "b.tif": ["bytes=7-"]},
        "orders": {"a": 1, "b": 2},
        "rate_limited": 0,
    }
    assert tell_mishaps(report) == [
        "2 downloads cut off midway, 2 continued from the last byte",
        "3 orders placed for 2 requests, 1 bought twice",
    ]
    assert bought_twice(report)
