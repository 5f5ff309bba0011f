from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planet_sdk.strict_json import MAX_DEPTH, read_json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda members: st.lists(members) | st.dictionaries(st.text(), members),
)


@given(VALUES)
def test_what_is_json_is_read_as_it_is(value: Any) -> None:
    assert read_json(json.dumps(value).encode()) == value


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a": ', "}"), ('[{"a": 1, "b": ', "}]")])
def test_depth_is_bounded_far_below_what_python_survives(opening: str, closing: str) -> None:
    levels = opening.count("[") + opening.count("{")
    most = MAX_DEPTH // levels

    read_json(opening * most + "1" + closing * most)
    for depth in (most + 1, 900, 500_000):
        with pytest.raises(ValueError, match="nested more than 100 deep"):
            read_json(opening * depth + "1" + closing * depth)


@pytest.mark.parametrize("text", ["NaN", '{"a": Infinity}', "[-Infinity]", "9" * 5_000, "", "{", b"\xff"])
def test_what_is_no_json_is_refused(text: str | bytes) -> None:
    with pytest.raises(ValueError):
        read_json(text)
