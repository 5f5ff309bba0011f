"""What orjson refuses is written all the same."""

from __future__ import annotations

import json
from typing import Any

import pytest

from jobs.json_text import to_json
from jobs.request import canonical


@pytest.mark.parametrize(
    "value",
    [
        {"name": "Zürich 🛰", "area": [8.54, 47.37, 1e-9, 1e300], "none": None, "yes": True},
        {"count": 2**70},
        {"half": "\ud83d"},
        [],
    ],
    ids=["texts and numbers", "above 64 bits", "half a pair", "empty"],
)
def test_what_is_written_reads_as_it_was(value: Any) -> None:
    assert json.loads(to_json(value)) == value
    assert " " not in to_json(value).replace("Zürich 🛰", "")


def test_what_json_does_not_know_is_made_into_what_it_knows() -> None:
    assert to_json({"at": object, "big": 2**70}, default=lambda value: value.__name__) == (
        '{"at":"object","big":1180591620717411303424}'
    )


@pytest.mark.parametrize("extra", [1, 2**70], ids=["orjson", "json"])
def test_the_same_request_has_the_same_text_whatever_the_order_of_its_keys(extra: int) -> None:
    assert canonical({"b": {"d": 1.5, "c": extra}, "a": "ü"}) == canonical({"a": "ü", "b": {"c": extra, "d": 1.5}})
