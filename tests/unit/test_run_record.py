"""The record of a run as Redis holds it: what can be read, and what is refused by name."""

from __future__ import annotations

import pytest

from jobs.errors import UnreadableRun
from jobs.run import RECORD_VERSION, Run, encode_facts
from tests.stage_rig import RUN_ID, new_run


def record(**changes: str | bytes) -> dict[bytes, bytes]:
    whole = {name: text for name, text in encode_facts(new_run().model_dump()).items() if text}
    fields: dict[str, str | bytes] = {**whole, **changes}
    return {name.encode(): text if isinstance(text, bytes) else text.encode() for name, text in fields.items()}


def test_a_record_is_read_as_it_was_written() -> None:
    assert Run.from_hash(record()) == new_run()


def test_fields_that_a_newer_version_added_are_passed_over() -> None:
    assert Run.from_hash(record(a_new_field="1")) == new_run()


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        ({"state": "melting"}, "state: Input should be"),
        ({"request": "{"}, "request:"),
        ({"request": '{"a":' * 100_000}, "depth limit"),
        ({"name": b"\xff"}, "utf-8"),
        ({"created_at": "9" * 30}, "cannot be read"),
        ({"created_at": "9" * 5_000}, "cannot be read"),
        ({"run_id": "somebody"}, "another run"),
        ({"step": "many"}, "step: "),
        ({"version": "9" * 5_000}, "version"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_damaged_record_is_refused_by_name(damage: dict[str, str | bytes], why: str) -> None:
    with pytest.raises(UnreadableRun, match=why) as caught:
        Run.from_hash(record(**damage), RUN_ID)
    assert (caught.value.run_id, caught.value.is_newer) == (RUN_ID, False)


def test_the_refusal_does_not_repeat_what_may_be_secret() -> None:
    with pytest.raises(UnreadableRun) as caught:
        Run.from_hash(record(state="hunter2", request='"hunter2"'), RUN_ID)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("more", [{}, {"state": "melting"}])
def test_a_record_of_a_newer_version_says_so(more: dict[str, str | bytes]) -> None:
    """Also where the newer version has words that this one does not know."""
    with pytest.raises(UnreadableRun) as caught:
        Run.from_hash(record(version=str(RECORD_VERSION + 1), **more), RUN_ID)
    assert caught.value.is_newer
